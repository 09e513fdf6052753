"""The journey of a question: passages, an answer or an honest "not sure", and the stored turn."""

import logging
import time
from dataclasses import dataclass, replace

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import SupportbotError
from bot.messages import Answer, Outcome, Question, Turn
from bot.rag.confidence import confidence_in
from bot.rag.extractive import abstain, quote
from bot.rag.retriever import Retriever
from bot.storage import turns

MAX_CHARACTERS = 4000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Assistant:
    """Answers questions from the index; below `min_confidence` it says that it is not sure."""

    engine: AsyncEngine
    retriever: Retriever
    min_confidence: float = 0.5
    max_quotes: int = 3

    async def answer(self, question: Question) -> Turn:
        """The turn of a question; it never raises: what goes wrong is the answer."""
        started = time.perf_counter()
        question = replace(question, text=_storable(question.text))
        try:
            answer = await self.compose(question)
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
        return Turn(await self._save(question, answer, timings), question, answer, timings)

    async def compose(self, question: Question) -> Answer:
        """The answer alone, stored nowhere; errors are raised."""
        text = question.text
        if not text:
            return Answer(Outcome.ABSTAINED, "Ask me something, and I look in the documents.")
        if len(text) > MAX_CHARACTERS:
            return Answer(
                Outcome.ABSTAINED,
                f"That is {len(text):,} characters long; I read up to {MAX_CHARACTERS:,}. "
                "Please ask the question alone.",
            )
        passages = await self.retriever.retrieve(text, question.conversation.principals)
        confidence = confidence_in(passages)
        if confidence.about < self.min_confidence:
            return abstain(passages, confidence)
        return quote(passages, confidence, self.max_quotes)

    async def _save(
        self, question: Question, answer: Answer, timings: dict[str, float]
    ) -> int | None:
        """The turn's id; None where the database is away, which must not cost the answer."""
        try:
            return await turns.save(self.engine, question, answer, timings)
        except (SQLAlchemyError, OSError):
            log.exception("a turn could not be stored")
            return None


def _storable(text: str) -> str:
    """The text without what no database stores: NUL and halves of surrogate pairs."""
    return text.encode("utf-8", "ignore").decode().replace("\0", "").strip()
