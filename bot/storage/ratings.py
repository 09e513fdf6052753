"""Ratings: one of each person on each turn, the last one counts."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Rating

SAVE = text(
    "INSERT INTO ratings (turn_id, platform, person, value, reason, intent, comment)"
    " SELECT id, :platform, :person, :value, :reason, :intent, :comment"
    " FROM turns WHERE id = :turn"
    " ON CONFLICT (turn_id, platform, person) DO UPDATE SET value = excluded.value,"
    " reason = excluded.reason, intent = excluded.intent, comment = excluded.comment,"
    " rated_at = now()"
)


async def save(engine: AsyncEngine, rating: Rating) -> bool:
    """Store a rating in place of the person's former one; False where there is no such turn."""
    async with engine.begin() as connection:
        stored = await connection.execute(
            SAVE,
            {
                "turn": rating.turn_id,
                "platform": rating.person.platform,
                "person": rating.person.id,
                "value": rating.value,
                "reason": rating.reason,
                "intent": rating.intent,
                "comment": rating.comment,
            },
        )
    return bool(stored.rowcount)


async def count(engine: AsyncEngine) -> dict[str, int]:
    """How many ratings there are, "up" and "down"."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT CASE value WHEN 1 THEN 'up' ELSE 'down' END AS value, count(*) AS number"
                " FROM ratings GROUP BY ratings.value ORDER BY ratings.value DESC"
            )
        )
        return {row.value: row.number for row in rows}
