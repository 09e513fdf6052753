"""A question from a chat on its way: is it for the bot, what is the answer, and it is delivered."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from bot.assistant import Assistant
from bot.inbox import Ended, Holding
from bot.intents.catalog import Route
from bot.messages import (
    EVERYONE,
    NOT_FOR_THE_BOT,
    OUT_OF_SCOPE,
    Arrival,
    Conversation,
    Outcome,
    Person,
    Question,
    Turn,
    Way,
)
from bot.rag.generative import OnText
from bot.storage import conversations
from bot.storage.answering import Waiting

UNMENTIONED = frozenset({Way.FOLLOW_UP, Way.OVERHEARD})
LOOK_SECONDS = 0.5
# A person who edits and edits gets the answer to what stood there after so many looks.
MAX_EDITS = 3

log = logging.getLogger(__name__)


class Reply(Protocol):
    """How a platform shows the answer to one question."""

    async def begin(self) -> None:
        """Show that the question is being worked on, if that works."""

    async def write(self, piece: str) -> None:
        """Show the next piece of an answer that is being written."""

    async def finish(self, turn: Turn) -> str | None:
        """Show the whole answer, in place of its pieces; the id of the message that holds it.

        Raises:
            DeliveryError: the platform does not take it.
        """

    async def drop(self) -> None:
        """Take away what was shown, as there will be no answer."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Answers what waits in the inbox of one platform, through the replies of that platform."""

    assistant: Assistant
    reply_to: Callable[[Holding], Reply]
    deadline_seconds: float = 60.0

    async def answer(self, holding: Holding) -> Ended:
        """Answer a question, unless it is not for the bot or was taken back meanwhile."""
        if not await self._is_for_the_bot(holding.waiting):
            return Ended("ignored")
        reply = self.reply_to(holding)
        turn = None
        for _ in range(MAX_EDITS):
            held = await holding.look()
            if held is None:
                if await holding.is_withdrawn():
                    await reply.drop()
                return Ended("withdrawn")
            if turn is not None and turn.question.text == held.text.strip():
                break
            # What was shown of an answer to other words must not go on as if it were this one.
            on_text = reply.write if turn is None else None
            turn = await self._turn(holding, held.text, reply, on_text)
        assert turn is not None
        if _is_better_unsaid(holding.waiting, turn):
            await reply.drop()
            return Ended("ignored")
        return Ended("answered", await reply.finish(turn))

    async def give_up(self, holding: Holding) -> Ended:
        """Tell that a question cannot be answered, as process after process died over it."""
        question = question_of(holding.waiting.arrival, holding.waiting.id)
        turn = await self.assistant.fail(
            question,
            "I tried to answer this several times, and something broke each time. Please ask in "
            "other words; the operator finds the cause in the log.",
        )
        return Ended("answered", await self.reply_to(holding).finish(turn))

    async def _turn(
        self, holding: Holding, text: str, reply: Reply, on_text: OnText | None
    ) -> Turn:
        """The turn of a question, its pieces shown where a language model writes them."""
        arrival = holding.waiting.arrival
        question = question_of(arrival, holding.waiting.id, text)
        on_text = None if arrival.way in UNMENTIONED else on_text
        try:
            async with asyncio.timeout(self.deadline_seconds), _stopping(holding) as stop:
                _, turn = await asyncio.gather(
                    reply.begin(), self.assistant.answer(question, on_text, stop)
                )
                return turn
        except TimeoutError:
            return await self.assistant.fail(
                question,
                f"I could not answer that within {self.deadline_seconds:.0f} seconds. Please ask "
                "again in a minute.",
            )

    async def _is_for_the_bot(self, waiting: Waiting) -> bool:
        """Whether an unmentioned message is for the bot; a mentioned one always is.

        People who talk to each other in a thread, or to a person who has taken over there, are
        left alone, and so is what does not look like a question where only these are answered.
        """
        arrival = waiting.arrival
        if arrival.way not in UNMENTIONED:
            return True
        engine = self.assistant.engine
        is_follow_up = arrival.way is Way.FOLLOW_UP
        if is_follow_up and await conversations.is_handed_over(engine, arrival):
            return False
        intent = await self.assistant.intent_of(arrival.text)
        if intent is None:
            return is_follow_up or arrival.details.get("mode") == "all"
        if intent.name == NOT_FOR_THE_BOT:
            return False
        if not _must_be_answered(waiting):
            return True
        return intent.route is Route.DOCUMENTS and intent.name != OUT_OF_SCOPE


def question_of(arrival: Arrival, inbox_id: int | None, text: str | None = None) -> Question:
    """The question that a message asks; the documents are those that its channel may read."""
    principals = {EVERYONE, f"{arrival.platform}:{arrival.channel}"}
    if arrival.way is Way.DIRECT:
        principals.add(f"{arrival.platform}:{arrival.person}")
    place = Conversation(arrival.platform, arrival.conversation, frozenset(principals))
    person = Person(arrival.platform, arrival.person)
    return Question((arrival.text if text is None else text).strip(), person, place, inbox_id)


def _must_be_answered(waiting: Waiting) -> bool:
    """Whether an unmentioned message gets an answer from the documents or none."""
    if waiting.arrival.way is Way.FOLLOW_UP:
        return waiting.is_stranger
    return waiting.arrival.details.get("mode") != "all"


def _is_better_unsaid(waiting: Waiting, turn: Turn) -> bool:
    """Whether "I am not sure" would only disturb people who did not ask the bot."""
    is_unasked = waiting.arrival.way in UNMENTIONED and _must_be_answered(waiting)
    return is_unasked and turn.answer.outcome is not Outcome.ANSWERED


@asynccontextmanager
async def _stopping(holding: Holding) -> AsyncIterator[asyncio.Event]:
    """An event that is set once the asker has the answer stopped."""
    stop = asyncio.Event()

    async def look() -> None:
        while not stop.is_set():
            await asyncio.sleep(LOOK_SECONDS)
            held = await holding.look()
            if held is None or held.is_stopped:
                stop.set()

    looking = asyncio.create_task(look())
    try:
        yield stop
    finally:
        looking.cancel()
        await asyncio.wait([looking])
