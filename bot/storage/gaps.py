"""Gaps: what people asked that the documents did not answer well."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

DAYS = 30
SHOWN = 20

# A turn counts once for each way in which it failed; `asked` counts turns.
FIND = text(
    "WITH failed AS (SELECT turns.id, question, asked_at,"
    " lower(btrim(regexp_replace(question, '[[:space:][:punct:]]+', ' ', 'g'))) AS normal,"
    " outcome = 'abstained' AS is_abstained,"
    " EXISTS (SELECT FROM ratings WHERE turn_id = turns.id AND value < 0"
    "  AND reason IN ('wrong_or_outdated', 'incomplete')) AS is_rated_down,"
    " outcome = 'handed_over' OR EXISTS (SELECT FROM handoffs WHERE turn_id = turns.id)"
    "  AS is_handed_over"
    " FROM turns WHERE asked_at > now() - make_interval(days => :days))"
    " SELECT (array_agg(question ORDER BY asked_at DESC))[1] AS question, count(*) AS asked,"
    " count(*) FILTER (WHERE is_abstained) AS abstained,"
    " count(*) FILTER (WHERE is_rated_down) AS rated_down,"
    " count(*) FILTER (WHERE is_handed_over) AS handed_over"
    " FROM failed WHERE (is_abstained OR is_rated_down OR is_handed_over) AND normal <> ''"
    " GROUP BY normal ORDER BY asked DESC, max(asked_at) DESC LIMIT :shown"
)


@dataclass(frozen=True, slots=True)
class Gap:
    """A question as it was last asked; how often it failed, and how often in which way.

    `rated_down` counts the answers rated wrong, outdated or incomplete.
    """

    question: str
    asked: int
    abstained: int
    rated_down: int
    handed_over: int


async def find(engine: AsyncEngine, days: int = DAYS, shown: int = SHOWN) -> list[Gap]:
    """The questions of the last days that failed, the most frequent first.

    Questions that differ by case, spaces and punctuation alone are one.
    """
    async with engine.connect() as connection:
        return [Gap(*row) for row in await connection.execute(FIND, {"days": days, "shown": shown})]
