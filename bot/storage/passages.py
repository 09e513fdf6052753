"""Hybrid retrieval in one statement: sentence vectors and BM25, blended, filtered by audience.

A chunk's dense score is the cosine of its best piece; its sparse score is BM25 with k1 = 1.2 and
b = 0.75 (Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009).
Both are divided by the question's best and averaged, a convex blend, which is above reciprocal
rank fusion at rank 1 (Bruch et al., "An Analysis of Fusion Functions for Hybrid Retrieval", 2023).

The words are scored rarest first: terms are read until `SCORED_POSTINGS` postings are summed, the
best `KEPT` chunks by those are completed with the commoner terms. A common term adds little to a
chunk's score, so the first hits are those of the full sum, without reading most of the corpus.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.encoder import Vectors
from bot.messages import Passage, Scores, Unit, UnitKind
from bot.storage.document_writing import to_halfvec

SCORED_POSTINGS = 5000
KEPT = 200

# The best pieces, then their chunks; half of the pieces at most share a chunk with a better one.
NEAREST = """
    SELECT chunk_id, max(cosine) AS cosine FROM (
        SELECT chunk_id, -({embedding} <#> {vector}) AS cosine
        FROM pieces
        WHERE encoder_id = {encoder} AND audience_id = ANY (ARRAY(SELECT id FROM visible))
        ORDER BY {embedding} <#> {vector}
        LIMIT 2 * %(candidates)s
    ) AS nearest
    GROUP BY chunk_id
    ORDER BY cosine DESC, chunk_id
    LIMIT %(candidates)s
"""

# Of a posting, to be multiplied by the term's idf. OFFSET 0 around it keeps the planner at one
# index look-up a term: of the skewed terms it expects far more rows, and would read the table.
WEIGHT = """
            frequency * 2.2
            / (frequency + 1.2 * (0.25 + 0.75 * length / (SELECT mean_length FROM corpus)))
""".strip()

# Candidates of other sources fall away, so more of them are taken where sources are named.
OF_SOURCES = """
    JOIN chunks AS k ON k.id = chunk_id
    JOIN documents AS o ON o.id = k.document_id AND o.source = ANY (%(sources)s::text[])
"""
MORE_CANDIDATES = 10

SEARCH = """
WITH visible AS MATERIALIZED (
    SELECT id FROM audiences WHERE principals && %(principals)s::text[]
), corpus AS MATERIALIZED (
    SELECT language, chunk_count, word_count::float8 / greatest(chunk_count, 1) AS mean_length
    FROM corpus
), terms AS MATERIALIZED (
    SELECT w.lexeme, t.id, coalesce(t.document_frequency, 0) AS df,
           ln(1 + (c.chunk_count - coalesce(t.document_frequency, 0) + 0.5::float8)
                  / (coalesce(t.document_frequency, 0) + 0.5::float8)) AS idf,
           sum(t.document_frequency) OVER (ORDER BY t.document_frequency, w.lexeme) AS running
    FROM corpus AS c
    CROSS JOIN unnest(to_tsvector(c.language::regconfig, %(question)s)) AS w
    LEFT JOIN terms AS t ON t.lexeme = w.lexeme
), total AS MATERIALIZED (
    SELECT coalesce(sum(idf), 0) AS idf FROM terms
), rare AS MATERIALIZED (
    SELECT id, idf FROM terms
    WHERE id IS NOT NULL AND (running <= %(scored)s OR running = df)
), common AS MATERIALIZED (
    SELECT id, idf FROM terms
    WHERE id IS NOT NULL AND NOT (running <= %(scored)s OR running = df)
), by_rare_terms AS MATERIALIZED (
    SELECT p.chunk_id, sum(r.idf * p.weight) AS bm25, sum(r.idf) AS matched
    FROM rare AS r
    CROSS JOIN LATERAL (
        SELECT chunk_id, {weight} AS weight
        FROM postings
        WHERE term_id = r.id AND audience_id = ANY (ARRAY(SELECT id FROM visible))
        OFFSET 0
    ) AS p
    GROUP BY p.chunk_id
    ORDER BY bm25 DESC, p.chunk_id
    LIMIT %(kept)s
), by_terms AS MATERIALIZED (
    SELECT r.chunk_id, r.bm25 + coalesce(m.bm25, 0) AS bm25,
           r.matched + coalesce(m.matched, 0) AS matched
    FROM by_rare_terms AS r
    LEFT JOIN LATERAL (
        SELECT sum(o.idf * p.weight) AS bm25, sum(o.idf) AS matched
        FROM common AS o
        CROSS JOIN LATERAL (
            SELECT {weight} AS weight FROM postings
            WHERE term_id = o.id AND chunk_id = r.chunk_id
            OFFSET 0
        ) AS p
    ) AS m ON EXISTS (SELECT FROM common)
    ORDER BY bm25 DESC, r.chunk_id
    LIMIT %(candidates)s
), by_vector AS MATERIALIZED (
    {nearest}
), candidates AS MATERIALIZED (
    SELECT chunk_id, w.bm25, w.matched, v.cosine
    FROM by_terms AS w FULL JOIN by_vector AS v USING (chunk_id)
    {of_sources}
), scored AS MATERIALIZED (
    SELECT c.chunk_id,
           coalesce(c.cosine, piece.cosine, 0) AS cosine,
           coalesce(c.bm25, words.bm25, 0) AS bm25,
           coalesce(c.matched, words.matched, 0) AS matched
    FROM candidates AS c
    LEFT JOIN LATERAL (
        SELECT max(CASE WHEN p.encoder_id = %(encoder)s
                        THEN -(p.embedding <#> %(vector)s::halfvec) END) AS cosine
        FROM pieces AS p WHERE p.chunk_id = c.chunk_id
    ) AS piece ON c.cosine IS NULL
    LEFT JOIN LATERAL (
        SELECT sum(t.idf * p.weight) AS bm25, sum(t.idf) AS matched
        FROM terms AS t
        CROSS JOIN LATERAL (
            SELECT {weight} AS weight FROM postings
            WHERE term_id = t.id AND chunk_id = c.chunk_id
            OFFSET 0
        ) AS p
    ) AS words ON c.bm25 IS NULL
), ranked AS MATERIALIZED (
    SELECT chunk_id, cosine, bm25, matched,
           0.5 * greatest(cosine, 0) / greatest(max(cosine) OVER (), 1e-9)
           + 0.5 * bm25 / greatest(max(bm25) OVER (), 1e-9) AS fused
    FROM scored
    ORDER BY fused DESC, chunk_id
    LIMIT %(passages)s
), found AS MATERIALIZED (
    SELECT r.chunk_id, d.source, d.uri, d.url, d.title, c.headings, c.text,
           r.cosine, r.bm25, r.matched, r.fused
    FROM ranked AS r
    JOIN chunks AS c ON c.id = r.chunk_id
    JOIN documents AS d ON d.id = c.document_id
), units AS MATERIALIZED (
    SELECT f.chunk_id, u.first, u.last, u.kind,
           CASE WHEN p.encoder_id = %(encoder)s
                THEN -(p.embedding <#> %(vector)s::halfvec) ELSE 0 END AS cosine,
           tsvector_to_array(to_tsvector(
               (SELECT language FROM corpus)::regconfig,
               substr(f.text, u.first + 1, u.last - u.first))) AS words
    FROM found AS f
    JOIN pieces AS p ON p.chunk_id = f.chunk_id
    CROSS JOIN LATERAL (
        SELECT p.bounds[2 * n - 1] AS first, p.bounds[2 * n] AS last, substr(p.kinds, n, 1) AS kind
        FROM generate_series(1, length(p.kinds)) AS n
    ) AS u
)
SELECT f.chunk_id, f.source, f.uri, f.url, f.title, f.headings, f.text,
       f.cosine, f.bm25, f.matched / greatest((SELECT idf FROM total), 1e-9) AS coverage, f.fused,
       (SELECT jsonb_agg(jsonb_build_array(
                   u.first, u.last, u.kind, u.cosine,
                   (SELECT coalesce(sum(t.idf), 0) FROM terms AS t WHERE t.lexeme = ANY (u.words))
                   / greatest((SELECT idf FROM total), 1e-9)
               ) ORDER BY u.first)
        FROM units AS u WHERE u.chunk_id = f.chunk_id) AS units
FROM found AS f
ORDER BY f.fused DESC, f.chunk_id
"""


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for and how far.

    `candidates` chunks are taken from each side before blending; `passages` are returned, from
    `sources` only where some are named.
    """

    question: str
    vector: Vectors
    encoder_id: int
    principals: frozenset[str]
    passages: int
    candidates: int
    is_exact: bool
    sources: tuple[str, ...] = ()


async def search(engine: AsyncEngine, wanted: Search) -> list[Passage]:
    """The best passages for a question that these principals may read, best first."""
    # The HNSW index is on the cast to a dimension, for one encoder: only a statement that says
    # both uses it, and one that says neither never does.
    dimension = "" if wanted.is_exact else f"({len(wanted.vector):d})"
    nearest = NEAREST.format(
        embedding="embedding" if wanted.is_exact else f"(embedding::halfvec{dimension})",
        vector=f"%(vector)s::halfvec{dimension}",
        encoder="%(encoder)s" if wanted.is_exact else f"{wanted.encoder_id:d}",
    )
    parameters = {
        "question": wanted.question,
        "vector": to_halfvec(wanted.vector),
        "encoder": wanted.encoder_id,
        "principals": sorted(wanted.principals),
        "passages": wanted.passages,
        "candidates": wanted.candidates * (MORE_CANDIDATES if wanted.sources else 1),
        "sources": list(wanted.sources),
        "scored": SCORED_POSTINGS,
        "kept": KEPT * (MORE_CANDIDATES if wanted.sources else 1),
    }
    statement = SEARCH.format(
        nearest=nearest, weight=WEIGHT, of_sources=OF_SOURCES if wanted.sources else ""
    )
    # In a transaction, BEGIN and ROLLBACK would each be a round trip of their own.
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        raw = await connection.get_raw_connection()
        assert isinstance(raw.driver_connection, AsyncConnection)
        cursor = await raw.driver_connection.execute(
            statement, parameters, prepare=True, binary=True
        )
        rows = await cursor.fetchall()
    return [_passage(row) for row in rows]


def _passage(row: tuple[Any, ...]) -> Passage:
    chunk_id, source, uri, url, title, headings, body, cosine, bm25, coverage, fused, units = row
    return Passage(
        chunk_id=chunk_id,
        source=source,
        uri=uri,
        url=url,
        title=title,
        headings=tuple(headings),
        text=body,
        scores=Scores(cosine, bm25, coverage, fused),
        units=tuple(
            Unit(start, end, UnitKind(kind), unit_cosine, unit_coverage)
            for start, end, kind, unit_cosine, unit_coverage in units
        ),
    )


async def count_visible(
    engine: AsyncEngine, encoder_id: int, principals: Iterable[str], limit: int
) -> int:
    """How many vectors of this encoder these principals may search, counted up to `limit`."""
    async with engine.connect() as connection:
        count: int | None = await connection.scalar(
            text(
                "SELECT count(*) FROM (SELECT FROM pieces WHERE encoder_id = :encoder"
                " AND audience_id = ANY (ARRAY("
                "SELECT id FROM audiences WHERE principals && CAST(:principals AS text[])))"
                " LIMIT :limit) AS counted"
            ),
            {"encoder": encoder_id, "principals": sorted(principals), "limit": limit},
        )
    return count or 0
