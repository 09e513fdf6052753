"""Markdown → pieces of a Slack message, with nothing of the text lost.

A link in the text is its label, an image its alternative text, HTML is literal; the only links are
those of citation marks.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING

from bot.platforms.slack.lengths import sendable, size
from bot.platforms.slack.pieces import Kind, Piece, Run, Runs, Style, Table
from bot.platforms.slack.tables import aligned

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

MAX_HEADING = 150
# Blocks that lie deeper in each other are shown as they are written.
MAX_DEPTH = 40
MARK = re.compile(r"\[([0-9]{1,3})\]")
STYLES = {"strong": Style.BOLD, "em": Style.ITALIC, "s": Style.STRIKE}
# A header is no rich text; what could be taken for markup of Slack's is kept out of it.
UNSAFE_IN_HEADER = re.compile(r"[<>]|&\S*;")


def pieces(markdown: str, links: Mapping[int, str]) -> list[Piece]:
    """The pieces of a Markdown text; `links` are the addresses of its citation marks."""
    from markdown_it.tree import SyntaxTreeNode

    text = sendable(markdown)
    lines = text.split("\n")
    writer = _Writer(links)
    for node in SyntaxTreeNode(_parser().parse(text)).children:
        if _depth(node) >= MAX_DEPTH - 2 and node.map:
            writer.add(Kind.TEXT, (Run("\n".join(lines[slice(*node.map)]).strip("\n")),))
        else:
            writer.write(node, _Place(lines))
        # A heading stays with what it is above.
        writer.group += node.type != "heading"
    return writer.pieces


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": MAX_DEPTH})
    # A definition of a reference is shown nowhere, and takes `[1]` for a link that leads to it.
    return parser.enable(["table", "strikethrough"]).disable("reference")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a block stands; `lines` are those of the whole text."""

    lines: Sequence[str]
    depth: int = 0
    is_quoted: bool = False


