"""Approved answers: what admins published, from whose question, and when it was last confirmed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.messages import APPROVED_ANSWERS
from bot.storage.jobs import Requested, Wanted, request_on

ONE = (
    "SELECT a.id, a.question, a.answer, a.audience, a.turn_id, a.author, a.author_name,"
    " a.approved_at, a.confirmed_at, d.version_tag FROM approved_answers AS a"
    " LEFT JOIN documents AS d ON d.source = :source AND d.uri = a.id || '.md'"
    " WHERE a.withdrawn_at IS NULL"
)
PUBLISHED = text(f"{ONE} ORDER BY a.confirmed_at, a.id")
FIND = text(f"{ONE} AND a.id = :id")
OF_TURN = text(f"{ONE} AND a.turn_id = :turn")
ASKED = text(
    "SELECT turns.question, turns.platform, turns.conversation, resolution"
    " FROM turns LEFT JOIN handoffs ON handoffs.turn_id = turns.id WHERE turns.id = :turn"
)
ADD = text(
    "INSERT INTO approved_answers (question, answer, audience, turn_id, worded_in, author,"
    " author_name) VALUES (:question, :answer, :audience, :turn, :worded_in, :author, :author_name)"
    " RETURNING id"
)
CHANGE = text(
    "UPDATE approved_answers SET question = :question, answer = :answer, audience = :audience,"
    " worded_in = :worded_in, author = :author, author_name = :author_name,"
    " confirmed_at = clock_timestamp() WHERE id = :id AND withdrawn_at IS NULL"
)
CONFIRM = text(
    "UPDATE approved_answers SET confirmed_at = clock_timestamp()"
    " WHERE id = :id AND withdrawn_at IS NULL"
)
WITHDRAW = text(
    "UPDATE approved_answers SET withdrawn_at = now() WHERE id = :id AND withdrawn_at IS NULL"
)
COUNT_DUE = text(
    "SELECT count(*) FROM approved_answers WHERE withdrawn_at IS NULL"
    " AND confirmed_at < now() - make_interval(days => :days)"
)
FORGET_AUTHOR = text(
    "UPDATE approved_answers SET author = '', author_name = 'a former colleague',"
    " confirmed_at = confirmed_at + interval '1 microsecond' WHERE author = :author"
)


@dataclass(frozen=True, slots=True)
class Approved:
    """A published answer; `author` is "platform:person", `audience` who may get it.

    `confirmed_at` is when it was approved, changed or renewed last; `turn_id` is the turn that it
    was drafted from, None where there was none or it is gone.
    """

    id: int
    question: str
    answer: str
    audience: frozenset[str]
    turn_id: int | None
    author: str
    author_name: str
    approved_at: datetime
    confirmed_at: datetime
    is_indexed: bool

    @property
    def uri(self) -> str:
        """What names its document."""
        return f"{self.id}.md"


@dataclass(frozen=True, slots=True)
class Wording:
    """What is published under whose name; `worded_in` is the turn whose words it still has."""

    question: str
    answer: str
    audience: frozenset[str]
    author: str
    author_name: str
    worded_in: int | None = None

    def as_values(self) -> dict[str, Any]:
        """Its fields as parameters."""
        return {
            "question": self.question,
            "answer": self.answer,
            "audience": sorted(self.audience),
            "author": self.author,
            "author_name": self.author_name,
            "worded_in": self.worded_in,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked in a turn and where; `resolution` is what a person answered, None if none."""

    question: str
    platform: str
    conversation: str
    resolution: str | None


def version_tag(confirmed_at: datetime) -> str:
    """What changes whenever the document of an approved answer does."""
    return confirmed_at.isoformat()


async def published(engine: AsyncEngine) -> list[Approved]:
    """The answers that are not withdrawn, those first that were not confirmed for longest."""
    async with engine.connect() as connection:
        rows = await connection.execute(PUBLISHED, {"source": APPROVED_ANSWERS})
        return [_approved(row) for row in rows]


async def find(engine: AsyncEngine, answer_id: int) -> Approved | None:
    """The published answer of that id."""
    async with engine.connect() as connection:
        values = {"source": APPROVED_ANSWERS, "id": answer_id}
        row = (await connection.execute(FIND, values)).one_or_none()
    return _approved(row) if row else None


async def of_turn(engine: AsyncEngine, turn_id: int) -> Approved | None:
    """The published answer that was drafted from a turn."""
    async with engine.connect() as connection:
        values = {"source": APPROVED_ANSWERS, "turn": turn_id}
        row = (await connection.execute(OF_TURN, values)).one_or_none()
    return _approved(row) if row else None


async def asked(engine: AsyncEngine, turn_id: int) -> Asked | None:
    """What was asked in a turn; None where it is gone."""
    async with engine.connect() as connection:
        row = (await connection.execute(ASKED, {"turn": turn_id})).one_or_none()
    return Asked(*row) if row else None


async def add(
    engine: AsyncEngine, wording: Wording, turn_id: int | None
) -> tuple[int, Requested] | None:
    """Publish an answer: its id and the job that takes it in; None where the turn has one."""
    try:
        async with engine.begin() as connection:
            values = wording.as_values() | {"turn": turn_id}
            answer_id: int = await connection.scalar(ADD, values)
            return answer_id, await _reindex(connection, wording.author)
    except IntegrityError:
        return None


async def change(engine: AsyncEngine, answer_id: int, wording: Wording) -> Requested | None:
    """Publish an answer in other words: the job that takes it in; None where it is withdrawn."""
    return await _do(engine, CHANGE, wording.as_values() | {"id": answer_id}, wording.author)


async def confirm(engine: AsyncEngine, answer_id: int, by: str) -> Requested | None:
    """Note that an answer still holds; None where it is withdrawn."""
    return await _do(engine, CONFIRM, {"id": answer_id}, by)


async def withdraw(engine: AsyncEngine, answer_id: int, by: str) -> Requested | None:
    """Take an answer back: no question finds it any more; None where that was done before.

    The job makes sure that a reindex which runs just now does not bring it back.
    """
    return await _do(engine, WITHDRAW, {"id": answer_id}, by)


async def count_due(engine: AsyncEngine, days: int) -> int:
    """How many answers were last confirmed more than `days` days ago."""
    async with engine.connect() as connection:
        return int(await connection.scalar(COUNT_DUE, {"days": days}) or 0)


async def forget_author(connection: AsyncConnection, platform: str, person: str) -> None:
    """Leave a person's name out of the answers they approved, which the team goes on with."""
    author = f"{platform}:{person}"
    if (await connection.execute(FORGET_AUTHOR, {"author": author})).rowcount:
        await _reindex(connection, "forgetting")


async def _do(
    engine: AsyncEngine, statement: Any, values: dict[str, Any], by: str
) -> Requested | None:
    async with engine.begin() as connection:
        if not (await connection.execute(statement, values)).rowcount:
            return None
        return await _reindex(connection, by)


async def _reindex(connection: AsyncConnection, by: str) -> Requested:
    return await request_on(connection, Wanted("reindex", APPROVED_ANSWERS, by))


def _approved(row: Row[Any]) -> Approved:
    return Approved(
        row.id, row.question, row.answer, frozenset(row.audience), row.turn_id, row.author,
        row.author_name, row.approved_at, row.confirmed_at,
        row.version_tag == version_tag(row.confirmed_at),
    )  # fmt: skip
