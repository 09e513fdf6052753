"""Files in the database, each once, by its SHA-256; the database checks that they match."""

import hashlib

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# What is stored is referenced later in its transaction; until then nobody may delete it.
SHARED = text("SELECT pg_advisory_xact_lock_shared(hashtext('supportbot artefacts'))")
ALONE = text("SELECT pg_advisory_xact_lock(hashtext('supportbot artefacts'))")


async def store(connection: AsyncConnection, content: bytes) -> bytes:
    """Store a file unless it is there; its SHA-256."""
    sha256 = hashlib.sha256(content).digest()
    await connection.execute(SHARED)
    await connection.execute(
        text(
            "INSERT INTO artefacts (sha256, content) VALUES (:sha256, :content)"
            " ON CONFLICT (sha256) DO NOTHING"
        ),
        {"sha256": sha256, "content": content},
    )
    return sha256


async def delete_unreferenced(connection: AsyncConnection) -> int:
    """Delete the files that nothing refers to; how many there were."""
    await connection.execute(ALONE)
    deleted = await connection.execute(
        text(
            "DELETE FROM artefacts AS a"
            " WHERE NOT EXISTS (SELECT FROM encoder_files AS f WHERE f.sha256 = a.sha256)"
            " AND NOT EXISTS (SELECT FROM classifier_files AS f WHERE f.sha256 = a.sha256)"
            " AND NOT EXISTS (SELECT FROM classifier_versions AS v"
            " WHERE a.sha256 IN (v.picture, v.panels))"
        )
    )
    return deleted.rowcount
