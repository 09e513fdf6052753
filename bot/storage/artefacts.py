"""Files in the database, each once, by its SHA-256; the database checks that they match."""

import hashlib

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def store(connection: AsyncConnection, content: bytes) -> bytes:
    """Store a file unless it is there; its SHA-256."""
    sha256 = hashlib.sha256(content).digest()
    await connection.execute(
        text(
            "INSERT INTO artefacts (sha256, content) VALUES (:sha256, :content)"
            " ON CONFLICT (sha256) DO NOTHING"
        ),
        {"sha256": sha256, "content": content},
    )
    return sha256
