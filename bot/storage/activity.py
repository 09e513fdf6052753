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
