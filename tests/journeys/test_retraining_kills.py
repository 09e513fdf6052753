"""kill -9 of retrainings while they train, store and promote; SUPPORTBOT_KILLS says how many.

After each the live version loads from files whose hashes match, and whoever asked meanwhile was
answered by it.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.app import App
from bot.intents import registry
from bot.storage import classifiers
from tests.intents.conftest import CATALOG, catalog, catalog_file, version_folder
from tests.journeys.test_intents import settings, stored

__all__ = ["catalog", "catalog_file", "settings", "version_folder"]

KILLS = int(os.environ.get("SUPPORTBOT_KILLS", "3"))
SAID = "good morning everybody"


@contextlib.asynccontextmanager
async def asking(app: App) -> AsyncIterator[list[int]]:
    """The versions that predict while this is open; any error fails the test at its end."""
    vector = await app.encoder.encode_question(SAID)
    seen: list[int] = []

    async def ask() -> None:
        while True:
            current = await app.live.current()
            assert current is not None
            seen.append((await current.classify(SAID, vector)).version)
            await asyncio.sleep(0.01)

    assert await app.live.current() is not None
    task = asyncio.ensure_future(ask())
    yield seen
    task.cancel()
    (ended,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), ended


async def killed_at(home: Path, app: App, share: float, delay: float) -> bool:
    """Whether a retraining was killed, once it said to have come so far, and a moment later; with
    a share above 1, once its version stands in the database."""
    known = {version.id for version in await classifiers.newest(app.engine, 100)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.retraining", cwd=home, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    async for line in process.stdout:
        with contextlib.suppress(ValueError):
            if min(share, 0.97) <= (json.loads(line).get("progress") or 0):
                break
    while share > 1 and process.returncode is None:
        if {version.id for version in await classifiers.newest(app.engine, 100)} - known:
            break
        await asyncio.sleep(0.005)
    await asyncio.sleep(delay)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.stdout.read()
    return await process.wait() == -signal.SIGKILL


@pytest.mark.timeout(300 + 120 * KILLS)
async def test_a_retraining_killed_at_any_moment_leaves_a_whole_live_version(
    app: App, home: Path, version_folder: Path, tmp_path: Path
) -> None:
    live = await stored(app, version_folder)
    moments = random.Random(11)
    killed = 0
    async with asking(app) as seen:
        for kill in range(KILLS):
            (home / "intents.yaml").write_text(
                f"{CATALOG}      - pass me to a person, I have asked {kill} times\n"
            )
            share = (moments.random(), 0.97, 1.1)[kill % 3]
            delay = (moments.random(), 8 * moments.random(), moments.random() ** 3)[kill % 3]
            killed += await killed_at(home, app, share, delay)
            now = await classifiers.live_id(app.engine)
            assert now is not None
            if now != live:
                found = await classifiers.find(app.engine, now)
                assert found is not None
                assert (found.parent_id, found.promoted_by) == (live, "retraining")
                live = now
            folder = await registry.fetch(app.engine, now, tmp_path / "fresh" / str(kill))
            registry.load(now, folder).close()
            answered = len(seen)
            while len(seen) < answered + 20:
                await asyncio.sleep(0.05)
        async with asyncio.timeout(60):
            while seen[-1] != live:
                await asyncio.sleep(0.1)
    assert killed
    app.live.close()
