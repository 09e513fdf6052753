"""Jobs as a worker holds them: taken up, reported on, ended, or given back to be run again."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql.expression import bindparam

from bot.storage.jobs import ALONE, QUEUE

MAX_DEATHS = 5

# A claim ends when the job is given back, which counts `attempts` on: a worker that was frozen or
# cut off can then no longer change what another one has taken up.
HOLD = text(
    "SELECT id FROM procrastinate_jobs"
    " WHERE id = :id AND status = 'doing' AND attempts = :attempts FOR UPDATE"
)
BEGIN = text(
    "UPDATE jobs SET started_at = now(), fraction = NULL, note = NULL, seconds_left = NULL"
    " WHERE id = :id RETURNING kind, key"
)
PROGRESS = text(
    "UPDATE jobs SET fraction = :fraction, note = :note, seconds_left = :seconds_left"
    " WHERE id = :id"
)
END = text(
    "UPDATE procrastinate_jobs SET status = CAST(:status AS procrastinate_job_status),"
    " attempts = attempts + 1, abort_requested = false WHERE id = :id"
)
NOTE_END = text(
    "UPDATE jobs SET finished_at = now(), result = :result, failure = :failure,"
    " superseded_by = :successor, seconds_left = NULL WHERE id = :id"
).bindparams(bindparam("result", type_=JSONB(none_as_null=True)))
COUNT_DEATH = text("UPDATE jobs SET deaths = deaths + 1 WHERE id = :id RETURNING deaths")
WAITING = text("SELECT id FROM procrastinate_jobs WHERE lock = :lock AND status = 'todo'")
SUCCEED = text(
    "UPDATE procrastinate_jobs AS successor SET args = successor.args || given_back.args"
    " FROM procrastinate_jobs AS given_back"
    " WHERE successor.id = :successor AND given_back.id = :id"
)
INHERIT = text(
    "UPDATE jobs AS successor SET deaths = greatest(successor.deaths, given_back.deaths)"
    " FROM jobs AS given_back WHERE successor.id = :successor AND given_back.id = :id"
)
GIVE_BACK = text(
    "UPDATE procrastinate_jobs SET status = 'todo', attempts = attempts + 1, worker_id = NULL,"
    " abort_requested = false, scheduled_at = now() + make_interval(secs => :delay_seconds)"
    " WHERE id = :id"
)
STALLED = text(
    "SELECT job.id, attempts, lock FROM procrastinate_jobs AS job"
    " LEFT JOIN procrastinate_workers AS worker ON worker.id = worker_id"
    " WHERE status = 'doing' AND queue_name = :queue AND (worker.id IS NULL"
    " OR last_heartbeat < now() - make_interval(secs => :seconds))"
)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a job and to say how it went."""

    job_id: int
    attempts: int
    lock: str


async def begin(engine: AsyncEngine, claim: Claim) -> tuple[str, str] | None:
    """Note that the work starts; its kind and key, or None where the claim is no longer held."""
    async with engine.begin() as connection:
        if not await _holds(connection, claim):
            return None
        row = (await connection.execute(BEGIN, {"id": claim.job_id})).one_or_none()
    return (row.kind, row.key) if row else None


async def note_progress(
    engine: AsyncEngine,
    claim: Claim,
    fraction: float | None,
    note: str | None,
    seconds_left: float | None,
) -> bool:
    """Note how far the work is; False where the claim is no longer held and it must stop."""
    values = {"fraction": fraction, "note": note, "seconds_left": seconds_left}
    async with engine.begin() as connection:
        is_held = await _holds(connection, claim)
        if is_held:
            await connection.execute(PROGRESS, {"id": claim.job_id} | values)
    return is_held


async def succeed(engine: AsyncEngine, claim: Claim, result: dict[str, Any]) -> None:
    """End the job with what came out; nothing happens where the claim is no longer held."""
    async with engine.begin() as connection:
        if await _holds(connection, claim):
            await _end(connection, claim, "succeeded", result=result)


async def fail(engine: AsyncEngine, claim: Claim, failure: str) -> None:
    """End the job with a reason; nothing happens where the claim is no longer held."""
    async with engine.begin() as connection:
        if await _holds(connection, claim):
            await _end(connection, claim, "failed", failure=failure)


async def give_back(
    engine: AsyncEngine, claim: Claim, death: str | None = None, delay_seconds: float = 0
) -> None:
    """Have the job run again, by whoever is free, after a while.

    `death` says how the attempt ended without an end; the fifth time the job fails with it. Where
    another job of its kind and key waits already, that one succeeds it. Nothing happens where the
    claim is no longer held.
    """
    job = {"id": claim.job_id}
    async with engine.begin() as connection:
        await connection.execute(ALONE, {"lock": claim.lock})
        if not await _holds(connection, claim):
            return
        if death is not None:
            deaths: int = await connection.scalar(COUNT_DEATH, job) or 0
            if deaths >= MAX_DEATHS:
                failure = f"{death} It was tried {deaths} times."
                await _end(connection, claim, "failed", failure=failure)
                return
        successor = await connection.scalar(WAITING, {"lock": claim.lock})
        if successor is None:
            await connection.execute(GIVE_BACK, job | {"delay_seconds": delay_seconds})
            return
        await connection.execute(SUCCEED, job | {"successor": successor})
        await connection.execute(INHERIT, job | {"successor": successor})
        await _end(connection, claim, "aborted", successor=successor)


async def stalled(engine: AsyncEngine, silent_seconds: float) -> list[Claim]:
    """The claims of workers that are gone, or were not heard of for `silent_seconds`."""
    async with engine.connect() as connection:
        rows = await connection.execute(STALLED, {"queue": QUEUE, "seconds": silent_seconds})
        return [Claim(row.id, row.attempts, row.lock or "") for row in rows]


async def _holds(connection: AsyncConnection, claim: Claim) -> bool:
    """Whether the claim is held, and stays so until the end of the transaction."""
    held = {"id": claim.job_id, "attempts": claim.attempts}
    return await connection.scalar(HOLD, held) is not None


async def _end(
    connection: AsyncConnection,
    claim: Claim,
    status: str,
    *,
    result: dict[str, Any] | None = None,
    failure: str | None = None,
    successor: int | None = None,
) -> None:
    ending = {"result": result, "failure": failure, "successor": successor}
    await connection.execute(END, {"id": claim.job_id, "status": status})
    await connection.execute(NOTE_END, {"id": claim.job_id} | ending)
