"""A corpus of any size without encoding: real sentences recombined, their vectors blended."""

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.datasets import SEED, sample, squad, squad_articles

Vectors = npt.NDArray[np.float32]
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(“])")
WORDS_A_CHUNK = 120
SENTENCES_A_PIECE = 2
LONGEST = 3 * SENTENCES_A_PIECE  # sentences of a chunk
CHUNKS_A_DOCUMENT = 10
BATCH = 2_000
NOISE = 0.15  # length of the noise beside a vector of length 1


@dataclass(frozen=True, slots=True)
class Sentence:
    """A real sentence and the title of the article it stands in."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Some sentences of a chunk, as embedded; `start` and `end` are their place in its text."""

    text: str
    start: int
    end: int
    vector: Vectors


@dataclass(frozen=True, slots=True)
class Chunk:
    """A generated chunk: `uri` names its document, `position` its place there."""

    uri: str
    title: str
    position: int
    text: str
    pieces: list[Piece]


def sentences() -> list[Sentence]:
    """The base: encode these once, as "title: text", and hand the vectors to `chunks`."""
    return [
        Sentence(title, text)
        for title, paragraphs in squad_articles().items()
        for paragraph in paragraphs
        for text in SENTENCE_END.split(paragraph["context"].strip())
        if len(text.split()) >= 4
    ]


def questions(count: int = 200) -> list[str]:
    """Real questions of five to ten words about the same articles."""
    texts = [q.text for q in squad().questions if 5 <= len(q.text.split()) <= 10]
    return sample(texts, count)


def chunks(base: list[Sentence], vectors: Vectors, count: int, seed: int = SEED) -> Iterator[Chunk]:
    """`count` chunks of about 120 words and two to three pieces, ten chunks a document.

    A chunk's sentences come from one article. The vector of a piece is the mean of those of its
    sentences with a little noise, normalised: 100,000 chunks take about 20 s.
    """
    chance, noise = random.Random(seed), np.random.default_rng(seed)
    articles = _by_article(base)
    for start in range(0, count, BATCH):
        drawn = [_draw(base, articles, chance, start + i) for i in range(min(BATCH, count - start))]
        blended = _blend([piece for draw in drawn for piece in draw.pieces], vectors, noise)
        taken = 0
        for draw in drawn:
            end = taken + len(draw.pieces)
            yield _chunk(base, draw, blended[taken:end])
            taken = end


@dataclass(frozen=True, slots=True)
class _Draw:
    number: int
    title: str
    pieces: list[list[int]]


def _by_article(base: list[Sentence]) -> list[tuple[str, list[int]]]:
    numbers = defaultdict(list)
    for i, sentence in enumerate(base):
        numbers[sentence.title].append(i)
    return list(numbers.items())


def _draw(
    base: list[Sentence], articles: list[tuple[str, list[int]]], chance: random.Random, number: int
) -> _Draw:
    """Sentences of the document's article until there are words enough, in groups of two."""
    title, candidates = articles[number // CHUNKS_A_DOCUMENT % len(articles)]
    chosen: list[int] = []
    words = 0
    while len(chosen) < 2 or (words < WORDS_A_CHUNK - 10 and len(chosen) < LONGEST):
        chosen.append(chance.choice(candidates))
        words += base[chosen[-1]].text.count(" ") + 1
    size = SENTENCES_A_PIECE if len(chosen) > SENTENCES_A_PIECE else 1
    return _Draw(number, title, [chosen[i : i + size] for i in range(0, len(chosen), size)])


def _blend(pieces: list[list[int]], vectors: Vectors, noise: np.random.Generator) -> Vectors:
    """The mean vector of each piece's sentences, noisy, normalised."""
    flat = np.concatenate([np.asarray(piece) for piece in pieces])
    starts = np.cumsum([0, *(len(piece) for piece in pieces[:-1])])
    blended = np.add.reduceat(vectors[flat], starts, axis=0)
    blended /= np.linalg.norm(blended, axis=1, keepdims=True)
    shape = blended.shape
    blended += noise.standard_normal(shape, dtype=np.float32) * (NOISE / np.sqrt(shape[1]))
    return blended / np.linalg.norm(blended, axis=1, keepdims=True)


def _chunk(base: list[Sentence], draw: _Draw, vectors: Vectors) -> Chunk:
    pieces, place = [], 0
    for numbers, vector in zip(draw.pieces, vectors, strict=True):
        text = " ".join(base[i].text for i in numbers)
        pieces.append(Piece(text, place, place + len(text), vector))
        place += len(text) + 1
    document, position = divmod(draw.number, CHUNKS_A_DOCUMENT)
    text = " ".join(piece.text for piece in pieces)
    return Chunk(f"synthetic/{document:06d}", draw.title, position, text, pieces)
