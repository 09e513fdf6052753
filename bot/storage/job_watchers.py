"""Who is told how a job goes: one message in each channel where it was asked for."""

from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

WATCH = text(
    "INSERT INTO job_watchers (job_id, platform, workspace, channel, person)"
    " VALUES (:job_id, :platform, :workspace, :channel, :person) ON CONFLICT DO NOTHING"
)
# While a process is at it, `told_at` lies in the future: a dead one's watcher is due after that.
CLAIM = text(
    "UPDATE job_watchers SET told_at = now() + make_interval(secs => :lease)"
    " WHERE (job_id, platform, workspace, channel) = ("
    "  SELECT job_id, platform, workspace, channel FROM job_watchers"
    "  WHERE platform = :platform AND workspace = :workspace AND NOT is_over"
    "  AND (told_at IS NULL OR told_at < now() - make_interval(secs => :pause))"
    "  ORDER BY told_at NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " RETURNING job_id, platform, workspace, channel, person, message, told"
)
KEY = (
    " WHERE job_id = :job_id AND platform = :platform AND workspace = :workspace"
    " AND channel = :channel"
)
NOTE = text(f"UPDATE job_watchers SET message = :message, told = :told {KEY}")  # noqa: S608
RELEASE = text(
    f"UPDATE job_watchers SET told_at = now(), told = :told, is_over = :is_over {KEY}"  # noqa: S608
)
MOVE = text(
    f"UPDATE job_watchers SET job_id = :new_job, channel = :new_channel {KEY}"  # noqa: S608
    " AND NOT EXISTS (SELECT FROM job_watchers WHERE job_id = :new_job AND platform = :platform"
    "  AND workspace = :workspace AND channel = :new_channel)"
)
DELETE = text(f"DELETE FROM job_watchers {KEY}")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Watcher:
    """A job that is followed in a channel, as `person` asked there.

    `message` is the id of the message that tells it, `told` what that says or what was begun.
    """

    job_id: int
    platform: str
    workspace: str
    channel: str
    person: str
    message: str | None = None
    told: str | None = None

    def as_key(self) -> dict[str, Any]:
        """What no two watchers share, as parameters."""
        return {
            "job_id": self.job_id,
            "platform": self.platform,
            "workspace": self.workspace,
            "channel": self.channel,
        }


async def watch(engine: AsyncEngine, watcher: Watcher) -> bool:
    """Have a job followed; False where the channel follows it already."""
    async with engine.begin() as connection:
        added = await connection.execute(WATCH, watcher.as_key() | {"person": watcher.person})
        return bool(added.rowcount)


async def claim(
    engine: AsyncEngine, platform: str, workspace: str, pause_seconds: float, lease_seconds: float
) -> Watcher | None:
    """The watcher that was told least lately, at least `pause_seconds` ago; None where none is due.

    Nobody else gets it until it is released, for at most `lease_seconds`.
    """
    values = {
        "platform": platform,
        "workspace": workspace,
        "pause": pause_seconds,
        "lease": lease_seconds,
    }
    async with engine.begin() as connection:
        row = (await connection.execute(CLAIM, values)).one_or_none()
    return Watcher(*row) if row else None


async def note(
    engine: AsyncEngine, watcher: Watcher, message: str | None, told: str | None
) -> Watcher:
    """Note the message, or what is begun now; the watcher as it stands then."""
    async with engine.begin() as connection:
        await connection.execute(NOTE, watcher.as_key() | {"message": message, "told": told})
    return replace(watcher, message=message, told=told)


async def release(engine: AsyncEngine, watcher: Watcher, *, is_over: bool = False) -> None:
    """Give a watcher back; one that is over is never due again."""
    values = {"told": watcher.told, "is_over": is_over}
    async with engine.begin() as connection:
        await connection.execute(RELEASE, watcher.as_key() | values)


async def move(engine: AsyncEngine, watcher: Watcher, job_id: int, channel: str) -> Watcher | None:
    """Have the watcher tell of another job or in another channel.

    None where that job is told of there already: then this watcher is gone.
    """
    values = watcher.as_key() | {"new_job": job_id, "new_channel": channel}
    async with engine.begin() as connection:
        if (await connection.execute(MOVE, values)).rowcount:
            return replace(watcher, job_id=job_id, channel=channel)
        await connection.execute(DELETE, watcher.as_key())
    return None
