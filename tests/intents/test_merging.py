"""Statements about questions to examples: merged, capped, settled by people."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.gathering import leans
from bot.intents import merging
from bot.intents.dataset import Example, Origin
from bot.intents.labelling import Refusal, Rules, Statement, statements
from bot.intents.merging import Cases, Firm, Seen, Side
from bot.messages import Reason
from bot.storage.examples import Fact
from tests.intents.facts import CATALOG, fact

CORRECTED = {"value": -1, "reason": Reason.WRONG_TOPIC, "corrected": "shipping"}
EXCLUDED = {"value": -1, "reason": Reason.WRONG_TOPIC}
RULES = Rules()


def said(*facts: Fact) -> list[Statement]:
    return statements(facts, CATALOG, Rules(ratings_per_day=1000), leans)[0]


def alike(statements: list[Statement], firm: list[Firm] | None = None) -> Cases:
    """Those of one text as one case."""
    firm = firm or []
    texts = [*(each.text for each in firm), *(each.text for each in statements)]
    return merging.cases_of(firm, statements, [texts.index(text) for text in texts])


def decided(*facts: Fact, trust: dict[str, float] | None = None) -> tuple[list[Example], Cases]:
    found = alike(said(*facts))
    return [example for _, example in merging.decide(found, trust or {})], found


def test_alike_questions_of_one_intent_become_one_example_with_all_its_people() -> None:
    (example,), found = decided(fact(1), fact(2, rater="slack:bob"), fact(3))
    assert (example.intent, example.origin, example.weight) == ("billing", Origin.CONFIRMED, 1.0)
    assert (example.turns, example.people) == ((1, 2, 3), ("slack:ann", "slack:bob"))
    assert example.versions == (3,)
    assert found.refused == Counter({Refusal.MERGED: 2})


def test_an_example_that_somebody_corrected_is_a_correction() -> None:
    (example,), _ = decided(
        fact(1, **CORRECTED), fact(2, rater="slack:bob", intent="shipping", confidence=0.9)
    )
    assert (example.intent, example.origin) == ("shipping", Origin.CORRECTED)


def test_most_people_settle_a_conflict_and_one_voting_often_counts_once() -> None:
    facts = [fact(turn, **CORRECTED) for turn in range(1, 9)]
    facts += [fact(20, rater="slack:bob"), fact(21, rater="slack:cid")]
    (example,), found = decided(*facts)
    assert (example.intent, example.people) == ("billing", ("slack:bob", "slack:cid"))
    assert found.refused[Refusal.OUTVOTED] == 8


def test_a_tie_trains_nothing_and_goes_to_review() -> None:
    found = decided(fact(1), fact(2, rater="slack:bob", **CORRECTED))
    assert found[0] == []
    assert [case.turns for case in found[1].conflicts] == [(1, 2)]


def test_a_confirmed_and_excluded_intent_is_a_conflict_too() -> None:
    assert decided(fact(1), fact(2, rater="slack:bob", **EXCLUDED))[0] == []


def test_an_unsure_confirmation_loses_against_one_correction() -> None:
    (example,), _ = decided(fact(1, confidence=0.2), fact(2, rater="slack:bob", **CORRECTED))
    assert example.intent == "shipping"


def test_an_exclusion_supports_the_other_intent() -> None:
    (example,), _ = decided(fact(1, **CORRECTED), fact(2, rater="slack:bob", **EXCLUDED))
    assert (example.intent, example.turns) == ("shipping", (1, 2))
    assert not example.is_complementary


def test_an_excluded_intent_alone_is_a_complementary_example() -> None:
    (example,), _ = decided(fact(1, **EXCLUDED))
    assert (example.intent, example.is_complementary) == ("billing", True)


def test_distrusted_people_neither_teach_nor_disturb() -> None:
    distrusted = {"slack:ann": 0.0}
    assert decided(fact(1, **CORRECTED), trust=distrusted)[0] == []
    (example,), _ = decided(fact(1, **CORRECTED), fact(2, rater="slack:bob"), trust=distrusted)
    assert (example.intent, example.people) == ("billing", ("slack:bob",))


def test_no_rating_changes_what_the_team_has_written() -> None:
    def firm(side: Side, origin: Origin = Origin.CATALOG, intent: str | None = "billing") -> Cases:
        return alike(
            said(fact(1), fact(2, **CORRECTED)), [Firm(fact().question, intent, origin, side)]
        )

    assert firm(Side.TRAINING).refused == {Refusal.IN_CATALOG: 1, Refusal.AGAINST_CATALOG: 1}
    assert [case.turns for case in firm(Side.TRAINING).conflicts] == [(2,)]
    assert firm(Side.TEST).refused == {Refusal.NEAR_TEST: 2}
    settled = firm(Side.OUTSIDE, Origin.SETTLED, None)
    assert (settled.refused, settled.cases) == ({Refusal.SETTLED: 2}, [])


def distinct(count: int, rater: str = "slack:ann", first: int = 1, **changes: object) -> list[Fact]:
    return [
        fact(turn, question=f"question {turn}", rater=rater, **changes)
        for turn in range(first, first + count)
    ]


def held(statements: list[Statement], seen: Seen | None = None, own: int = 0) -> Cases:
    found = alike(statements)
    merging.hold_caps(found, RULES, seen or Seen(), own)
    return found


def test_five_new_examples_of_an_intent_and_person_count_in_a_run() -> None:
    own = 10_000  # so that the share allows more
    found = held(said(*distinct(8), *distinct(8, "slack:bob", 100)), own=own)
    kept = Counter(each.fact.rater for case in found.cases for each in case.statements)
    assert kept == {"slack:ann": 5, "slack:bob": 5}
    assert found.refused == {Refusal.NEW_CAP: 6}
    assert [case.turns for case in found.cases][:5] == [(1,), (2,), (3,), (4,), (5,)]


def test_those_that_the_live_version_has_seen_do_not_count_as_new() -> None:
    learnt = [example for _, example in merging.decide(held(said(*distinct(8)), own=10_000), {})]
    found = held(said(*distinct(12)), merging.seen_in(learnt), own=10_000)
    assert len(found.cases) == 10


def test_who_takes_an_intent_away_does_so_five_times_whatever_they_say_instead() -> None:
    facts = [
        each
        for number, name in enumerate(("shipping", "greeting", "talk_to_a_person"))
        for each in distinct(4, first=1 + 10 * number, **EXCLUDED | {"corrected": name})
    ]
    assert len(held(said(*facts), own=10_000).cases) == 5


def test_a_persons_share_is_two_percent_of_what_others_and_the_team_say() -> None:
    mine = distinct(40, intent="billing") + distinct(40, first=100, intent="shipping")
    seen = merging.seen_in([Example("", each.intent or "", turns=(each.turn_id,)) for each in mine])
    others = [each for n in range(200) for each in distinct(1, f"slack:{n}", 1000 + n)]
    found = held(said(*mine, *others), seen, own=300)
    assert found.refused == {Refusal.SHARE_CAP: 70}
    assert sum(case.statements[0].fact.rater == "slack:ann" for case in found.cases) == 10


def test_in_a_small_team_everybody_may_say_a_few_things() -> None:
    facts = [*distinct(3, intent="billing"), *distinct(3, first=10, intent="shipping")]
    found = held(said(*facts), own=20)
    assert (len(found.cases), found.refused) == (5, {Refusal.SHARE_CAP: 1})


def test_what_contradicts_a_sure_prediction_waits_for_others_and_for_review() -> None:
    found = held(said(*distinct(3, confidence=0.97, **CORRECTED)), own=1000)
    merging.hold_quorum(found, 3)
    assert (len(found.waiting), found.cases) == (3, [])
    assert found.refused == {Refusal.QUORUM: 3}


VOTES = st.lists(
    st.tuples(
        st.integers(1, 6), st.sampled_from("abcdef"), st.sampled_from(["+", "-", "shipping"])
    ),
    max_size=40, unique_by=lambda vote: vote[:2],
)  # fmt: skip


@settings(deadline=None)
@given(VOTES)
def test_every_statement_trains_or_is_counted_with_its_reason(
    votes: list[tuple[int, str, str]],
) -> None:
    facts = [
        fact(turn, question=f"question {turn // 2}", rater=f"slack:{person}")
        if vote == "+"
        else fact(turn, question=f"question {turn // 2}", rater=f"slack:{person}",
                  **(EXCLUDED if vote == "-" else CORRECTED))
        for turn, person, vote in votes
    ]  # fmt: skip
    examples, found = decided(*facts)
    labelled = [example for example in examples if not example.is_complementary]
    excluded = sum(len(case.statements) for case in found.cases if not case.labels)
    assert len(labelled) + excluded + found.refused.total() == len(facts)
    assert len({example.text for example in labelled}) == len(labelled)
    assert all(0 < example.weight <= 1 for example in examples)
