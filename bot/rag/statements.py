"""Cuts a text that is still arriving into statements: sentences, items, code blocks, tables.

A statement is given out only when nothing that can still arrive would change it, so that however
the text is cut into pieces on its way, the statements are the same.
"""

import re
from dataclasses import dataclass
from enum import Enum

MARK = r"(?:\[[0-9]{1,3}(?:[ \t]*[,;][ \t]*[0-9]{1,3})*\]|【[0-9]{1,3}[^】\n]{0,20}】)"
FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})[^\n]*\n")
FENCE_BEGUN = re.compile(r"[ \t]*(?:`{0,2}|~{0,2}|(?:`{3,}|~{3,})[^\n]*)\Z")
TABLE = re.compile(r"(?:[ \t]*\|[^\n]*\n)+(?=[ \t]*[^ \t|])")
TABLE_BEGUN = re.compile(r"[ \t]*\|")
ITEM = re.compile(r"[ \t]*(?:[-*+•]|[0-9]{1,3}[.)])[ \t]+\S")
HEADING = re.compile(r"[ \t]*#{1,6}[ \t]")
LETTER = re.compile(r"[ \t]*[^\W\d_]")
# A full stop with the marks behind it ends a sentence where another begins behind white space.
# Code between backticks is passed over whole, as a full stop in it ends nothing.
STEP = re.compile(
    rf"`[^`\n]+`|(?P<end>[.!?…:][\"'”’)*_]*(?:[ \t]*{MARK})*[.!?:]?)(?=[ \t]+[^\s\[【])|[^\n]"
)
ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|[A-Za-z])|^[ \t]*[0-9]+)\.$")


class Kind(Enum):
    """What a statement is; a heading announces, like a sentence that ends in a colon."""

    SENTENCE = "sentence"
    ITEM = "item"
    HEADING = "heading"
    CODE = "code"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as it arrived; `gap` is the white space in front of it: " ", or line ends."""

    kind: Kind
    text: str
    gap: str


class Splitter:
    """Takes the pieces of a text, gives its statements."""

    def __init__(self) -> None:
        self._rest = "\n"

    def feed(self, piece: str, *, is_end: bool = False) -> list[Statement]:
        """The statements that are complete now; with `is_end` all that is left."""
        self._rest += piece
        if is_end:
            self._rest = self._rest.rstrip() + "\n"
        found = []
        while statement := self._next(is_end=is_end):
            found.append(statement)
        return found

    def _next(self, *, is_end: bool) -> Statement | None:
        stripped = self._rest.lstrip()
        gap = self._rest[: len(self._rest) - len(stripped)]
        if not stripped:
            return None
        # A line keeps its indentation, which says to which item it belongs.
        lines = gap.count("\n")
        start = gap.rfind("\n") + 1 if lines else len(gap)
        cut = self._cut(start, is_line=lines > 0, is_end=is_end)
        if cut is None:
            return None
        kind, end = cut
        text = self._rest[start:end]
        # A line's end belongs to the gap behind it.
        self._rest = "\n" * text.endswith("\n") + self._rest[end:]
        return Statement(kind, text.rstrip(), "\n" * min(lines, 2) or " ")

    def _cut(self, start: int, *, is_line: bool, is_end: bool) -> tuple[Kind, int] | None:
        """What begins there and where it ends; None while that cannot be told."""
        line_end = self._rest.find("\n", start) + 1
        if is_line:
            if block := self._block(start, is_end=is_end):
                kind, end = block
                return (kind, end) if end else None
            if not line_end and not LETTER.match(self._rest, start):
                return None  # it may become an item or a heading, which end with their line
            for pattern, kind in ((ITEM, Kind.ITEM), (HEADING, Kind.HEADING)):
                if line_end and pattern.match(self._rest, start):
                    return kind, line_end
        end = self._sentence_end(start, line_end)
        return (Kind.SENTENCE, end) if end else None

    def _block(self, start: int, *, is_end: bool) -> tuple[Kind, int] | None:
        """The code or table that begins there with its end, 0 while it has none; None if none."""
        if fence := FENCE.match(self._rest, start):
            mark = f"{re.escape(fence[1][0])}{{{len(fence[1])},}}"
            closing = re.compile(rf"^[ \t]*{mark}[ \t]*\n", re.MULTILINE)
            closed = closing.search(self._rest, fence.end())
            return Kind.CODE, closed.end() if closed else len(self._rest) * is_end
        if not is_end and FENCE_BEGUN.match(self._rest, start):
            return Kind.CODE, 0
        if TABLE_BEGUN.match(self._rest, start):
            table = TABLE.match(self._rest + "\0" * is_end, start)
            return Kind.TABLE, table.end() if table else 0
        return None

    def _sentence_end(self, start: int, line_end: int) -> int:
        """Where the sentence ends, at most with its line; 0 while that is not there yet."""
        limit = line_end - 1 if line_end else len(self._rest)
        at = start
        while at < limit:
            if not line_end and self._rest[at] == "`" and "`" not in self._rest[at + 1 :]:
                return 0
            step = STEP.match(self._rest, at)
            if step is None:
                break
            at = step.end()
            if step["end"] and not ABBREVIATION.search(self._rest[start:at]):
                return at
        return line_end