@dataclass(slots=True)
class _Writer:
    """Writes pieces down; `item` is the item that the next paragraph begins."""

    links: Mapping[int, str]
    pieces: list[Piece] = field(default_factory=list)
    group: int = 0
    item: Piece | None = None

    def add(self, kind: Kind, runs: Runs, *, is_quoted: bool = False) -> None:
        """Add a piece, of the item that waits for its text where there is one."""
        if self.item and kind is Kind.TEXT:
            self.pieces.append(replace(self.item, runs=runs))
        elif runs:
            if self.item and self.item.number is not None:
                self.pieces.append(replace(self.item, runs=(Run(" "),)))
            self.pieces.append(Piece(kind, runs, self.group, is_quoted=is_quoted))
        self.item = None

    def write(self, node: "SyntaxTreeNode", place: _Place) -> None:
        """Write a block down, and what is in it."""
        match node.type:
            case "paragraph":
                self._paragraph(self._runs(node), place)
            case "heading":
                self._heading(node, place)
            case "bullet_list" | "ordered_list":
                self._list(node, place)
            case "blockquote":
                for child in node.children:
                    self.write(child, replace(place, is_quoted=True))
            case "fence" | "code_block":
                self._code(node, place)
            case "table":
                self._table(node, place)
            case "hr":
                self.item = None
                self.pieces.append(Piece(Kind.DIVIDER, group=self.group))

    def _paragraph(self, runs: Runs, place: _Place) -> None:
        before = self.pieces[-1] if self.pieces else None
        if not runs:
            return
        if self.item is None and before and self._goes_on(before, place):
            self.pieces[-1] = replace(before, runs=(*before.runs, Run("\n"), *runs))
            return
        is_quote = place.is_quoted and self.item is None
        self.add(Kind.QUOTE if is_quote else Kind.TEXT, runs, is_quoted=is_quote)

    def _goes_on(self, piece: Piece, place: _Place) -> bool:
        """Whether the piece is the item that a further paragraph at this place belongs to."""
        is_item = piece.kind is Kind.ITEM and piece.group == self.group
        return is_item and (piece.indent, piece.is_quoted) == (place.depth - 1, place.is_quoted)

    def _heading(self, node: "SyntaxTreeNode", place: _Place) -> None:
        runs = self._runs(node)
        text = " ".join("".join(run.text for run in runs).split())
        is_plain = not UNSAFE_IN_HEADER.search(text) and not any(run.url for run in runs)
        is_top = not place.depth and not place.is_quoted
        if text and is_top and is_plain and size(text) <= MAX_HEADING:
            self.add(Kind.HEADING, (Run(text),))
        else:
            bold = tuple(replace(run, styles=run.styles | {Style.BOLD}) for run in runs)
            self._paragraph(bold, place)

    def _list(self, node: "SyntaxTreeNode", place: _Place) -> None:
        start = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
        for at, child in enumerate(node.children):
            number = None if start is None else start + at
            self.item = Piece(
                Kind.ITEM, (), self.group, place.depth, number, place.is_quoted, glue="\n"
            )
            for block in child.children:
                self.write(block, replace(place, depth=place.depth + 1))
            if self.item and number is not None:
                self.pieces.append(replace(self.item, runs=(Run(" "),)))
            self.item = None

    def _code(self, node: "SyntaxTreeNode", place: _Place) -> None:
        # What stands behind the language is said nowhere else.
        if len(node.info.split()) > 1:
            self._paragraph((Run(node.info.strip()),), place)
        self._preformatted(node.content, place)

    def _preformatted(self, text: str, place: _Place) -> None:
        runs = (Run(text.removesuffix("\n")),) if text.strip() else ()
        self.add(Kind.CODE, runs, is_quoted=place.is_quoted)

    def _table(self, node: "SyntaxTreeNode", place: _Place) -> None:
        rows = [row for part in node.children for row in part.children]
        aligns = tuple(
            str(cell.attrs.get("style", "text-align:left")).removeprefix("text-align:")
            for cell in rows[0].children
        )
        if _has_more_cells(node, len(aligns), place.lines):
            self._preformatted("\n".join(place.lines[slice(*(node.map or (0, 0)))]), place)
            return
        cells = tuple(tuple(self._runs(cell) for cell in row.children) for row in rows)
        table = Table(cells, aligns)
        if place.depth or place.is_quoted:
            self._preformatted(aligned(table), place)
        else:
            self.pieces.append(Piece(Kind.TABLE, group=self.group, table=table))

    def _runs(self, node: "SyntaxTreeNode") -> Runs:
        """The runs of a block's text; citation marks become links, in code they stay text."""
        raw = (run for child in node.children for run in _inline(child, frozenset()))
        runs: list[Run] = []
        for styles, group in groupby(raw, key=lambda run: run.styles):
            text = "".join(run.text for run in group)
            if Style.CODE in styles:
                runs.append(Run(text, styles))
            else:
                runs += _marked(text, styles, self.links)
        return tuple(run for run in runs if run.text)


def _inline(node: "SyntaxTreeNode", styles: frozenset[Style]) -> Iterator[Run]:
    match node.type:
        case "text":
            yield Run(node.content, styles)
        case "code_inline":
            yield Run(node.content, styles | {Style.CODE})
        case "softbreak":
            yield Run(" ", styles)
        case "hardbreak":
            yield Run("\n", styles)
        case kind:
            inner = styles | {STYLES[kind]} if kind in STYLES else styles
            for child in node.children:
                yield from _inline(child, inner)


def _marked(text: str, styles: frozenset[Style], links: Mapping[int, str]) -> Iterator[Run]:
    """The text as runs, each mark of a citation with an address a link of its own."""
    end = 0
    for mark in MARK.finditer(text):
        if url := links.get(int(mark[1])):
            yield Run(text[end : mark.start()], styles)
            yield Run(mark[0], styles, url)
            end = mark.end()
    yield Run(text[end:], styles)


def _depth(node: "SyntaxTreeNode") -> int:
    """How many blocks lie in each other, as the parser counts."""
    if node.type == "inline":
        return 0
    return 1 + max((_depth(child) for child in node.children), default=0)


def _has_more_cells(node: "SyntaxTreeNode", columns: int, lines: Sequence[str]) -> bool:
    """Whether a row has more cells than the table has columns, which no renderer would show."""
    first, last = node.map or (0, 0)
    rows = (line.strip(" \t>").removeprefix("|") for line in lines[first + 2 : last])
    return any(len(re.findall(r"(?<!\\)\|", row.removesuffix("|"))) >= columns for row in rows)
