"""Markdown written from other markup: blocks as strings, one empty line between them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_COLUMNS = 100
MAX_REPEATED = 100
MAX_URL = 2_000

# What would start another block, or make a heading of the line above.
SYNTAX = re.compile(
    r"#{1,6}(?=\s|$)|>|[-+*](?=\s|$)|\d{1,9}(?=[.)](?:\s|$))|`{3}|~{3}|=+\s*$|-+\s*$"
    r"|(?:[-*_][ \t]*){3,}$|<(?=[A-Za-z/!?])|(?=\|)|\[[^\]]{1,999}\]:"
)
BLOCK = re.compile(r"(?:[-|>]|#{1,6}|\d{1,9}\.) |`{3}|\*\*")
LIST = re.compile(r"(?:-|\d{1,9}\.) ")
TAG = re.compile(r"<(?:/?[A-Za-z][\w.:-]*(?:[\s/][^<>`]*)?|[!?][^<>`]*)>")
UNSAFE = re.compile(r"\s*(?:javascript|vbscript|data|file):", re.IGNORECASE)
URL_MARKS = {ord(mark): f"%{ord(mark):02X}" for mark in ' ()<>\\"\n'}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, over so many columns and rows."""

    text: str
    columns: int = 1
    rows: int = 1


def prose(text: str) -> str:
    """Text as inline Markdown: what looks like a tag is shown as code."""
    return TAG.sub(lambda tag: code(tag[0]), text) if "<" in text else text


def escape(line: str) -> str:
    """A line of prose that stays prose."""
    line = line.strip()
    match = SYNTAX.match(line)
    if not match:
        return line
    at = match.end() if match[0].isdigit() else 0
    return f"{line[:at]}\\{line[at:]}"


def paragraph(text: str) -> str:
    """Lines of prose, none of which starts anything else."""
    return "\n".join(line for line in map(escape, text.split("\n")) if line)


def heading(level: int, text: str) -> str:
    """A heading on one line."""
    text = " ".join(text.split())
    return f"{'#' * min(max(level, 1), 6)} {text}" if text else ""


def fence(code: str, language: str = "") -> str:
    """A code block with a fence that its code cannot close."""
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    marks = "`" * (longest + 1)
    language = re.sub(r"[^\w+#.-]", "", language)
    code = code.strip("\n")
    return f"{marks}{language}\n{code}\n{marks}" if code.strip() else ""


def code(text: str) -> str:
    """Inline code, on one line."""
    text = " ".join(text.split())
    if not text:
        return ""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    marks = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{marks}{pad}{text}{pad}{marks}"


def mark(text: str, marks: str) -> str:
    """Text within marks of emphasis, its outer spaces left outside."""
    inner = text.strip()
    if not inner or "\n" in inner or inner.startswith(marks):
        return text
    before, _, after = text.partition(inner)
    return f"{before and ' '}{marks}{inner}{marks}{after and ' '}"


def link(text: str, url: str) -> str:
    """A link, or only its text where the target is unsafe or absurdly long."""
    url = url.strip()
    inner = " ".join(text.split())
    if not inner or not url or len(url) > MAX_URL or UNSAFE.match(url):
        return text
    if inner == url:
        return text
    if inner.count("[") != inner.count("]"):
        inner = re.sub(r"[\[\]]", r"\\\g<0>", inner)
    return f"[{inner}]({url.translate(URL_MARKS)})"


def item(marker: str, body: str) -> str:
    """A list item, its further lines indented below its first."""
    indent = " " * (len(marker) + 1)
    lines = body.split("\n")
    rest = [indent + line if line else "" for line in lines[1:]]
    return "\n".join([f"{marker} {lines[0]}", *rest])


def quote(body: str) -> str:
    """A block quote."""
    return "\n".join(f"> {line}".rstrip() for line in body.split("\n"))


def join(blocks: Iterable[str]) -> str:
    """Blocks with an empty line between them; empty ones vanish."""
    return "\n\n".join(block for block in blocks if block.strip())


def compact(blocks: list[str]) -> str:
    """The blocks of a list item: a list right below its paragraph."""
    text = ""
    for block in blocks:
        glue = "\n" if LIST.match(block) and "\n" not in text else "\n\n"
        text += (glue if text else "") + block
    return text


def definitions(pairs: list[tuple[str, list[str]]]) -> list[str]:
    """Terms with what they mean: items where that is short, else blocks opened by a bold term."""
    blocks: list[str] = []
    items: list[str] = []
    for term, body in pairs:
        bold = mark(" ".join(term.split()), "**")
        is_prose = bool(bold and body) and not BLOCK.match(body[0])
        first = f"{bold}: {body[0]}" if is_prose else bold
        if is_prose and len(body) == 1 and "\n" not in first:
            items.append(f"- {first}")
            continue
        blocks += ["\n".join(items), first, *body[is_prose:]]
        items = []
    return [block for block in (*blocks, "\n".join(items)) if block]


def table(rows: list[list[Cell]]) -> str:
    """A table of Markdown, the first row its header; a cell over several rows is repeated."""
    grid = [row for row in _grid(rows) if any(row)]
    if not grid:
        return ""
    width = max(map(len, grid))
    header = grid[0] + [""] * (width - len(grid[0]))
    return "\n".join(map(_row, [header, ["---"] * width, *grid[1:]]))


def _grid(rows: list[list[Cell]]) -> Iterable[list[str]]:
    above: dict[int, tuple[int, str]] = {}
    for cells in rows:
        row: list[str] = []
        waiting = iter(cells)
        cell = next(waiting, None)
        while cell or len(row) in above:
            left, text = above.pop(len(row), (0, ""))
            if left:
                if left > 1:
                    above[len(row)] = (left - 1, text)
                row.append(text)
                continue
            assert cell is not None
            text = " ".join(cell.text.split()).replace("|", "\\|").replace("\\\\|", "\\|")
            for column in range(max(1, min(cell.columns, MAX_COLUMNS - len(row)))):
                shown = "" if column else text
                if cell.rows > 1:
                    above[len(row)] = (cell.rows - 1, shown if len(shown) <= MAX_REPEATED else "")
                row.append(shown)
            cell = next(waiting, None)
        yield row


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
