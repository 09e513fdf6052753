"""Questions that failed, as they are counted, and what of them is settled or forgotten."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Answer, Conversation, Outcome, Person, Question, Rating, Reason, Turn
from bot.storage import gaps, ratings, turns

ALICE = Person("slack", "U1")


async def asked(
    engine: AsyncEngine, question: str, outcome: Outcome = Outcome.ABSTAINED, days_ago: int = 0
) -> int:
    """A turn that ended so, that long ago."""
    place = Conversation("slack", "C1:1.1")
    turn = Turn(None, Question(question, ALICE, place), Answer(outcome, "…"))
    turn_id = await turns.save(engine, turn)
    await run(engine, "UPDATE turns SET asked_at = now() - make_interval(days => :days, mins => 1)"
              " WHERE id = :id", days=days_ago, id=turn_id)  # fmt: skip
    return turn_id


async def run(engine: AsyncEngine, statement: str, **values: Any) -> None:
    """Do something that no function of ours does."""
    async with engine.begin() as connection:
        await connection.execute(text(statement), values)


async def test_each_way_of_failing_is_counted_and_what_went_well_is_not(
    engine: AsyncEngine,
) -> None:
    await asked(engine, "How do I reset my password?")
    await asked(engine, "how do I reset my password!", Outcome.HANDED_OVER)
    wrong = await asked(engine, "What does it cost?", Outcome.ANSWERED)
    off_topic = await asked(engine, "What is the weather?", Outcome.ANSWERED)
    await asked(engine, "Where is the office?", Outcome.ANSWERED)
    await ratings.save(engine, Rating(wrong, ALICE, -1, Reason.INCOMPLETE))
    await ratings.save(engine, Rating(off_topic, ALICE, -1, Reason.WRONG_TOPIC))
    found = {gap.question.lower(): gap for gap in await gaps.find(engine)}
    assert len(found) == 2
    password = next(gap for question, gap in found.items() if "password" in question)
    assert (password.asked, password.abstained, password.handed_over) == (2, 1, 1)
    assert found["what does it cost?"].rated_down == 1


async def test_the_days_before_are_counted_apart_and_older_ones_not_at_all(
    engine: AsyncEngine,
) -> None:
    await asked(engine, "How do I reset my password?")
    for days in (8, 9, 13):
        await asked(engine, "How do I reset my password?", days_ago=days)
    await asked(engine, "How do I reset my password?", days_ago=15)
    (gap,) = await gaps.find(engine, days=7)
    assert (gap.asked, gap.before) == (1, 3)


async def test_only_the_questions_that_failed_last_are_looked_at(engine: AsyncEngine) -> None:
    for days in range(5):
        await asked(engine, f"question {days}", days_ago=days)
    assert [gap.question for gap in await gaps.find(engine, most=2)] == ["question 0", "question 1"]


async def test_a_turn_that_a_person_answered_is_the_one_to_draft_from(engine: AsyncEngine) -> None:
    answered = await asked(engine, "Who signs contracts?")
    await asked(engine, "Who signs contracts?")
    await run(
        engine,
        "INSERT INTO handoffs (turn_id, platform, workspace, asked_in, asked_thread, asked_by,"
        " state, claimed_by, resolved_by, resolution) VALUES (:turn, 'slack', 'T1', 'C1', '', 'U1',"
        " 'resolved', 'U2', 'U2', 'Carol does.')",
        turn=answered,
    )
    (gap,) = await gaps.find(engine)
    assert gap.turn_id == answered


async def test_questions_of_deleted_turns_are_not_given(engine: AsyncEngine) -> None:
    kept, gone = await asked(engine, "one"), await asked(engine, "two")
    await run(engine, "DELETE FROM turns WHERE id = :id", id=gone)
    assert await gaps.questions(engine, [kept, gone]) == {kept: "one"}
