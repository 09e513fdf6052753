"""The picture of a retraining: readable, small, and about the intents that matter."""

import struct

import pytest

from bot.intents.evaluation import Metrics
from bot.intents.report import MAX_INTENTS, draw, shown_rows


def metrics(recalls: dict[str, float]) -> Metrics:
    """Metrics with these recalls, each of ten examples."""
    mean = sum(recalls.values()) / len(recalls)
    cases = dict.fromkeys(recalls, 10)
    return Metrics(10 * len(recalls), mean, mean, 0.02, 0.97, recalls, cases)


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, as its header says."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("count", [2, 11, 40, 150])
@pytest.mark.parametrize("has_before", [True, False])
def test_a_picture_of_any_number_of_intents_is_readable_and_small(
    count: int, has_before: bool
) -> None:
    after = metrics({f"intent_{number}": number % 11 / 10 for number in range(count)})
    before = metrics({f"intent_{number}": number % 7 / 10 for number in range(count)})
    picture = draw(8, "It is live.", after, before if has_before else None)
    width, height = size_of(picture)
    assert width == 1000
    assert 20 * min(count, MAX_INTENTS) < height < 1500
    assert len(picture) < 500_000


@pytest.mark.parametrize("name", ["a" * 50, "$\\frac{1}{0}$", "_", "退款_問題", "<b>&amp;"])
def test_no_name_or_reason_breaks_the_picture(name: str) -> None:
    after = metrics({name: 0.5, "other": 1.0})
    assert size_of(draw(1, f"It stays out. ${name}$ " * 40, after, after))[0] == 1000


def test_of_many_intents_those_are_shown_that_changed_most_the_worst_losses_first() -> None:
    names = [f"intent_{number:03}" for number in range(150)]
    before = metrics(dict.fromkeys(names, 0.9))
    after = metrics(dict.fromkeys(names, 0.9) | {"intent_140": 0.2, "intent_070": 1.0})
    rows = shown_rows(after, before)
    assert len(rows) == MAX_INTENTS
    assert (rows[0].name, rows[-1].name) == ("intent_140", "intent_070")
    assert (rows[0].label, rows[-1].label) == ("90 → 20 % of 10", "90 → 100 % of 10")


def test_without_a_version_to_compare_with_the_weakest_intents_are_shown() -> None:
    names = [f"intent_{number:03}" for number in range(150)]
    rows = shown_rows(metrics(dict.fromkeys(names, 0.9) | {"intent_140": 0.2}), None)
    assert len(rows) == MAX_INTENTS
    assert (rows[0].name, rows[0].label) == ("intent_140", "20 % of 10")


def test_an_intent_that_was_not_tested_before_is_shown_without_a_change() -> None:
    rows = shown_rows(metrics({"old": 1.0, "new": 0.5}), metrics({"old": 1.0}))
    assert {row.name: (row.before, row.label) for row in rows} == {
        "old": (1.0, "100 → 100 % of 10"),
        "new": (None, "50 % of 10"),
    }
