"""Ratings: one of each person on each turn, the last one counts."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Person, Rating

# The same value again without a reason takes nothing back of what was said with it before.
SAVE = text(
    "INSERT INTO ratings (turn_id, platform, person, value, reason, intent, comment,"
    " is_by_reaction) SELECT id, :platform, :person, :value, :reason, :intent, :comment,"
    " :is_by_reaction FROM turns WHERE id = :turn"
    " ON CONFLICT (turn_id, platform, person) DO UPDATE SET value = excluded.value,"
    " (reason, intent, comment) = (SELECT kept.reason, kept.intent, kept.comment FROM (VALUES"
    "  (true, ratings.reason, ratings.intent, ratings.comment),"
    "  (false, excluded.reason, excluded.intent, excluded.comment))"
    "  AS kept (is_former, reason, intent, comment) WHERE is_former = (excluded.reason IS NULL"
    "   AND excluded.comment IS NULL AND excluded.value = ratings.value)),"
    " is_by_reaction = excluded.is_by_reaction"
    "  AND (ratings.is_by_reaction OR excluded.value <> ratings.value), rated_at = now()"
)
TAKE_BACK = text(
    "DELETE FROM ratings WHERE turn_id = :turn AND platform = :platform AND person = :person"
    " AND value = :value AND is_by_reaction AND reason IS NULL AND comment IS NULL"
)
VALUE = text(
    "SELECT value FROM ratings WHERE turn_id = :turn AND platform = :platform AND person = :person"
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
                "is_by_reaction": rating.is_by_reaction,
            },
        )
    return bool(stored.rowcount)


async def take_back(engine: AsyncEngine, rating: Rating) -> bool:
    """Delete a rating that a reaction gave, as the reaction is gone; others stay."""
    person = rating.person
    values = {"turn": rating.turn_id, "platform": person.platform, "person": person.id}
    async with engine.begin() as connection:
        taken = await connection.execute(TAKE_BACK, values | {"value": rating.value})
    return bool(taken.rowcount)


async def value_of(engine: AsyncEngine, turn_id: int, person: Person) -> int | None:
    """What a person has rated a turn, 1 or -1; None where they have not."""
    values = {"turn": turn_id, "platform": person.platform, "person": person.id}
    async with engine.connect() as connection:
        value: int | None = await connection.scalar(VALUE, values)
    return value


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
