"""How good a classifier is: what it gets right and confuses, how sure it is, what it keeps out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bot.intents.scoring import Labels, Probabilities, Vectors

Flags = npt.NDArray[np.bool_]

BINS = 15
SHOWN_CONFUSIONS = 20
# Shares of the messages that are answered, of which the curve tells how many are wrong.
COVERAGES = tuple(number / 20 for number in range(20, 0, -1))
# Shares of what has an intent that stays in scope, for which the other curve tells what is refused.
KEPT = (1.0, 0.99, 0.98, 0.97, 0.96, 0.95, 0.9, 0.85, 0.8, 0.7)
Z_95 = 1.96


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a version makes of the tests, as it serves: probabilities float32[texts, intents], how
    near each text is to an example, float32[texts], below which `threshold` it is out of scope, and
    the same nearness of texts that have no intent, `outside`."""

    names: tuple[str, ...]
    probabilities: Probabilities
    nearness: Vectors
    threshold: float
    outside: Vectors

    @property
    def is_in_scope(self) -> Flags:
        """Of each text that has an intent, whether it is kept in scope."""
        return self.nearness >= self.threshold

    @property
    def is_refused(self) -> Flags:
        """Of each text that has none, whether it is kept out."""
        return self.outside < self.threshold

    @property
    def is_finite(self) -> bool:
        """Whether all of it are numbers."""
        arrays = (self.probabilities, self.nearness, self.outside, np.array(self.threshold))
        return all(bool(np.isfinite(array).all()) for array in arrays)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Shares from 0 to 1; `kept_in_scope` of the texts that have an intent.

    `recalls` are by intent, each of that many `cases`, `precisions` each of that many times that
    it was `predicted`. `confusions` are [right, predicted, times], `reliability` a bin's [mean
    confidence, accuracy, texts], `risk` [share answered, share of those wrong], `scope` [share of
    texts with an intent kept, share of those without refused]. `sets` are the figures by origin,
    `refused_outside` the share of `outside` texts that have no intent and are noticed.
    """

    examples: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    kept_in_scope: float
    recalls: dict[str, float]
    cases: dict[str, int]
    precisions: dict[str, float] = field(default_factory=dict)
    predicted: dict[str, int] = field(default_factory=dict)
    confusions: list[tuple[str, str, int]] = field(default_factory=list)
    reliability: list[tuple[float, float, int]] = field(default_factory=list)
    risk: list[tuple[float, float]] = field(default_factory=list)
    scope: list[tuple[float, float]] = field(default_factory=list)
    sets: dict[str, dict[str, Any]] = field(default_factory=dict)
    outside: int = 0
    refused_outside: float | None = None


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """The mean over the intents that occur of the harmonic mean of precision and recall."""
    scores = []
    for intent in np.unique(labels):
        hits = int(((predicted == intent) & (labels == intent)).sum())
        scores.append(2 * hits / int((predicted == intent).sum() + (labels == intent).sum()))
    return float(np.mean(scores))


def reliability(probabilities: Probabilities, labels: Labels) -> list[tuple[float, float, int]]:
    """The mean confidence, the accuracy and the number of texts of each of BINS bins not empty."""
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        (float(confidence[chosen].mean()), float(is_right[chosen].mean()), int(chosen.sum()))
        for chosen in (bins == number for number in range(BINS))
        if chosen.any()
    ]


def calibration_error(
    probabilities: Probabilities, labels: Labels, weights: npt.NDArray[np.float64] | None = None
) -> float:
    """Expected calibration error in BINS bins (Guo et al. 2017, arXiv 1706.04599).

    Each text counts by its weight, float64[texts]; once if none are given.
    """
    counted = np.ones(len(labels)) if weights is None else weights
    excess = probabilities.max(axis=1) - (probabilities.argmax(axis=1) == labels)
    bins = np.minimum((probabilities.max(axis=1) * BINS).astype(int), BINS - 1)
    gaps = np.abs(np.bincount(bins, excess * counted, minlength=BINS))
    return float(gaps.sum() / max(float(counted.sum()), 1.0))


def wilson(share: float, cases: int) -> tuple[float, float]:
    """The interval that a share of so many cases stands for, at 95 % (Wilson 1927)."""
    if cases == 0:
        return 0.0, 1.0
    squared = Z_95**2 / cases
    centre = share + squared / 2
    width = Z_95 * math.sqrt(share * (1 - share) / cases + squared / (4 * cases))
    low, high = (centre - width) / (1 + squared), (centre + width) / (1 + squared)
    return max(low, 0.0), min(high, 1.0)


def measure(
    probabilities: Probabilities, is_in_scope: Flags, labels: Labels, names: Sequence[str]
) -> Metrics:
    """The metrics of predictions against the true labels."""
    predicted = probabilities.argmax(axis=1)
    is_right = predicted == labels
    occurring, guessed = np.unique(labels), np.unique(predicted)
    return Metrics(
        examples=len(labels),
        accuracy=float(is_right.mean()),
        macro_f1=macro_f1(labels, predicted),
        calibration_error=calibration_error(probabilities, labels),
        kept_in_scope=float(is_in_scope.mean()),
        recalls={names[intent]: float(is_right[labels == intent].mean()) for intent in occurring},
        cases={names[intent]: int((labels == intent).sum()) for intent in occurring},
        precisions={names[i]: float(is_right[predicted == i].mean()) for i in guessed},
        predicted={names[i]: int((predicted == i).sum()) for i in guessed},
        confusions=_confusions(labels, predicted, names),
        reliability=reliability(probabilities, labels),
        risk=_risk(probabilities.max(axis=1), is_right),
    )


def scope_curve(nearness: Vectors, outside: Vectors) -> list[tuple[float, float]]:
    """The share of the texts outside that is refused where so many of the others are kept."""
    if not len(outside) or not len(nearness):
        return []
    thresholds = np.quantile(nearness, [1 - kept for kept in KEPT])
    return [
        (kept, float((outside < threshold).mean()))
        for kept, threshold in zip(KEPT, thresholds, strict=True)
    ]


def _confusions(
    labels: Labels, predicted: Labels, names: Sequence[str]
) -> list[tuple[str, str, int]]:
    """What was taken for what, the most frequent first."""
    wrong = np.flatnonzero(labels != predicted)
    pairs = np.stack([labels[wrong], predicted[wrong]], axis=1)
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:SHOWN_CONFUSIONS]
    return [(names[found[i][0]], names[found[i][1]], int(counts[i])) for i in order]


def _risk(confidence: Vectors, is_right: Flags) -> list[tuple[float, float]]:
    """The share of wrong ones among the surest so many."""
    wrong = ~is_right[np.argsort(-confidence, kind="stable")]
    counts = [max(1, round(coverage * len(wrong))) for coverage in COVERAGES]
    return [(count / len(wrong), float(wrong[:count].mean())) for count in counts]
