"""Our BM25 beside a reference implementation, bm25s, on the same stems of the same chunks."""

from typing import Any

import bm25s
import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.datasets import Corpus
from benchmarks.measure import Row
from bot.messages import EVERYONE
from bot.storage import passages
from bot.storage.passages import Search

NO_ENCODER = -1  # no piece is of it, so that BM25 alone ranks
CHUNKS = """
SELECT c.id, d.url, array_agg(w.lexeme), array_agg(w.frequency)
FROM chunks AS c JOIN documents AS d ON d.id = c.document_id,
     words_of('english', c.context, c.text) AS w
GROUP BY c.id, d.url ORDER BY c.id
"""
STEMS = "SELECT tsvector_to_array(to_tsvector('english', :question))"


async def rows(corpus: Corpus, engine: AsyncEngine, dimension: int) -> list[Row]:
    """R@1 of both on an indexed corpus; the target is half a point."""
    async with engine.connect() as connection:
        chunks = (await connection.execute(text(CHUNKS))).all()
        asked = [
            (q, list(await connection.scalar(text(STEMS), {"question": q.text})))
            for q in corpus.questions
        ]
    ranker = _reference(chunks)
    ours = theirs = 0
    for question, stems in asked:
        known = [stem for stem in stems if stem in ranker.vocab_dict]
        if known:
            theirs += chunks[int(np.argmax(ranker.get_scores(known)))][1] in question.gold
        wanted = Search(
            question.text, np.zeros(dimension, np.float32), NO_ENCODER, frozenset({EVERYONE}),
            1, 100, is_exact=True,
        )  # fmt: skip
        found = await passages.search(engine, wanted)
        ours += bool(found) and found[0].url in question.gold
    share = 100 / len(asked)
    difference = abs(ours - theirs) * share
    return [
        Row(f"{corpus.name}: BM25 alone, R@1", "%", ours * share, note="ours"),
        Row(f"{corpus.name}: BM25 alone, R@1", "%", theirs * share, note="bm25s"),
        Row(f"{corpus.name}: BM25, difference to bm25s", "points", difference, target=0.5),
    ]


def _reference(chunks: Any) -> bm25s.BM25:
    tokens = [
        [word for word, count in zip(words, counts, strict=True) for _ in range(count)]
        for _, _, words, counts in chunks
    ]
    ranker = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    ranker.index(tokens, show_progress=False)
    return ranker
