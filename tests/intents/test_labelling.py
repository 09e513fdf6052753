"""What ratings say about intents, fact by fact."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.gathering import leans
from bot.intents.dataset import Origin
from bot.intents.labelling import Refusal, Rules, Statement, lacks_quorum, statements
from bot.messages import Outcome, Reason
from bot.storage.examples import Fact
from tests.intents.facts import CATALOG, START, fact

RULES = Rules()
WRONG_TOPIC = {"value": -1, "reason": Reason.WRONG_TOPIC}


def said(*facts: Fact, rules: Rules = RULES) -> tuple[list[Statement], Counter[Refusal]]:
    return statements(facts, CATALOG, rules, leans)


@pytest.mark.parametrize(
    ("changes", "intent", "origin", "weight"),
    [
        ({}, "billing", Origin.CONFIRMED, 1.0),
        ({"confidence": 0.3}, "billing", Origin.CONFIRMED, 0.5),
        (WRONG_TOPIC, "billing", Origin.EXCLUDED, 1.0),
        (WRONG_TOPIC | {"confidence": 0.3}, "billing", Origin.EXCLUDED, 0.5),
        (WRONG_TOPIC | {"corrected": "shipping"}, "shipping", Origin.CORRECTED, 1.0),
        ({"intent": "greeting", "is_canned": True}, "greeting", Origin.CONFIRMED, 1.0),
        (
            {"intent": "talk_to_a_person", "is_canned": True, "outcome": Outcome.HANDED_OVER},
            "talk_to_a_person", Origin.CONFIRMED, 1.0,
        ),
        (
            WRONG_TOPIC | {"intent": "greeting", "is_canned": True},
            "greeting", Origin.EXCLUDED, 1.0,
        ),
    ],
)  # fmt: skip
def test_a_rating_names_an_intent(
    changes: dict[str, object], intent: str, origin: Origin, weight: float
) -> None:
    (statement,), refused = said(fact(**changes))
    assert (statement.intent, statement.origin, statement.weight) == (intent, origin, weight)
    assert not refused


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"value": -1}, Refusal.SAYS_NOTHING),
        ({"value": -1, "reason": Reason.INCOMPLETE}, Refusal.SAYS_NOTHING),
        ({"value": -1, "reason": Reason.WRONG_OR_OUTDATED}, Refusal.SAYS_NOTHING),
        ({"value": -1, "reason": Reason.OTHER}, Refusal.SAYS_NOTHING),
        (WRONG_TOPIC | {"corrected": "billing"}, Refusal.SAYS_NOTHING),
        (WRONG_TOPIC | {"corrected": "renamed"}, Refusal.UNKNOWN_INTENT),
        ({"intent": "renamed"}, Refusal.UNKNOWN_INTENT),
        ({"intent": None, "confidence": None}, Refusal.NOT_PREDICTED),
        ({"intent": "out_of_scope"}, Refusal.OUT_OF_SCOPE),
        ({"intent": "out_of_scope", "is_canned": True, "outcome": Outcome.ABSTAINED},
         Refusal.OUT_OF_SCOPE),
        (WRONG_TOPIC | {"intent": "out_of_scope"}, Refusal.OUT_OF_SCOPE),
        ({"outcome": Outcome.ABSTAINED}, Refusal.NOT_ANSWERED),
        ({"outcome": Outcome.FAILED}, Refusal.NOT_ANSWERED),
        ({"intent": "greeting", "confidence": 0.4}, Refusal.NOT_FOLLOWED),
        ({"intent": "talk_to_a_person", "confidence": 0.4}, Refusal.NOT_FOLLOWED),
        ({"question": " … "}, Refusal.NO_TEXT),
        ({"question": "charged " * 500}, Refusal.TOO_LONG),
        ({"question": "and for teams?"}, Refusal.LEANS),
        ({"question": "why was I charged for this?", "is_follow_up": True}, Refusal.LEANS),
        ({"platform": "discord"}, Refusal.DISCORD),
    ],
)  # fmt: skip
def test_a_rating_that_names_none_is_refused_with_the_reason(
    changes: dict[str, object], reason: Refusal
) -> None:
    assert said(fact(**changes)) == ([], Counter([reason]))


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("predicted", [None, "billing", "greeting", "out_of_scope", "renamed"])
def test_a_chosen_intent_counts_whatever_was_predicted_and_done(
    outcome: Outcome, predicted: str | None
) -> None:
    changes = WRONG_TOPIC | {"corrected": "shipping", "outcome": outcome, "intent": predicted}
    (statement,), _ = said(fact(**changes))
    assert (statement.intent, statement.origin) == ("shipping", Origin.CORRECTED)


def test_what_points_back_stands_alone_where_nothing_was_asked_before() -> None:
    assert len(said(fact(question="why was I charged for this?"))[0]) == 1


def test_discord_is_learnt_from_where_the_settings_allow_it() -> None:
    allowed = Rules(trains_on_discord=True)
    assert len(said(fact(platform="discord"), rules=allowed)[0]) == 1


def test_personal_data_is_masked() -> None:
    (statement,), _ = said(fact(question="my mail is ann@example.com, where is my invoice"))
    assert "ann@example.com" not in statement.text


def test_the_first_ratings_of_a_person_and_day_count() -> None:
    today = [fact(turn) for turn in range(1, 13)]
    tomorrow = fact(20, rated_at=START + timedelta(days=1))
    other = fact(30, rater="slack:bob")
    silent = [fact(turn, value=-1) for turn in range(31, 60)]
    heard, refused = said(*silent, other, tomorrow, *reversed(today))
    assert [each.fact.turn_id for each in heard] == [*range(1, 11), 30, 20]
    assert refused[Refusal.DAILY_CAP] == 2


FACTS = st.lists(
    st.builds(
        fact,
        st.integers(1, 50),
        rater=st.sampled_from(["slack:ann", "slack:bob"]),
        rated_at=st.integers(0, 3).map(lambda day: START + timedelta(days=day)),
        value=st.sampled_from([1, -1]),
        reason=st.sampled_from([None, *Reason]),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(FACTS, st.randoms())
def test_no_order_of_the_facts_and_no_person_gets_round_the_day(
    facts: list[Fact], dice: object
) -> None:
    heard, refused = said(*facts)
    per_day = Counter((each.fact.rater, each.fact.rated_at.date()) for each in heard)
    assert all(count <= RULES.ratings_per_day for count in per_day.values())
    assert len(heard) + sum(refused.values()) == len(facts)
    dice.shuffle(facts)  # type: ignore[attr-defined]
    assert Counter(map(str, said(*facts)[0])) == Counter(map(str, heard))


def test_a_sure_prediction_is_contradicted_by_three_people_only() -> None:
    correction = fact(confidence=0.95, **WRONG_TOPIC, corrected="shipping")
    alone = [replace(correction, turn_id=turn) for turn in range(1, 6)]
    assert lacks_quorum(said(*alone)[0], 3) == set(range(5))
    together = [
        replace(correction, turn_id=turn, rater=f"slack:{turn}", confidence=0.95 if turn else 0.5)
        for turn in range(3)
    ]
    assert lacks_quorum(said(*together)[0], 3) == set()
    # Who says another intent, or confirms, does not help them.
    confirmed = replace(
        correction, turn_id=9, rater="slack:9", value=1, reason=None, corrected=None
    )
    heard, _ = said(replace(together[0], corrected="greeting"), confirmed, *together[1:])
    waiting = lacks_quorum(heard, 3)
    assert {heard[index].fact.turn_id for index in waiting} == {1, 2}


def test_an_unsure_prediction_is_contradicted_by_one() -> None:
    assert (
        lacks_quorum(said(fact(confidence=0.6, **WRONG_TOPIC, corrected="shipping"))[0], 3) == set()
    )
