"""The inverted index that the database keeps: true to the chunks whatever happens to them."""

import random

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import SettingsError
from bot.storage import words
from bot.storage.document_writing import ChunkRow, DocumentRow, replace
from bot.storage.documents import audience_id, forget_source

EXPECTED = """
SELECT w.lexeme, c.id, w.frequency
FROM chunks AS c, corpus AS k, words_of(k.language, c.context, c.text) AS w ORDER BY 1, 2
"""
STORED = """
SELECT t.lexeme, p.chunk_id, p.frequency FROM postings AS p JOIN terms AS t ON t.id = p.term_id
ORDER BY 1, 2
"""
FREQUENCIES = """
SELECT t.document_frequency = (SELECT count(*) FROM postings AS p WHERE p.term_id = t.id)
FROM terms AS t
"""
TOTALS = """
SELECT chunk_count = (SELECT count(*) FROM chunks)
   AND word_count = (SELECT coalesce(sum(frequency), 0) FROM postings) FROM corpus
"""
VOCABULARY = [
    "install",
    "server",
    "token",
    "answers",
    "documents",
    "restart",
    "the",
    "quickly",
    "channel",
    "42",
    "e-mail",
]


async def assert_consistent(engine: AsyncEngine) -> None:
    """The index says of every chunk what Postgres' own parser says now."""
    async with engine.connect() as connection:
        expected = (await connection.execute(text(EXPECTED))).all()
        assert (await connection.execute(text(STORED))).all() == expected
        assert all((await connection.execute(text(FREQUENCIES))).scalars())
        assert await connection.scalar(text(TOTALS))


async def new_encoder(engine: AsyncEngine) -> int:
    async with engine.begin() as connection:
        return int(
            await connection.scalar(
                text(
                    "INSERT INTO encoders (fingerprint, name, dimension)"
                    " VALUES (repeat('0', 64), 'none', 3) RETURNING id"
                )
            )
        )


def document(uri: str, audience: int, encoder: int, *texts: str) -> DocumentRow:
    chunks = tuple(ChunkRow((), "Title", body, ()) for body in texts)
    return DocumentRow("s", uri, uri, "Title", None, b"\0" * 32, audience, encoder, chunks)


async def test_random_changes_leave_the_index_as_if_it_were_built_anew(engine: AsyncEngine) -> None:
    audience, encoder = await audience_id(engine, ["everyone"]), await new_encoder(engine)
    chance = random.Random(7)
    for _ in range(60):
        texts = [
            " ".join(chance.choices(VOCABULARY, k=chance.randint(1, 30)))
            for _ in range(chance.randint(1, 4))
        ]
        row = document(f"{chance.randint(0, 9)}.md", audience, encoder, *texts)
        await replace(engine, row, [])
    await assert_consistent(engine)
    await forget_source(engine, "s")
    await assert_consistent(engine)


async def test_another_language_rebuilds_the_words(engine: AsyncEngine) -> None:
    audience, encoder = await audience_id(engine, ["everyone"]), await new_encoder(engine)
    await replace(engine, document("a", audience, encoder, "Running servers restarted"), [])
    assert await words.use_language(engine, "simple")
    assert not await words.use_language(engine, "simple")
    await assert_consistent(engine)
    async with engine.connect() as connection:
        lexemes = (await connection.execute(text("SELECT lexeme FROM terms"))).scalars().all()
    assert "running" in lexemes


async def test_an_unknown_language_is_refused_and_the_index_stays(engine: AsyncEngine) -> None:
    audience, encoder = await audience_id(engine, ["everyone"]), await new_encoder(engine)
    await replace(engine, document("a", audience, encoder, "Running servers"), [])
    with pytest.raises(SettingsError, match=r"klingon.*english"):
        await words.use_language(engine, "klingon")
    await assert_consistent(engine)


async def test_chunks_are_replaced_never_changed(engine: AsyncEngine) -> None:
    audience, encoder = await audience_id(engine, ["everyone"]), await new_encoder(engine)
    await replace(engine, document("a", audience, encoder, "Running servers"), [])
    with pytest.raises(DBAPIError, match="replaced, never changed"):
        async with engine.begin() as connection:
            await connection.execute(text("UPDATE chunks SET text = 'other'"))
