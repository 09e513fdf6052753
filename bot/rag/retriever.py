"""A question's passages: encode it, then one search that only sees what may be read there."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.encoder import Encoder, Vectors
from bot.messages import Passage
from bot.storage import passages, vector_index
from bot.storage.database import read_again_after_restart
from bot.storage.passages import Search

VISIBLE_SECONDS = 60.0
MAX_AUDIENCES = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is searched: up to `exact_up_to` visible vectors every one is compared, above it
    an HNSW index is used; each side brings `candidates` chunks, `passages` are returned."""

    exact_up_to: int = 5_000
    candidates: int = 40
    passages: int = 5


class Retriever:
    """Hybrid retrieval over the index of one encoder."""

    def __init__(
        self, engine: AsyncEngine, encoder: Encoder, encoder_id: int, limits: Limits
    ) -> None:
        self._engine = engine
        self._encoder = encoder
        self.encoder_id = encoder_id
        self._limits = limits
        self._exact: dict[frozenset[str], tuple[float, bool]] = {}

    async def retrieve(self, question: str, principals: frozenset[str]) -> Sequence[Passage]:
        """The best passages that all `principals`' documents hold, best first."""
        return await self.search(question, await self.encode(question), principals)

    async def encode(self, question: str) -> Vectors:
        """The vector of a question, float32[dimension]."""
        return await self._encoder.encode_question(question)

    async def encode_all(self, questions: Sequence[str]) -> Vectors:
        """The vectors of many questions, float32[len(questions), dimension]."""
        return await self._encoder.encode(questions)

    async def search(
        self,
        question: str,
        vector: Vectors,
        principals: frozenset[str],
        sources: tuple[str, ...] = (),
    ) -> Sequence[Passage]:
        """As `retrieve`, with the question's vector at hand; of these sources only, if given."""
        return await read_again_after_restart(
            lambda: self._search(question, vector, principals, sources)
        )

    async def _search(
        self, question: str, vector: Vectors, principals: frozenset[str], sources: tuple[str, ...]
    ) -> list[Passage]:
        return await passages.search(
            self._engine,
            Search(
                question=question,
                vector=vector,
                encoder_id=self.encoder_id,
                principals=principals,
                passages=self._limits.passages,
                candidates=self._limits.candidates,
                is_exact=await self._is_exact(principals),
                sources=sources,
            ),
        )

    async def _is_exact(self, principals: frozenset[str]) -> bool:
        """Whether few enough vectors are visible; looked up again after a minute."""
        known = self._exact.get(principals)
        if known and time.monotonic() - known[0] < VISIBLE_SECONDS:
            return known[1]
        limit = self._limits.exact_up_to
        is_exact = await passages.count_visible(
            self._engine, self.encoder_id, principals, limit + 1
        ) <= limit or not await vector_index.is_searchable(self._engine, self.encoder_id)
        if len(self._exact) >= MAX_AUDIENCES:
            self._exact.clear()
        self._exact[principals] = (time.monotonic(), is_exact)
        return is_exact
