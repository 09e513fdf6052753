"""Fits what stands on top of the encoders: linear heads, the blend of views, the scope."""

import itertools
import math
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bot.intents.scoring import Blend, Head, Labels, Probabilities, Vectors, Views

# Inverse regularisation of the logistic regression. On unit vectors 1 underfits by 1 to 4 points;
# which of these is best depends on how many examples there are.
STRENGTHS = (10.0, 30.0, 100.0)
# The blend's weights are tried in steps of a sixth, so that the plain mean is one of them.
STEPS = 6
TEMPERATURES = tuple(float(t) for t in np.geomspace(0.2, 3.0, 40))


def fit_head(
    vectors: Vectors, labels: Labels, strength: float, weights: Vectors | None = None
) -> Head:
    """A logistic regression; `weights` float32[texts] say how much each text counts, alike if
    None."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(C=strength, max_iter=500).fit(
            vectors, labels, sample_weight=weights
        )
    rows, bias = fitted.coef_.astype(np.float32), fitted.intercept_.astype(np.float32)
    if len(bias) == 1:  # scikit-learn keeps one row for two classes
        rows, bias = np.vstack([-rows, rows]) / 2, np.concatenate([-bias, bias]) / 2
    return Head(rows, bias)


def fit_blend(views: Views, labels: Labels, keep_in_scope: float) -> Blend:
    """The blend for texts like these, which were not trained on.

    Of the weights whose log loss is within a standard error of the least (the one-standard-error
    rule of Breiman et al. 1984), those nearest to the plain mean: what looks best on a few hundred
    texts is often luck, and people write in more ways than a catalog. The threshold keeps that
    share of these texts in scope; it needs no texts from out of scope, and does better than a class
    learnt from a few hundred of them.
    """
    tried = [_sharpened(weights, views, labels) for weights in _simplex()]
    best = min(tried, key=lambda blend: float(_losses(blend, views, labels).mean()))
    least = _losses(best, views, labels)

    def is_as_good(blend: Blend) -> bool:
        excess = _losses(blend, views, labels) - least
        return float(excess.mean()) <= float(excess.std()) / math.sqrt(len(labels))

    chosen = min(filter(is_as_good, tried), key=lambda blend: sum(w * w for w in blend.weights))
    return replace(chosen, threshold=float(np.quantile(views.nearness, 1 - keep_in_scope)))


def log_loss(probabilities: Probabilities, labels: Labels) -> float:
    """The mean negative logarithm of the right intents' probabilities."""
    return float(_losses_of(probabilities, labels).mean())


def _sharpened(weights: tuple[float, float, float], views: Views, labels: Labels) -> Blend:
    """The blend of these weights with the temperature of the least log loss."""
    blends = [Blend(weights, temperature, 0.0) for temperature in TEMPERATURES]
    return min(blends, key=lambda blend: log_loss(blend.probabilities(views), labels))


def _losses(blend: Blend, views: Views, labels: Labels) -> npt.NDArray[np.float32]:
    return _losses_of(blend.probabilities(views), labels)


def _losses_of(probabilities: Probabilities, labels: Labels) -> npt.NDArray[np.float32]:
    chosen = probabilities[np.arange(len(labels)), labels]
    losses: npt.NDArray[np.float32] = -np.log(np.maximum(chosen, 1e-6))
    return losses


def _simplex() -> Sequence[tuple[float, float, float]]:
    return [
        (a / STEPS, b / STEPS, (STEPS - a - b) / STEPS)
        for a, b in itertools.product(range(STEPS + 1), repeat=2)
        if a + b <= STEPS
    ]
