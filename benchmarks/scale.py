"""Hybrid retrieval at 100,000 generated chunks: latency, and whether its short cuts change it."""

import time
from pathlib import Path

import numpy as np

from benchmarks import synthetic
from benchmarks.measure import Row, percentile
from bot.encoder import Encoder
from bot.messages import EVERYONE
from bot.storage import documents, encoders, passages, vector_index
from bot.storage.database import open_database
from bot.storage.document_writing import ChunkRow, DocumentRow, PieceRow, replace, to_halfvec
from bot.storage.passages import Search

CHUNKS = 100_000
DOCUMENTS_A_BATCH = 200
CHECKED = 40


async def run(postgres: str, encoder_folder: Path, count: int = CHUNKS) -> list[Row]:
    """Load, build the HNSW index, ask; the short cuts against the full sums on some questions."""
    engine = await open_database(postgres)
    encoder = Encoder(encoder_folder)
    encoder_id = await encoders.register(engine, encoder.manifest, encoder_folder)
    base = synthetic.sentences()
    vectors = await encoder.encode([f"{s.title}: {s.text}" for s in base])
    started = time.perf_counter()
    await _load(engine, encoder_id, synthetic.chunks(base, vectors, count))
    loaded = time.perf_counter() - started
    await vector_index.settle(engine)
    started = time.perf_counter()
    await vector_index.ensure(engine, encoder_id, encoder.dimension, 5_000)
    built = time.perf_counter() - started

    def search(text: str, vector: np.ndarray, *, is_exact: bool) -> Search:
        return Search(text, vector, encoder_id, frozenset({EVERYONE}), 5, 100, is_exact)

    asked = [(text, await encoder.encode_question(text)) for text in synthetic.questions()]
    taken, same = [], 0
    for round_number in range(2):  # the first round warms the caches
        for text, vector in asked:
            started = time.perf_counter()
            await passages.search(engine, search(text, vector, is_exact=False))
            if round_number:
                taken.append((time.perf_counter() - started) * 1000)
    for text, vector in asked[:CHECKED]:
        short = await passages.search(engine, search(text, vector, is_exact=False))
        full = await passages.search(engine, search(text, vector, is_exact=True))
        same += short[0].chunk_id == full[0].chunk_id
    encoder.close()
    await engine.dispose()
    return [
        Row(f"{count:,} chunks: retrieval, p50", "ms", percentile(taken, 50), target=15),
        Row(f"{count:,} chunks: retrieval, p95", "ms", percentile(taken, 95), target=30),
        Row("same first passage as with an exact scan", "%", 100 * same / CHECKED),
        Row("loading", "chunks/s", count / loaded),
        Row("building the HNSW index", "s", built),
    ]


async def _load(engine, encoder_id: int, chunks) -> None:
    audience = await documents.audience_id(engine, [EVERYONE])
    batch: list = []
    name = ""
    for chunk in chunks:
        if chunk.uri != name and batch:
            await _store(engine, encoder_id, audience, batch)
            batch = []
        name = chunk.uri
        batch.append(chunk)
    await _store(engine, encoder_id, audience, batch)


async def _store(engine, encoder_id: int, audience: int, batch: list) -> None:
    first = batch[0]
    rows, vectors = [], []
    for chunk in batch:
        pieces = []
        for number, piece in enumerate(chunk.pieces):
            pieces.append(PieceRow((piece.start, piece.end), "s", bytes([number]) * 16))
            vectors.append(to_halfvec(piece.vector.astype(np.float32)))
        rows.append(ChunkRow((), first.title, chunk.text, tuple(pieces)))
    document = DocumentRow(
        "synthetic", first.uri, first.uri, first.title, None, b"\0" * 32, audience, encoder_id,
        tuple(rows),
    )  # fmt: skip
    await replace(engine, document, vectors)
