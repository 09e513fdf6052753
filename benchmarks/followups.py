"""How well follow-up questions are found, over the handbook: `python -m benchmarks.followups`.

`followups.jsonl` holds conversations: the questions before, the one asked, the same written out,
the page that answers it, and whether it follows up or changes the topic. Half of them, by the hash
of the question and what came before, tuned the rule; the other half only judges it.
"""

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks.quality import share
from benchmarks.server import exported_encoder, new_database, server
from bot.encoder import Encoder
from bot.messages import EVERYONE
from bot.rag.confidence import confidence_in
from bot.rag.followup import is_plain, joined
from bot.rag.retriever import Limits, Retriever
from bot.storage import encoders
from bot.storage.database import open_database
from ingest.parsing import Parser
from ingest.pipeline import Pipeline
from ingest.sources.folder import FolderSource

DATA = Path(__file__).with_name("followups.jsonl")
HANDBOOK = Path(__file__).resolve().parents[1] / "docs"
RANKS = (1, 5)
MIN_CONFIDENCE = 0.5


@dataclass(frozen=True, slots=True)
class Conversation:
    """Questions `before`, the one asked, as it reads alone, and the page that answers."""

    before: tuple[str, ...]
    question: str
    standalone: str
    uri: str
    kind: str

    @property
    def half(self) -> str:
        """Whether it tuned the rule or judges it."""
        text = "\n".join((*self.before, self.question))
        return ("tuning", "holdout")[hashlib.sha256(text.encode()).digest()[0] % 2]


class Found(NamedTuple):
    """The rank of the right page, from 1, and whether the bot is sure enough to answer."""

    rank: int
    is_answered: bool


def by_rule(asked: Conversation) -> tuple[str, ...]:
    """As the assistant does without a model: joined, and alone where that would be refused."""
    if is_plain(asked.question):
        return (asked.question,)
    return joined(asked.question, asked.before), asked.question


METHODS: dict[str, Callable[[Conversation], tuple[str, ...]]] = {
    "alone": lambda asked: (asked.question,),
    "always joined": lambda asked: (f"{asked.before[-1]} {asked.question}",),
    "rule": by_rule,
    "written out": lambda asked: (asked.standalone,),
}


def read_conversations() -> list[Conversation]:
    """Every conversation of the data set."""
    lines = DATA.read_text("utf-8").splitlines()
    return [
        Conversation(**{**entry, "before": tuple(entry["before"])})
        for entry in map(json.loads, lines)
    ]


async def ask(asked: Sequence[Conversation], retriever: Retriever) -> dict[str, list[Found]]:
    """What each method finds for each conversation."""
    found: dict[str, list[Found]] = {name: [] for name in METHODS}
    for name, method in METHODS.items():
        for conversation in asked:
            for text in method(conversation):
                passages = await retriever.retrieve(text, frozenset({EVERYONE}))
                is_answered = confidence_in(passages).about >= MIN_CONFIDENCE
                if is_answered:
                    break
            uris = [passage.uri for passage in passages]
            rank = uris.index(conversation.uri) + 1 if conversation.uri in uris else 99
            found[name].append(Found(rank, is_answered))
    return found


def report(asked: Sequence[Conversation], found: dict[str, list[Found]]) -> None:
    """Print R@1, R@5 and how many are right and answered, in per cent, for each half and kind."""
    for half in ("tuning", "holdout"):
        for kind in ("follow-up", "change"):
            chosen = [n for n, c in enumerate(asked) if (c.half, c.kind) == (half, kind)]
            plain = sum(is_plain(asked[n].question) for n in chosen)
            print(f"{half}, {kind} ({len(chosen)}; {plain} taken to stand alone)")
            for name, hits in found.items():
                shares = (
                    *(share(hits[n].rank <= limit for n in chosen) for limit in RANKS),
                    share(hits[n].rank == 1 and hits[n].is_answered for n in chosen),
                )
                print(f"  {name:14} " + "  ".join(f"{value:5.1f}" for value in shares))


async def main() -> None:
    """Index the handbook, ask everything in every way, print."""
    asked = read_conversations()
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as postgres:
        encoder_folder = exported_encoder(Path(folder))
        engine = await open_database(new_database(postgres, "followups"))
        encoder = Encoder(encoder_folder)
        try:
            encoder_id = await encoders.register(engine, encoder.manifest, encoder_folder)
            with Parser() as parser:
                source = FolderSource("handbook", HANDBOOK, audience=frozenset({EVERYONE}))
                await Pipeline(engine, encoder, encoder_id, parser).reindex(source)
            retriever = Retriever(engine, encoder, encoder_id, Limits())
            report(asked, await ask(asked, retriever))
        finally:
            encoder.close()
            await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
