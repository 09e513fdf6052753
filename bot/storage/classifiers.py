"""Classifier versions: what was trained, which one is live, and their files."""

import json

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.storage import artefacts
from bot.storage.version_rows import (
    COLUMNS,
    KEPT_REFUSED,
    KEPT_VERSIONS,
    OLD,
    PROMOTE,
    PROMOTION,
    RETIRE,
    NewVersion,
    Version,
    version_of,
)

__all__ = ["KEPT_REFUSED", "KEPT_VERSIONS", "NewVersion", "Version"]

# What a version was trained and tested with, beside its files.
SNAPSHOT = "dataset.jsonl"
# What is kept of a version beside what serves: no process that answers fetches or opens it.
KEPT_BACK = (SNAPSHOT, "weights.safetensors")


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
    is_forced: bool = False,
) -> bool:
    """Make a version live, and note who did; a rollback marks the one it takes back, and of one
    that is forced it is kept why it was refused.

    False, and nothing done, where another than `instead_of` is live now or its files are gone.
    """
    async with engine.begin() as connection:
        await connection.execute(PROMOTION)
        found = await _find(connection, version)
        if await _live_id(connection) != instead_of or found is None or not found.has_files:
            return False
        values = {
            "version": version, "by": by, "is_rollback": is_rollback, "live": instead_of,
            "is_forced": is_forced,
        }  # fmt: skip
        await connection.execute(RETIRE, values)
        await connection.execute(PROMOTE, values)
    return True


async def keep_picture(
    engine: AsyncEngine, version: int, picture: bytes, panels: bytes | None = None
) -> None:
    """Store the pictures of what a training showed, PNGs, with its version."""
    async with engine.begin() as connection:
        hashes = {"picture": await artefacts.store(connection, picture), "panels": None}
        if panels is not None:
            hashes["panels"] = await artefacts.store(connection, panels)
        await connection.execute(
            text(
                "UPDATE classifier_versions SET picture = :picture, panels = :panels"
                " WHERE id = :version"
            ),
            {"version": version} | hashes,
        )


async def picture(engine: AsyncEngine, version: int) -> bytes | None:
    """The picture of a version's intents, a PNG; None where none is kept."""
    return await _picture(engine, version, "picture")


async def panels(engine: AsyncEngine, version: int) -> bytes | None:
    """The picture of a version's confusions, calibration, risk and history; None without one."""
    return await _picture(engine, version, "panels")


async def _picture(engine: AsyncEngine, version: int, which: str) -> bytes | None:
    async with engine.connect() as connection:
        content = await connection.scalar(
            text(
                f"SELECT content FROM artefacts JOIN classifier_versions ON {which} = sha256"  # noqa: S608
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
            text(
                "UPDATE classifier_versions SET picture = NULL, panels = NULL WHERE id = ANY(:old)"
            ),
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
    return next(map(version_of, rows), None)


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
        return [version_of(row) for row in rows]


async def newest(engine: AsyncEngine, count: int) -> list[Version]:
    """The versions trained last, newest first."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(f"SELECT {COLUMNS} FROM classifier_versions ORDER BY id DESC LIMIT :count"),  # noqa: S608
            {"count": count},
        )
        return [version_of(row) for row in rows]


async def with_files(engine: AsyncEngine) -> set[int]:
    """The ids of the versions whose files are kept."""
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT DISTINCT version_id FROM classifier_files"))
        return set(rows.scalars())


async def file_hashes(
    engine: AsyncEngine, version: int, *, is_whole: bool = False
) -> dict[str, str]:
    """The SHA-256 of each file, in hexadecimal, by name; without KEPT_BACK unless `is_whole`."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT name, encode(sha256, 'hex') AS sha256 FROM classifier_files"
                " WHERE version_id = :version AND (:is_whole OR name <> ALL (:kept_back))"
            ),
            {"version": version, "is_whole": is_whole, "kept_back": list(KEPT_BACK)},
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
