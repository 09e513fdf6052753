"""What is accepted is answered once: in order, across outages, deaths and frozen processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import AwayError, RefusedError
from bot.inbox import Ended, Holding, Inbox, Pace
from bot.messages import Arrival, Way
from bot.storage import queue
from bot.storage.inbox import Flood

QUICK = Pace(poll=0.05, heartbeat=0.2, silent=1, sweep=0.2, restart=0.2)
MENTION = Arrival(
    "slack", "T1", "C1", "1.1", "C1:1.1", "U1", "Why?", Way.MENTION, None, {"thread": "1.1"}
)


@dataclass
class Scripted:
    """Answers as told, and keeps what it was asked."""

    errors: list[Exception] = field(default_factory=list)
    seconds: float = 0.0
    asked: list[str] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    given_up: int = 0

    async def answer(self, holding: Holding) -> Ended:
        self.asked.append(holding.waiting.arrival.message)
        if self.errors:
            raise self.errors.pop(0)
        await asyncio.sleep(self.seconds)
        if await holding.look() is None:
            return Ended("withdrawn")
        self.finished.append(holding.waiting.arrival.message)
        return Ended("answered", f"re:{holding.waiting.arrival.message}")

    async def give_up(self, holding: Holding) -> Ended:
        self.given_up += 1
        return Ended("answered")


@asynccontextmanager
async def working(engine: AsyncEngine, answerer: Scripted) -> AsyncIterator[Inbox]:
    inbox = Inbox(engine, "slack", Flood(1000, 1000, 1000), QUICK)
    task = asyncio.create_task(inbox.work(answerer))
    try:
        yield inbox
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def states(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return list(
            (await connection.execute(text("SELECT state FROM inbox ORDER BY id"))).scalars()
        )


async def settled(engine: AsyncEngine, seconds: float = 30) -> list[str]:
    async with asyncio.timeout(seconds):
        while "waiting" in (found := await states(engine)):
            await asyncio.sleep(0.05)
    return found


async def test_a_question_is_answered_at_once_and_its_job_is_gone(engine: AsyncEngine) -> None:
    answerer = Scripted()
    async with working(engine, answerer) as inbox:
        await asyncio.sleep(0.5)
        await inbox.accept(MENTION)
        assert await settled(engine) == ["answered"]
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT reply FROM inbox")) == "re:1.1"
        assert await connection.scalar(text("SELECT count(*) FROM procrastinate_jobs")) == 0


async def test_a_conversation_is_answered_one_by_one_in_order(engine: AsyncEngine) -> None:
    answerer = Scripted(seconds=0.1)
    async with working(engine, answerer) as inbox:
        for number in range(5):
            await inbox.accept(replace(MENTION, message=f"1.{number}"))
            await inbox.accept(replace(MENTION, message=f"2.{number}", conversation="C1:2.0"))
        await settled(engine)
    for thread in ("1", "2"):
        ours = [message for message in answerer.finished if message.startswith(thread)]
        assert ours == [f"{thread}.{number}" for number in range(5)]


async def test_what_slack_did_not_take_is_tried_again(engine: AsyncEngine) -> None:
    answerer = Scripted(errors=[AwayError("Slack is away.")])
    async with working(engine, answerer) as inbox:
        await inbox.accept(MENTION)
        assert await settled(engine) == ["answered"]
    assert answerer.asked == ["1.1", "1.1"]


async def test_what_slack_refuses_is_left(engine: AsyncEngine) -> None:
    answerer = Scripted(errors=[RefusedError("It is archived.", "is_archived")])
    async with working(engine, answerer) as inbox:
        await inbox.accept(MENTION)
        assert await settled(engine) == ["undeliverable"]
    assert answerer.asked == ["1.1"]


async def test_a_broken_answerer_does_not_lose_the_question(engine: AsyncEngine) -> None:
    answerer = Scripted(errors=[KeyError("a bug"), KeyError("a bug")])
    async with working(engine, answerer) as inbox:
        await inbox.accept(MENTION)
        assert await settled(engine) == ["answered"]
    assert len(answerer.asked) == 3


async def test_a_question_that_always_breaks_is_given_up_and_told(engine: AsyncEngine) -> None:
    answerer = Scripted(errors=[KeyError("a bug") for _ in range(20)])
    async with working(engine, answerer) as inbox:
        await inbox.accept(MENTION)
        assert await settled(engine, 30) == ["answered"]
    assert (len(answerer.asked), answerer.given_up) == (5, 1)


async def test_the_question_of_a_dead_process_is_taken_over(engine: AsyncEngine) -> None:
    async with working(engine, Scripted()) as inbox:
        await inbox.accept(MENTION)
        await settled(engine)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE inbox SET state = 'waiting', ended_at = NULL"))
        worker = await connection.scalar(
            text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now()) RETURNING id")
        )
        await connection.execute(
            text(
                "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, args, status,"
                " worker_id) SELECT 'questions of slack', 'answer', 'slack:C1:1.1',"
                " jsonb_build_object('inbox_id', id), 'doing', :worker FROM inbox"
            ),
            {"worker": worker},
        )
    answerer = Scripted()
    async with working(engine, answerer):
        assert await settled(engine) == ["answered"]
    assert answerer.asked == ["1.1"]
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT deaths FROM inbox")) == 1


async def test_a_frozen_process_that_wakes_up_does_not_answer_again(engine: AsyncEngine) -> None:
    frozen = Scripted(seconds=1.5)
    async with working(engine, frozen) as inbox:
        await inbox.accept(MENTION)
        async with asyncio.timeout(30):
            while not frozen.asked:
                await asyncio.sleep(0.02)
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE procrastinate_jobs SET status = 'todo', attempts = attempts + 1,"
                    " worker_id = NULL WHERE status = 'doing'"
                )
            )
        other = Scripted()
        async with working(engine, other):
            assert await settled(engine) == ["answered"]
        await asyncio.sleep(1.6)
    assert len(frozen.finished) + len(other.finished) == 1


async def test_a_question_whose_job_is_gone_gets_a_new_one(engine: AsyncEngine) -> None:
    inbox = Inbox(engine, "slack", Flood(1000, 1000, 1000), QUICK)
    await inbox.accept(MENTION)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM procrastinate_jobs"))
    async with working(engine, Scripted()):
        assert await settled(engine) == ["answered"]


async def test_stopping_gives_the_question_to_the_next_process(engine: AsyncEngine) -> None:
    slow = Scripted(seconds=60)
    async with working(engine, slow) as inbox:
        await inbox.accept(MENTION)
        async with asyncio.timeout(30):
            while not slow.asked:
                await asyncio.sleep(0.02)
    async with working(engine, Scripted()):
        assert await settled(engine, 3) == ["answered"]


async def test_answering_begins_again_after_an_outage_that_ended_the_worker(
    engine: AsyncEngine, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "OUTAGE_SECONDS", 0.3)
    name = engine.url.database
    async with working(engine, Scripted()) as inbox:
        await asyncio.sleep(0.5)
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            await asyncio.sleep(3)
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await inbox.accept(MENTION)
        assert await settled(engine, 30) == ["answered"]
