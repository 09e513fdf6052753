"""Cases: questions whose answers people rated down, and how they fared in each evaluation."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.messages import APPROVED_ANSWERS

# So many cases are asked again, those rated down last: with a language model each costs an answer.
MOST = 200
KEPT_RUNS = 400

# What nobody rated down any more is no case any more; what was withdrawn has to be cited no longer.
FIND = text(
    "SELECT turns.id, turns.question, turns.answer, turns.platform, turns.conversation,"
    " CASE WHEN inbox.way = 'direct' THEN turns.person END AS person,"
    " ARRAY(SELECT DISTINCT (p ->> 'source') || '/' || (p ->> 'uri')"
    "  FROM jsonb_array_elements(turns.passages) AS p"
    "  WHERE CAST(p ->> 'cited' AS boolean)) AS cited,"
    " NOT EXISTS (SELECT FROM jsonb_array_elements(turns.passages) AS p"
    "  LEFT JOIN documents AS d ON d.source = p ->> 'source' AND d.uri = p ->> 'uri'"
    "  WHERE CAST(p ->> 'cited' AS boolean) AND (d.id IS NULL OR d.indexed_at > turns.asked_at))"
    "  AS is_unchanged,"
    " approved_answers.id AS approved_id"
    " FROM turns LEFT JOIN inbox ON inbox.id = turns.inbox_id"
    " LEFT JOIN approved_answers ON approved_answers.turn_id = turns.id AND withdrawn_at IS NULL"
    " WHERE turns.outcome = 'answered' AND EXISTS (SELECT FROM ratings WHERE turn_id = turns.id"
    "  AND value < 0 AND reason IN ('wrong_or_outdated', 'incomplete'))"
    " ORDER BY turns.id DESC LIMIT :most"
)
LAST_RUN = text("SELECT id, conditions, ran_at FROM evaluation_runs ORDER BY id DESC LIMIT 1")
# A case that could not be asked in the last run is compared with the one before.
RESULTS = text(
    "SELECT DISTINCT ON (turn_id) turn_id, is_passed, finding FROM evaluation_results"
    " ORDER BY turn_id, run_id DESC"
)
ADD_RUN = text(
    "INSERT INTO evaluation_runs (conditions) VALUES (CAST(:conditions AS jsonb)) RETURNING id"
)
ADD_RESULTS = text(
    "INSERT INTO evaluation_results (run_id, turn_id, is_passed, finding)"
    " SELECT :run, :turn, :is_passed, :finding FROM turns WHERE id = :turn"
)
FORGET = text("DELETE FROM evaluation_runs WHERE id <= :run - :kept")
INDEX = text("SELECT count(*) AS documents, max(indexed_at) AS indexed_at FROM documents")


@dataclass(frozen=True, slots=True)
class Case:
    """A question whose answer was rated wrong, outdated or incomplete, and that answer.

    `cited` names the documents that the answer cited, as "source/uri". `person` asked in a direct
    conversation, else None. `is_unchanged` where these documents are as they were then.
    `approved_id` is the approved answer that must be cited now.
    """

    turn_id: int
    question: str
    answer: str
    platform: str
    conversation: str
    person: str | None
    cited: frozenset[str]
    is_unchanged: bool
    approved_id: int | None

    @property
    def wanted(self) -> str | None:
        """The document that must be cited, as "source/uri"; None where none must."""
        return None if self.approved_id is None else f"{APPROVED_ANSWERS}/{self.approved_id}.md"


@dataclass(frozen=True, slots=True)
class Result:
    """How a case fared.

    It cited what it must ("cited") or did not ("uncited"); or it repeated what was rated down
    ("repeated"), said something else ("changed") or that it is not sure ("unsure").
    """

    turn_id: int
    is_passed: bool
    finding: str


@dataclass(frozen=True, slots=True)
class Run:
    """The last evaluation: when, under which conditions, and how each case last fared."""

    id: int
    conditions: dict[str, Any]
    ran_at: datetime
    results: dict[int, Result]


async def find(engine: AsyncEngine, most: int = MOST) -> list[Case]:
    """The cases, those asked last first."""
    async with engine.connect() as connection:
        rows = await connection.execute(FIND, {"most": most})
        return [
            Case(
                row.id, row.question, row.answer, row.platform, row.conversation, row.person,
                frozenset(row.cited), row.is_unchanged, row.approved_id,
            )
            for row in rows
        ]  # fmt: skip


async def last_run(engine: AsyncEngine) -> Run | None:
    """The last evaluation; None where there was none."""
    async with engine.connect() as connection:
        run = (await connection.execute(LAST_RUN)).one_or_none()
        if run is None:
            return None
        rows = (await connection.execute(RESULTS)).all()
    return Run(run.id, run.conditions, run.ran_at, {row.turn_id: Result(*row) for row in rows})


async def index_state(engine: AsyncEngine) -> dict[str, Any]:
    """What tells whether the index has changed: how many documents, when one was last stored."""
    async with engine.connect() as connection:
        row = (await connection.execute(INDEX)).one()
    return {"documents": row.documents, "indexed_at": row.indexed_at and row.indexed_at.isoformat()}


async def add_run(
    connection: AsyncConnection, conditions: Mapping[str, Any], results: Sequence[Result]
) -> int:
    """Store an evaluation; its id. What was asked in a turn that is gone meanwhile is left out."""
    run: int = await connection.scalar(ADD_RUN, {"conditions": json.dumps(conditions)})
    for result in results:
        values = {
            "run": run,
            "turn": result.turn_id,
            "is_passed": result.is_passed,
            "finding": result.finding,
        }
        await connection.execute(ADD_RESULTS, values)
    await connection.execute(FORGET, {"run": run, "kept": KEPT_RUNS})
    return run
