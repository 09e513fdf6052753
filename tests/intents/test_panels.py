"""The second picture, and the report that is printed."""

import struct
from dataclasses import asdict, replace
from datetime import UTC, datetime

import numpy as np
import pytest

from bot.intents.dataset import Origin
from bot.intents.evaluation import Metrics, Predictions, wilson
from bot.intents.judging import metrics_of
from bot.intents.pairing import Cases
from bot.intents.panels import Point, draw_panels
from bot.storage.classifiers import Version
from bot.version_reports import report
from tests.intents.predicted import predicted_as


def judged(intents: int, texts: int, *, has_outside: bool = True) -> Metrics:
    """Metrics of predictions of which every seventh is wrong."""
    chance = np.random.default_rng(intents)
    right = np.arange(texts) % intents
    taken = np.where(np.arange(texts) % 7 == 0, (right + 1) % intents, right)
    names = tuple(f"intent_{number}" for number in range(intents))
    made: Predictions = predicted_as(taken, names)
    near = chance.random(texts).astype(np.float32)
    outside = chance.random(50 if has_outside else 0).astype(np.float32) / 2
    origins = [Origin.CATALOG, Origin.SETTLED][: 1 + has_outside] * texts
    cases = Cases(tuple(names[label] for label in right), tuple(origins[:texts]))
    return metrics_of(replace(made, nearness=near, threshold=0.1, outside=outside), cases)


@pytest.mark.parametrize(("intents", "texts"), [(2, 4), (11, 50), (150, 3000)])
@pytest.mark.parametrize("has_more", [True, False])
def test_the_panels_of_any_number_of_intents_and_versions_are_drawn(
    intents: int, texts: int, has_more: bool
) -> None:
    after = judged(intents, texts, has_outside=has_more)
    before = judged(intents, texts) if has_more else None
    history = [
        Point(number, 0.8, 0.9, number % 3 == 0) for number in range(1, 40 if has_more else 2)
    ]
    picture = draw_panels(7, after, before, history)
    assert struct.unpack(">II", picture[16:24]) == (1200, 900)
    assert len(picture) < 500_000


def test_the_panels_of_a_perfect_version_with_odd_names_are_drawn() -> None:
    names = ("$\\frac{1}{0}$", "退款")
    made = predicted_as(np.array([0, 1]), names)
    metrics = metrics_of(made, Cases(names, (Origin.CATALOG,) * 2))
    assert metrics.confusions == []
    assert draw_panels(1, metrics, None, []).startswith(b"\x89PNG")


def test_the_report_tells_intervals_confusions_calibration_curves_and_what_was_refused() -> None:
    after, before = judged(3, 60), judged(3, 60)
    figures = {
        "test": asdict(after), "live_test": asdict(before), "examples": 100, "new": 12,
        "origins": {"catalog": 80, "confirmed": 20}, "refused": {"one person too often": 5},
        "gate": [{"name": "macro F1", "candidate": 0.5, "live": 0.9, "problem": "It is worse."}],
    }  # fmt: skip
    now = datetime(2026, 10, 20, tzinfo=UTC)
    version = Version(
        9, "refused", 8, 1, ("a", "b"), figures, "It is worse.", now, None, None, False, None, None,
        None, True, "ab" * 32, None,
    )  # fmt: skip
    said = report(version)
    for part in (
        "Version 9, refused", "from 8, data abababababab", "Trained on 100 examples (80 catalog, ",
        "12 of them are new", "Ratings that gave no example: one person too often 5.",
        "the regression cases: macro F1", "of which these forbid it", "- It is worse.",
        "recall 85% (64 to 95 %) of 20", "precision", "intent_0 for intent_1, 3 ×", "% sure:",
        "noticed", "Of the surest",
    ):  # fmt: skip
        assert part in said, part


def test_the_interval_of_a_share_is_that_of_wilson() -> None:
    low, high = wilson(0.85, 20)
    assert (round(low, 3), round(high, 3)) == (0.640, 0.948)
    assert wilson(1.0, 4)[0] == pytest.approx(0.51, abs=0.01)
    assert wilson(0.5, 0) == (0.0, 1.0)
