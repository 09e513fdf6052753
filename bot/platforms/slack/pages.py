"""Lays pieces out on pages: lists of blocks that each fit into one message."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from bot.platforms.slack import richtext, tables
from bot.platforms.slack.pieces import MAX_PIECE, Kind, Piece, Run, divided
from bot.platforms.slack.richtext import Json

# Slack takes 50 blocks, and refused some messages above 11,000 characters; buttons need room, too.
MAX_BLOCKS = 47
MAX_SIZE = 10_500
ALONE = {Kind.HEADING, Kind.TABLE, Kind.DIVIDER}


@dataclass(frozen=True, slots=True)
class Fill:
    """How full a page is; `rich_size` is that of its last block, None where it takes no more."""

    blocks: int = 0
    size: int = 0
    rich_size: int | None = None
    has_table: bool = False

    def plus(self, piece: Piece) -> "Fill":
        """How full it is with this piece behind the others."""
        size = self.size + piece.size
        if piece.kind in ALONE:
            has_table = self.has_table or piece.kind is Kind.TABLE
            return Fill(self.blocks + 1, size, None, has_table)
        together = (self.rich_size or 0) + piece.size
        if self.rich_size is None or together > MAX_PIECE:
            return Fill(self.blocks + 1, size, piece.size, self.has_table)
        return Fill(self.blocks, size, together, self.has_table)

    @property
    def is_legal(self) -> bool:
        """Whether Slack takes it."""
        return self.blocks <= MAX_BLOCKS and self.size <= MAX_SIZE


def paged(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """The pieces by pages, in order.

    What belongs to one group is on one page where a page can hold it. The first table of a page
    is a table where Slack takes it, the others are text in columns.
    """
    pages: list[list[Piece]] = [[]]
    fill = Fill()
    for _, members in groupby(pieces, key=lambda piece: piece.group):
        group = list(members)
        if pages[-1] and not _filled(fill, group).is_legal and _filled(Fill(), group).is_legal:
            pages.append([])
            fill = Fill()
        for piece in group:
            for part in _parts(piece, has_table=fill.has_table):
                if pages[-1] and not fill.plus(part).is_legal:
                    pages.append([])
                    fill = Fill()
                fill = fill.plus(part)
                pages[-1].append(part)
    return pages


def blocks(page: Sequence[Piece]) -> list[Json]:
    """The blocks of a page's pieces."""
    made: list[Json] = []
    rich: list[Piece] = []
    fill = Fill()
    for piece in page:
        before, fill = fill, fill.plus(piece)
        if rich and fill.blocks > before.blocks:
            made.append(richtext.block(rich))
            rich = []
        if piece.kind in ALONE:
            made.append(_block(piece))
        else:
            rich.append(piece)
    return [*made, richtext.block(rich)] if rich else made


def _filled(fill: Fill, group: Iterable[Piece]) -> Fill:
    for piece in group:
        for part in _parts(piece, has_table=fill.has_table):
            fill = fill.plus(part)
    return fill


def _parts(piece: Piece, *, has_table: bool) -> Iterator[Piece]:
    """The piece in parts that are no longer than a block may be."""
    table = piece.table
    if table and (has_table or not tables.fits(table)):
        text = tables.aligned(table)
        piece = replace(piece, kind=Kind.CODE, runs=(Run(text),), table=None)
    yield from divided(piece)


def _block(piece: Piece) -> Json:
    if piece.table:
        return tables.block(piece.table)
    if piece.kind is Kind.DIVIDER:
        return {"type": "divider"}
    text = "".join(run.text for run in piece.runs)
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}
