"""Which encoders the index knows, and their files, for processes that cannot export them."""

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.encoder import MANIFEST, Manifest
from bot.storage import artefacts


async def register(engine: AsyncEngine, manifest: Manifest, folder: Path) -> int:
    """The id of the encoder exported in `folder`; its files are stored when it is new."""
    async with engine.begin() as connection:
        found: int | None = await connection.scalar(
            text("SELECT id FROM encoders WHERE fingerprint = :fingerprint"),
            {"fingerprint": manifest.fingerprint},
        )
        if found is not None:
            return found
        new: int = await connection.scalar(
            text(
                "INSERT INTO encoders (fingerprint, name, dimension)"
                " VALUES (:fingerprint, :name, :dimension)"
                " ON CONFLICT (fingerprint) DO UPDATE SET name = excluded.name RETURNING id"
            ),
            {
                "fingerprint": manifest.fingerprint,
                "name": full_name(manifest.model, manifest.precision),
                "dimension": manifest.dimension,
            },
        )
        for name in (*manifest.files, MANIFEST):
            sha256 = await artefacts.store(connection, (folder / name).read_bytes())
            await connection.execute(
                text(
                    "INSERT INTO encoder_files (encoder_id, name, sha256)"
                    " VALUES (:encoder, :name, :sha256) ON CONFLICT DO NOTHING"
                ),
                {"encoder": new, "name": name, "sha256": sha256},
            )
    return new


async def find(engine: AsyncEngine, fingerprint: str) -> int | None:
    """The id of an encoder; None where nothing was indexed with it."""
    async with engine.connect() as connection:
        found: int | None = await connection.scalar(
            text("SELECT id FROM encoders WHERE fingerprint = :fingerprint"),
            {"fingerprint": fingerprint},
        )
        return found


async def fetch(engine: AsyncEngine, model: str, precision: str) -> dict[str, bytes]:
    """The files of the newest encoder of that name; none where the database has no such encoder."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT f.name, a.content"
                " FROM encoder_files AS f JOIN artefacts AS a USING (sha256)"
                " WHERE f.encoder_id ="
                " (SELECT id FROM encoders WHERE name = :name ORDER BY id DESC LIMIT 1)"
            ),
            {"name": full_name(model, precision)},
        )
        return {name: bytes(content) for name, content in rows}


def full_name(model: str, precision: str) -> str:
    """How an encoder is called in the database and in `status`."""
    return f"{model} ({precision})"
