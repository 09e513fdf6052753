"""What chance alone would do: the exact sign test, and resampled figures of the same texts."""

import math

import numpy as np
import numpy.typing as npt

from bot.intents.evaluation import Flags, calibration_error
from bot.intents.scoring import Labels, Probabilities

RESAMPLES = 500

Weights = npt.NDArray[np.float64]


def sign_test(is_good: Flags, was_good: Flags) -> float:
    """How often chance alone would lose so many more than it gains, or worse; from 0 to 1."""
    lost, gained = int((was_good & ~is_good).sum()), int((is_good & ~was_good).sum())
    changed = lost + gained
    ways = sum(math.comb(changed, number) for number in range(lost, changed + 1))
    return float(ways / 2**changed)


def resamples(texts: int) -> Weights:
    """How often each text is in each resample, float64[RESAMPLES, texts]; always the same."""
    drawn = np.random.default_rng(0).multinomial(texts, np.full(texts, 1 / texts), RESAMPLES)
    return drawn.astype(np.float64)


def weighted_f1(weights: Weights, labels: Labels, predicted: Labels, size: int) -> float:
    """The macro F1 where each text counts by its weight, float64[texts]"""
    return float(resampled_f1(weights[None], labels, predicted, size)[0])


def resampled_f1(weights: Weights, labels: Labels, predicted: Labels, size: int) -> Weights:
    """The macro F1 of each resample, float64[RESAMPLES]"""
    actual = weights @ np.eye(size)[labels]
    guessed = weights @ np.eye(size)[predicted]
    hits = weights @ (np.eye(size)[labels] * (labels == predicted)[:, None])
    is_there = actual > 0
    scores = np.where(is_there, 2 * hits / np.maximum(actual + guessed, 1e-9), 0)
    means: Weights = scores.sum(axis=1) / np.maximum(is_there.sum(axis=1), 1)
    return means


def resampled_errors(weights: Weights, probabilities: Probabilities, labels: Labels) -> Weights:
    """The calibration error of each resample, float64[RESAMPLES]"""
    return np.array([calibration_error(probabilities, labels, each) for each in weights])
