"""Documents with their chunks and pieces: what is indexed, written whole or not at all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pgvector import HalfVector
from psycopg import AsyncConnection, AsyncCursor
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.encoder import Vectors


@dataclass(frozen=True, slots=True)
class Known:
    """What the index holds of a document."""

    id: int
    version_tag: str | None
    content_hash: bytes
    audience_id: int
    encoder_id: int
    url: str


@dataclass(frozen=True, slots=True)
class PieceRow:
    """A run of a chunk's units; `bounds` holds start and end of each in the chunk's text.

    `hash` (16 bytes) names what was embedded, so that an unchanged piece keeps its vector.
    """

    bounds: tuple[int, ...]
    kinds: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk as stored; `context` is searched with the text."""

    headings: tuple[str, ...]
    context: str
    text: str
    pieces: tuple[PieceRow, ...]


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as stored, with its chunks."""

    source: str
    uri: str
    url: str
    title: str
    version_tag: str | None
    content_hash: bytes
    audience_id: int
    encoder_id: int
    chunks: tuple[ChunkRow, ...]


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


async def replace(engine: AsyncEngine, document: DocumentRow, vectors: Sequence[Any]) -> None:
    """Store a document in one transaction: its new chunks in, its old ones out.

    `vectors` holds a HalfVector for each piece, in order.
    """
    async with engine.begin() as connection:
        raw = await connection.get_raw_connection()
        assert isinstance(raw.driver_connection, AsyncConnection)
        async with raw.driver_connection.cursor() as cursor:
            document_id = await _insert_document(cursor, document)
            await _copy_chunks(cursor, document_id, document, vectors)


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


def to_halfvec(vector: Vectors) -> HalfVector:
    """A float32 vector as the database stores it, in half precision."""
    return HalfVector(vector)


INSERT_DOCUMENT = """
INSERT INTO documents AS d
    (source, uri, url, title, version_tag, content_hash, audience_id, encoder_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (source, uri) DO UPDATE SET
    url = excluded.url, title = excluded.title, version_tag = excluded.version_tag,
    content_hash = excluded.content_hash, audience_id = excluded.audience_id,
    encoder_id = excluded.encoder_id, indexed_at = now()
RETURNING d.id
"""
CHUNK_IDS = """
SELECT nextval(pg_get_serial_sequence('chunks', 'id')) FROM generate_series(1, %s::integer)
"""
COPY_CHUNKS = """
COPY chunks (id, document_id, ordinal, audience_id, headings, context, text)
FROM STDIN (FORMAT binary)
"""
COPY_PIECES = """
COPY pieces (chunk_id, ordinal, encoder_id, audience_id, hash, bounds, kinds, embedding)
FROM STDIN (FORMAT binary)
"""


async def _insert_document(cursor: AsyncCursor[Any], document: DocumentRow) -> int:
    await cursor.execute(
        INSERT_DOCUMENT,
        (
            document.source,
            document.uri,
            document.url,
            document.title,
            document.version_tag,
            document.content_hash,
            document.audience_id,
            document.encoder_id,
        ),
    )
    row = await cursor.fetchone()
    assert row is not None
    await cursor.execute("DELETE FROM chunks WHERE document_id = %s", (row[0],))
    return int(row[0])


async def _copy_chunks(
    cursor: AsyncCursor[Any], document_id: int, document: DocumentRow, vectors: Sequence[Any]
) -> None:
    await cursor.execute(CHUNK_IDS, (len(document.chunks),))
    ids = [row[0] for row in await cursor.fetchall()]
    async with cursor.copy(COPY_CHUNKS) as copy:
        copy.set_types(["int4", "int4", "int4", "int4", "text[]", "text", "text"])
        for ordinal, (chunk_id, chunk) in enumerate(zip(ids, document.chunks, strict=True)):
            await copy.write_row(
                (
                    chunk_id,
                    document_id,
                    ordinal,
                    document.audience_id,
                    list(chunk.headings),
                    chunk.context,
                    chunk.text,
                )
            )
    vector = iter(vectors)
    async with cursor.copy(COPY_PIECES) as copy:
        copy.set_types(["int4", "int2", "int2", "int4", "bytea", "int4[]", "text", "halfvec"])
        for chunk_id, chunk in zip(ids, document.chunks, strict=True):
            for ordinal, piece in enumerate(chunk.pieces):
                await copy.write_row(
                    (
                        chunk_id,
                        ordinal,
                        document.encoder_id,
                        document.audience_id,
                        piece.hash,
                        list(piece.bounds),
                        piece.kinds,
                        next(vector),
                    )
                )
