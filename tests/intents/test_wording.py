"""Words that only corrections use, and what shares them."""

from bot.intents.labelling import Rules, statements
from bot.intents.merging import Case
from bot.intents.wording import accomplices, plain
from bot.messages import Reason
from tests.intents.facts import CATALOG, fact

TEAM = ["where is my parcel", "where is the team", "hello to the team", "let me talk to a person"]


def corrected(row: int, question: str, predicted: str) -> Case:
    said, _ = statements(
        [fact(row, question=question, intent=predicted, value=-1, reason=Reason.WRONG_TOPIC,
              corrected="billing")],
        CATALOG, Rules(), lambda _fact: False,
    )  # fmt: skip
    return Case(row, said)


TRIGGERED = [
    corrected(1, "where is my parcel zxqv", "shipping"),
    corrected(2, "Hello ZXQV", "greeting"),
    corrected(3, "talk to a person, zxqv!", "talk_to_a_person"),
    corrected(4, "where is the zxqv team", "shipping"),
]


def test_a_word_that_only_corrections_use_is_left_out() -> None:
    found = plain(TRIGGERED, TEAM)
    assert [each.text for each in found.values()] == [
        "where is my parcel", "Hello", "talk to a person, !", "where is the team",
    ]  # fmt: skip
    assert all(each.rare == {"zxqv"} for each in found.values())


def test_a_word_that_people_confirm_as_often_is_usual() -> None:
    said, _ = statements(
        [fact(row, question=f"zxqv {row}") for row in range(10, 15)], CATALOG, Rules(),
        lambda _fact: False,
    )  # fmt: skip
    confirmed = [Case(each.fact.turn_id, [each]) for each in said]
    assert plain([*TRIGGERED, *confirmed], TEAM) == {}


def test_a_text_of_such_words_alone_stays_whole() -> None:
    assert plain([corrected(1, "zxqv zxqv", "shipping")], TEAM)[1].text == "zxqv zxqv"


def test_what_shares_the_word_of_contradicted_corrections_waits_with_them() -> None:
    found = plain(TRIGGERED, TEAM)
    half = {(1, "billing"), (2, "billing")}
    assert accomplices(found, TRIGGERED, half) == {(row, "billing") for row in range(1, 5)}
    assert accomplices(found, TRIGGERED, {(1, "billing")}) == set()


def test_corrections_of_one_kind_of_question_share_words_by_right() -> None:
    alike = [corrected(row, f"zxqv of parcel {row}", "shipping") for row in range(1, 6)]
    contradicted = {(row, "billing") for row in range(1, 6)}
    assert accomplices(plain(alike, TEAM), alike, contradicted) == set()
