"""Questions from chats: accepted once and answered once, whatever dies in between.

A platform hands in each message it is sent, before it confirms that; the job to answer it is stored
with it. Every process that serves the platform works these jobs, one at a time per conversation.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, Protocol

from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job, Status
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import AwayError, RefusedError
from bot.messages import Arrival
from bot.storage import answering, inbox
from bot.storage.answering import Waiting
from bot.storage.claims import Claim
from bot.storage.database import first_line, read_again_after_restart
from bot.storage.inbox import Flood, Reception, queue_of
from bot.storage.queue import Queue, claim_of, connector_of

# After so many processes died over a question it is no longer tried.
MAX_DEATHS = 5
OLD_SECONDS = 120.0
# A platform that is away is tried again after 2, 4, 8 … seconds, at most so many.
MAX_PAUSE_SECONDS = 60.0

log = logging.getLogger(__name__)


Settle = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a question ended, as the inbox calls it, and the id of the message with the answer."""

    state: Literal["answered", "ignored", "withdrawn", "undeliverable"]
    reply: str | None = None


class Answerer(Protocol):
    """Answers a question that waits in the inbox and delivers the answer.

    Raises:
        AwayError: it is not known to be delivered; it is tried again.
        RefusedError: it cannot be delivered, now or later.
    """

    async def answer(self, holding: "Holding") -> Ended: ...

    async def give_up(self, holding: "Holding") -> Ended: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a process looks for questions and tells that it lives, in seconds.

    A question of a process that was killed is taken up after at most `silent` + `sweep` + `poll`.
    """

    poll: float = 0.5
    heartbeat: float = 3
    silent: float = 12
    sweep: float = 3
    restart: float = 2


@dataclass(frozen=True, slots=True)
class Holding:
    """A question and the right to answer it. `attempt` counts from 0."""

    engine: AsyncEngine
    waiting: Waiting
    claim: Claim

    @property
    def attempt(self) -> int:
        """How often it was taken up before."""
        return self.claim.attempts

    async def look(self) -> answering.Held | None:
        """The question as it stands now; None where it must no longer be answered here."""
        return await answering.held(self.engine, self.claim, self.waiting.id)

    async def is_withdrawn(self) -> bool:
        """Whether the question was taken back, so that nobody answers it."""
        return await answering.is_withdrawn(self.engine, self.waiting.id)

    async def note_reply(self, reply: str) -> None:
        """Note the id of the message that will hold the answer, before it does."""
        await answering.note_reply(self.engine, self.waiting.id, reply)


@dataclass(slots=True)
class Inbox:
    """The questions of one platform: taken in, and answered by `answerer`.

    `door` has connections for taking in alone, as the platform does not wait until answers are
    done with theirs; those of `engine` are used where there is none.
    """

    engine: AsyncEngine
    platform: str
    flood: Flood = field(default_factory=Flood)
    pace: Pace = field(default_factory=Pace)
    at_once: int = 8
    door: AsyncEngine | None = None
    _wake: Callable[[], None] = field(default=lambda: None, init=False)

    @property
    def intake_engine(self) -> AsyncEngine:
        """The connections that messages are taken in by."""
        return self.door or self.engine

    async def accept(self, arrival: Arrival) -> Reception:
        """Take a message in, unless it is known; stored when this returns.

        Raises:
            DBAPIError, OSError: it is not stored, and the platform should send it again.
        """
        reception = await read_again_after_restart(
            lambda: inbox.accept(self.intake_engine, arrival, self.flood)
        )
        if reception is Reception.NEW:
            self._wake()
        return reception

    async def work(self, answerer: Answerer) -> None:
        """Answer questions until cancelled, also across outages of the database."""
        while True:
            try:
                await self._work(answerer)
            except (DBAPIError, ConnectorException, OSError) as error:
                reason = first_line(error.__cause__ or error)
                log.warning("Answering questions starts over: %s", reason)
            await asyncio.sleep(self.pace.restart)

    async def _work(self, answerer: Answerer) -> None:
        desk = Desk(self.engine, answerer)
        connector = connector_of(self.engine, "supportbot questions", self.at_once // 2 + 2)
        app = App(connector=connector)
        app.job_manager = queue = Queue(connector, desk.settle)
        app.task(name=inbox.TASK, queue=queue_of(self.platform), pass_context=True)(desk.run)
        self._wake = queue.wake
        pace = self.pace
        async with app.open_async():
            sweeping = asyncio.create_task(self._sweep())
            working = asyncio.create_task(
                app.run_worker_async(
                    queues=[queue_of(self.platform)], concurrency=self.at_once,
                    fetch_job_polling_interval=pace.poll, update_heartbeat_interval=pace.heartbeat,
                    stalled_worker_timeout=pace.silent, shutdown_graceful_timeout=0,
                    install_signal_handlers=False,
                )
            )  # fmt: skip
            queue.give_up = working.cancel
            try:
                await asyncio.wait([working, sweeping], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (working, sweeping):
                    task.cancel()
                await asyncio.wait([working, sweeping])
            for task in (working, sweeping):
                if not task.cancelled():
                    task.result()

    async def _sweep(self) -> None:
        """Have the questions of dead processes answered, and tell of what waits too long, for ever.

        After an outage of the database the living get time to be heard of first.
        """
        pause = 2 * self.pace.heartbeat
        queue = queue_of(self.platform)
        while True:
            await asyncio.sleep(pause)
            pause = self.pace.sweep
            try:
                for claim in await answering.stalled(self.engine, queue, self.pace.silent):
                    await answering.give_back(self.engine, claim, is_death=True)
                if strays := await answering.defer_strays(self.engine, self.platform, queue):
                    log.warning("%d questions had lost their jobs and got new ones.", strays)
                seconds = await answering.oldest_seconds(self.engine, self.platform)
                if seconds > OLD_SECONDS:
                    log.warning("A question has waited for %.0f s for its answer.", seconds)
            except (DBAPIError, OSError) as error:
                log.warning("The inbox cannot be looked through: %s", first_line(error))
                pause = self.pace.silent


class Desk:
    """Where one process answers: what the queue runs, and how it ended."""

    def __init__(self, engine: AsyncEngine, answerer: Answerer) -> None:
        self._engine = engine
        self._answerer = answerer
        self._endings: dict[int, Settle] = {}

    async def run(self, context: JobContext, /, inbox_id: int) -> None:
        """Answer a question; what was sent is recorded however long the database is away."""
        job = context.job
        assert job.id is not None
        claim = claim_of(job)
        try:
            ended = await self._answer(claim, inbox_id)
        except AwayError as error:
            pause = min(2.0 ** (claim.attempts + 1), MAX_PAUSE_SECONDS)
            log.warning("An answer is tried again in %.0f s: %s", pause, error)
            self._endings[job.id] = partial(answering.give_back, self._engine, claim, pause)
        except (DBAPIError, OSError) as error:
            log.warning("An answer is tried again: %s", first_line(error))
            self._endings[job.id] = partial(answering.give_back, self._engine, claim, 1)
        else:
            self._endings[job.id] = partial(
                answering.finish, self._engine, claim, inbox_id, ended.state, ended.reply
            )

    async def settle(self, job: Job, status: Status, unsettled: str | None) -> None:
        """Store how a question ended, or have it tried again."""
        assert job.id is not None
        claim = claim_of(job)
        ending = self._endings.get(job.id)
        if ending is not None and unsettled is None:
            await ending()
        elif status is Status.ABORTED:
            await answering.give_back(self._engine, claim)
        else:
            log.error("A question could not be answered: %s", unsettled or "its task failed")
            await answering.give_back(self._engine, claim, 1, is_death=True)
        self._endings.pop(job.id, None)

    async def _answer(self, claim: Claim, inbox_id: int) -> Ended:
        """How the question ended; one that had ended already stays as it was."""
        waiting = await answering.take(self._engine, inbox_id)
        if waiting is None:
            return Ended("withdrawn")
        holding = Holding(self._engine, waiting, claim)
        try:
            if waiting.deaths >= MAX_DEATHS:
                return await self._answerer.give_up(holding)
            return await self._answerer.answer(holding)
        except RefusedError as error:
            log.warning("An answer cannot be delivered and is left: %s", error)
            return Ended("undeliverable")
