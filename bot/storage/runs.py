"""What each reindex of a source did."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import SourceBusyError

LOCK = text("SELECT pg_try_advisory_lock(hashtext('supportbot reindex'), hashtext(:s))")
UNLOCK = text("SELECT pg_advisory_unlock(hashtext('supportbot reindex'), hashtext(:s))")


@dataclass(slots=True)
class Counts:
    """How the documents of a source fared; each ends as exactly one of the first three."""

    indexed: int = 0
    unchanged: int = 0
    rejected: int = 0
    removed: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """The last reindex of a source."""

    source: str
    started_at: datetime
    finished_at: datetime | None
    is_complete: bool
    counts: Counts
    problems: list[str] = field(default_factory=list)


@asynccontextmanager
async def only_one(engine: AsyncEngine, source: str) -> AsyncIterator[None]:
    """Hold the right to reindex a source; it ends with this process at the latest.

    Raises:
        SourceBusyError: another process holds it.
    """
    name = {"s": source}
    async with engine.connect() as pooled:
        connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
        if not await connection.scalar(LOCK, name):
            raise SourceBusyError(
                f"The source {source!r} is being reindexed by another process. Wait for it to end."
            )
        try:
            yield
        finally:
            await connection.execute(UNLOCK, name)


async def start(engine: AsyncEngine, source: str) -> int:
    """Note that a reindex of a source begins; the run's id."""
    async with engine.begin() as connection:
        run: int = await connection.scalar(
            text("INSERT INTO reindex_runs (source) VALUES (:source) RETURNING id"),
            {"source": source},
        )
    return run


async def finish(
    engine: AsyncEngine, run: int, counts: Counts, problems: list[str], *, is_complete: bool
) -> None:
    """Note how a reindex ended; `is_complete` where the whole source was seen."""
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE reindex_runs SET finished_at = now(), is_complete = :is_complete,"
                " indexed = :indexed, unchanged = :unchanged, rejected = :rejected,"
                " removed = :removed, problems = CAST(:problems AS jsonb) WHERE id = :run"
            ),
            {
                "run": run,
                "is_complete": is_complete,
                "indexed": counts.indexed,
                "unchanged": counts.unchanged,
                "rejected": counts.rejected,
                "removed": counts.removed,
                "problems": json.dumps(problems),
            },
        )


async def last_runs(engine: AsyncEngine) -> dict[str, Run]:
    """The last reindex of each source, by its name."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT DISTINCT ON (source) source, started_at, finished_at, is_complete,"
                " indexed, unchanged, rejected, removed, problems"
                " FROM reindex_runs ORDER BY source, id DESC"
            )
        )
        return {
            row.source: Run(
                row.source,
                row.started_at,
                row.finished_at,
                row.is_complete,
                Counts(row.indexed, row.unchanged, row.rejected, row.removed),
                row.problems,
            )
            for row in rows
        }


async def completed_sources(engine: AsyncEngine) -> set[str]:
    """The sources that were completely indexed at least once."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT DISTINCT source FROM reindex_runs WHERE is_complete")
        )
        return set(rows.scalars())
