"""Jobs as people see them: asked for once, waiting, running with their progress, and ended."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.errors import JobError

QUEUE = "background"
# What changed after a reindex began needs another one behind it; a retraining is waited for.
REPEATED_BEHIND_RUNNING = frozenset({"reindex"})
# procrastinate's words for states, in ours where they differ.
STATES = {"todo": "waiting", "doing": "running", "aborted": "superseded"}
# The switch of work that a person asked for: it is done also where a schedule would rather wait.
ASKED = "asked"
FOLLOW_SECONDS = 0.5
KEPT_DAYS = 90

# Whoever makes or gives back a job of a kind and key does so alone. Its row is locked, so that no
# worker takes it up while a switch is added.
ALONE = text("SELECT pg_advisory_xact_lock(hashtext('supportbot job'), hashtext(:lock))")
EXISTING = text(
    "SELECT id, CAST(status AS text) AS state FROM procrastinate_jobs"
    " WHERE lock = :lock AND status IN ('todo', 'doing') ORDER BY status = 'todo' DESC LIMIT 1"
    " FOR UPDATE"
)
DEFER = text(
    "SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :kind, 0, :lock, :lock,"
    " CAST(:arguments AS jsonb), NULL)::procrastinate_job_to_defer_v1]))"
)
ADD_SWITCHES = text(
    "UPDATE procrastinate_jobs SET args = args || CAST(:arguments AS jsonb)"
    " WHERE id = :id AND status = 'todo'"
)
NOTE = text(
    "INSERT INTO jobs (id, kind, key, requested_by) VALUES (:id, :kind, :key, :requested_by)"
)
ONE = text(
    "SELECT jobs.*, CAST(status AS text) AS status FROM jobs JOIN procrastinate_jobs USING (id)"
    " WHERE id = :id"
)
ACTIVE = text(
    "SELECT jobs.*, CAST(status AS text) AS status FROM jobs JOIN procrastinate_jobs USING (id)"
    " WHERE status IN ('doing', 'todo') ORDER BY procrastinate_jobs.status = 'doing' DESC, id"
)
LAST = text(
    "SELECT DISTINCT ON (kind, key) jobs.*, CAST(status AS text) AS status"
    " FROM jobs JOIN procrastinate_jobs USING (id)"
    " WHERE status IN ('succeeded', 'failed') ORDER BY kind, key, finished_at DESC"
)
FORGET = text(
    "DELETE FROM procrastinate_jobs USING jobs WHERE jobs.id = procrastinate_jobs.id"
    " AND finished_at < now() - make_interval(days => :days)"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Work to be done: its kind, such as "reindex", and its key, such as the source's name.

    `switches` are what the work is told besides, such as "allow_shrink".
    """

    kind: str
    key: str
    requested_by: str
    switches: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Requested:
    """The answer to a request: the job that does it; `state` is "waiting" or "running"."""

    job_id: int
    is_new: bool
    state: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it stands.

    `state` is "waiting", "running", "succeeded", "failed", or "superseded": interrupted while
    another of its kind and key, `superseded_by`, was waiting. `fraction` is from 0 to 1, `deaths`
    counts the attempts that ended without an end.
    """

    id: int
    kind: str
    key: str
    state: str
    requested_by: str
    requested_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    fraction: float | None
    note: str | None
    seconds_left: float | None
    deaths: int
    result: dict[str, Any] | None
    failure: str | None
    superseded_by: int | None

    @property
    def name(self) -> str:
        """What it does, such as "reindex wiki"."""
        return f"{self.kind} {self.key}".strip()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state not in {"waiting", "running"}

    @property
    def seconds(self) -> float | None:
        """How long the last attempt took, if it ended."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()

    def as_values(self) -> dict[str, Any]:
        """Its fields and how long it took, ready for JSON."""
        return asdict(self) | {"seconds": self.seconds}


def lock_name(kind: str, key: str) -> str:
    """The name under which a kind and key has one running and at most one waiting job."""
    return f"{kind}:{key}"


