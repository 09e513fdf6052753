"""How good a classifier is: accuracy, macro F1, calibration, and what it keeps out."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.intents.scoring import Labels, Probabilities

BINS = 15
# A candidate may be so much worse in macro F1, and still counts as no worse: less is chance.
TOLERANCE = 0.005


@dataclass(frozen=True, slots=True)
class Metrics:
    """Shares from 0 to 1; `kept_in_scope` of the texts that have an intent.

    `recalls` are by intent, each of that many `cases`.
    """

    examples: int
    accuracy: float
    macro_f1: float
    calibration_error: float
    kept_in_scope: float
    recalls: dict[str, float]
    cases: dict[str, int]


def macro_f1(labels: Labels, predicted: Labels) -> float:
    """The mean over the intents that occur of the harmonic mean of precision and recall."""
    scores = []
    for intent in np.unique(labels):
        hits = int(((predicted == intent) & (labels == intent)).sum())
        scores.append(2 * hits / int((predicted == intent).sum() + (labels == intent).sum()))
    return float(np.mean(scores))


def calibration_error(probabilities: Probabilities, labels: Labels) -> float:
    """Expected calibration error in BINS bins (Guo et al. 2017, arXiv 1706.04599)."""
    confidence = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return float(
        sum(
            abs(float((confidence - is_right)[bins == number].sum())) / len(labels)
            for number in range(BINS)
        )
    )


def measure(
    probabilities: Probabilities,
    is_in_scope: npt.NDArray[np.bool_],
    labels: Labels,
    names: tuple[str, ...],
) -> Metrics:
    """The metrics of predictions against the true labels."""
    predicted = probabilities.argmax(axis=1)
    recalls = {
        names[intent]: float((predicted[labels == intent] == intent).mean())
        for intent in np.unique(labels)
    }
    return Metrics(
        examples=len(labels),
        accuracy=float((predicted == labels).mean()),
        macro_f1=macro_f1(labels, predicted),
        calibration_error=calibration_error(probabilities, labels),
        kept_in_scope=float(is_in_scope.mean()),
        recalls=recalls,
        cases={names[intent]: int((labels == intent).sum()) for intent in np.unique(labels)},
    )


def refusal(candidate: Metrics, live: Metrics | None) -> str:
    """Why a candidate must not go live, as a sentence; empty where it may."""
    if not np.isfinite(candidate.macro_f1):
        return "The candidate's macro F1 is no number."
    if live is not None and candidate.macro_f1 < live.macro_f1 - TOLERANCE:
        return (
            f"The candidate's macro F1 is {candidate.macro_f1:.1%}, the live version's "
            f"{live.macro_f1:.1%} on the same {live.examples} test examples."
        )
    return ""
