"""An answer by a language model: streamed, checked against its passages, honest when it fails."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from bot.messages import Answer, Confidence, Outcome, Passage
from bot.rag.citing import CitationChecker
from bot.rag.extractive import abstain, quote
from bot.rag.failures import LATE, MAX_ATTEMPTS, UNSOURCED, Failure, failure_of, pause_before
from bot.rag.language_model import LanguageModel
from bot.rag.prompts import NOT_FOUND, Prompt, answering

# A model that does not end is ended; longer answers than this no chat message holds.
MAX_CHARACTERS = 8000
STOPPED = "*Stopped.*"

OnText = Callable[[str], Awaitable[None]]

log = logging.getLogger(__name__)


class ModelFailedError(Exception):
    """The model gave no answer, or not all of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Page:
    """What people have been shown of an answer; it only grows.

    `on_text` is told each piece. Where it fails, as when a chat is away, the page grows untold.
    """

    def __init__(self, on_text: OnText | None) -> None:
        self.text = ""
        self._on_text = on_text

    async def show(self, piece: str) -> None:
        """Put a piece behind what is there."""
        if not piece:
            return
        self.text += piece
        if self._on_text is None:
            return
        try:
            await self._on_text(piece)
        except Exception:
            log.exception("an answer could not be shown while it was written")
            self._on_text = None

    async def close(self, text: str) -> str:
        """Show what completes the page to `text`, a paragraph below what is there; all of it."""
        await self.show(f"\n\n{text}" if self.text else text)
        return self.text


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes answers with a language model; quotes with a note where that fails."""

    model: LanguageModel
    timeout_seconds: float = 60.0
    max_quotes: int = 3

    async def write(
        self,
        question: str,
        passages: Sequence[Passage],
        confidence: Confidence,
        on_text: OnText | None = None,
        stop: asyncio.Event | None = None,
    ) -> Answer:
        """The answer to a question that stands alone, from passages (best first, at least one).

        `on_text` is told pieces that put together are the answer's text. It ends within
        `timeout_seconds`, and at once when `stop` is set, with what was shown until then. It
        raises nothing of the model's: an answer that failed is quoted, which the text says.
        """
        page = Page(on_text)
        prompt = answering(question, passages)
        checker = CitationChecker(passages, prompt.fence)
        writing = asyncio.ensure_future(self._persist(prompt, checker, page))
        is_stopped = await _is_stopped_first(writing, stop, self.timeout_seconds)
        found = Answer(Outcome.ANSWERED, page.text, (), confidence, tuple(passages))
        if is_stopped:
            outcome = Outcome.ANSWERED if page.text else Outcome.ABSTAINED
            text = await page.close(STOPPED)
            return replace(
                found, outcome=outcome, text=text, citations=checker.citations, is_stopped=True
            )
        try:
            is_found = writing.result()
        except asyncio.CancelledError:
            return await self._fall_back(LATE, checker, page, found)
        except ModelFailedError as error:
            return await self._fall_back(error.failure, checker, page, found)
        if is_found:
            return replace(found, text=page.text, citations=checker.citations)
        unsure = abstain(passages, confidence)
        return replace(unsure, text=await page.close(unsure.text))

    async def _persist(self, prompt: Prompt, checker: CitationChecker, page: Page) -> bool:
        """Whether the passages hold the answer, which is on the page then.

        A failure that may pass is tried again as long as nothing was shown.
        """
        deadline = time.monotonic() + self.timeout_seconds
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return await self._stream(prompt, checker, page)
            except ModelFailedError as error:
                failure = error.failure
                pause = pause_before(attempt, failure)
                is_last = attempt == MAX_ATTEMPTS or time.monotonic() + pause >= deadline
                if page.text or not failure.is_passing or is_last:
                    raise
                await asyncio.sleep(pause)
                checker.restart()
        raise AssertionError("the last attempt returns or raises")

    async def _stream(self, prompt: Prompt, checker: CitationChecker, page: Page) -> bool:
        said = ""
        async with aclosing(self.model.stream(prompt.system, prompt.said)) as pieces:
            while len(said) < MAX_CHARACTERS:
                try:
                    piece = await anext(pieces, None)
                except Exception as error:  # noqa: BLE001 each provider's client has its own
                    failure = failure_of(error)
                    # Not its message: a provider's may quote a part of the key.
                    log.warning("the language model %s (%s)", failure.reason, type(error).__name__)
                    raise ModelFailedError(failure) from None
                if piece is None:
                    break
                said += piece
                await page.show(checker.feed(piece))
        await page.show(checker.feed("", is_end=True))
        if page.text:
            return True
        if NOT_FOUND in said:
            return False
        raise ModelFailedError(UNSOURCED)

    async def _fall_back(
        self, failure: Failure, checker: CitationChecker, page: Page, found: Answer
    ) -> Answer:
        """The answer quoted, behind what was shown, with a note that says why."""
        assert found.confidence is not None
        shown = checker.citations if page.text else ()
        quoted = quote(found.passages, found.confidence, self.max_quotes, len(shown) + 1)
        note = (
            f"*The answer breaks off here: the language model {failure.reason}. "
            "What the documents say, word for word:*"
            if page.text
            else f"*The language model {failure.reason}, so this is quoted from the documents.*"
        )
        text = await page.close(f"{note}\n\n{quoted.text}")
        return replace(found, text=text, citations=(*shown, *quoted.citations))


async def _is_stopped_first(
    writing: "asyncio.Future[bool]", stop: asyncio.Event | None, seconds: float
) -> bool:
    """Wait for the writing, a stop or the time's end, whichever is first, and end the writing.

    True when it was a stop.
    """
    stopping = asyncio.ensure_future(stop.wait() if stop else asyncio.Event().wait())
    both: set[asyncio.Future[Any]] = {writing, stopping}
    try:
        await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return stopping.done() and not writing.done()
    finally:
        for task in both:
            task.cancel()
        await asyncio.wait(both)
