"""The search statement: true BM25, the blend, and nobody sees what he may not."""

import math
import re
from collections import Counter

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import EVERYONE, Passage
from bot.storage import passages, vector_index
from bot.storage.document_writing import ChunkRow, DocumentRow, PieceRow, replace, to_halfvec
from bot.storage.documents import audience_id
from bot.storage.passages import Search
from tests.storage.test_words import new_encoder

SENTENCES = [
    "The token is rotated every night by the server.",
    "A server restarts when its token expires.",
    "Channels are archived after a year without messages.",
    "Billing is monthly, and a refund takes five days.",
    "Install the package, then start the server.",
    "The night shift answers messages in every channel.",
]


def direction(angle: float) -> np.ndarray:
    return np.array([math.cos(angle), math.sin(angle), 0], np.float32)


async def fill(engine: AsyncEngine, audiences: list[list[str]] | None = None) -> int:
    """One document a sentence, its vector turned by its number; the encoder's id."""
    encoder = await new_encoder(engine)
    for number, sentence in enumerate(SENTENCES):
        principals = audiences[number] if audiences else [EVERYONE]
        piece = PieceRow((0, len(sentence)), "s", bytes([number]) * 16)
        row = DocumentRow(
            "s", f"{number}", f"{number}", "T", None, b"\0" * 32,
            await audience_id(engine, principals), encoder,
            (ChunkRow((), "T", sentence, (piece,)),),
        )  # fmt: skip
        await replace(engine, row, [to_halfvec(direction(number / 4))])
    return encoder


async def ask(
    engine: AsyncEngine, encoder: int, question: str, angle: float = 0.0,
    principals: frozenset[str] = frozenset({EVERYONE}), *, is_exact: bool = True,
) -> list[Passage]:  # fmt: skip
    wanted = Search(question, direction(angle), encoder, principals, 10, 100, is_exact)
    return await passages.search(engine, wanted)


async def stems(engine: AsyncEngine, body: str) -> list[str]:
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT lexeme, cardinality(positions) FROM unnest(to_tsvector('english', :t))"),
            {"t": body},
        )
        return [lexeme for lexeme, count in rows for _ in range(count)]


async def reference_bm25(engine: AsyncEngine, question: str) -> list[float]:
    """BM25 by its definition, k1 = 1.2 and b = 0.75, over Postgres' stems."""
    corpus = [Counter(await stems(engine, f"T\n{body}")) for body in SENTENCES]
    mean = sum(sum(words.values()) for words in corpus) / len(corpus)
    scores = [0.0] * len(corpus)
    for term in set(await stems(engine, question)):
        frequency = sum(term in words for words in corpus)
        idf = math.log(1 + (len(corpus) - frequency + 0.5) / (frequency + 0.5))
        for number, words in enumerate(corpus):
            length = 0.25 + 0.75 * sum(words.values()) / mean
            scores[number] += idf * words[term] * 2.2 / (words[term] + 1.2 * length)
    return scores


@pytest.mark.parametrize("scored", [0, 3, 5000])
async def test_bm25_is_that_of_the_definition(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, scored: int
) -> None:
    monkeypatch.setattr(passages, "SCORED_POSTINGS", scored)
    encoder = await fill(engine)
    question = "Which server restarts at night when the token expires?"
    expected = await reference_bm25(engine, question)
    found = {int(p.uri): p.scores.bm25 for p in await ask(engine, encoder, question)}
    assert len(found) == len(SENTENCES)
    assert [found[n] for n in range(len(SENTENCES))] == pytest.approx(expected, rel=1e-6)


async def test_the_blend_is_half_cosine_and_half_bm25_of_the_best(engine: AsyncEngine) -> None:
    encoder = await fill(engine)
    found = await ask(engine, encoder, "refund", angle=0.5)
    most_cosine = max(p.scores.cosine for p in found)
    most_bm25 = max(p.scores.bm25 for p in found)
    for passage in found:
        scores = passage.scores
        blend = max(scores.cosine, 0) / most_cosine / 2 + scores.bm25 / most_bm25 / 2
        assert scores.fused == pytest.approx(blend, abs=1e-6)
    assert [p.scores.fused for p in found] == sorted((p.scores.fused for p in found), reverse=True)
    assert found[0].uri == "3"


async def test_a_question_without_known_words_still_finds_by_vector(engine: AsyncEngine) -> None:
    encoder = await fill(engine)
    assert (await ask(engine, encoder, "xylophone", angle=0.75))[0].uri == "3"
    assert (await ask(engine, encoder, "", angle=0.75))[0].uri == "3"


async def test_only_documents_of_the_principals_are_found(engine: AsyncEngine) -> None:
    audiences = [["everyone"], ["slack:C1"], ["slack:C2"], ["slack:C1", "slack:C2"]] + [
        ["team:x"]
    ] * 2
    encoder = await fill(engine, audiences)
    for index in (True, False):
        if not index:
            assert await vector_index.ensure(engine, encoder, 3, 0)
        found = await ask(
            engine, encoder, "server token night channel", principals=frozenset({"slack:C1"}),
            is_exact=index,
        )  # fmt: skip
        assert {p.uri for p in found} == {"1", "3"}
        assert await ask(engine, encoder, "server", principals=frozenset(), is_exact=index) == []


async def test_the_approximate_search_finds_what_the_exact_one_finds(engine: AsyncEngine) -> None:
    encoder = await fill(engine)
    assert await vector_index.ensure(engine, encoder, 3, 0)
    assert not await vector_index.ensure(engine, encoder, 3, 0)
    assert await vector_index.is_searchable(engine, encoder)
    exact = await ask(engine, encoder, "server token", angle=0.3)
    assert await ask(engine, encoder, "server token", angle=0.3, is_exact=False) == exact


async def test_vectors_of_another_encoder_never_meet_the_question(engine: AsyncEngine) -> None:
    encoder = await fill(engine)
    found = await ask(engine, encoder + 1, "server token")
    assert found
    assert {p.scores.cosine for p in found} == {0.0}


async def test_units_carry_their_bounds_and_their_share_of_the_questions_words(
    engine: AsyncEngine,
) -> None:
    encoder = await fill(engine)
    [first, *_] = await ask(engine, encoder, "refund billing")
    [unit] = first.units
    assert first.text[unit.start : unit.end] == SENTENCES[3]
    assert unit.coverage == pytest.approx(1.0)
    assert first.scores.coverage == pytest.approx(1.0)


async def test_hostile_questions_are_words_and_nothing_else(engine: AsyncEngine) -> None:
    encoder = await fill(engine)
    for question in ("'; DROP TABLE chunks; --", "%(vector)s {weight} \\ : & | !", "a" * 4000):
        assert len(await ask(engine, encoder, question)) == len(SENTENCES)


def test_no_statement_splices_text() -> None:
    assert not re.search(r"\{(?!weight|nearest|of_sources)", passages.SEARCH)
