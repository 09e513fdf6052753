"""Stored turns, found again by those who rate, explain, share or hand over their answers."""

from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import (
    Answer,
    Citation,
    Confidence,
    Conversation,
    Outcome,
    Person,
    Prediction,
    Question,
    Turn,
)

ONE = text("SELECT * FROM turns WHERE id = :id")
OF_REPLY = text(
    "SELECT turns.* FROM turns JOIN inbox ON inbox.id = inbox_id WHERE inbox.platform = :platform"
    " AND channel = :channel AND reply = :reply"
)
MOVE = text("UPDATE turns SET conversation = :conversation WHERE id = :id")


async def turn(engine: AsyncEngine, turn_id: int) -> Turn | None:
    """A stored turn without its passages; None where there is none of that id."""
    async with engine.connect() as connection:
        row = (await connection.execute(ONE, {"id": turn_id})).one_or_none()
    return _turn(row) if row else None


async def turn_of_reply(
    engine: AsyncEngine, platform: str, channel: str, reply: str
) -> Turn | None:
    """The turn whose answer is in the message of that id."""
    values = {"platform": platform, "channel": channel, "reply": reply}
    async with engine.connect() as connection:
        row = (await connection.execute(OF_REPLY, values)).first()
    return _turn(row) if row else None


async def move(engine: AsyncEngine, turn_id: int, conversation: str) -> None:
    """Have a turn belong to another conversation, as its answer was shared there."""
    async with engine.begin() as connection:
        await connection.execute(MOVE, {"id": turn_id, "conversation": conversation})


def _turn(row: Row[Any]) -> Turn:
    place = Conversation(row.platform, row.conversation)
    question = Question(row.question, Person(row.platform, row.person), place, row.inbox_id)
    citations = tuple(
        Citation(one["number"], one["title"], tuple(one["headings"]), one["url"])
        for one in row.citations
    )
    confidence = None if row.about is None else Confidence(row.about, row.correct)
    answer = Answer(Outcome(row.outcome), row.answer, citations, confidence)
    alternatives = tuple((name, share) for name, share in row.alternatives or ())
    prediction = row.intent and Prediction(
        row.intent, row.intent_confidence, alternatives, row.classifier_version_id or 0
    )
    return Turn(row.id, question, answer, row.timings_ms, prediction or None)
