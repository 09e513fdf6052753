"""`python -m bot.retraining`: train a classifier, judge it beside the live one, promote the better.

Runs in a process of its own, as training needs torch and every processor for minutes; it speaks as
`bot.child` says. With --asked it trains even where the schedule would wait.
"""

import asyncio
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
from bot.gathering import gather, live_snapshot
from bot.intents import snapshot
from bot.intents.dataset import Origin, Split, names_of
from bot.limits import Limits, keep_within
from bot.settings import load_settings
from bot.storage import classifiers, examples, reviews

TOLD_SECONDS = 1.0
ASKED = "--asked"


async def retrain(app: App, tell: Tell, *, is_asked: bool = True) -> dict[str, Any]:
    """Train on the catalog and what people rated; store the version and promote it, or say why not.

    Where the same data was learnt from in the same way before, nothing is trained; nor, unless a
    person asked for it, where little has changed.

    Raises:
        SupportbotError: there is too little to train on, or a file cannot be used.
    """
    from bot.intents.training import Plan, train

    if find_spec("matplotlib") is None:  # told now, not after minutes of training
        raise ModuleNotFoundError(name="matplotlib")
    started = time.monotonic()
    names = app.catalog.names
    tell(0.0, "gathering examples")
    gathered = await gather(app)
    await reviews.note(app.engine, gathered.to_review)
    training = (*gathered.split.training, *names_of(app.catalog))
    settings = app.settings.intents
    plan = Plan(settings.model, settings.keep_in_scope)
    manner = asdict(plan) | {"encoder": app.encoder.manifest.fingerprint}
    content = snapshot.write(manner, Split(training, gathered.split.test), gathered.outside)
    live = await classifiers.live_id(app.engine)
    if skipped := await _same(app, live, content):
        return skipped
    if not is_asked and (skipped := await _idle(app, live, gathered.new, snapshot.read(content))):
        return skipped
    for leftover in app.settings.data_directory.glob(f"{SCRATCH}*"):  # of one that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=app.settings.data_directory) as scratch:
        folder = Path(scratch) / "version"
        trained = await train(training, names, app.encoder, plan, folder, tell)
        figures = {
            "examples": len(training),
            "origins": Counter(example.origin for example in training),
            "seconds": round(time.monotonic() - started, 1),
            "trained": asdict(trained),
        }
        candidate = Candidate(folder, live, gathered, content, "retraining", figures)
        return await put_forward(app, candidate, tell)


async def _same(app: App, live: int | None, content: bytes) -> dict[str, Any] | None:
    """What is said where this training would give a version again that was settled: the live one,
    one refused beside it, or one that somebody took back, which only a hand makes live again."""
    for version in await classifiers.trained_with(app.engine, sha256(content).digest()):
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


async def _idle(
    app: App, live: int | None, new: int, found: snapshot.Snapshot
) -> dict[str, Any] | None:
    """What is said where a schedule has too little to train on; None where it should train."""
    before = await live_snapshot(app)
    minimum = app.settings.learning.minimum_new
    if live is None or before is None or new >= minimum:
        return None
    by_team = (Origin.CATALOG, Origin.NAME)
    if before.of(*by_team) != found.of(*by_team) or before.plan != found.plan:
        return None
    if await examples.forgotten_examples(app.engine, live):
        return None
    what = "example is" if new == 1 else "examples are"
    said = (
        f"{new} {what} new since version {live} was trained; the schedule waits for {minimum} "
        "(minimum_new below [learning]). To train at once, ask for a retraining."
    )
    return {"version": live, "is_live": True, "skipped": said}


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
            return await retrain(app, Telling(), is_asked=ASKED in sys.argv[1:])

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
