"""What happened lately, in a few numbers for those who look after the bot."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

DAYS = 7

COUNT = text(
    "SELECT (SELECT count(*) FROM turns WHERE asked_at > now() - make_interval(days => :days)),"
    " (SELECT count(*) FROM ratings WHERE value > 0"
    "  AND rated_at > now() - make_interval(days => :days)),"
    " (SELECT count(*) FROM ratings WHERE value < 0"
    "  AND rated_at > now() - make_interval(days => :days)),"
    " (SELECT count(*) FROM handoffs WHERE state <> 'resolved')"
)
BACKLOG = text(
    "SELECT count(*), coalesce(extract(epoch FROM now() - min(received_at)), 0)"
    " FROM inbox WHERE state = 'waiting'"
)
REFUSALS = text(
    "SELECT platform, channel, refusal FROM channels WHERE refusal IS NOT NULL"
    " ORDER BY platform, channel"
)


@dataclass(frozen=True, slots=True)
class Activity:
    """Questions asked and ratings given within some days, and the hand-offs that are open now."""

    questions: int
    up: int
    down: int
    open_handoffs: int


async def count(engine: AsyncEngine, days: int = DAYS) -> Activity:
    """The numbers of the last days."""
    async with engine.connect() as connection:
        return Activity(*(await connection.execute(COUNT, {"days": days})).one())


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many questions of the chats wait for their answers, and since when the oldest does."""

    waiting: int
    oldest_seconds: float


async def backlog(engine: AsyncEngine) -> Backlog:
    """What waits in the inbox."""
    async with engine.connect() as connection:
        waiting, seconds = (await connection.execute(BACKLOG)).one()
    return Backlog(waiting, float(seconds))


async def refusals(engine: AsyncEngine) -> list[dict[str, str]]:
    """The channels that took no answer when one was last sent: platform, channel and refusal."""
    async with engine.connect() as connection:
        return [dict(row) for row in (await connection.execute(REFUSALS)).mappings()]
