"""Whose word counts, by those who labelled the like."""

import numpy as np

from bot.intents.trust import Labels, Verdict, nearest, trust, verdict

TEAM: Labels = {"billing": frozenset()}


def by(intent: str, *people: str) -> Labels:
    return {intent: frozenset(people)}


def test_a_label_is_supported_contradicted_or_left_open_by_the_voices_around() -> None:
    assert verdict("billing", "ann", [TEAM] * 10) is Verdict.SUPPORTED
    assert verdict("shipping", "ann", [TEAM] * 10) is Verdict.CONTRADICTED
    mixed = [TEAM, by("greeting", "bob"), TEAM, by("greeting", "cid"), *[TEAM] * 3, *[
        by("greeting", f"p{n}") for n in range(3)]]  # fmt: skip
    assert verdict("shipping", "ann", mixed) is Verdict.OPEN
    assert verdict("shipping", "ann", []) is Verdict.OPEN


def test_a_denial_is_judged_the_other_way_round() -> None:
    assert verdict("billing", "ann", [TEAM] * 10, is_denied=True) is Verdict.CONTRADICTED
    assert verdict("shipping", "ann", [TEAM] * 10, is_denied=True) is Verdict.SUPPORTED


def test_nobody_is_their_own_witness_and_everybody_speaks_once() -> None:
    mine = [by("shipping", "ann")] * 20
    assert verdict("shipping", "ann", [*mine, *[TEAM] * 10]) is Verdict.CONTRADICTED
    friends = [by("shipping", f"friend{n % 2}") for n in range(40)]
    assert verdict("shipping", "ann", [*friends, *[TEAM] * 8]) is Verdict.CONTRADICTED
    together = [by("shipping", "ann", "bob", "cid")] * 40
    assert verdict("shipping", "ann", [*together, *[TEAM] * 10]) is Verdict.CONTRADICTED


def test_who_is_contradicted_by_most_counts_for_nothing_and_a_slip_costs_little() -> None:
    weights = trust(
        {
            "newcomer": [Verdict.CONTRADICTED],
            "liar": [Verdict.CONTRADICTED] * 5,
            "honest": [Verdict.SUPPORTED] * 18 + [Verdict.CONTRADICTED] * 2,
            "expert": [Verdict.OPEN] * 30,
        }
    )
    assert weights["liar"] == 0.0
    assert weights["newcomer"] == 0.667
    assert weights["honest"] > 0.9
    assert weights["expert"] == 1.0


def test_the_nearest_are_found_in_their_order_and_without_oneself() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = nearest(vectors, [5, 150])
    for row, neighbours in zip((5, 150), found, strict=True):
        likeness = vectors @ vectors[row]
        expected = [n for n in np.argsort(-likeness) if n != row][: len(neighbours)]
        assert list(neighbours) == expected
    assert nearest(vectors[:1], [0]).shape == (1, 0)
