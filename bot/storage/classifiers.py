"""Classifier versions: what was trained, which one is live, and their files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.storage import artefacts

COLUMNS = (
    "id, state, parent_id, encoder_id, intents, metrics, refusal, created_at, promoted_at,"
    " promoted_by, is_rollback, replaced_id, rolled_back_at, rolled_back_by,"
    " EXISTS (SELECT FROM classifier_files WHERE version_id = id) AS has_files"
)
# What a version was trained and tested with, beside its files.
SNAPSHOT = "dataset.jsonl"
KEPT_VERSIONS = 10
KEPT_REFUSED = 3

# Two promotions at once would each retire the same version and break the unique index.
PROMOTION = text("SELECT pg_advisory_xact_lock(hashtext('supportbot promotion'))")
RETIRE = text(
    "UPDATE classifier_versions SET state = 'retired',"
    " rolled_back_at = CASE WHEN :is_rollback THEN now() END,"
    " rolled_back_by = CASE WHEN :is_rollback THEN :by END WHERE state = 'live'"
)
PROMOTE = text(
    "UPDATE classifier_versions SET state = 'live', refusal = NULL, promoted_at = now(),"
    " promoted_by = :by, is_rollback = :is_rollback, rolled_back_at = NULL, rolled_back_by = NULL,"
    " replaced_id = CASE WHEN promoted_at IS NULL THEN :live ELSE replaced_id END"
    " WHERE id = :version"
)
OLD = text(
    "SELECT id FROM (SELECT id, state, row_number() OVER (PARTITION BY state = 'refused'"
    " ORDER BY coalesce(promoted_at, created_at) DESC, id DESC) AS place"
    " FROM classifier_versions) AS placed"
    " WHERE place > CASE WHEN state = 'refused' THEN :refused ELSE :versions END"
    " AND NOT EXISTS (SELECT FROM classifier_versions AS live WHERE live.state = 'live'"
    " AND placed.id IN (live.id, live.replaced_id))"
)


@dataclass(frozen=True, slots=True)
class Version:
    """A trained classifier; `state` is candidate, live, retired or refused.

    `parent_id` was live when it was trained, `replaced_id` when it first went live itself. It was
    `rolled_back` where another was put in its place by hand. Without files it cannot go live.
    """

    id: int
    state: str
    parent_id: int | None
    encoder_id: int
    intents: tuple[str, ...]
    metrics: dict[str, Any]
    refusal: str | None
    created_at: datetime
    promoted_at: datetime | None
    promoted_by: str | None
    is_rollback: bool
    replaced_id: int | None
    rolled_back_at: datetime | None
    rolled_back_by: str | None
    has_files: bool


@dataclass(frozen=True, slots=True)
class NewVersion:
    """What is stored of a candidate; `parent_id` is the version that was live meanwhile."""

    encoder_id: int
    parent_id: int | None
    intents: Sequence[str]
    metrics: Mapping[str, Any]
    files: Mapping[str, bytes]


async def add(engine: AsyncEngine, new: NewVersion) -> int:
    """Store a candidate with its files, all or nothing; its id."""
    async with engine.begin() as connection:
        version: int = await connection.scalar(
            text(
                "INSERT INTO classifier_versions (state, parent_id, encoder_id, intents, metrics)"
                " VALUES ('candidate', :parent, :encoder, :intents, CAST(:metrics AS jsonb))"
                " RETURNING id"
            ),
            {
                "parent": new.parent_id,
                "encoder": new.encoder_id,
                "intents": list(new.intents),
                "metrics": json.dumps(dict(new.metrics)),
            },
        )
        for name, content in new.files.items():
            sha256 = await artefacts.store(connection, content)
            await connection.execute(
                text(
                    "INSERT INTO classifier_files (version_id, name, sha256)"
                    " VALUES (:version, :name, :sha256)"
                ),
                {"version": version, "name": name, "sha256": sha256},
            )
            if name == SNAPSHOT:
                await connection.execute(
                    text("UPDATE classifier_versions SET data = :sha256 WHERE id = :version"),
                    {"version": version, "sha256": sha256},
                )
    return version


async def promote(
    engine: AsyncEngine,
    version: int,
    instead_of: int | None,
    by: str = "retraining",
    *,
    is_rollback: bool = False,
) -> bool:
    """Make a version live, and note who did; a rollback marks the one it takes back.

    False, and nothing done, where another than `instead_of` is live now or its files are gone.
    """
    async with engine.begin() as connection:
        await connection.execute(PROMOTION)
        found = await _find(connection, version)
        if await _live_id(connection) != instead_of or found is None or not found.has_files:
            return False
        values = {"version": version, "by": by, "is_rollback": is_rollback, "live": instead_of}
        await connection.execute(RETIRE, values)
        await connection.execute(PROMOTE, values)
    return True


async def keep_picture(engine: AsyncEngine, version: int, picture: bytes) -> None:
    """Store the picture of what a training showed, a PNG, with its version."""
    async with engine.begin() as connection:
        sha256 = await artefacts.store(connection, picture)
        await connection.execute(
            text("UPDATE classifier_versions SET picture = :sha256 WHERE id = :version"),
            {"version": version, "sha256": sha256},
        )


async def picture(engine: AsyncEngine, version: int) -> bytes | None:
    """The picture of a version, a PNG; None where none is kept."""
    async with engine.connect() as connection:
        content = await connection.scalar(
            text(
                "SELECT content FROM artefacts JOIN classifier_versions ON picture = sha256"
                " WHERE id = :version"
            ),
            {"version": version},
        )
        return None if content is None else bytes(content)


async def forget_files(engine: AsyncEngine) -> None:
    """Delete the files and pictures of old versions, and what else nothing refers to.

    Kept are those of the live version, of the one it replaced, of the KEPT_VERSIONS last used or
    trained and of the KEPT_REFUSED last refused. Metrics are kept for ever.
    """
    async with engine.begin() as connection:
        await connection.execute(PROMOTION)
        kept = {"versions": KEPT_VERSIONS, "refused": KEPT_REFUSED}
        old = list((await connection.execute(OLD, kept)).scalars())
        await connection.execute(
            text("DELETE FROM classifier_files WHERE version_id = ANY(:old)"), {"old": old}
        )
        await connection.execute(
            text("UPDATE classifier_versions SET picture = NULL WHERE id = ANY(:old)"),
            {"old": old},
        )
        await artefacts.delete_unreferenced(connection)


async def refuse(engine: AsyncEngine, version: int, reason: str) -> None:
    """Note why a candidate does not go live."""
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE classifier_versions SET state = 'refused', refusal = :reason"
                " WHERE id = :version AND state = 'candidate'"
            ),
            {"version": version, "reason": reason},
        )


async def live_id(engine: AsyncEngine) -> int | None:
    """The id of the live version."""
    async with engine.connect() as connection:
        return await _live_id(connection)


async def _live_id(connection: AsyncConnection) -> int | None:
    live: int | None = await connection.scalar(
        text("SELECT id FROM classifier_versions WHERE state = 'live'")
    )
    return live


async def find(engine: AsyncEngine, version: int) -> Version | None:
    """The version of that id."""
    async with engine.connect() as connection:
        return await _find(connection, version)


async def _find(connection: AsyncConnection, version: int) -> Version | None:
    rows = await connection.execute(
        text(f"SELECT {COLUMNS} FROM classifier_versions WHERE id = :version"),  # noqa: S608
        {"version": version},
    )
    return next(map(_version, rows), None)


async def trained_with(engine: AsyncEngine, data: bytes) -> list[Version]:
    """The versions with this SHA-256 of what they were trained and tested with, newest first."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                f"SELECT {COLUMNS} FROM classifier_versions WHERE data = :data"  # noqa: S608
                " ORDER BY id DESC"
            ),
            {"data": data},
        )
        return [_version(row) for row in rows]


