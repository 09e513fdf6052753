"""Our encoder and our retrieval behind LlamaIndex's interfaces, for its synthesisers and tools."""

from typing import Any

from llama_index.core.async_utils import asyncio_run
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from pydantic import PrivateAttr

from bot.encoder import Encoder
from bot.messages import EVERYONE, Passage
from bot.rag.retriever import Retriever


class EncoderEmbedding(BaseEmbedding):
    """The encoder as a LlamaIndex embedding; vectors have length 1."""

    _encoder: Encoder = PrivateAttr()

    def __init__(self, encoder: Encoder, **settings: Any) -> None:
        super().__init__(model_name=encoder.manifest.model, **settings)
        self._encoder = encoder

    async def _aget_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = (await self._encoder.encode_question(query)).tolist()
        return vector

    async def _aget_text_embedding(self, text: str) -> list[float]:
        vector: list[float] = (await self._encoder.encode([text]))[0].tolist()
        return vector

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [vector.tolist() for vector in await self._encoder.encode(texts)]

    def _get_query_embedding(self, query: str) -> list[float]:
        vector: list[float] = asyncio_run(self._aget_query_embedding(query))
        return vector

    def _get_text_embedding(self, text: str) -> list[float]:
        vector: list[float] = asyncio_run(self._aget_text_embedding(text))
        return vector

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = asyncio_run(self._aget_text_embeddings(texts))
        return vectors


class HybridRetriever(BaseRetriever):
    """Hybrid retrieval as a LlamaIndex retriever; a node's metadata keeps each part of its score.

    It finds what `principals` may read, and nothing else.
    """

    def __init__(
        self, retriever: Retriever, principals: frozenset[str] = frozenset({EVERYONE})
    ) -> None:
        super().__init__()
        self._retriever = retriever
        self._principals = principals

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        passages = await self._retriever.retrieve(query_bundle.query_str, self._principals)
        return [node_of(passage) for passage in passages]

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        nodes: list[NodeWithScore] = asyncio_run(self._aretrieve(query_bundle))
        return nodes


def node_of(passage: Passage) -> NodeWithScore:
    """A passage as a scored node; its score is the fused one."""
    scores = passage.scores
    node = TextNode(
        id_=f"chunk-{passage.chunk_id}",
        text=passage.text,
        metadata={
            "title": passage.title,
            "headings": list(passage.headings),
            "url": passage.url,
            "source": passage.source,
            "uri": passage.uri,
            "cosine": scores.cosine,
            "bm25": scores.bm25,
            "coverage": scores.coverage,
        },
        excluded_llm_metadata_keys=["source", "uri", "cosine", "bm25", "coverage"],
    )
    return NodeWithScore(node=node, score=scores.fused)
