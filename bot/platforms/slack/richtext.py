"""Pieces → Slack's rich text, whose texts are literal: they mention nobody and link nothing."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from bot.platforms.slack.pieces import Kind, Piece, Run

Json = dict[str, Any]
MAX_INDENT = 8


def section(runs: Sequence[Run]) -> Json:
    """A section of rich text."""
    return {"type": "rich_text_section", "elements": [_element(run) for run in runs]}


def block(pieces: Iterable[Piece]) -> Json:
    """A block of rich text; pieces of one kind that follow each other become one element."""
    elements = [
        element
        for (kind, _), group in groupby(pieces, key=lambda piece: (piece.kind, piece.is_quoted))
        for element in _elements(kind, list(group))
    ]
    return {"type": "rich_text", "elements": elements}


def _elements(kind: Kind, pieces: list[Piece]) -> Iterator[Json]:
    if kind is Kind.ITEM:
        yield from _lists(pieces)
    elif kind is Kind.CODE:
        for piece in pieces:
            yield _preformatted(piece)
    elif kind is Kind.QUOTE:
        yield section(_glued(pieces)) | {"type": "rich_text_quote"}
    else:
        yield section(_glued(pieces))


def _lists(items: list[Piece]) -> Iterator[Json]:
    """A list for each run of items that count on from each other at one indent."""
    groups = groupby(enumerate(items), key=lambda at: (min(at[1].indent, MAX_INDENT), _start(*at)))
    for (indent, _), group in groups:
        members = [item for _, item in group]
        first = members[0].number
        made: Json = {
            "type": "rich_text_list",
            "style": "bullet" if first is None else "ordered",
            "indent": indent,
            "elements": [section(item.runs) for item in members],
        }
        if first is not None and first > 1:
            made["offset"] = first - 1
        if members[0].is_quoted:
            made["border"] = 1
        yield made


def _start(at: int, item: Piece) -> int | None:
    """The same for all items that count on from each other."""
    return None if item.number is None else item.number - at


def _preformatted(piece: Piece) -> Json:
    made: Json = {
        "type": "rich_text_preformatted",
        "elements": [_element(Run(run.text)) for run in piece.runs],
    }
    return made | {"border": 1} if piece.is_quoted else made


def _glued(pieces: list[Piece]) -> list[Run]:
    """The runs of all, with each piece's glue between it and the one in front of it."""
    runs = list(pieces[0].runs)
    for piece in pieces[1:]:
        runs += [Run(piece.glue), *piece.runs] if piece.glue else piece.runs
    return runs


def _element(run: Run) -> Json:
    made: Json = {"type": "text", "text": run.text}
    if run.url:
        made = {"type": "link", "url": run.url, "text": run.text}
    return (
        made | {"style": {style.value: True for style in sorted(run.styles)}}
        if run.styles
        else made
    )
