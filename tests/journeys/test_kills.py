"""kill -9 of workers at random moments of real jobs; SUPPORTBOT_KILLS says how many, 2 unless set.

What holds after each: the index equals the folder, the live classifier's files are whole, and
every job that was asked for has ended once.
"""

import asyncio
import os
import random
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.encoder import Encoder
from bot.intents import registry
from bot.storage import classifiers, jobs
from tests.ingest.worker_processes import WorkerProcess
from tests.intents.conftest import CATALOG

KILLS = int(os.environ.get("SUPPORTBOT_KILLS", "2"))
SETTINGS = (
    'data_directory = "data"\nretraining.schedule = ""\nintents.catalog = "intents.yaml"\n'
    '[[sources]]\nname = "documents"\nfolder = "documents"\nschedule = ""\n'
)


async def texts(engine: AsyncEngine) -> dict[str, str]:
    """What is indexed, by URI."""
    query = text(
        "SELECT uri, string_agg(c.text, '' ORDER BY c.ordinal) FROM documents AS d"
        " JOIN chunks AS c ON c.document_id = d.id GROUP BY uri"
    )
    async with engine.connect() as connection:
        return {row[0]: row[1] for row in await connection.execute(query)}


async def check_live_version(engine: AsyncEngine, encoder: Encoder, cache: Path) -> None:
    """The live version loads from its files, which are what was stored, and predicts."""
    live = await classifiers.live_id(engine)
    if live is None:
        return
    classifier = registry.load(live, await registry.fetch(engine, live, cache / str(live)))
    vector = await encoder.encode_question("good morning everybody")
    prediction = await classifier.classify("good morning everybody", vector)
    assert prediction.intent == "greeting"
    classifier.close()


async def test_kills_at_random_moments_lose_and_double_nothing(
    home: Path, engine: AsyncEngine, encoder: Encoder, tmp_path: Path
) -> None:
    (home / "supportbot.toml").write_text(SETTINGS)
    pages = {f"{number}.md": f"Page {number} says hello." for number in range(60)}
    moments = random.Random(7)
    catalog, retrainings = CATALOG, 0
    for kill in range(KILLS):
        kind = ("reindex", "retrain")[kill % 2]
        if kind == "reindex":
            pages = {name: f"{page} Edition {kill}." for name, page in pages.items()}
            for name, page in pages.items():
                (home / "documents" / name).write_text(page)
        else:
            retrainings += 1
            catalog += f"      - pass me to a person, I have asked {kill} times\n"
        (home / "intents.yaml").write_text(catalog)
        key = "documents" if kind == "reindex" else ""
        job = await jobs.request(engine, kind, key, "test")
        with WorkerProcess(home, is_real=True):
            await asyncio.sleep(moments.uniform(0.5, 4 if kind == "reindex" else 12))
        with WorkerProcess(home, is_real=True):
            ended = await jobs.wait_for(engine, job.job_id)
        assert (ended.id, ended.state, ended.failure) == (job.job_id, "succeeded", None)
        if kind == "reindex":
            assert await texts(engine) == pages
        await check_live_version(engine, encoder, tmp_path / "cache")
    assert await jobs.active(engine) == []
    states = [version.state for version in await classifiers.newest(engine, 1000)]
    assert states.count("live") == min(retrainings, 1)
    assert states.count("live") + states.count("retired") + states.count("refused") == retrainings
