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
from collections.abc import Callable, Sequence
from dataclasses import asdict
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App, open_app
from bot.child import end_with_parent, report, report_failure, report_result
from bot.encoder import Encoder
from bot.errors import SupportbotError, TrainingError
from bot.forgetting import forget_vanished
from bot.gathering import gather, live_snapshot
from bot.intents import registry, snapshot
from bot.intents.dataset import Example, Origin, Split, names_of
from bot.intents.evaluation import Metrics, measure, refusal
from bot.intents.model import read_model
from bot.settings import load_settings
from bot.storage import classifiers, examples, reviews

Tell = Callable[[float, str], None]
TOLD_SECONDS = 1.0
SCRATCH = ".retraining-"
ASKED = "--asked"

log = logging.getLogger(__name__)


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
    data = gathered.split
    training = (*data.training, *names_of(app.catalog))
    settings = app.settings.intents
    plan = Plan(settings.model, settings.keep_in_scope)
    manner = asdict(plan) | {"encoder": app.encoder.manifest.fingerprint}
    content = snapshot.write(manner, Split(training, data.test), gathered.outside)
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
        tell(0.99, "judging it beside the live version")
        metrics = await _judge(app.encoder, folder, data.test)
        live_metrics = await _judge_live(app, live, data.test)
        figures = {
            "examples": len(training),
            "new": gathered.new,
            "refused": gathered.refused,
            "seconds": round(time.monotonic() - started, 1),
            "trained": asdict(trained),
            "test": asdict(metrics),
            "live_test": asdict(live_metrics) if live_metrics else None,
        }
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        files[classifiers.SNAPSHOT] = content  # never on disk, where forgetting would not reach it
        version = await classifiers.add(
            app.engine, classifiers.NewVersion(app.encoder_id, live, names, figures, files)
        )
    await examples.note_people(app.engine, version, gathered.people)
    await forget_vanished(app.engine, version)
    reason = await _decide(app.engine, version, live, refusal(metrics, live_metrics))
    await _keep_picture(app.engine, version, reason, metrics, live_metrics)
    await classifiers.forget_files(app.engine)
    return {"version": version, "is_live": not reason, "refusal": reason or None} | figures


async def _decide(engine: AsyncEngine, version: int, live: int | None, reason: str) -> str:
    """Promote the version, or refuse it for a reason; why it was not promoted."""
    if not reason and not await classifiers.promote(engine, version, instead_of=live):
        reason = "Another version went live meanwhile; the next retraining compares with that one."
    if reason:
        await classifiers.refuse(engine, version, reason)
    return reason


async def _keep_picture(
    engine: AsyncEngine, version: int, reason: str, metrics: Metrics, live: Metrics | None
) -> None:
    """Draw what the training showed; the version is decided on, with or without its picture."""
    from bot.intents.report import draw

    decision = f"It stays out. {reason}" if reason else "It is live."
    try:
        picture = draw(version, decision, metrics, live)
    except (OSError, RuntimeError, ValueError) as error:
        log.warning("Version %s has no picture, as it cannot be drawn: %s", version, error)
    else:
        await classifiers.keep_picture(engine, version, picture)


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


async def _judge_live(app: App, live: int | None, test: Sequence[Example]) -> Metrics | None:
    """How the live version does on the test, if it knows the same intents."""
    found = await classifiers.find(app.engine, live) if live is not None else None
    if found is None or set(found.intents) != set(app.catalog.names):
        return None
    cache = app.settings.data_directory / "classifiers"
    folder = await registry.fetch(app.engine, found.id, cache)
    if read_model(folder).fingerprint != app.encoder.manifest.fingerprint:
        return None
    return await _judge(app.encoder, folder, test)


async def _judge(encoder: Encoder, folder: Path, test: Sequence[Example]) -> Metrics:
    """The metrics of a version as it serves."""
    model, tuned = read_model(folder), Encoder(folder)
    try:
        texts = [example.text for example in test]
        views = model.scorer.views(await encoder.encode(texts), await tuned.encode(texts))
    finally:
        tuned.close()
    order = {name: number for number, name in enumerate(model.names)}
    labels = np.array([order[example.intent] for example in test])
    is_in_scope = views.nearness >= model.blend.threshold
    return measure(model.blend.probabilities(views), is_in_scope, labels, model.names)


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
        async with open_app(load_settings()) as app:
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
