"""The tasks of the queue: each runs a command in a child process, and settles how that ended."""

import asyncio
import logging
import math
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.connector import BaseAsyncConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.storage import claims
from bot.storage.claims import Claim
from bot.storage.database import first_line
from bot.storage.jobs import QUEUE
from ingest.children import Died, Done, Ending, Failed, Interrupted, Line, run_child

KINDS = ("reindex", "retrain")
PROGRESS_SECONDS = 1.0
# A database that is away for so long makes the worker start over; its children go on until then.
OUTAGE_SECONDS = 90.0
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)

Commands = Callable[[str, str, frozenset[str]], list[str]]


def command_of(kind: str, key: str, switches: frozenset[str]) -> list[str]:
    """The command line that does the work."""
    if kind == "retrain":
        return [sys.executable, "-m", "bot.retraining"]
    options = [f"--{switch.replace('_', '-')}" for switch in sorted(switches)]
    return [sys.executable, "-m", "ingest", "--as-job", *options, "--", key]


@dataclass(frozen=True, slots=True)
class Work:
    """What the tasks run, where, and how many seconds each may take."""

    directory: Path
    deadline_seconds: float
    command_of: Commands = command_of


class ClaimLostError(Exception):
    """Another worker has taken up the job."""


class Queue(JobManager):
    """The queue as a worker uses it, except that jobs end as their tasks say.

    procrastinate would mark a job that it lost to another worker, and would leave a job running
    for ever where it cannot be given back as another one waits. An outage of the database, up to
    `OUTAGE_SECONDS`, is waited out.
    """

    def __init__(self, connector: BaseAsyncConnector, engine: AsyncEngine) -> None:
        super().__init__(connector)
        self.endings: dict[int, Ending] = {}
        self.give_up: Callable[[], object] = lambda: None
        self._engine = engine
        self._away_since: float | None = None

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """The next job, None also where the database is away."""
        try:
            job = await super().fetch_job(queues, worker_id)
        except ConnectorException as error:
            now = time.monotonic()
            if self._away_since is None:
                log.warning("The queue cannot be read: %s", first_line(error.__cause__ or error))
            self._away_since = self._away_since or now
            if not _is_outage(error) or now - self._away_since > OUTAGE_SECONDS:
                raise
            return None
        self._away_since = None
        return job

    async def update_heartbeat(self, worker_id: int) -> None:
        """Tell that the worker lives, if the database is there to hear it."""
        try:
            await super().update_heartbeat(worker_id)
        except ConnectorException as error:
            if not _is_outage(error):
                raise

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        """None, as nothing aborts jobs."""
        return ()

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Settle how the job ended, however long the database is away."""
        assert job.id is not None
        unsaid = Interrupted() if status is Status.ABORTED else Failed(_fault(job))
        ending = self.endings.pop(job.id, unsaid)
        started = time.monotonic()
        while True:
            try:
                await settle(self._engine, claim_of(job), ending)
                return
            except (DBAPIError, OSError) as error:
                if time.monotonic() - started > OUTAGE_SECONDS:
                    self.give_up()
                    raise
                if isinstance(error, DataError | IntegrityError):
                    ending = Failed(f"What came out of it cannot be stored: {first_line(error)}")
            await asyncio.sleep(RETRY_SECONDS)


class Runner:
    """The one function behind all tasks."""

    def __init__(self, engine: AsyncEngine, queue: Queue, work: Work) -> None:
        self._engine = engine
        self._queue = queue
        self._work = work

    async def run(self, context: JobContext, /, **switches: Any) -> None:
        """Do the work of a job and note how it ended, for the queue to settle."""
        job = context.job
        assert job.id is not None
        try:
            ending = await self._run(claim_of(job), frozenset(switches))
        except ClaimLostError:
            log.warning("Job %s was taken up by another worker; its work here was stopped.", job.id)
            ending = Interrupted()
        except (DBAPIError, OSError) as error:
            ending = Died(f"The worker could not start its work: {first_line(error)}")
        self._queue.endings[job.id] = ending

    async def _run(self, claim: Claim, switches: frozenset[str]) -> Ending:
        begun = await claims.begin(self._engine, claim)
        if begun is None:
            return Failed("It was not requested as jobs are; nothing says what it should do.")
        last = -math.inf

        async def hear(line: Line) -> None:
            nonlocal last
            if time.monotonic() - last < PROGRESS_SECONDS:
                return
            last = time.monotonic()
            try:
                is_held = await claims.note_progress(self._engine, claim, *_progress(line))
            except (DBAPIError, OSError) as error:
                log.warning(
                    "Job %s: its progress is not noted: %s", claim.job_id, first_line(error)
                )
                return
            if not is_held:
                raise ClaimLostError

        command = self._work.command_of(*begun, switches)
        return await run_child(command, self._work.directory, self._work.deadline_seconds, hear)


def queue_app(engine: AsyncEngine, work: Work, connections: int) -> tuple[App, Queue]:
    """procrastinate's app on the database of the engine, with a task for each kind of job."""
    connector = PsycopgConnector(
        conninfo=engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        kwargs={"application_name": "supportbot worker", "prepare_threshold": None},
        min_size=1, max_size=connections, timeout=10, reconnect_timeout=5,
    )  # fmt: skip
    app = App(connector=connector)
    app.job_manager = queue = Queue(connector, engine)
    runner = Runner(engine, queue, work)
    for kind in KINDS:
        app.task(name=kind, queue=QUEUE, pass_context=True)(runner.run)
    return app, queue


async def settle(engine: AsyncEngine, claim: Claim, ending: Ending) -> None:
    """Store how the job ended, or have it run again."""
    match ending:
        case Done(result):
            await claims.succeed(engine, claim, result)
        case Failed(reason):
            await claims.fail(engine, claim, reason)
        case Died(reason, delay_seconds):
            await claims.give_back(engine, claim, reason, delay_seconds)
        case Interrupted():
            await claims.give_back(engine, claim)


def claim_of(job: Job) -> Claim:
    """The claim that fetching the job gave."""
    assert job.id is not None
    return Claim(job.id, job.attempts, job.lock or "")


def _progress(line: Line) -> tuple[float | None, str | None, float | None]:
    """Fraction, note and seconds left, as far as the child gave what they must be."""
    fraction, note, seconds = line.get("progress"), line.get("note"), line.get("seconds_left")
    is_fraction = isinstance(fraction, int | float) and 0 <= fraction <= 1
    is_duration = isinstance(seconds, int | float) and 0 <= seconds < math.inf
    return (
        fraction if is_fraction else None,
        _clean(note) or None if isinstance(note, str) else None,
        seconds if is_duration else None,
    )


def _clean(note: str) -> str:
    """What the database takes of it: no NUL, no half of a character, not too much."""
    return note.replace("\0", "").encode(errors="replace").decode()[:500]


def _is_outage(error: ConnectorException) -> bool:
    return isinstance(error.__cause__, psycopg.OperationalError | psycopg.InterfaceError)


def _fault(job: Job) -> str:
    return (
        f"The worker could not run the task {job.task_name!r}. Its log says why; it may be older "
        "than what asked for the job."
    )
