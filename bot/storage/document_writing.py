"""Writes a document with its chunks and pieces, whole or not at all; what did not change stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pgvector import HalfVector
from psycopg import AsyncConnection, AsyncCursor
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.encoder import Vectors


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


async def replace(engine: AsyncEngine, document: DocumentRow, vectors: Sequence[Any]) -> None:
    """Store a document in one transaction: its new chunks in, its old ones out, the same ones kept.

    `vectors` holds a HalfVector for each piece, in order.
    """
    async with engine.begin() as connection:
        raw = await connection.get_raw_connection()
        assert isinstance(raw.driver_connection, AsyncConnection)
        async with raw.driver_connection.cursor() as cursor:
            document_id = await _insert_document(cursor, document)
            kept = await _keep_chunks(cursor, document_id, document)
            await _copy_chunks(cursor, document_id, document, vectors, kept)


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
STORED_CHUNKS = """
SELECT c.ordinal, c.audience_id, c.headings, c.context, c.text,
       array_remove(array_agg(p.encoder_id ORDER BY p.ordinal), NULL),
       array_remove(array_agg(p.hash ORDER BY p.ordinal), NULL),
       array_remove(
           array_agg(p.kinds || ' ' || array_to_string(p.bounds, ',') ORDER BY p.ordinal), NULL)
FROM chunks AS c LEFT JOIN pieces AS p ON p.chunk_id = c.id
WHERE c.document_id = %s
GROUP BY c.id
"""
DELETE_CHUNKS = "DELETE FROM chunks WHERE document_id = %s AND ordinal <> ALL (%s::integer[])"
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
    return int(row[0])


async def _keep_chunks(
    cursor: AsyncCursor[Any], document_id: int, document: DocumentRow
) -> frozenset[int]:
    """Delete the chunks that changed; the ordinals of those that stand where and as they stood."""
    await cursor.execute(STORED_CHUNKS, (document_id,))
    stored = {row[0]: row[1:] for row in await cursor.fetchall()}
    kept = frozenset(
        ordinal
        for ordinal, chunk in enumerate(document.chunks)
        if stored.get(ordinal) == _as_stored(document, chunk)
    )
    if kept != stored.keys():
        await cursor.execute(DELETE_CHUNKS, (document_id, list(kept)))
    return kept


def _as_stored(document: DocumentRow, chunk: ChunkRow) -> tuple[Any, ...]:
    """What STORED_CHUNKS gives for a chunk."""
    return (
        document.audience_id,
        list(chunk.headings),
        chunk.context,
        chunk.text,
        [document.encoder_id] * len(chunk.pieces),
        [piece.hash for piece in chunk.pieces],
        [f"{piece.kinds} {','.join(map(str, piece.bounds))}" for piece in chunk.pieces],
    )


async def _copy_chunks(
    cursor: AsyncCursor[Any],
    document_id: int,
    document: DocumentRow,
    vectors: Sequence[Any],
    kept: frozenset[int],
) -> None:
    await cursor.execute(CHUNK_IDS, (len(document.chunks) - len(kept),))
    new_ids = iter([row[0] for row in await cursor.fetchall()])
    vector = iter(vectors)
    new = []
    for ordinal, chunk in enumerate(document.chunks):
        of_chunk = [next(vector) for _ in chunk.pieces]
        if ordinal not in kept:
            new.append((next(new_ids), ordinal, chunk, of_chunk))
    if not new:
        return
    async with cursor.copy(COPY_CHUNKS) as copy:
        copy.set_types(["int4", "int4", "int4", "int4", "text[]", "text", "text"])
        for chunk_id, ordinal, chunk, _ in new:
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
    async with cursor.copy(COPY_PIECES) as copy:
        copy.set_types(["int4", "int2", "int2", "int4", "bytea", "int4[]", "text", "halfvec"])
        for chunk_id, _, chunk, of_chunk in new:
            for ordinal, (piece, embedding) in enumerate(zip(chunk.pieces, of_chunk, strict=True)):
                await copy.write_row(
                    (
                        chunk_id,
                        ordinal,
                        document.encoder_id,
                        document.audience_id,
                        piece.hash,
                        list(piece.bounds),
                        piece.kinds,
                        embedding,
                    )
                )
