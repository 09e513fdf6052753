"""Jobs as a worker takes them up, and as the bot tells of them in a channel."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.platforms.slack import job_messages
from bot.storage import claims
from bot.storage.claims import Claim
from tests.platforms.slack.office import CHANNEL, Office
from tests.platforms.slack.scripted_api import Json


async def taken(engine: AsyncEngine) -> Claim:
    """Take up a job as a worker does."""
    async with engine.begin() as connection:
        worker = await connection.scalar(text("SELECT * FROM procrastinate_register_worker_v1()"))
        fetch = text("SELECT id, attempts, lock FROM procrastinate_fetch_job_v2(NULL, :worker)")
        row = (await connection.execute(fetch, {"worker": worker})).one()
    claim = Claim(row.id, row.attempts, row.lock)
    assert await claims.begin(engine, claim)
    return claim


async def told(office: Office, count: int = 1) -> None:
    """Have what is due told, as the background does, and as if the time to wait had passed."""
    for _ in range(count):
        async with office.workspace.engine.begin() as connection:
            await connection.execute(
                text("UPDATE job_watchers SET told_at = told_at - interval '10 seconds'")
            )
        telling = asyncio.create_task(job_messages.tell_of_jobs(office.workspace))
        await asyncio.sleep(0.5)
        telling.cancel()
        await asyncio.wait([telling])


def messages(office: Office, channel: str = CHANNEL) -> list[Json]:
    """What the bot has posted in a channel."""
    return office.slack.channels[channel]
