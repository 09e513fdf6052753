"""`python -m bot.retraining`: train a classifier, judge it beside the live one, promote the better.

Runs in a process of its own, as training needs torch and every processor for minutes; it speaks as
`bot.child` says.
"""

import asyncio
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bot.app import App, open_app
from bot.candidates import SCRATCH, Candidate, Tell, put_forward
from bot.child import end_with_parent, report, report_failure, report_result
from bot.errors import SupportbotError, TrainingError
from bot.intents.dataset import Split
from bot.intents.labelling import of_catalog
from bot.limits import Limits, keep_within
from bot.settings import load_settings
from bot.storage import classifiers

TOLD_SECONDS = 1.0


async def retrain(app: App, tell: Tell) -> dict[str, Any]:
    """Train on the catalog; store the version and promote it, or say why not.

    Where the same data was learnt from in the same way before, nothing is trained.

    Raises:
        SupportbotError: there is too little to train on, or a file cannot be used.
    """
    from bot.intents.training import Plan, train

    if find_spec("matplotlib") is None:  # told now, not after minutes of training
        raise ModuleNotFoundError(name="matplotlib")
    started = time.monotonic()
    gathered = of_catalog(app.catalog)
    data, settings = gathered.split, app.settings.intents
    plan = Plan(settings.model, settings.keep_in_scope)
    snapshot = _snapshot(data, plan, app.encoder.manifest.fingerprint)
    live = await classifiers.live_id(app.engine)
    if skipped := await _same(app, live, snapshot):
        return skipped
    for leftover in app.settings.data_directory.glob(f"{SCRATCH}*"):  # of one that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=app.settings.data_directory) as scratch:
        folder = Path(scratch) / "version"
        trained = await train(data.training, app.catalog.names, app.encoder, plan, folder, tell)
        (folder / classifiers.SNAPSHOT).write_bytes(snapshot)
        figures = {
            "examples": len(data.training),
            "origins": Counter(example.origin for example in data.training),
            "seconds": round(time.monotonic() - started, 1),
            "trained": asdict(trained),
        }
        candidate = Candidate(folder, live, gathered, "retraining", figures)
        return await put_forward(app, candidate, tell)


async def _same(app: App, live: int | None, snapshot: bytes) -> dict[str, Any] | None:
    """What is said where this training would give a version again that was settled: the live one,
    one refused beside it, or one that somebody took back, which only a hand makes live again."""
    for version in await classifiers.trained_with(app.engine, sha256(snapshot).digest()):
        said = f"Nothing has changed since version {version.id} was trained"
        if version.rolled_back_at is not None:
            said += (
                f", which {version.rolled_back_by} rolled back on {version.rolled_back_at:%Y-%m-%d}"
                ". Change the catalog to train another"
            )
            if version.has_files:
                said += f", or make it live again: supportbot rollback {version.id}"
        elif version.id != live and (version.state != "refused" or version.parent_id != live):
            continue
        return {"version": version.id, "is_live": version.id == live, "skipped": f"{said}."}
    return None


def _snapshot(data: Split, plan: Any, fingerprint: str) -> bytes:
    """What is trained on and tested with, and how: JSON, an example a line."""
    lines: list[dict[str, Any]] = [asdict(plan) | {"encoder": fingerprint}]
    for part, examples in (("training", data.training), ("test", data.test)):
        lines += [{"part": part} | asdict(example) for example in examples]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()


class Telling:
    """Progress, at most once a second, with the time left."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._told_at = float("-inf")

    def __call__(self, share: float, note: str) -> None:
        """Tell how much is done, from 0 to 1, and what is being done."""
        now = time.monotonic()
        if now - self._told_at < TOLD_SECONDS:
            return
        self._told_at = now
        taken = now - self._started
        report(round(share, 3), note, round(taken / share - taken) if share > 0.02 else None)


def main() -> None:
    """Retrain with the settings of this folder, as a job's child."""
    end_with_parent()
    # Waiting threads that spin would take the processors from the bot's own.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")

    async def work() -> dict[str, Any]:
        settings = load_settings()
        keep_within(Limits(settings.retraining.threads, settings.retraining.memory_mb))
        async with open_app(settings) as app:
            return await retrain(app, Telling())

    try:
        report_result(asyncio.run(work()))
    except SupportbotError as error:
        report_failure(error)
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        report_failure(
            TrainingError(
                f"Training needs the package {error.name!r}. Run: pip install 'supportbot[train]'"
            )
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
