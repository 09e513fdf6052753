"""The journey of a question: its intent and passages, an answer or "not sure", the stored turn."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import RatingError, SupportbotError
from bot.intents.catalog import Intent, Route
from bot.intents.routing import Router
from bot.messages import (
    APPROVED_ANSWERS,
    OUT_OF_SCOPE,
    Answer,
    Outcome,
    Passage,
    Prediction,
    Question,
    Rating,
    Turn,
)
from bot.rag import followup
from bot.rag.confidence import confidence_in
from bot.rag.extractive import abstain, quote
from bot.rag.generative import OnText, Writer
from bot.rag.retriever import Retriever
from bot.storage import ratings, turns

MAX_CHARACTERS = 4000
# Below this a message that leans on an earlier one goes to the documents.
LEANING_CONFIDENCE = 0.9

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Assistant:
    """Answers questions from the index; below `min_confidence` it says that it is not sure."""

    engine: AsyncEngine
    retriever: Retriever
    router: Router
    min_confidence: float = 0.5
    max_quotes: int = 3
    writer: Writer | None = None

    async def answer(
        self, question: Question, on_text: OnText | None = None, stop: asyncio.Event | None = None
    ) -> Turn:
        """The turn of a question; it never raises: what goes wrong is the answer.

        With a language model `on_text` is told the answer while it is written, in pieces that put
        together are its text, and `stop` ends it early; other answers come whole.
        """
        started = time.perf_counter()
        question = replace(question, text=_storable(question.text))
        prediction = None
        try:
            prediction, answer = await self.compose(question, on_text, stop)
        except SupportbotError as error:
            answer = Answer(Outcome.FAILED, str(error))
        except Exception:
            log.exception("a question failed")
            answer = Answer(
                Outcome.FAILED,
                "Something went wrong and I could not answer. Please ask again in a minute; "
                "the operator finds the cause in the log.",
            )
        timings = {"answer": (time.perf_counter() - started) * 1000}
        turn = Turn(None, question, answer, timings, prediction)
        return replace(turn, id=await self._save(turn))

    async def fail(self, question: Question, reason: str) -> Turn:
        """The turn of a question that is answered with why it cannot be."""
        turn = Turn(None, question, Answer(Outcome.FAILED, reason))
        return replace(turn, id=await self._save(turn))

    async def intent_of(self, text: str) -> Intent | None:
        """What a message is surely about; None where that is unknown or for the documents."""
        text = _storable(text)
        prediction = await self.router.predict(text, await self.retriever.encode(text))
        return self.router.intent_of(prediction)

    async def rate(self, rating: Rating) -> None:
        """Store a rating; the person's former one on the turn goes.

        Raises:
            RatingError: the turn is unknown, or the intent is not in the catalog.
        """
        if rating.intent is not None and self.router.catalog.find(rating.intent) is None:
            raise RatingError(
                f"There is no intent {rating.intent!r}. There are: "
                f"{', '.join(self.router.catalog.names)}."
            )
        comment = _storable(rating.comment or "")[:MAX_CHARACTERS] or None
        if not await ratings.save(self.engine, replace(rating, comment=comment)):
            raise RatingError("That answer is no longer stored, so it cannot be rated.")

    async def compose(
        self, question: Question, on_text: OnText | None = None, stop: asyncio.Event | None = None
    ) -> tuple[Prediction | None, Answer]:
        """What the question is taken for and the answer, stored nowhere; errors are raised.

        The intent is always that of what was asked, as the classifier learns from that. The search
        does not wait for the classifier: most questions need it, and the two run on different
        processors. A follow-up that finds nothing together with what it leans on is searched alone.
        """
        if refusal := _refusal(question.text):
            return None, refusal
        text = await self._standalone(question)
        leans = text != question.text
        asked = vector = await self.retriever.encode(question.text)
        if leans:
            vector = await self.retriever.encode(text)
        principals = question.conversation.principals
        prediction, passages = await asyncio.gather(
            self.router.predict(question.text, asked),
            self.retriever.search(text, vector, principals),
        )
        intent = self._intent(question, prediction, leans=leans)
        if intent is not None and intent.route is not Route.DOCUMENTS:
            return prediction, said(intent)
        if intent is not None and intent.sources:
            sources = (*intent.sources, APPROVED_ANSWERS)
            own = await self.retriever.search(text, vector, principals, sources)
            passages = own if self._is_enough(own) else passages
        if leans and not self._is_enough(passages):
            text = question.text
            passages = await self.retriever.search(text, asked, principals)
        if self._is_enough(passages):
            return prediction, await self._written(text, passages, on_text, stop)
        if intent is not None and intent.reply:
            return prediction, said(intent)
        return prediction, abstain(passages, confidence_in(passages))

    def _is_enough(self, passages: Sequence[Passage]) -> bool:
        """Whether the passages surely deal with what they were searched for."""
        return confidence_in(passages).about >= self.min_confidence

    async def _written(
        self,
        text: str,
        passages: Sequence[Passage],
        on_text: OnText | None,
        stop: asyncio.Event | None,
    ) -> Answer:
        """The answer from the passages: by the language model where there is one, else quoted."""
        confidence = confidence_in(passages)
        if self.writer:
            return await self.writer.write(text, passages, confidence, on_text, stop)
        return quote(passages, confidence, self.max_quotes)

    def _intent(
        self, question: Question, prediction: Prediction | None, *, leans: bool
    ) -> Intent | None:
        """The intent to act on; None sends the question to the documents.

        What leans on an earlier question says little by its own words: "and for teams?" is no
        chatter, "that solved it" is a thank-you. So the classifier has to be surer of it, and what
        goes on with "and" or "what about" gets no canned reply.
        """
        intent = self.router.intent_of(prediction)
        if not leans or intent is None or prediction is None or intent.route is Route.DOCUMENTS:
            return intent
        is_reply = intent.route is Route.REPLY and followup.continues(question.text)
        return None if is_reply or prediction.confidence < LEANING_CONFIDENCE else intent

    async def _standalone(self, question: Question) -> str:
        """The question as it reads without what was said before it."""
        if followup.is_plain(question.text):
            return question.text
        try:
            earlier = await turns.recent(self.engine, question.conversation)
        except (SQLAlchemyError, OSError):
            log.warning("a question is answered alone: what came before it cannot be read")
            return question.text
        model = self.writer.model if self.writer else None
        return await followup.standalone(question.text, earlier, model)

    async def _save(self, turn: Turn) -> int | None:
        """The turn's id; None where the database is away, which must not cost the answer."""
        try:
            return await turns.save(self.engine, turn)
        except (SQLAlchemyError, OSError):
            log.exception("a turn could not be stored")
            return None


def said(intent: Intent) -> Answer:
    """The reply of an intent."""
    outcomes = {Route.HANDOFF: Outcome.HANDED_OVER}
    outcome = outcomes.get(intent.route, Outcome.ANSWERED)
    return Answer(Outcome.ABSTAINED if intent.name == OUT_OF_SCOPE else outcome, intent.reply)


def _refusal(text: str) -> Answer | None:
    if not text:
        return Answer(Outcome.ABSTAINED, "Ask me something, and I look in the documents.")
    if len(text) > MAX_CHARACTERS:
        return Answer(
            Outcome.ABSTAINED,
            f"That is {len(text):,} characters long; I read up to {MAX_CHARACTERS:,}. "
            "Please ask the question alone.",
        )
    return None


def _storable(text: str) -> str:
    """The text without what no database stores: NUL and halves of surrogate pairs."""
    return text.encode("utf-8", "ignore").decode().replace("\0", "").strip()
