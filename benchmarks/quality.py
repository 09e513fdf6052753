"""Retrieval, quoting and abstention on the tuning sets, through the whole product."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.datasets import Corpus, Doc
from benchmarks.measure import Row
from bot.encoder import Encoder
from bot.messages import EVERYONE, Passage
from bot.rag.confidence import confidence_in
from bot.rag.extractive import quote
from bot.rag.retriever import Limits, Retriever
from bot.storage import encoders, vector_index
from bot.storage.database import open_database
from ingest.parsing import Parser
from ingest.pipeline import Pipeline
from ingest.sources import Item

PRINCIPALS = frozenset({EVERYONE})
RANKS = (1, 3, 5, 10)


@dataclass(slots=True)
class CorpusSource:
    """A corpus as a source of Markdown documents titled by their heading."""

    name: str
    documents: list[Doc]
    audience: frozenset[str] = PRINCIPALS

    def list(self) -> Iterator[Item]:
        """Every document, by number."""
        return (Item(f"{n}.md", doc.uri, None) for n, doc in enumerate(self.documents))

    def read(self, item: Item) -> bytes:
        """Its title as a heading, then its text."""
        doc = self.documents[int(item.uri.removesuffix(".md"))]
        return f"# {doc.title}\n\n{doc.text}\n".encode()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with what was found for it; `gold` is empty where nothing answers it."""

    kind: str
    text: str
    gold: frozenset[str]
    answers: tuple[str, ...]
    passages: tuple[Passage, ...]

    @property
    def rank(self) -> int | None:
        """The rank of the first document that answers, from 1."""
        documents = dict.fromkeys(passage.url for passage in self.passages)
        return next((n for n, url in enumerate(documents, 1) if url in self.gold), None)


@asynccontextmanager
async def indexed(
    corpus: Corpus, postgres: str, encoder_folder: Path
) -> AsyncIterator[tuple[AsyncEngine, Retriever]]:
    """The database with the corpus indexed as any source is, and a retriever over it."""
    engine = await open_database(postgres)
    encoder = Encoder(encoder_folder)
    encoder_id = await encoders.register(engine, encoder.manifest, encoder_folder)
    with Parser() as parser:
        pipeline = Pipeline(engine, encoder, encoder_id, parser)
        await pipeline.reindex(CorpusSource(corpus.name, corpus.documents), allow_shrink=True)
    await vector_index.settle(engine)
    try:
        yield engine, Retriever(engine, encoder, encoder_id, Limits(passages=10))
    finally:
        encoder.close()
        await engine.dispose()


async def ask(corpus: Corpus, retriever: Retriever) -> list[Asked]:
    """All its questions, then those about something else."""
    asked = []
    for question in corpus.questions:
        found = tuple(await retriever.retrieve(question.text, PRINCIPALS))
        asked.append(Asked("own", question.text, question.gold, question.answers, found))
    for groups, kind in ((corpus.off_topic, "off"), (corpus.near_topic, "near")):
        for name, texts in groups.items():
            for text in texts:
                found = tuple(await retriever.retrieve(text, PRINCIPALS))
                asked.append(Asked(f"{kind}: {name}", text, frozenset(), (), found))
    return asked


def rows(name: str, asked: list[Asked], targets: dict[str, float]) -> list[Row]:
    """The figures of a corpus in per cent, with their targets where there are some."""
    own = [item for item in asked if item.kind == "own"]
    figures: dict[str, float] = {}
    for limit in RANKS:
        figures[f"R@{limit}"] = share(item.rank is not None and item.rank <= limit for item in own)
    figures["MRR@10"] = 100 * sum(1 / item.rank for item in own if item.rank) / len(own)
    if any(item.answers for item in own):
        figures["answer within three sentences"] = share(_is_shown(item) for item in own)
    figures["own questions answered"] = share(is_answered(item) for item in own)
    for kind in ("off", "near"):
        others = [item for item in asked if item.kind.startswith(kind)]
        if others:
            figures[f"{kind}-topic questions refused"] = share(not is_answered(i) for i in others)
    return [
        Row(f"{name}: {measure}", "%", value, target=targets.get(measure), more_is_better=True)
        for measure, value in figures.items()
    ]


def risk_coverage(
    asked: list[Asked], points: tuple[float, ...] = (0.5, 0.7, 0.9, 1.0)
) -> list[Row]:
    """How often the first passage is right when only the surest share of questions is answered."""
    own = [item for item in asked if item.kind == "own"]
    by_confidence = sorted(own, key=_sureness, reverse=True)
    result = []
    for point in points:
        kept = by_confidence[: max(1, round(point * len(own)))]
        right = share(item.rank == 1 for item in kept)
        result.append(Row(f"right at rank 1, surest {point:.0%} answered", "%", right))
    return result


def is_answered(item: Asked, threshold: float = 0.5) -> bool:
    """Whether the bot would answer."""
    return confidence_in(item.passages).about >= threshold


def share(hits: Any) -> float:
    """The share of true ones, in per cent."""
    found = list(hits)
    return 100 * sum(found) / len(found) if found else 0.0


def _sureness(item: Asked) -> float:
    confidence = confidence_in(item.passages)
    return confidence.about * confidence.right


def _is_shown(item: Asked) -> bool:
    """Whether an answer stands, word for word, in at most three quoted units."""
    text = " ".join(quote(item.passages[:5], confidence_in(item.passages), 3).text.split())
    return any(" ".join(answer.split()).lower() in text.lower() for answer in item.answers)
