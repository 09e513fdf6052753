"""Near-duplicates, and labels that everything like them contradicts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.encoder import Vectors

# On BANKING77 0.97 joins a tenth of the questions to others, 99.1 % of the pairs of one intent.
SAME = 0.97
BLOCK = 1024
FOLDS = 5
NEIGHBOURS = 10
SURE = 0.8


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A row whose label is contradicted: what it seems to be, and how informative asking is."""

    index: int
    suggested: int
    information: float


def near_duplicates(vectors: Vectors) -> list[int]:
    """For each row the index of the first row that it is like, its own where there is none.

    `vectors` are float32[n, d] of length 1; rows of cosine SAME and more are alike.
    """
    first = np.arange(len(vectors))
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK]
        like = block @ vectors[: start + len(block)].T >= SAME
        for offset in range(len(block)):
            for other in np.flatnonzero(like[offset, : start + offset]):
                if first[other] == other:
                    first[start + offset] = other
                    break
    return [int(index) for index in first]


def suspects(
    vectors: Vectors, labels: npt.NDArray[np.int64], is_judged: npt.NDArray[np.bool_]
) -> list[Suspicion]:
    """The judged rows that a cross-validated model and their neighbours both contradict."""
    from sklearn.linear_model import LogisticRegression

    assigned = np.arange(len(labels)) % FOLDS
    found = []
    for fold in range(FOLDS if is_judged.any() else 0):
        rows = np.flatnonzero((assigned == fold) & is_judged)
        rest = np.flatnonzero(assigned != fold)
        if not len(rows) or len(set(labels[rest])) < 2:
            continue
        model = LogisticRegression(C=10.0, max_iter=300).fit(vectors[rest], labels[rest])
        chances = model.predict_proba(vectors[rows])
        best = model.classes_[chances.argmax(1)]
        near = np.argsort(-(vectors[rows] @ vectors[rest].T), axis=1)[:, :NEIGHBOURS]
        for row, chance, guess, around in zip(rows, chances, best, labels[rest][near], strict=True):
            own = dict(zip(model.classes_, chance, strict=True)).get(labels[row], 0.0)
            if guess == labels[row] or own > 0.1 or (around == labels[row]).sum() > 1:
                continue
            if (around == guess).sum() > NEIGHBOURS / 2:
                margin = float(chance.max() - own)
                found.append(Suspicion(int(row), int(guess), 1 - min(margin, 1.0)))
    return found
