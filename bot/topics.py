"""Topics: questions that failed, put together where they ask for alike things."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.clustering import Vectors, clustered
from bot.storage import gaps
from bot.storage.gaps import DAYS, Gap

EXAMPLES = 3

Encode = Callable[[Sequence[str]], Awaitable[Vectors]]


@dataclass(frozen=True, slots=True)
class Topic:
    """Questions that ask for alike things: the most typical one, counts, others as examples.

    `asked` counts turns of the last days, `before` those of as many days before; `turn_id` is the
    turn to draft an answer from, and `example_ids` are the turns of the examples. `nearest` is the
    title of the document that came nearest to most, None where none did.
    """

    question: str
    turn_id: int
    asked: int
    before: int
    abstained: int
    rated_down: int
    handed_over: int
    examples: tuple[str, ...]
    example_ids: tuple[int, ...]
    nearest: str | None


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics, the most asked first; not `is_clustered` where equal questions alone are one."""

    topics: tuple[Topic, ...]
    is_clustered: bool


async def find(engine: AsyncEngine, encode: Encode | None, days: int = DAYS) -> Topics:
    """What failed in the last days by topics, without those that were settled since.

    Without `encode`, or where groups cannot be told, each question is a topic of its own.
    """
    found = await gaps.find(engine, days)
    vectors = await encode([gap.question for gap in found]) if encode and found else None
    groups = None if vectors is None else await clustered(vectors)
    if vectors is None or groups is None:
        topics = [_topic(0, [gap]) for gap in found if _is_open([gap])]
        return Topics(_sorted(topics), is_clustered=not found)
    members: dict[int, list[int]] = {}
    for at, group in enumerate(groups):
        members.setdefault(group, []).append(at)
    topics = [
        _topic(_middle(vectors[ats], [found[at] for at in ats]), [found[at] for at in ats])
        for ats in members.values()
        if _is_open([found[at] for at in ats])
    ]
    return Topics(_sorted(topics), is_clustered=True)


def _topic(middle: int, members: Sequence[Gap]) -> Topic:
    """The topic of these questions; `middle` is the place of the most typical one."""
    typical = members[middle]
    others = [gap for gap in members if gap is not typical and gap.asked]
    others = sorted(others, key=lambda gap: -gap.asked)[:EXAMPLES]
    near = Counter({gap.nearest: 0 for gap in members if gap.nearest})
    for gap in members:
        if gap.nearest:
            near[gap.nearest] += gap.asked + gap.before
    return Topic(
        typical.question, typical.turn_id, sum(gap.asked for gap in members),
        sum(gap.before for gap in members), sum(gap.abstained for gap in members),
        sum(gap.rated_down for gap in members), sum(gap.handed_over for gap in members),
        tuple(gap.question for gap in others), tuple(gap.turn_id for gap in others),
        near.most_common(1)[0][0] if near else None,
    )  # fmt: skip


def _is_open(members: Sequence[Gap]) -> bool:
    """Whether it failed lately, and again after an answer to any of it was approved."""
    last = max(gap.last_asked for gap in members)
    is_settled = any(gap.settled_at and gap.settled_at >= last for gap in members)
    return any(gap.asked for gap in members) and not is_settled


def _middle(vectors: Vectors, members: Sequence[Gap]) -> int:
    """The place of the question that is nearest to all, among those asked lately."""
    weights = np.array([gap.asked + gap.before for gap in members], np.float32)
    nearness = vectors @ (weights @ vectors)
    nearness[[gap.asked == 0 for gap in members]] = -np.inf
    return int(nearness.argmax())


def _sorted(topics: Sequence[Topic]) -> tuple[Topic, ...]:
    return tuple(sorted(topics, key=lambda topic: -topic.asked))
