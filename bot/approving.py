"""Approved answers: drafted from a question that failed, published, renewed, withdrawn."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import AnswerError
from bot.storage import approved
from bot.storage.approved import Approved, Wording
from bot.storage.jobs import Requested

# The first is what a title holds, the second what Slack lets people type.
MAX_QUESTION, MAX_ANSWER = 200, 3_000
# So many words in a row are the asker's own; fewer everybody uses.
OWN_WORDS = 3
PRINCIPAL = re.compile(r"everyone|[a-z]+:\S+")


@dataclass(frozen=True, slots=True)
class Draft:
    """What an admin begins with: the question, what a person answered to it if one did.

    `place` is the principal of the channel that it was asked in, such as "slack:C0123"; None in the
    terminal and where only the asker was. `former` is the answer that is published already.
    """

    question: str
    answer: str
    turn_id: int | None
    place: str | None
    former: Approved | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """An answer as an admin approves it: `by` is "platform:person", `name` what people read."""

    question: str
    answer: str
    audience: frozenset[str]
    by: str
    name: str


async def draft(engine: AsyncEngine, turn_id: int) -> Draft:
    """What to begin an answer to the question of a turn with.

    Raises:
        AnswerError: the turn is no longer stored.
    """
    asked = await approved.asked(engine, turn_id)
    if asked is None:
        raise AnswerError("That question is no longer stored, so there is nothing to answer.")
    if former := await approved.of_turn(engine, turn_id):
        return draft_of(former)
    channel = asked.conversation.partition(":")[0]
    place = f"{asked.platform}:{channel}" if asked.platform != "terminal" and channel else None
    question = _line(asked.question)[:MAX_QUESTION]
    return Draft(question, (asked.resolution or "").strip()[:MAX_ANSWER], turn_id, place)


def draft_of(answer: Approved) -> Draft:
    """What to begin with where a published answer is changed."""
    return Draft(answer.question, answer.answer, answer.turn_id, None, answer)


async def approve(
    engine: AsyncEngine, approval: Approval, turn_id: int | None = None
) -> tuple[int, Requested]:
    """Publish an answer: its number, and the job that takes it into the index.

    Raises:
        AnswerError: something of it is empty or too long, or the turn has an answer already.
    """
    wording = await _wording(engine, approval, turn_id)
    added = await approved.add(engine, wording, turn_id)
    if added is None:
        raise AnswerError(
            "Somebody has approved an answer to this question meanwhile, or the question is gone. "
            "See: answers"
        )
    return added


async def change(engine: AsyncEngine, answer_id: int, approval: Approval) -> Requested:
    """Publish an answer in other words; the job that takes it into the index.

    Raises:
        AnswerError: it is withdrawn, or something of it is empty or too long.
    """
    former = await find(engine, answer_id)
    wording = await _wording(engine, approval, former.turn_id)
    return _done(await approved.change(engine, answer_id, wording), answer_id)


async def renew(engine: AsyncEngine, answer_id: int, by: str) -> Requested:
    """Confirm that an answer still holds.

    Raises:
        AnswerError: there is none of that number, or it is withdrawn.
    """
    return _done(await approved.confirm(engine, answer_id, by), answer_id)


async def withdraw(engine: AsyncEngine, answer_id: int, by: str) -> Requested:
    """Take an answer back.

    Raises:
        AnswerError: there is none of that number, or it is withdrawn already.
    """
    return _done(await approved.withdraw(engine, answer_id, by), answer_id)


async def find(engine: AsyncEngine, answer_id: int) -> Approved:
    """The published answer of that number.

    Raises:
        AnswerError: there is none, or it is withdrawn.
    """
    answer = await approved.find(engine, answer_id)
    if answer is None:
        raise _unknown(answer_id)
    return answer


def due_at(answer: Approved, renew_after_days: int) -> datetime:
    """When an answer is to be looked at again."""
    return answer.confirmed_at + timedelta(days=renew_after_days)


async def _wording(engine: AsyncEngine, approval: Approval, turn_id: int | None) -> Wording:
    question = _line(approval.question)
    answer = _storable(approval.answer).strip()
    for what, text, most in (("question", question, MAX_QUESTION), ("answer", answer, MAX_ANSWER)):
        if not text:
            raise AnswerError(f"The {what} is empty. Write one.")
        if len(text) > most:
            raise AnswerError(
                f"The {what} is {len(text):,} characters long. Write at most {most:,}."
            )
    if not approval.audience or not all(map(PRINCIPAL.fullmatch, approval.audience)):
        raise AnswerError(
            "Say who may get the answer: everyone, or channels and people such as slack:C0123ABC."
        )
    asked = await approved.asked(engine, turn_id) if turn_id is not None else None
    is_own = asked is not None and (
        _has_words_of(question, asked.question) or _has_words_of(answer, asked.question)
    )
    name = _line(approval.name)[:80] or "somebody"
    return Wording(
        question, answer, approval.audience, approval.by, name, turn_id if is_own else None
    )


def _has_words_of(text: str, asked: str) -> bool:
    """Whether a text is, holds or is a part of what somebody asked."""
    words, own = _words(text), _words(asked)
    if words == own:
        return True
    shorter, longer = sorted((words, own), key=len)
    return len(shorter) >= OWN_WORDS and f" {' '.join(shorter)} " in f" {' '.join(longer)} "


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _line(text: str) -> str:
    return " ".join(_storable(text).split())


def _storable(text: str) -> str:
    """The text without what no database stores: NUL and halves of surrogate pairs."""
    return text.encode("utf-8", "ignore").decode().replace("\0", "")


def _done(requested: Requested | None, answer_id: int) -> Requested:
    if requested is None:
        raise _unknown(answer_id)
    return requested


def _unknown(answer_id: int) -> AnswerError:
    return AnswerError(f"There is no approved answer {answer_id}, or it was withdrawn.")
