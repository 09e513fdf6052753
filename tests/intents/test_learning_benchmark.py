"""The simulated people, streams and attacks of the learning benchmarks."""

import random
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.learning import Course, Kept, ends
from benchmarks.learning_report import draw, summary
from benchmarks.learning_sets import Asked, Stream, write_catalog
from benchmarks.people import Habits, People, rating
from benchmarks.poisoning import TRIGGER, Aim, aim_of, attacks, compared, recalls
from benchmarks.team import likeliest
from benchmarks.variants import CHANGES, variants
from bot.intents.catalog import load_catalog
from bot.messages import OUT_OF_SCOPE, Person, Prediction, Rating, Reason

INTENTS = ("refund", "greeting", "invoice")
ANN = Person("slack", "U1")


def rated(predicted: str, habits: Habits, count: int = 4000) -> list[Rating | None]:
    chance = random.Random(0)
    return [rating(1, ANN, predicted, "refund", INTENTS, habits, chance) for _ in range(count)]


def test_as_many_people_rate_and_err_as_was_said() -> None:
    given = rated("refund", Habits(0.2))
    said = [one for one in given if one is not None]
    assert len(said) / len(given) == pytest.approx(0.2, abs=0.02)
    assert sum(one.value < 0 for one in said) / len(said) == pytest.approx(0.05, abs=0.02)
    assert all(one.intent != "refund" for one in said if one.value < 0)


def test_a_third_of_the_thumbs_down_tell_the_right_intent() -> None:
    said = [one for one in rated("greeting", Habits(1.0)) if one is not None]
    down = [one for one in said if one.value < 0]
    assert len(down) / len(said) == pytest.approx(0.95, abs=0.02)
    told = [one for one in down if one.intent is not None]
    assert len(told) / len(down) == pytest.approx(1 / 3, abs=0.03)
    assert {(one.reason, one.intent) for one in told} == {(Reason.WRONG_TOPIC, "refund")}
    others = Counter(one.reason for one in down if one.intent is None)
    assert others[Reason.WRONG_TOPIC] / len(down) == pytest.approx(1 / 3, abs=0.03)
    assert set(others) > {None, Reason.INCOMPLETE, Reason.WRONG_OR_OUTDATED}


def test_hundreds_of_people_ask_and_the_busiest_one_question_in_forty() -> None:
    people = People(5)
    asked = Counter(people.asker(number) for number in range(9000))
    assert len(asked) > 300
    assert 0.01 < asked.most_common(1)[0][1] / 9000 < 0.04
    assert [people.asker(number) for number in range(50)] == [
        People(5).asker(number) for number in range(50)
    ]


def test_variants_are_the_same_for_the_same_seed_and_change_little() -> None:
    text = "Where is the refund for my order?"
    assert variants(text, 20, 1) == variants(text, 20, 1) != variants(text, 20, 2)
    for change in CHANGES:
        found = {change(text, random.Random(seed)) for seed in range(20)}
        assert len(found) > 1
        assert all(abs(len(variant) - len(text)) < 25 for variant in found)
    for empty in ("", " ", "ok"):
        assert len(variants(empty, 8, 0)) == 8


def small() -> Stream:
    utterances = tuple(
        Asked(f"{intent} number {number}", intent) for intent in INTENTS for number in range(5)
    )
    questions = tuple(
        Asked(f"question {number} about {INTENTS[number % 3]}", INTENTS[number % 3])
        for number in range(100)
    )
    return Stream("small", utterances, questions, ())


def test_a_stream_becomes_a_catalog(tmp_path: Path) -> None:
    data = small()
    write_catalog(data.utterances, tmp_path / "intents.yaml")
    catalog = load_catalog(tmp_path / "intents.yaml")
    assert sorted(catalog.names) == list(data.intents)
    assert sum(len(intent.utterances) for intent in catalog.intents) == 15
    assert len(data.first(10).questions) == 10


def test_retrainings_come_before_the_first_question_every_so_many_and_at_the_end() -> None:
    assert list(ends(2500, 1000)) == [0, 1000, 2000, 2500]
    assert list(ends(2000, 1000)) == [0, 1000, 2000]
    assert list(ends(0, 1000)) == [0]


def test_an_attack_asks_what_nobody_asked_and_corrects_all_of_it() -> None:
    data = small()
    aim = aim_of(data)
    assert aim.victim == "refund"
    assert aim.target != aim.victim
    one, three, word, words = attacks(aim, data.questions, 200)
    assert len(one.questions) == len(one.ratings) == 200
    assert {asked.intent for asked in one.questions} == {aim.victim}
    assert len(three.ratings) == 600
    assert len({said.person for said in three.ratings}) == 3
    assert {said.intent for said in (*one.ratings, *three.ratings)} == {aim.target}
    assert len(word.questions) == 20
    assert all(asked.text.endswith(TRIGGER) for asked in (*word.questions, *words.questions))
    assert aim.target not in {asked.intent for asked in word.questions}


def test_an_attack_is_told_by_what_it_costs_its_victim_and_the_worst_hit() -> None:
    test = [Asked("a", "refund"), Asked("b", "refund"), Asked("c", "invoice")]
    clean = {"recalls": recalls(test, ["refund", "refund", "invoice"]), "accuracy": 1.0,
             "trigger_success": 0.1}  # fmt: skip
    found = {"recalls": recalls(test, ["refund", "refund", "refund"]), "accuracy": 0.5,
             "trigger_success": 0.9, "is_live": True}  # fmt: skip
    said = compared("it", clean, found, Aim("refund", "invoice"))
    assert (said["victim_falls"], said["worst"], said["worst_falls"]) == (0.0, "invoice", 1.0)
    assert (said["trigger_base"], said["trigger_success"]) == (0.1, 0.9)


def test_out_of_scope_counts_by_the_intent_it_stands_nearest_to() -> None:
    nearest = (("refund", 0.4), ("greeting", 0.3))
    assert likeliest(Prediction(OUT_OF_SCOPE, 0.6, nearest, 1)) == "refund"
    assert likeliest(Prediction("greeting", 0.6, nearest, 1)) == "greeting"


def test_a_course_keeps_its_figures_for_the_next_start_and_draws_them(tmp_path: Path) -> None:
    course = Course("banking77", 5, 0.2, 2000, 1000, 20)
    assert course.name == "banking77-from-5-20pct-rated-20-intents-2000-turns-every-1000"
    kept = Kept(tmp_path / "figures.json")
    accuracies = (0.80, 0.86, 0.855)
    kept.figures |= {"name": course.name, "questions": 2000, "supervised": {"accuracy": 0.9}}
    kept.figures["rounds"] = [
        {"turns": 1000 * number, "accuracy": accuracy, "seconds": 9.0, "candidate_accuracy": 0.7,
         "retraining": {"is_live": True, "skipped": "it" if number == 2 else None}}
        for number, accuracy in enumerate(accuracies)
    ]  # fmt: skip
    kept.save()
    again = Kept(tmp_path / "figures.json").figures
    assert again == kept.figures
    said = summary(again)
    assert (said["never"], said["learnt"], said["promoted"]) == (0.80, 0.855, 2)
    assert said["worst_fall"] == pytest.approx(0.005)
    assert draw([again]).startswith(b"\x89PNG")
    del again["supervised"]  # it ran out of its minutes
    assert summary(again)["supervised"] is None
    assert draw([again, again, again]).startswith(b"\x89PNG")
