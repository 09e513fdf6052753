"""supportbot as a contender: `python -m benchmarks.ours --postgres URL --home FOLDER`.

The same commands as the yardstick's. Cold start is a whole process from nothing imported to its
first answer; reindexing runs in the process that a user would start, without its start-up, as the
yardstick's does.
"""

import argparse
import asyncio
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.contender import serve

TICK_SECONDS = 0.01


class Ours:
    """The app on a folder, built at the first command."""

    def __init__(self, postgres: str, home: Path, folder: Path) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / ".env").write_text(f"DATABASE_URL={postgres}\n")
        (home / "supportbot.toml").write_text(
            f'[[sources]]\nname = "files"\nfolder = "{folder}"\n[database]\npool_size = 8\n'
        )
        self.home = home
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.app: Any = None
        self.pipeline: Any = None

    def _ready(self) -> Any:
        if self.app is None:
            from bot.app import open_app
            from bot.settings import load_settings

            opening = open_app(load_settings(self.home, {}))
            self.app = self.runner.run(self.stack.enter_async_context(opening))
            self.assistant = self.app.assistant()
        return self.app

    async def _ask(self, text: str) -> float:
        from bot.platforms.terminal import question_of

        started = time.perf_counter()
        await self.assistant.compose(question_of(text))
        return (time.perf_counter() - started) * 1000

    def question(self, text: str) -> dict[str, Any]:
        """Retrieval and extractive answer, as the yardstick's: nothing is stored."""
        self._ready()
        return {"ms": self.runner.run(self._ask(text))}

    def askers(self, texts: list[str], count: int) -> dict[str, Any]:
        """`count` people asking at once until all the questions are answered."""
        self._ready()

        async def ask_all() -> list[float]:
            gate = asyncio.Semaphore(count)

            async def ask(text: str) -> float:
                async with gate:
                    return await self._ask(text)

            return await asyncio.gather(*(ask(text) for text in texts))

        started = time.perf_counter()
        taken = self.runner.run(ask_all())
        return {"per_second": len(texts) / (time.perf_counter() - started), "ms": taken}

    def lag(self, texts: list[str], count: int, seconds: float) -> dict[str, Any]:
        """`count` people asking again and again for so long; how late the event loop's timers are,
        and what a question takes, in milliseconds."""
        self._ready()
        late: list[float] = []
        taken: list[float] = []

        async def watch() -> None:
            while True:
                started = time.perf_counter()
                await asyncio.sleep(TICK_SECONDS)
                late.append((time.perf_counter() - started - TICK_SECONDS) * 1000)

        async def ask(number: int) -> None:
            while time.perf_counter() < end:
                taken.append(await self._ask(texts[number % len(texts)]))
                number += count

        async def work() -> None:
            watching = asyncio.ensure_future(watch())
            await asyncio.gather(*(ask(number) for number in range(count)))
            watching.cancel()

        end = time.perf_counter() + seconds
        self.runner.run(work())
        return {"lag_ms": late, "ms": taken, "has_torch": "torch" in sys.modules}

    def ingest(self, folder: str) -> dict[str, Any]:
        """Bring the index up to date with the folder."""
        app = self._ready()
        from ingest.parsing import Parser
        from ingest.pipeline import Pipeline
        from ingest.sources.folder import FolderSource

        if self.pipeline is None:
            self.pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, Parser())
        source = FolderSource("files", Path(folder), audience=frozenset({"everyone"}))
        started = time.perf_counter()
        report = self.runner.run(self._reindex(source))
        seconds = time.perf_counter() - started
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        counts = report.counts
        return {
            "seconds": seconds,
            "files": counts.indexed + counts.unchanged + counts.rejected,
            "indexed": counts.indexed,
            "problems": report.problems[:5],
            "bytes_per_second": size / seconds,
        }

    async def _reindex(self, source: Any) -> Any:
        """What `python -m ingest` does for a source."""
        from bot.storage import vector_index

        report = await self.pipeline.reindex(source, allow_shrink=True)
        limit = self.app.settings.search.exact_up_to
        await vector_index.ensure(
            self.app.engine, self.app.encoder_id, self.app.encoder.dimension, limit
        )
        return report

    def encoder_limit(self) -> dict[str, Any]:
        """Seconds that the encoder alone needs for every piece of the index, by length."""
        app = self._ready()
        from sqlalchemy import text

        async def texts() -> list[str]:
            async with app.engine.connect() as connection:
                rows = await connection.execute(
                    text(
                        "SELECT c.context || ': ' || substr(c.text, p.bounds[1] + 1,"
                        " p.bounds[cardinality(p.bounds)] - p.bounds[1])"
                        " FROM pieces AS p JOIN chunks AS c ON c.id = p.chunk_id"
                    )
                )
                return list(rows.scalars())

        pieces = self.runner.run(texts())
        tokens = sum(min(256, count + 2) for count in app.encoder.count_tokens(pieces))
        started = time.perf_counter()
        self.runner.run(app.encoder.encode(pieces))
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "tokens": tokens, "pieces": len(pieces)}


def main() -> None:
    """Answer commands until stdin closes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--postgres", required=True)
    options.add_argument("--home", type=Path, required=True)
    options.add_argument("--folder", type=Path, required=True)
    given = options.parse_args()
    ours = Ours(given.postgres, given.home, given.folder)
    serve(
        {
            "question": ours.question,
            "askers": ours.askers,
            "lag": ours.lag,
            "ingest": ours.ingest,
            "encoder_limit": ours.encoder_limit,
        }
    )


if __name__ == "__main__":
    main()
