"""Questions that were asked and rated, stored as the bot stores them."""

import itertools

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import (
    Answer,
    Confidence,
    Conversation,
    Outcome,
    Person,
    Prediction,
    Question,
    Rating,
    Reason,
    Turn,
)
from bot.storage import ratings, turns

ASKER = Person("slack", "UASKER")
ANN, BOB, CID = (Person("slack", name) for name in ("UANN", "UBOB", "UCID"))

_talks = itertools.count(1)


async def asked(
    engine: AsyncEngine,
    question: str,
    intent: str | None = None,
    *,
    confidence: float = 0.7,
    version: int | None = None,
    person: Person = ASKER,
    talk: str | None = None,
    inbox_id: int | None = None,
    outcome: Outcome = Outcome.ANSWERED,
    is_canned: bool = False,
) -> int:
    """The id of a turn, in a conversation of its own unless that is named."""
    conversation = Conversation(person.platform, talk or f"C1:{next(_talks)}")
    prediction = None
    if intent is not None:
        prediction = Prediction(intent, confidence, (("other", 0.1),), version)  # type: ignore[arg-type]
    answer = Answer(outcome, "An answer.", confidence=None if is_canned else Confidence(0.9, 0.9))
    asked_for = Question(question, person, conversation, inbox_id)
    return await turns.save(engine, Turn(None, asked_for, answer, prediction=prediction))


async def up(engine: AsyncEngine, turn: int, person: Person = ANN) -> None:
    """A 👍."""
    assert await ratings.save(engine, Rating(turn, person, 1))


async def wrong_topic(
    engine: AsyncEngine, turn: int, person: Person = ANN, right: str | None = None
) -> None:
    """A 👎 for the wrong topic, with the right intent if one is given."""
    assert await ratings.save(engine, Rating(turn, person, -1, Reason.WRONG_TOPIC, right))


async def settle(
    engine: AsyncEngine,
    question: str,
    intent: str | None,
    *,
    turn: int | None = None,
    asker: Person = ASKER,
    by: str = "slack:UADMIN",
    is_paraphrase: bool = False,
) -> None:
    """What an admin settled."""
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO settled (turn_id, asker_platform, asker, text, is_paraphrase, intent,"
                " settled_on, settled_by) VALUES (:turn, :platform, :asker, :text, :is_paraphrase,"
                " :intent, 'slack', :by)"
            ),
            {
                "turn": turn, "platform": asker.platform, "asker": asker.id, "text": question,
                "is_paraphrase": is_paraphrase, "intent": intent, "by": by,
            },
        )  # fmt: skip
