"""The tasks of the queue: each runs a command in a child process, and settles how that ended."""

import logging
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procrastinate import App
from procrastinate.job_context import JobContext
from procrastinate.jobs import Job, Status
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.storage import claims
from bot.storage.claims import Claim
from bot.storage.database import first_line
from bot.storage.jobs import QUEUE
from bot.storage.queue import Queue, claim_of, connector_of
from ingest.children import Died, Done, Ending, Failed, Interrupted, Line, run_child

KINDS = ("reindex", "retrain", "evaluate", "digest")
PROGRESS_SECONDS = 1.0

log = logging.getLogger(__name__)

Commands = Callable[[str, str, frozenset[str]], list[str]]


def command_of(kind: str, key: str, switches: frozenset[str]) -> list[str]:
    """The command line that does the work."""
    if kind in {"evaluate", "digest"}:
        return [sys.executable, "-m", "bot.announcing", kind]
    options = [f"--{switch.replace('_', '-')}" for switch in sorted(switches)]
    if kind == "retrain":
        return [sys.executable, "-m", "bot.retraining", *options]
    return [sys.executable, "-m", "ingest", "--as-job", *options, "--", key]


@dataclass(frozen=True, slots=True)
class Work:
    """What the tasks run, where, and how many seconds each may take."""

    directory: Path
    deadline_seconds: float
    command_of: Commands = command_of


class ClaimLostError(Exception):
    """Another worker has taken up the job."""


class Endings:
    """How jobs ended, kept by their tasks for the queue to store."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._endings: dict[int, Ending] = {}

    def note(self, job: Job, ending: Ending) -> None:
        """Keep how a job ended."""
        assert job.id is not None
        self._endings[job.id] = ending

    async def settle(self, job: Job, status: Status, unsettled: str | None) -> None:
        """Store how the job ended, or that this could not be stored."""
        assert job.id is not None
        unsaid = Interrupted() if status is Status.ABORTED else Failed(_fault(job))
        ending = self._endings.get(job.id, unsaid)
        if unsettled is not None:
            ending = Failed(f"What came out of it cannot be stored: {unsettled}")
        await settle(self._engine, claim_of(job), ending)
        self._endings.pop(job.id, None)


class Runner:
    """The one function behind all tasks."""

    def __init__(self, engine: AsyncEngine, endings: Endings, work: Work) -> None:
        self._engine = engine
        self._endings = endings
        self._work = work

    async def run(self, context: JobContext, /, **switches: Any) -> None:
        """Do the work of a job and note how it ended, for the queue to settle."""
        job = context.job
        try:
            ending = await self._run(claim_of(job), frozenset(switches))
        except ClaimLostError:
            log.warning("Job %s was taken up by another worker; its work here was stopped.", job.id)
            ending = Interrupted()
        except (DBAPIError, OSError) as error:
            ending = Died(f"The worker could not start its work: {first_line(error)}")
        self._endings.note(job, ending)

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
    connector = connector_of(engine, "supportbot worker", connections)
    endings = Endings(engine)
    app = App(connector=connector)
    app.job_manager = queue = Queue(connector, endings.settle)
    runner = Runner(engine, endings, work)
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


def _fault(job: Job) -> str:
    return (
        f"The worker could not run the task {job.task_name!r}. Its log says why; it may be older "
        "than what asked for the job."
    )
