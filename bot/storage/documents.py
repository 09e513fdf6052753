"""Documents: what is indexed of each source, and what is no longer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, slots=True)
class Known:
    """What the index holds of a document."""

    id: int
    version_tag: str | None
    content_hash: bytes
    audience_id: int
    encoder_id: int
    url: str


async def audience_id(engine: AsyncEngine, principals: Iterable[str]) -> int:
    """The id of the audience of exactly these principals, made if it is new."""
    async with engine.begin() as connection:
        found: int = await connection.scalar(
            text(
                "INSERT INTO audiences (principals) VALUES (:principals)"
                " ON CONFLICT (principals) DO UPDATE SET principals = excluded.principals"
                " RETURNING id"
            ),
            {"principals": sorted(set(principals))},
        )
    return found


async def known_documents(engine: AsyncEngine, source: str) -> dict[str, Known]:
    """What the index holds of a source, by URI."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT uri, id, version_tag, content_hash, audience_id, encoder_id, url"
                " FROM documents WHERE source = :source"
            ),
            {"source": source},
        )
        return {row[0]: Known(*row[1:]) for row in rows}


@dataclass(frozen=True, slots=True)
class SourceSize:
    """How much of a source is indexed."""

    documents: int
    chunks: int


async def sizes(engine: AsyncEngine) -> dict[str, SourceSize]:
    """How much is indexed, by source."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT source, count(DISTINCT d.id), count(c.id) FROM documents AS d"
                " LEFT JOIN chunks AS c ON c.document_id = d.id GROUP BY source"
            )
        )
        return {source: SourceSize(documents, chunks) for source, documents, chunks in rows}


async def count_of_other_encoders(engine: AsyncEngine, encoder_id: int) -> int:
    """How many documents have vectors of another encoder than this one."""
    async with engine.connect() as connection:
        count: int | None = await connection.scalar(
            text("SELECT count(*) FROM documents WHERE encoder_id <> :encoder"),
            {"encoder": encoder_id},
        )
    return count or 0


async def vectors_of(engine: AsyncEngine, document_id: int, encoder_id: int) -> dict[bytes, Any]:
    """The vectors (HalfVector) that a document's pieces have, by hash."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT p.hash, p.embedding FROM pieces AS p JOIN chunks AS c ON c.id = p.chunk_id"
                " WHERE c.document_id = :document AND p.encoder_id = :encoder"
            ),
            {"document": document_id, "encoder": encoder_id},
        )
        return {bytes(row[0]): row[1] for row in rows}


async def remove(engine: AsyncEngine, document_ids: Sequence[int]) -> None:
    """Remove documents with all that is indexed of them."""
    async with engine.begin() as connection:
        await connection.execute(
            text("DELETE FROM documents WHERE id = ANY (:ids)"), {"ids": list(document_ids)}
        )


async def forget_source(engine: AsyncEngine, source: str) -> int:
    """Remove all documents of a source and its bookkeeping; how many documents there were."""
    async with engine.begin() as connection:
        removed = await connection.execute(
            text("DELETE FROM documents WHERE source = :source"), {"source": source}
        )
        await connection.execute(
            text("DELETE FROM reindex_runs WHERE source = :source"), {"source": source}
        )
        return int(removed.rowcount)


async def note_version_tags(engine: AsyncEngine, tags: dict[int, str | None]) -> None:
    """Remember the tags of documents whose text proved unchanged, so that it is not read again."""
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE documents AS d SET version_tag = t.tag"
                " FROM unnest(CAST(:ids AS integer[]), CAST(:tags AS text[])) AS t (id, tag)"
                " WHERE d.id = t.id"
            ),
            {"ids": list(tags), "tags": list(tags.values())},
        )
