"""What the clocks of all workers fired: a time that is due makes one job, however many tick."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.storage.jobs import Requested, Wanted, request_on

FIRST = text(
    "INSERT INTO firings (job, fire_time) SELECT :job, :fire_time"
    " WHERE NOT EXISTS (SELECT FROM firings WHERE job = :job) ON CONFLICT DO NOTHING"
)
FIRE = text(
    "INSERT INTO firings (job, fire_time) SELECT :job, :fire_time"
    " WHERE NOT EXISTS (SELECT FROM firings WHERE job = :job AND fire_time >= :fire_time)"
    " ON CONFLICT DO NOTHING RETURNING job"
)
LINK = text("UPDATE firings SET job_id = :job_id WHERE job = :job AND fire_time = :fire_time")
FORGET = text(
    "DELETE FROM firings WHERE job = :job AND fire_time < :fire_time - interval '90 days'"
)
LAST = text("SELECT job, max(fire_time) AS fire_time FROM firings GROUP BY job")


async def note_first(engine: AsyncEngine, job: str, fire_time: datetime) -> None:
    """Note from when on a schedule counts, where nothing was noted of it yet: no job is made."""
    async with engine.begin() as connection:
        await connection.execute(FIRST, {"job": job, "fire_time": fire_time})


async def fire(
    engine: AsyncEngine, job: str, fire_time: datetime, wanted: Wanted
) -> Requested | None:
    """Ask for the work that was due at `fire_time`; None where that or a later time was fired.

    The firing and its job are one transaction, so neither is ever there alone.
    """
    firing = {"job": job, "fire_time": fire_time}
    async with engine.begin() as connection:
        if await connection.scalar(FIRE, firing) is None:
            return None
        requested = await request_on(connection, wanted)
        await connection.execute(LINK, firing | {"job_id": requested.job_id})
        await connection.execute(FORGET, firing)
        return requested


async def last_fired(engine: AsyncEngine) -> dict[str, datetime]:
    """The last noted time of each schedule, by its name."""
    async with engine.connect() as connection:
        return {row.job: row.fire_time for row in await connection.execute(LAST)}
