"""Fits the confidence of `bot/rag/confidence.py`: `python -m benchmarks.calibrate`.

Two logistic regressions on the raw scores of the first passage, every corpus and both classes
weighing the same; printed with what each corpus would get from the fit on the others.
"""

import asyncio
import tempfile
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks.datasets import all_corpora
from benchmarks.quality import Asked, ask, indexed
from benchmarks.server import exported_encoder, new_database, server

QUESTIONS = 800


def features(asked: list[Asked]) -> np.ndarray:
    """A row a question: cosine and coverage of the first passage, its lead over the second."""
    found = []
    for item in asked:
        first, second = item.passages[0].scores, item.passages[1].scores
        found.append((first.cosine, first.coverage, first.fused - second.fused))
    return np.array(found)


def weights(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Every group's two classes weigh the same."""
    weight = np.zeros(len(labels))
    for group in np.unique(groups):
        for label in (0, 1):
            chosen = (groups == group) & (labels == label)
            weight[chosen] = 1 / max(1, chosen.sum())
    return weight * len(weight) / weight.sum()


def fit(x: np.ndarray, y: np.ndarray, groups: np.ndarray) -> LogisticRegression:
    """A logistic regression, hardly regularised."""
    return LogisticRegression(C=100, max_iter=2000).fit(x, y, sample_weight=weights(groups, y))


async def main() -> None:
    """Index each corpus, ask everything, fit and print."""
    parts: dict[str, list[Asked]] = {}
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as postgres:
        encoder = exported_encoder(Path(folder))
        for corpus in all_corpora():
            database = new_database(postgres, corpus.name)
            async with indexed(corpus, database, encoder) as (_, retriever):
                parts[corpus.name] = await ask(corpus.sample(QUESTIONS), retriever)
    asked = [item for part in parts.values() for item in part if len(item.passages) > 1]
    groups = np.array([n for n, part in parts.items() for i in part if len(i.passages) > 1])
    x = features(asked)
    is_own = np.array([item.kind == "own" for item in asked]).astype(int)
    is_first = np.array([item.rank == 1 for item in asked]).astype(int)
    for group in parts:
        others = np.char.partition(groups.astype(str), "_")[:, 0] != group.partition("_")[0]
        if is_own[others].min() == is_own[others].max():
            continue
        model = fit(x[others, :2], is_own[others], groups[others])
        sure = model.predict_proba(x[groups == group, :2])[:, 1] >= 0.5
        own = is_own[groups == group] == 1
        print(
            f"{group}, fitted on the others: {100 * sure[own].mean():.1f} % answered, "
            f"{100 * (~sure[~own]).mean():.1f} % refused"
        )
    about = fit(x[:, :2], is_own, groups)
    right = fit(x[is_own == 1][:, [2, 0]], is_first[is_own == 1], groups[is_own == 1])
    print(
        "ABOUT_BIAS, ABOUT_COSINE, ABOUT_COVERAGE =",
        *np.round([*about.intercept_, *about.coef_[0]], 2),
    )
    print(
        "RIGHT_BIAS, RIGHT_LEAD, RIGHT_COSINE =", *np.round([*right.intercept_, *right.coef_[0]], 2)
    )


if __name__ == "__main__":
    asyncio.run(main())
