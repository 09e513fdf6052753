"""`python -m bot.retraining`: train a classifier, judge it beside the live one, promote the better.

Runs in a process of its own, as training needs torch and every processor for minutes. Progress is
JSON lines on standard output: {"progress": 0.42, "note": "…", "seconds_left": 40}, at last
{"result": {…}}. What goes wrong is one sentence on standard error, with exit status 1.
"""

import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bot.app import App, open_app
from bot.encoder import Encoder
from bot.errors import SupportbotError
from bot.intents import registry
from bot.intents.dataset import Example, Split, examples_of, names_of, split
from bot.intents.evaluation import Metrics, measure, refusal
from bot.intents.model import read_model
from bot.settings import load_settings
from bot.storage import classifiers

Tell = Callable[[float, str], None]
TOLD_SECONDS = 1.0


async def retrain(app: App, tell: Tell) -> dict[str, Any]:
    """Train on the catalog; store the version and promote it, or say why not.

    Raises:
        SupportbotError: there is too little to train on, or a file cannot be used.
    """
    from bot.intents.training import Plan, train

    started = time.monotonic()
    names = app.catalog.names
    data = split(examples_of(app.catalog))
    training = (*data.training, *names_of(app.catalog))
    settings = app.settings.intents
    with tempfile.TemporaryDirectory(dir=app.settings.data_directory) as scratch:
        folder = Path(scratch) / "version"
        plan = Plan(settings.model, settings.keep_in_scope)
        trained = await train(training, names, app.encoder, plan, folder, tell)
        tell(0.99, "judging it beside the live version")
        metrics = await _judge(app.encoder, folder, names, data.test)
        live, live_metrics = await _live(app, data.test)
        report = {
            "examples": len(training),
            "seconds": round(time.monotonic() - started, 1),
            "trained": asdict(trained),
            "test": asdict(metrics),
            "live_test": asdict(live_metrics) if live_metrics else None,
        }
        _write_snapshot(folder / "dataset.jsonl", Split(training, data.test))
        files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        version = await classifiers.add(
            app.engine, classifiers.NewVersion(app.encoder_id, live, names, report, files)
        )
    reason = refusal(metrics, live_metrics)
    if not reason and not await classifiers.promote(app.engine, version, instead_of=live):
        reason = "Another version went live meanwhile. Retrain again to compare with that one."
    if reason:
        await classifiers.refuse(app.engine, version, reason)
    return {"version": version, "is_live": not reason, "refusal": reason or None} | report


async def _live(app: App, test: Sequence[Example]) -> tuple[int | None, Metrics | None]:
    """The live version, and how it does on the test if it knows the same intents."""
    live = await classifiers.live_id(app.engine)
    found = await classifiers.find(app.engine, live) if live is not None else None
    if found is None or set(found.intents) != set(app.catalog.names):
        return live, None
    cache = app.settings.data_directory / "classifiers"
    folder = await registry.fetch(app.engine, found.id, cache)
    if read_model(folder).fingerprint != app.encoder.manifest.fingerprint:
        return live, None
    return live, await _judge(app.encoder, folder, found.intents, test)


async def _judge(
    encoder: Encoder, folder: Path, names: Sequence[str], test: Sequence[Example]
) -> Metrics:
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


def _write_snapshot(path: Path, data: Split) -> None:
    """What was trained on and tested with, a line of JSON each."""
    with path.open("w", encoding="utf-8") as file:
        for part, examples in (("training", data.training), ("test", data.test)):
            for example in examples:
                file.write(json.dumps({"part": part} | asdict(example), ensure_ascii=False) + "\n")


class Telling:
    """Progress as JSON lines, at most one a second, with the time left."""

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
        left = round(taken / share - taken) if share > 0.02 else None
        _print({"progress": round(share, 3), "note": note, "seconds_left": left})


def main() -> None:
    """Retrain with the settings of this folder."""
    # Waiting threads that spin would take the processors from the bot's own.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")

    async def work() -> dict[str, Any]:
        async with open_app(load_settings()) as app:
            return await retrain(app, Telling())

    try:
        _print({"result": asyncio.run(work())})
    except SupportbotError as error:
        sys.exit(str(error))
    except ModuleNotFoundError as error:
        sys.exit(f"Training needs the package {error.name!r}. Run: pip install 'supportbot[train]'")
    except KeyboardInterrupt:
        sys.exit(130)


def _print(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
