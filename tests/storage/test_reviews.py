"""What people are asked about, in which order, and what becomes of their decisions."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import (
    Answer,
    Conversation,
    Outcome,
    Person,
    Prediction,
    Question,
    Rating,
    Reason,
    Turn,
)
from bot.storage import classifiers, ratings, review_items, reviews, turns
from bot.storage.review_items import Doubts, Item, Voice
from bot.storage.reviews import Change, Decision, ToReview, Why
from tests.storage.test_search import fill

ADA, BOB = Person("slack", "U1"), Person("discord", "2")
CANNED = ("greeting", "thanks", "out_of_scope")


@pytest.fixture
async def live(engine: AsyncEngine) -> int:
    """A version that is live."""
    new = classifiers.NewVersion(await fill(engine), None, ("question", "how_to"), {}, {})
    return await classifiers.add(engine, new)


async def asked(
    engine: AsyncEngine, question: str, version: int | None = None, intent: str = "question",
    confidence: float = 0.4, alternatives: Sequence[tuple[str, float]] = (("how_to", 0.35),),
) -> int:  # fmt: skip
    """A turn; with a version, one that it predicted."""
    place = Conversation("slack", "C1:1")
    prediction = version and Prediction(intent, confidence, tuple(alternatives), version)
    turn = Turn(None, Question(question, Person("slack", "U9"), place),
                Answer(Outcome.ANSWERED, "…"), {}, prediction or None)  # fmt: skip
    return await turns.save(engine, turn)


async def waiting(
    engine: AsyncEngine, live: int | None, person: Person = ADA, count: int = 100
) -> list[Item]:
    items, number = await review_items.next_items(engine, Doubts(live, 0.5, CANNED), person, count)
    assert number >= len(items)
    return items


async def ids(engine: AsyncEngine, live: int | None, person: Person = ADA) -> list[int]:
    return [item.turn_id for item in await waiting(engine, live, person)]


async def rows(engine: AsyncEngine, query: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(query))]


async def test_quarantined_and_conflicting_questions_come_before_uncertain_ones(
    engine: AsyncEngine, live: int
) -> None:
    unsure = await asked(engine, "unsure", live, confidence=0.4)
    tie = await asked(engine, "tie", live, confidence=0.45, alternatives=[("how_to", 0.45)])
    await asked(engine, "sure", live, confidence=0.9, alternatives=[("how_to", 0.05)])
    old = await asked(engine, "old and sure", live, confidence=0.95)
    odd = await asked(engine, "nobody predicted it")
    await reviews.note(
        engine, [ToReview(odd, "quarantined", 0.2), ToReview(old, "conflicting", 0.7)]
    )
    items = await waiting(engine, live)
    assert [item.turn_id for item in items] == [old, odd, tie, unsure]
    assert [item.why for item in items] == [
        Why.CONFLICTING, Why.QUARANTINED, Why.UNCERTAIN, Why.UNCERTAIN,
    ]  # fmt: skip
    assert (items[1].intent, items[1].alternatives) == (None, ())
    assert items[2].alternatives == (("how_to", 0.45),)
    first, number = await review_items.next_items(engine, Doubts(live, 0.5, CANNED), ADA, 1)
    assert ([item.turn_id for item in first], number) == ([old], 4)


async def test_what_many_asked_alike_is_one_question_and_comes_first(
    engine: AsyncEngine, live: int
) -> None:
    tie = await asked(engine, "tie", live, alternatives=[("how_to", 0.4)])
    await asked(engine, "Where is it?", live)
    await asked(engine, "where  is it", live, confidence=0.99)
    newest = await asked(engine, "WHERE is it…?", live)
    items = await waiting(engine, live)
    assert [(item.turn_id, item.alike) for item in items] == [(newest, 3), (tie, 1)]


async def test_what_another_version_was_unsure_of_counts_half(
    engine: AsyncEngine, live: int
) -> None:
    await asked(engine, "of a former version", live, alternatives=[("how_to", 0.4)])
    newer = await classifiers.add(
        engine, classifiers.NewVersion(await fill_id(engine), live, ("question", "x"), {}, {})
    )
    await asked(engine, "of the live version", newer, alternatives=[("how_to", 0.1)])
    items = await waiting(engine, newer)
    assert [item.question for item in items] == ["of the live version", "of a former version"]
    assert [round(item.information, 2) for item in items] == [0.7, 0.5]


async def fill_id(engine: AsyncEngine) -> int:
    return (await rows(engine, "SELECT id FROM encoders"))[0][0]  # type: ignore[no-any-return]


async def test_out_of_scope_is_asked_about_near_the_threshold_alone(
    engine: AsyncEngine, live: int
) -> None:
    near = await asked(engine, "near", live, "out_of_scope", 0.3, [("how_to", 0.7)])
    await asked(engine, "far", live, "out_of_scope", 0.8, [("how_to", 0.2)])
    assert await ids(engine, live) == [near]


async def test_chatter_is_not_asked_about_unless_it_may_be_a_question(
    engine: AsyncEngine, live: int
) -> None:
    await asked(engine, "hi and thanks", live, "greeting", 0.45, [("thanks", 0.44)])
    maybe = await asked(engine, "hello, it broke", live, "greeting", 0.5, [("question", 0.45)])
    await asked(engine, "?!…", live)
    assert await ids(engine, live) == [maybe]


async def test_what_was_asked_long_ago_is_asked_about_only_where_it_was_noted(
    engine: AsyncEngine, live: int
) -> None:
    await asked(engine, "uncertain", live)
    noted = await asked(engine, "conflicting", live)
    await reviews.note(engine, [ToReview(noted, "conflicting", 1.0)])
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE turns SET asked_at = now() - interval '31 days'"))
    assert await ids(engine, live) == [noted]


async def test_noting_replaces_what_was_noted_and_passes_over_what_is_settled_or_gone(
    engine: AsyncEngine, live: int
) -> None:
    turn = [await asked(engine, f"question {number}", live, confidence=0.9) for number in range(5)]
    await reviews.note(engine, [ToReview(turn[0], "conflicting", 1.0)])
    await reviews.settle(engine, Decision(turn[1], "how_to", "question 1"), ADA)
    await reviews.leave_out(engine, turn[2], ADA)
    noted = [ToReview(each, "quarantined", 1.0) for each in [*turn[1:], turn[3], 777]]
    await reviews.note(engine, noted)
    assert await rows(engine, "SELECT turn_id FROM to_review ORDER BY 1") == [
        (turn[3],),
        (turn[4],),
    ]
    await reviews.note(engine, [])
    assert await ids(engine, live) == []


async def test_what_is_settled_is_asked_about_no_more_nor_what_has_its_wording(
    engine: AsyncEngine, live: int
) -> None:
    turn = await asked(engine, "Where is it?", live)
    await reviews.note(engine, [ToReview(turn, "conflicting", 1.0)])
    assert await reviews.settle(engine, Decision(turn, None, "where is it"), ADA) == Change(None)
    await asked(engine, "where is it", live)
    assert await ids(engine, live) == []
    assert await rows(engine, "SELECT * FROM to_review") == []
    (settled,) = await reviews.settled(engine)
    assert (settled.turn_id, settled.text, settled.intent) == (turn, "where is it", None)
    assert (settled.settled_by, settled.settled_on, settled.asked_on) == ("U1", "slack", "slack")


async def test_the_last_of_many_decisions_at_once_wins_and_there_is_one(
    engine: AsyncEngine, live: int
) -> None:
    turn = await asked(engine, "Where is it?", live)
    people = [Person("slack", f"U{number}") for number in range(8)]
    decisions = [Decision(turn, f"intent_{number}", "where") for number in range(8)]
    await asyncio.gather(*map(lambda d, p: reviews.settle(engine, d, p), decisions, people))
    assert len(await reviews.settled(engine)) == 1
    change = await reviews.settle(engine, Decision(turn, "how_to", "is where", True), BOB)
    assert change is not None
    assert change.former is not None
    assert change.former.by in people
    assert change.former.intent in {decision.intent for decision in decisions}
    change = await reviews.settle(engine, Decision(turn, "how_to", "is where", True), BOB)
    assert change is not None
    assert change.former is not None
    assert (change.former.by, change.former.intent) == (BOB, "how_to")
    (settled,) = await reviews.settled(engine)
    assert (settled.intent, settled.text, settled.is_paraphrase) == ("how_to", "is where", True)
    assert await rows(engine, "SELECT asker_platform, asker FROM settled") == [("slack", "U9")]


async def test_what_is_settled_outlives_its_turn(engine: AsyncEngine, live: int) -> None:
    turn = await asked(engine, "Where is it?", live)
    await reviews.settle(engine, Decision(turn, "how_to", "where is it"), ADA)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM turns"))
    (settled,) = await reviews.settled(engine)
    assert (settled.turn_id, settled.intent) == (None, "how_to")
    assert await reviews.settle(engine, Decision(turn, "question", "where"), ADA) is None
    assert not await reviews.skip(engine, turn, ADA, 1)
    assert not await reviews.leave_out(engine, turn, ADA)


async def test_what_is_skipped_comes_back_and_others_are_asked_meanwhile(
    engine: AsyncEngine, live: int
) -> None:
    turn = await asked(engine, "Where is it?", live)
    assert await reviews.skip(engine, turn, ADA, review_items.SKIPPED_HOURS)
    newer = await asked(engine, "where is it", live)
    assert await ids(engine, live) == []
    assert await ids(engine, live, BOB) == [newer]
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE passed_over SET passed_at = now() - interval '1 day'")
        )
    assert await ids(engine, live) == [newer]
    assert await reviews.skip(engine, newer, ADA, review_items.SKIPPED_HOURS)
    assert await rows(engine, "SELECT turn_id FROM passed_over") == [(newer,)]


async def test_what_is_left_out_is_asked_of_nobody_until_somebody_settles_it(
    engine: AsyncEngine, live: int
) -> None:
    turn = await asked(engine, "Where is it?", live)
    await reviews.settle(engine, Decision(turn, "how_to", "where"), ADA)
    assert await reviews.leave_out(engine, turn, BOB)
    assert await reviews.settled(engine) == []
    assert await reviews.left_out(engine) == {turn}
    assert await ids(engine, live) == []
    await reviews.settle(engine, Decision(turn, "how_to", "where"), ADA)
    assert await reviews.left_out(engine) == set()


async def test_what_people_said_of_a_wording_is_counted_by_person(
    engine: AsyncEngine, live: int
) -> None:
    first, second = await asked(engine, "Where?", live), await asked(engine, "where", live)
    for turn, person, value, reason, intent in (
        (first, "U1", 1, None, None), (second, "U1", 1, None, None), (second, "U2", 1, None, None),
        (first, "U3", -1, Reason.WRONG_TOPIC, "how_to"),
        (first, "U4", -1, Reason.WRONG_TOPIC, None),
        (first, "U5", -1, Reason.INCOMPLETE, None), (first, "U6", -1, None, None),
    ):  # fmt: skip
        await ratings.save(engine, Rating(turn, Person("slack", person), value, reason, intent))
    (item,) = await waiting(engine, live)
    assert item.voices == (
        Voice("question", False, 2), Voice("how_to", False, 1), Voice("question", True, 1),
    )  # fmt: skip


async def test_the_questions_are_found_by_their_indexes(engine: AsyncEngine, live: int) -> None:
    await asked(engine, "Where is it?", live)
    values = {"days": 30, "window": 100}
    recent = (
        "EXPLAIN SELECT id FROM turns WHERE intent IS NOT NULL"
        " AND asked_at > now() - make_interval(days => :days) ORDER BY asked_at DESC LIMIT :window"
    )
    wording = f"EXPLAIN SELECT id FROM turns WHERE {review_items.WORDING} = ANY(ARRAY['x'])"
    async with engine.connect() as connection:
        for way in ("seqscan", "bitmapscan"):
            await connection.execute(text(f"SET enable_{way} = off"))
        plan = "\n".join((await connection.execute(text(recent), values)).scalars())
        assert "turns_predicted" in plan
        assert "Sort" not in plan
        plan = "\n".join((await connection.execute(text(wording))).scalars())
        assert "turns_by_wording" in plan
