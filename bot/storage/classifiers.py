"""Classifier versions: what was trained, which one is live, and their files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.storage import artefacts

COLUMNS = "id, state, parent_id, intents, metrics, refusal, created_at, promoted_at"


@dataclass(frozen=True, slots=True)
class Version:
    """A trained classifier; `state` is candidate, live, retired or refused."""

    id: int
    state: str
    parent_id: int | None
    intents: tuple[str, ...]
    metrics: dict[str, Any]
    refusal: str | None
    created_at: datetime
    promoted_at: datetime | None


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
    return version


async def promote(engine: AsyncEngine, version: int, instead_of: int | None) -> bool:
    """Make a version live; False, and nothing done, where another than `instead_of` is live now."""
    async with engine.begin() as connection:
        # Two promotions at once would each retire the same version and break the unique index.
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(hashtext('supportbot promotion'))")
        )
        if await _live_id(connection) != instead_of:
            return False
        await connection.execute(
            text("UPDATE classifier_versions SET state = 'retired' WHERE state = 'live'")
        )
        await connection.execute(
            text(
                "UPDATE classifier_versions SET state = 'live', promoted_at = now(),"
                " refusal = NULL WHERE id = :version"
            ),
            {"version": version},
        )
    return True


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
        rows = await connection.execute(
            text(f"SELECT {COLUMNS} FROM classifier_versions WHERE id = :version"),  # noqa: S608
            {"version": version},
        )
        return next(map(_version, rows), None)


async def newest(engine: AsyncEngine, count: int) -> list[Version]:
    """The versions trained last, newest first."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(f"SELECT {COLUMNS} FROM classifier_versions ORDER BY id DESC LIMIT :count"),  # noqa: S608
            {"count": count},
        )
        return [_version(row) for row in rows]


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
    return Version(
        row.id, row.state, row.parent_id, tuple(row.intents), row.metrics, row.refusal,
        row.created_at, row.promoted_at,
    )  # fmt: skip
