"""How far a person's ratings are believed: as far as those of other people agree with them.

Each question that a person labelled is held against the questions most like it that the catalog,
admins or other people labelled. Only what nearly all of these contradict counts against a person:
who rightly corrects hard questions is not outvoted by half of their neighbours.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum

import numpy as np
import numpy.typing as npt

from bot.encoder import Vectors

# As many as every intent of a catalog has utterances at least, so that these can contradict where
# nobody else has rated yet; else so many that two friends cannot prevent it.
FEW_VOICES, VOICES = 5, 10
# So many questions are looked at, as those whose people have spoken are left out.
LOOKED_AT = 60
# The share of the voices that must agree on another intent to contradict a label.
CLEAR = 0.8
# People start with so many agreements to their credit; whom most contradict counts for nothing.
CREDIT = 2
LEAST = 0.5
BLOCK = 1024

Indices = npt.NDArray[np.int64]
# The intents of a question, each with those who gave it; nobody where the team itself did.
Labels = Mapping[str, frozenset[str]]


class Verdict(Enum):
    """What the questions most like a labelled one say of its label."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    OPEN = "open"


def nearest(vectors: Vectors, rows: Sequence[int]) -> Indices:
    """For each of the `rows` the indices of those most like it, the most like first."""
    count = min(LOOKED_AT, len(vectors) - 1)
    found = np.empty((len(rows), count), np.int64)
    for start in range(0, len(rows), BLOCK):
        chosen = np.asarray(rows[start : start + BLOCK])
        likeness = vectors[chosen] @ vectors.T
        likeness[np.arange(len(chosen)), chosen] = -np.inf
        best = np.argpartition(-likeness, count - 1, axis=1)[:, :count]
        order = np.argsort(-np.take_along_axis(likeness, best, axis=1), axis=1, kind="stable")
        found[start : start + BLOCK] = np.take_along_axis(best, order, axis=1)
    return found


def verdict(
    intent: str, person: str, around: Iterable[Labels], *, is_denied: bool = False
) -> Verdict:
    """What those who labelled the questions most like one say of the intent a person gave it.

    Every person has one voice, the one nearest to the question, so that a few who label many
    questions do not make each other right; every text of the team has one, too.
    """
    votes: defaultdict[str, float] = defaultdict(float)
    spoken = {person}
    voices = 0
    for labels in around:
        heard = [name for name, people in labels.items() if not people or people - spoken]
        for name in heard:
            votes[name] += 1 / len(heard)
        for people in labels.values():
            spoken |= people
        voices += bool(heard)
        if heard and voices in {FEW_VOICES, VOICES}:
            found = _judged(votes, intent, is_denied=is_denied)
            if voices == VOICES or found is Verdict.CONTRADICTED:
                return found
    return _judged(votes, intent, is_denied=is_denied)


def _judged(votes: Mapping[str, float], intent: str, *, is_denied: bool) -> Verdict:
    if not votes:
        return Verdict.OPEN
    likeliest = max(sorted(votes), key=votes.__getitem__)
    if (likeliest == intent) is not is_denied:
        return Verdict.SUPPORTED
    is_clear = votes[likeliest] >= CLEAR * sum(votes.values())
    return Verdict.CONTRADICTED if is_clear else Verdict.OPEN


def trust(verdicts: Mapping[str, Sequence[Verdict]]) -> dict[str, float]:
    """How much the word of each person weighs, from LEAST to 1, or 0."""
    found = {}
    for person, given in verdicts.items():
        agreed = CREDIT + sum(each is Verdict.SUPPORTED for each in given)
        share = agreed / (agreed + sum(each is Verdict.CONTRADICTED for each in given))
        found[person] = round(share, 3) if share >= LEAST else 0.0
    return found
