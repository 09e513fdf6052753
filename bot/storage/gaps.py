"""Gaps: what people asked that the documents did not answer well."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

DAYS = 30
# So many different questions are looked at, those that failed last.
MOST = 2000

# A turn counts once for each way in which it failed; `asked` counts turns. What failed before an
# answer to it was approved is settled.
FIND = text(
    "WITH failed AS (SELECT turns.id, turns.question, asked_at,"
    " asked_at > now() - make_interval(days => :days) AS is_recent,"
    " lower(btrim(regexp_replace(turns.question, '[[:space:][:punct:]]+', ' ', 'g'))) AS normal,"
    " outcome = 'abstained' AS is_abstained,"
    " EXISTS (SELECT FROM ratings WHERE turn_id = turns.id AND value < 0"
    "  AND reason IN ('wrong_or_outdated', 'incomplete')) AS is_rated_down,"
    " outcome = 'handed_over' OR handoffs.id IS NOT NULL AS is_handed_over,"
    " handoffs.resolution IS NOT NULL AS is_resolved, documents.title AS nearest,"
    " approved_answers.approved_at AS settled_at"
    " FROM turns LEFT JOIN handoffs ON handoffs.turn_id = turns.id"
    " LEFT JOIN documents ON documents.source = passages -> 0 ->> 'source'"
    "  AND documents.uri = passages -> 0 ->> 'uri'"
    " LEFT JOIN approved_answers ON approved_answers.turn_id = turns.id AND withdrawn_at IS NULL"
    " WHERE asked_at > now() - make_interval(days => 2 * :days))"
    " SELECT (array_agg(question ORDER BY asked_at DESC))[1] AS question,"
    " (array_agg(id ORDER BY is_recent DESC, is_resolved DESC, asked_at DESC))[1] AS turn_id,"
    " count(*) FILTER (WHERE is_recent) AS asked,"
    " count(*) FILTER (WHERE NOT is_recent) AS before,"
    " count(*) FILTER (WHERE is_recent AND is_abstained) AS abstained,"
    " count(*) FILTER (WHERE is_recent AND is_rated_down) AS rated_down,"
    " count(*) FILTER (WHERE is_recent AND is_handed_over) AS handed_over,"
    " (array_agg(nearest ORDER BY asked_at DESC) FILTER (WHERE nearest IS NOT NULL))[1] AS nearest,"
    " max(asked_at) AS last_asked, max(settled_at) AS settled_at"
    " FROM failed WHERE (is_abstained OR is_rated_down OR is_handed_over) AND normal <> ''"
    " GROUP BY normal ORDER BY last_asked DESC LIMIT :most"
)
QUESTIONS = text("SELECT id, question FROM turns WHERE id = ANY (:turns)")


@dataclass(frozen=True, slots=True)
class Gap:
    """A question as it was last asked; how often it failed lately, and how often in which way.

    `before` counts the same number of days before; `rated_down` the answers rated wrong, outdated
    or incomplete. `turn_id` is the last turn, or one that a person answered. `nearest` is the title
    of the document that came nearest, `settled_at` when an answer to it was approved.
    """

    question: str
    turn_id: int
    asked: int
    before: int
    abstained: int
    rated_down: int
    handed_over: int
    nearest: str | None
    last_asked: datetime
    settled_at: datetime | None


async def find(engine: AsyncEngine, days: int = DAYS, most: int = MOST) -> list[Gap]:
    """The questions that failed in the last days and in as many before, the last asked first.

    Questions that differ by case, spaces and punctuation alone are one.
    """
    async with engine.connect() as connection:
        return [Gap(*row) for row in await connection.execute(FIND, {"days": days, "most": most})]


async def questions(engine: AsyncEngine, turns: Sequence[int]) -> dict[int, str]:
    """What was asked in these turns, as far as they are still stored."""
    async with engine.connect() as connection:
        rows = await connection.execute(QUESTIONS, {"turns": list(turns)})
        return {row.id: row.question for row in rows}
