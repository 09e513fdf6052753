"""Blends of views: probabilities that are some, and that mean what they say."""

import numpy as np
import pytest

from bot.intents.evaluation import calibration_error, macro_f1
from bot.intents.fitting import fit_blend, fit_head
from bot.intents.scoring import Bank, Blend, Head, Scorer, Vectors, Views


def clusters(count: int, spread: float, seed: int = 0) -> tuple[Vectors, np.ndarray]:
    """Vectors of length 1 around `count` directions, 40 each, and their labels."""
    random = np.random.default_rng(seed)
    centres = np.eye(16, dtype=np.float32)[:count]
    labels = np.repeat(np.arange(count), 40)
    vectors = centres[labels] + spread * random.standard_normal((len(labels), 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


def views_of(spread: float) -> tuple[Views, np.ndarray]:
    learnt, labels = clusters(4, spread)
    head = fit_head(learnt, labels, 10.0)
    asked, truth = clusters(4, spread, seed=1)
    return Scorer(head, head, Bank(learnt, labels)).views(asked, asked), truth


def test_every_view_and_their_blend_are_probabilities() -> None:
    views, _ = views_of(0.4)
    blended = Blend((0.2, 0.3, 0.5), 1.3, 0.0).probabilities(views)
    for probabilities in (*views.probabilities, blended):
        assert probabilities.min() >= 0
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-4)


def test_two_intents_have_a_probability_each() -> None:
    vectors, labels = clusters(2, 0.3)
    assert fit_head(vectors, labels, 10.0).logits(vectors).shape == (80, 2)
    predicted = fit_head(vectors, labels, 10.0).logits(vectors).argmax(axis=1)
    assert (predicted == labels).mean() > 0.95


def test_the_blend_is_calibrated_on_texts_like_those_it_was_fitted_on() -> None:
    views, labels = views_of(0.45)
    blend = fit_blend(views, labels, keep_in_scope=0.95)
    flat = Blend(blend.weights, 3.0, 0.0)
    assert calibration_error(blend.probabilities(views), labels) < 0.08
    assert calibration_error(flat.probabilities(views), labels) > 0.2


def test_the_threshold_keeps_the_asked_share_in_scope() -> None:
    views, labels = views_of(0.3)
    blend = fit_blend(views, labels, keep_in_scope=0.9)
    assert (views.nearness >= blend.threshold).mean() == pytest.approx(0.9, abs=0.02)


def test_where_the_views_do_alike_the_plain_mean_is_taken() -> None:
    views, labels = views_of(0.1)
    third = pytest.approx(1 / 3, abs=0.01)
    assert fit_blend(views, labels, 0.95).weights == (third, third, third)


def test_a_view_that_only_guesses_gets_next_to_no_weight() -> None:
    views, labels = views_of(0.3)
    guesses = np.random.default_rng(2).dirichlet(np.ones(4) * 0.1, len(labels))
    probabilities = views.probabilities.copy()
    probabilities[1] = guesses
    weights = fit_blend(Views(probabilities, views.nearness), labels, 0.95).weights
    assert weights[1] <= 1 / 6


def test_macro_f1_counts_every_intent_alike() -> None:
    labels = np.array([0] * 9 + [1])
    assert macro_f1(labels, labels) == 1
    assert macro_f1(labels, np.zeros(10, int)) == pytest.approx((18 / 19 + 0) / 2)


def test_sure_and_wrong_is_a_calibration_error() -> None:
    sure = np.array([[1.0, 0.0]] * 10, np.float32)
    assert calibration_error(sure, np.zeros(10, int)) == 0
    assert calibration_error(sure, np.ones(10, int)) == 1


def test_a_bank_smaller_than_the_neighbourhood_still_votes() -> None:
    vectors, labels = clusters(2, 0.1)
    few = [0, 1, 40]
    head = Head(np.zeros((2, 16), np.float32), np.zeros(2, np.float32))
    views = Scorer(head, head, Bank(vectors[few], labels[few])).views(vectors, vectors)
    assert (views.probabilities[2].argmax(axis=1) == labels).mean() > 0.95
