"""Tables: Slack's own block where it takes them, else text in columns."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from bot.platforms.slack.pieces import Runs, Table
from bot.platforms.slack.richtext import section

MAX_ROWS, MAX_COLUMNS, MAX_SIZE, MAX_CELL = 100, 20, 10_000, 3_000
# A longer cell is not aligned; one in a column would else add as many spaces to each row.
MAX_PADDED = 40


def fits(table: Table) -> bool:
    """Whether Slack takes it as a table."""
    cells = [cell for row in table.rows for cell in row]
    return (
        len(table.rows) <= MAX_ROWS
        and len(table.aligns) <= MAX_COLUMNS
        and table.size <= MAX_SIZE
        and max(sum(run.size for run in cell) for cell in cells) <= MAX_CELL
    )


def block(table: Table) -> dict[str, Any]:
    """The table as Slack's block; its first row is the head."""
    return {
        "type": "table",
        "column_settings": [{"align": align, "is_wrapped": True} for align in table.aligns],
        "rows": [[_cell(cell) for cell in row] for row in table.rows],
    }


def aligned(table: Table) -> str:
    """The table as text in columns, a line below its head."""
    rows = [["".join(run.text for run in cell) for cell in row] for row in table.rows]
    widths = [max(_padded_width(row[at]) for row in rows) for at in range(len(table.aligns))]
    head, *body = ([*zip(row, widths, table.aligns, strict=True)] for row in rows)
    return "\n".join(
        [_line(head), "  ".join("─" * width for width in widths), *(_line(row) for row in body)]
    )


def _cell(runs: Runs) -> dict[str, Any]:
    text = "".join(run.text for run in runs)
    if any(run.styles or run.url for run in runs):
        return {"type": "rich_text", "elements": [section(runs)]}
    return {"type": "raw_text", "text": text or " "}


def _line(cells: Sequence[tuple[str, int, str]]) -> str:
    return "  ".join(_padded(text, width, align) for text, width, align in cells).rstrip()


def _padded(text: str, width: int, align: str) -> str:
    missing = max(0, width - _width(text))
    before = {"right": missing, "center": missing // 2}.get(align, 0)
    return " " * before + text + " " * (missing - before)


def _padded_width(text: str) -> int:
    width = _width(text)
    return width if width <= MAX_PADDED else 1


def _width(text: str) -> int:
    """Columns that a text takes: two for each wide character, none for what combines."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)