async def request(
    engine: AsyncEngine,
    kind: str,
    key: str,
    requested_by: str,
    switches: Iterable[str] = (),
) -> Requested:
    """Have the work done once: a new job, or the one that already waits for it (or runs)."""
    async with engine.begin() as connection:
        return await request_on(connection, Wanted(kind, key, requested_by, frozenset(switches)))


async def request_on(connection: AsyncConnection, wanted: Wanted) -> Requested:
    """As `request`, as part of the transaction of this connection."""
    lock = lock_name(wanted.kind, wanted.key)
    arguments = json.dumps(dict.fromkeys(sorted(wanted.switches), True))
    await connection.execute(ALONE, {"lock": lock})
    existing = (await connection.execute(EXISTING, {"lock": lock})).one_or_none()
    if existing:
        job_id, status = existing
        if status == "todo" or wanted.kind not in REPEATED_BEHIND_RUNNING:
            await connection.execute(ADD_SWITCHES, {"id": job_id, "arguments": arguments})
            return Requested(job_id, False, STATES[status])
    job_id = await connection.scalar(
        DEFER, {"queue": QUEUE, "kind": wanted.kind, "lock": lock, "arguments": arguments}
    )
    await connection.execute(
        NOTE,
        {
            "id": job_id,
            "kind": wanted.kind,
            "key": wanted.key,
            "requested_by": wanted.requested_by,
        },
    )
    return Requested(job_id, True, "waiting")


async def read(engine: AsyncEngine, job_id: int) -> Job:
    """The job as it stands.

    Raises:
        JobError: there is none, or no longer.
    """
    async with engine.connect() as connection:
        row = (await connection.execute(ONE, {"id": job_id})).one_or_none()
    if row is None:
        raise JobError(f"There is no job {job_id}. Ended jobs are kept for {KEPT_DAYS} days.")
    return _job(row)


async def active(engine: AsyncEngine) -> list[Job]:
    """The running jobs, then the waiting ones, each from the oldest on."""
    async with engine.connect() as connection:
        return [_job(row) for row in await connection.execute(ACTIVE)]


async def last_ended(engine: AsyncEngine) -> list[Job]:
    """The last ended job of each kind and key, sorted by these."""
    async with engine.connect() as connection:
        return [_job(row) for row in await connection.execute(LAST)]


async def follow(engine: AsyncEngine, job_id: int) -> AsyncIterator[Job]:
    """The job whenever it changed, until it is over; of one that was superseded, its successor.

    Raises:
        JobError: there is no such job.
    """
    seen = None
    while True:
        job = await read(engine, job_id)
        if job.superseded_by is not None:
            job_id = job.superseded_by
            continue
        if job != seen:
            yield job
        if job.is_over:
            return
        seen = job
        await asyncio.sleep(FOLLOW_SECONDS)


async def wait_for(engine: AsyncEngine, job_id: int) -> Job:
    """The job, or its successor, when it is over.

    Raises:
        JobError: there is no such job.
    """
    return [job async for job in follow(engine, job_id)][-1]


async def is_worked(engine: AsyncEngine, silent_seconds: float = 25) -> bool:
    """Whether any worker was alive during the last `silent_seconds`."""
    async with engine.connect() as connection:
        return bool(
            await connection.scalar(
                text(
                    "SELECT EXISTS (SELECT FROM procrastinate_workers"
                    " WHERE last_heartbeat > now() - make_interval(secs => :seconds))"
                ),
                {"seconds": silent_seconds},
            )
        )


async def forget_old(engine: AsyncEngine, days: int = KEPT_DAYS) -> None:
    """Delete jobs that ended more than `days` days ago."""
    async with engine.begin() as connection:
        await connection.execute(FORGET, {"days": days})


def _job(row: Row[Any]) -> Job:
    return Job(
        row.id, row.kind, row.key, STATES.get(row.status, row.status), row.requested_by,
        row.requested_at, row.started_at, row.finished_at, row.fraction, row.note,
        row.seconds_left, row.deaths, row.result, row.failure, row.superseded_by,
    )  # fmt: skip