async def newest(engine: AsyncEngine, count: int) -> list[Version]:
    """The versions trained last, newest first."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(f"SELECT {COLUMNS} FROM classifier_versions ORDER BY id DESC LIMIT :count"),  # noqa: S608
            {"count": count},
        )
        return [_version(row) for row in rows]


async def with_files(engine: AsyncEngine) -> set[int]:
    """The ids of the versions whose files are kept."""
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT DISTINCT version_id FROM classifier_files"))
        return set(rows.scalars())


async def file_hashes(engine: AsyncEngine, version: int) -> dict[str, str]:
    """The SHA-256 of each file of a version, in hexadecimal, by name."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT name, encode(sha256, 'hex') AS sha256 FROM classifier_files"
                " WHERE version_id = :version"
            ),
            {"version": version},
        )
        return {row.name: row.sha256 for row in rows}


async def file_content(engine: AsyncEngine, sha256: str) -> bytes:
    """A file by its SHA-256 in hexadecimal."""
    async with engine.connect() as connection:
        content = await connection.scalar(
            text("SELECT content FROM artefacts WHERE sha256 = decode(:sha256, 'hex')"),
            {"sha256": sha256},
        )
        return bytes(content)


def _version(row: Any) -> Version:
    return Version(**dict(row._mapping) | {"intents": tuple(row.intents)})
