"""An answer without a language model: the best sentences, list items, code or tables, quoted."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from bot.messages import Answer, Citation, Confidence, Outcome, Passage, Unit, UnitKind

# A quote must score within this of the best one, or it is noise beside it: 1.4 citations an answer
# instead of 1.7, for 0.9 points of answers shown (SQuAD tuning part).
MAX_DISTANCE = 0.25
# Items or lines that a sentence ending in a colon announces are quoted with it, up to so many.
MAX_ANNOUNCED = 6


def quote(
    passages: Sequence[Passage], confidence: Confidence, max_quotes: int, first_number: int = 1
) -> Answer:
    """The answer quoted from `passages` (best first, at least one): whole units, in order.

    Its citations are numbered from `first_number`.
    """
    chosen = _choose(passages, max_quotes)
    paragraphs, citations = [], []
    for number, (passage, units) in enumerate(chosen, start=first_number):
        # A mark behind a closing fence or a table's last row would break either.
        gap = "\n\n" if units[-1].kind in "ct" else " "
        paragraphs.append(f"{_quoted(passage, units)}{gap}[{number}]")
        citations.append(Citation(number, passage.title, passage.headings, passage.url))
    return Answer(
        Outcome.ANSWERED, "\n\n".join(paragraphs), tuple(citations), confidence, tuple(passages)
    )


def abstain(passages: Sequence[Passage], confidence: Confidence) -> Answer:
    """The answer where the documents do not hold one: the nearest titles, and a person instead."""
    citations = tuple(
        Citation(number, passage.title, passage.headings, passage.url)
        for number, passage in enumerate(_distinct(passages), start=1)
    )
    text = "I am not sure: the documents do not seem to answer this."
    if citations:
        nearest = "\n".join(f"- {place(c.title, c.headings)} [{c.number}]" for c in citations)
        text += f" The nearest I found:\n\n{nearest}"
    text += "\n\nAsk it in other words, or ask a person on the team."
    return Answer(Outcome.ABSTAINED, text, citations, confidence, tuple(passages))


def place(title: str, headings: Sequence[str]) -> str:
    """A title with its heading path, for people."""
    return " › ".join((title, *headings))


def _choose(passages: Sequence[Passage], max_quotes: int) -> list[tuple[Passage, list[Unit]]]:
    """The best units, by passage; the passage with the best unit first.

    A unit scores its piece's cosine, half its coverage of the question's words and half its
    passage's fused score.
    """
    scored = sorted(
        (
            (unit.cosine + 0.5 * unit.coverage + 0.5 * passage.scores.fused, -rank, -at)
            for rank, passage in enumerate(passages)
            for at, unit in enumerate(passage.units)
        ),
        reverse=True,
    )
    best = [key for key in scored[:max_quotes] if key[0] >= scored[0][0] - MAX_DISTANCE]
    chosen: dict[int, list[int]] = {}
    for _, rank, at in best:
        chosen.setdefault(-rank, []).append(-at)
    return [
        (passages[rank], [passages[rank].units[at] for at in _completed(passages[rank], ats)])
        for rank, ats in chosen.items()
    ]


def _completed(passage: Passage, chosen: Sequence[int]) -> list[int]:
    """The chosen units with what a colon announces, and with the sentence that announces them."""
    units = passage.units
    completed = set(chosen)
    for at in chosen:
        if at and units[at].kind in "ct" and _announces(passage, units[at - 1]):
            completed.add(at - 1)
        if _announces(passage, units[at]):
            completed.update(_announced(units, at))
    return sorted(completed)


def _announces(passage: Passage, unit: Unit) -> bool:
    return unit.kind in "si" and passage.text[unit.start : unit.end].endswith(":")


def _announced(units: Sequence[Unit], at: int) -> Iterator[int]:
    following = units[at + 1 : at + 1 + MAX_ANNOUNCED]
    for number, unit in enumerate(following, start=at + 1):
        if unit.kind is UnitKind.SENTENCE and number > at + 1:
            return
        yield number
        if unit.kind is not UnitKind.ITEM:
            return


def _quoted(passage: Passage, units: Sequence[Unit]) -> str:
    """The units as they stand in the passage; an ellipsis where some are left out between."""
    position = {unit: at for at, unit in enumerate(passage.units)}
    runs = groupby(enumerate(units), key=lambda pair: position[pair[1]] - pair[0])
    return "\n\n…\n\n".join(
        passage.text[run[0][1].start : run[-1][1].end] for run in (list(g) for _, g in runs)
    )


def _distinct(passages: Sequence[Passage]) -> list[Passage]:
    """The first passage of each place, three at most."""
    seen: dict[tuple[str, ...], Passage] = {}
    for passage in passages:
        seen.setdefault((passage.source, passage.uri, *passage.headings), passage)
    return list(seen.values())[:3]
