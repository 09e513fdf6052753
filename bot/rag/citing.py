"""Lets through what a model says only as far as it names passages, statement by statement.

A statement is kept with the marks in it, with one on a line of its own behind it, or as a list or
code that a kept statement with a colon announces. What names no passage is dropped, and so are
marks that name none; kept marks are numbered anew in order of their first use.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from bot.messages import Citation, Passage
from bot.rag.links import unlinked, unlinked_code
from bot.rag.prompts import visible
from bot.rag.statements import FENCE, MARK, Kind, Splitter, Statement

MARKS = re.compile(rf"[ \t]*{MARK}(?:[ \t]*{MARK})*")
MARKS_ALONE = re.compile(rf"[\s.,;:]*(?:{MARK}[\s.,;:]*)+\Z")
SPAN = re.compile(r"(`[^`\n]+`)")
FENCES_IN_PROSE = re.compile(r"`{3,}|~{3,}")


class CitationChecker:
    """Takes the pieces of a model's answer, gives the pieces that may be shown.

    `secret` is the word of the prompt's fence, which no answer may hold.
    """

    def __init__(self, passages: Sequence[Passage], secret: str) -> None:
        self._passages = passages
        self._texts = [passage.text for passage in passages]
        self._secret = secret
        self._numbers: dict[int, int] = {}
        self.restart()

    def restart(self) -> None:
        """Forget what arrived; only where nothing of it was let through."""
        assert not self._numbers
        self._splitter = Splitter()
        self._held: list[Statement] = []
        self._is_announced = False
        self._is_begun = False
        self._gap = " "

    @property
    def citations(self) -> tuple[Citation, ...]:
        """The citations of what was let through, by their new numbers."""
        cited = ((number, self._passages[mark - 1]) for mark, number in self._numbers.items())
        return tuple(Citation(n, p.title, p.headings, p.url) for n, p in cited)

    def feed(self, piece: str, *, is_end: bool = False) -> str:
        """What may be shown now; with `is_end` the rest."""
        text = visible(piece)
        statements = self._splitter.feed(text, is_end=is_end)
        return "".join(self._take(statement) for statement in statements)

    def _take(self, statement: Statement) -> str:
        is_prose = statement.kind not in {Kind.CODE, Kind.TABLE}
        if is_prose and MARKS_ALONE.match(statement.text):
            return self._cite_held(statement)
        is_listed = self._is_announced and statement.kind in {Kind.ITEM, Kind.CODE, Kind.TABLE}
        text = self._clean(statement)
        if statement.kind is not Kind.CODE and self._named(text):
            shown = "".join(self._show(lead) for lead in self._leads()) + self._show(statement)
            self._is_announced = _announces(statement) or is_listed
            return shown
        if is_listed:
            return self._show(statement)
        self._is_announced = False
        self._held = [*self._leads(), statement]
        return ""

    def _cite_held(self, marks: Statement) -> str:
        """What was held back, now that a line of marks names its source."""
        if not self._held or not self._named(self._clean(marks)):
            return ""
        last = self._held.pop()
        shown = "".join(self._show(lead) for lead in self._leads()) + self._show(last)
        # A mark behind a closing fence or a table's last row would break either.
        gap = "\n\n" if last.kind in {Kind.CODE, Kind.TABLE} else " "
        return shown + self._show(replace(marks, gap=gap)) if shown else ""

    def _leads(self) -> list[Statement]:
        """The statements held back that announce what comes next; the others are dropped."""
        held, self._held = self._held, []
        first = len(held)
        while first and _announces(held[first - 1]):
            first -= 1
        for statement in held[:first]:
            self._drop(statement)
        return held[first:]

    def _drop(self, statement: Statement) -> str:
        """Nothing; the line ends in front of it stay, so that what follows begins its own line."""
        self._gap = max(self._gap, statement.gap, key=len)
        return ""

    def _show(self, statement: Statement) -> str:
        text = self._clean(statement)
        if not text.strip() or self._secret in text:
            return self._drop(statement)
        if statement.kind is not Kind.CODE:
            text = self._renumbered(text.lstrip() if statement.gap == " " else text)
        gap = max(self._gap, statement.gap, key=lambda gap: gap.count("\n"))
        shown = gap + text if self._is_begun else text
        self._is_begun, self._gap = True, " "
        return shown

    def _clean(self, statement: Statement) -> str:
        """The statement without links and without marks that name no passage."""
        if statement.kind is Kind.CODE:
            return unlinked_code(_fenced(statement.text), self._texts)
        # Prose must not open a block of code when what stood in front of it is dropped.
        text = FENCES_IN_PROSE.sub("`", statement.text)
        return _outside_code(text, self._clean_prose, lambda c: unlinked_code(c, self._texts))

    def _clean_prose(self, text: str) -> str:
        # One left alone would make code of what follows it, and prose of the code behind that.
        text = text.replace("`", "")
        before = None
        while before != text:
            before = text
            text = unlinked(MARKS.sub(self._valid, text))
        return text

    def _valid(self, marks: re.Match[str]) -> str:
        """Of marks those that name a passage, in brackets, which links are looked for behind."""
        return _spaced(marks[0], self._numbers_in(marks[0]))

    def _named(self, text: str) -> bool:
        """Whether a mark in the cleaned text names a passage."""
        return any(MARKS.search(part) for part in SPAN.split(text)[::2])

    def _numbers_in(self, marks: str) -> list[int]:
        """The passages that marks name, by their numbers in the prompt."""
        heads = re.sub("†[^】]*", "", marks)
        numbers = [int(number) for number in re.findall("[0-9]+", heads)]
        return [n for n in dict.fromkeys(numbers) if 1 <= n <= len(self._passages)]

    def _renumbered(self, text: str) -> str:
        return _outside_code(text, lambda prose: MARKS.sub(self._renumber, prose), str)

    def _renumber(self, marks: re.Match[str]) -> str:
        named = self._numbers_in(marks[0])
        numbers = [self._numbers.setdefault(n, len(self._numbers) + 1) for n in named]
        return _spaced(marks[0], numbers)


def _spaced(marks: str, numbers: Sequence[int]) -> str:
    """Marks of these numbers, with a space in front where there was one."""
    written = "".join(f"[{number}]" for number in numbers)
    return f" {written}" if written and marks.startswith((" ", "\t")) else written


def _outside_code(text: str, prose: Callable[[str], str], code: Callable[[str], str]) -> str:
    parts = SPAN.split(text)
    return "".join(code(part) if at % 2 else prose(part) for at, part in enumerate(parts))


def _announces(statement: Statement) -> bool:
    """Whether it announces what follows, as a heading or with a colon at its end."""
    text = re.sub(rf"{MARK}[ \t]*\Z", "", statement.text.rstrip("*_ \t"))
    return statement.kind is Kind.HEADING or text.rstrip("*_ \t").endswith(":")


def _fenced(code: str) -> str:
    """A block of code with its fences at the margin and its language; closed where it is not.

    Fences further in, behind an item, may be none to a renderer, which would then take the text
    behind them for code.
    """
    first, *lines = code.split("\n")
    fence = FENCE.match(f"{first}\n")
    assert fence is not None
    mark = fence[1]
    if lines and re.fullmatch(rf"[ \t]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*", lines[-1]):
        lines.pop()
    indent = " " * fence.start(1)
    body = [line.removeprefix(indent) for line in lines]
    language = re.sub(r"[^\w+#.-].*", "", first[fence.end(1) :].strip())
    return "\n".join([mark + language, *body, mark])
