"""What a message is put together from: pieces of rich text that know their length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.platforms.slack.lengths import size, slices

# Most characters of a section, of a block of rich text and so of each of our pieces but tables.
MAX_PIECE = 3_000
# What is cut begins a new piece rather than with a few words behind others.
MIN_ROOM = 200


class Style(StrEnum):
    """How a run of text looks, by Slack's names."""

    BOLD = "bold"
    ITALIC = "italic"
    STRIKE = "strike"
    CODE = "code"


class Kind(StrEnum):
    """What a piece is."""

    TEXT = "text"
    ITEM = "item"
    QUOTE = "quote"
    CODE = "code"
    HEADING = "heading"
    TABLE = "table"
    DIVIDER = "divider"


@dataclass(frozen=True, slots=True)
class Run:
    """Text that looks the same from its begin to its end; a link where it has a `url`."""

    text: str
    styles: frozenset[Style] = frozenset()
    url: str | None = None

    @property
    def size(self) -> int:
        """Characters, those of the address too."""
        return size(self.text) + size(self.url or "")


Runs = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells each, and "left", "center" or "right" for each column."""

    rows: tuple[tuple[Runs, ...], ...]
    aligns: tuple[str, ...]

    @property
    def size(self) -> int:
        """Characters of all cells; an empty one counts as one."""
        return sum(max(1, length(cell)) for row in self.rows for cell in row)


@dataclass(frozen=True, slots=True)
class Piece:
    """A paragraph, an item of a list, a block of code …; pieces of a `group` stay together.

    `number` is that of an ordered item; `indent` that of an item, from 0; `glue` stands between a
    piece and one of its kind in front of it.
    """

    kind: Kind
    runs: Runs = ()
    group: int = 0
    indent: int = 0
    number: int | None = None
    is_quoted: bool = False
    glue: str = "\n\n"
    table: Table | None = None

    @property
    def size(self) -> int:
        """Characters, with what stands between it and the one in front."""
        return length(self.runs) + len(self.glue) + (self.table.size if self.table else 0)

    @property
    def plain(self) -> str:
        """The text alone, as a line of a notification."""
        text = "".join(run.text for run in self.runs)
        if self.table:
            rows = ("  ".join(_plain(cell) for cell in row) for row in self.table.rows)
            return "\n".join(rows)
        if self.kind is Kind.ITEM:
            return f"{'•' if self.number is None else f'{self.number}.'} {text}"
        return text


def length(runs: Sequence[Run]) -> int:
    """Characters of the runs together."""
    return sum(run.size for run in runs)


def divided(piece: Piece) -> list[Piece]:
    """The piece, in as many as it takes for none to be longer than a section may be."""
    if piece.kind in {Kind.TABLE, Kind.DIVIDER} or piece.size <= MAX_PIECE:
        return [piece]
    if piece.kind is Kind.CODE:
        text = _plain(piece.runs)
        parts = [
            (Run(part.removesuffix("\n") or " "),)
            for part in slices(text, MAX_PIECE - 2, MAX_PIECE - 2, is_code=True)
        ]
        return [replace(piece, runs=part) for part in parts]
    first, *rest = (tuple(part) for part in _parts(piece.runs, MAX_PIECE - len(piece.glue)))
    # What goes on with an item must not look like the next one.
    kind = Kind.TEXT if piece.kind is Kind.ITEM else piece.kind
    goes_on = replace(piece, kind=kind, number=None, glue="")
    return [replace(piece, runs=first), *(replace(goes_on, runs=part) for part in rest)]


def _parts(runs: Sequence[Run], most: int) -> Iterator[list[Run]]:
    part: list[Run] = []
    room = most
    for run in runs:
        if run.size > room and (run.url or room < MIN_ROOM) and part:
            yield part
            part, room = [], most
        texts = [run.text] if run.url else list(slices(run.text, most, room))
        for at, text in enumerate(texts):
            if at:
                yield part
                part, room = [], most
            cut = replace(run, text=text)
            part.append(cut)
            room -= cut.size
    if part:
        yield part


def _plain(runs: Sequence[Run]) -> str:
    return "".join(run.text for run in runs)
