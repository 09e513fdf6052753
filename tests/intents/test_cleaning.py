"""Texts said twice, and labels that look wrong, among vectors whose truth is known."""

import numpy as np

from bot.intents.cleaning import near_duplicates, suspects
from bot.intents.scoring import Labels, Vectors

INTENTS = 4
CATALOG = 5
ASKED = 40


def clusters(seed: int = 0) -> tuple[Vectors, Labels]:
    """Vectors of length 1 about a centre for each intent: the catalog's first, then what was
    asked."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(INTENTS, 32))
    labels = np.concatenate(
        [np.repeat(np.arange(INTENTS), CATALOG), np.repeat(np.arange(INTENTS), ASKED)]
    )
    vectors = centres[labels] + 0.6 * chance.normal(size=(len(labels), 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), labels


def is_judged(labels: Labels) -> np.ndarray:
    return np.arange(len(labels)) >= INTENTS * CATALOG


def test_planted_wrong_labels_are_found_and_right_ones_left() -> None:
    vectors, labels = clusters()
    judged = is_judged(labels)
    assert suspects(vectors, labels, judged) == []
    planted = np.random.default_rng(1).choice(np.flatnonzero(judged), 8, replace=False)
    wrong = labels.copy()
    wrong[planted] = (labels[planted] + 1) % INTENTS
    found = suspects(vectors, wrong, judged)
    assert {suspicion.index for suspicion in found} == set(planted)
    assert all(suspicion.suggested == labels[suspicion.index] for suspicion in found)
    assert all(0 <= suspicion.information <= 1 for suspicion in found)


def test_half_of_an_intent_under_another_is_found_by_what_the_catalog_says() -> None:
    vectors, labels = clusters()
    judged = is_judged(labels)
    planted = np.flatnonzero(judged & (labels == 2))[: ASKED // 2]
    wrong = labels.copy()
    wrong[planted] = 3
    found = [suspicion.index for suspicion in suspects(vectors, wrong, judged)]
    assert len(set(found) & set(planted)) > len(planted) / 2
    assert len(set(found) - set(planted)) < 0.05 * len(labels)


def test_rows_that_nobody_need_judge_are_never_suspected() -> None:
    vectors, labels = clusters()
    wrong = labels.copy()
    wrong[0] = 1
    found = suspects(vectors, wrong, is_judged(labels))
    assert all(suspicion.index >= INTENTS * CATALOG for suspicion in found)
    assert suspects(vectors, wrong, np.zeros(len(labels), bool)) == []


def test_a_label_that_no_other_row_has_cannot_be_judged_nor_can_few_rows() -> None:
    vectors, labels = clusters()
    rare = labels.copy()
    rare[-1] = 17
    assert suspects(vectors, rare, is_judged(labels)) == []
    for count in (0, 1, 2, 3):
        few = slice(INTENTS * CATALOG - 1, INTENTS * CATALOG - 1 + count)
        assert suspects(vectors[few], labels[few], np.ones(count, bool)) == []
    assert suspects(vectors, np.zeros_like(labels), is_judged(labels)) == []


def test_near_duplicates_share_the_first_row_of_their_group() -> None:
    vectors, _ = clusters()
    chance = np.random.default_rng(2)
    again = vectors[[3, 7, 3]] + 0.01 * chance.normal(size=(3, 32))
    again /= np.linalg.norm(again, axis=1, keepdims=True)
    groups = near_duplicates(np.concatenate([vectors, again]).astype(np.float32))
    count = len(vectors)
    assert groups == [*range(count), 3, 7, 3]
    assert near_duplicates(np.empty((0, 32), np.float32)) == []


def test_near_duplicates_beyond_a_block_find_those_before_it() -> None:
    chance = np.random.default_rng(0)
    vectors = chance.normal(size=(2500, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = near_duplicates(np.concatenate([vectors, vectors]))
    assert groups == [*range(2500), *range(2500)]
