"""A candidate's way: judged beside the live version, stored, promoted or refused, pictured.

The same for one that was trained here and one that was imported.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.forgetting import forget_vanished
from bot.intents import registry
from bot.intents.dataset import Origin
from bot.intents.judging import HeldOut, Judgement, judge
from bot.intents.labelling import Gathered
from bot.intents.model import read_model
from bot.storage import classifiers, examples

Tell = Callable[[float, str], None]
SCRATCH = ".retraining-"
PICTURED_VERSIONS = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A version in a folder: what it learnt from, the live version then, who made it, and what is
    noted of how that went.

    `data` is what is kept of what it learnt from; it is never written to the disk, where forgetting
    a person would not reach it.
    """

    folder: Path
    parent: int | None
    gathered: Gathered
    data: bytes
    by: str
    figures: Mapping[str, Any]


async def put_forward(app: App, candidate: Candidate, tell: Tell) -> dict[str, Any]:
    """Judge and store a candidate; it goes live where the gate lets it. What came of it, for JSON.

    A kill at any moment leaves the live version as it is, or the new one live as a whole.
    """
    started = time.monotonic()
    gathered = candidate.gathered
    tell(0.98, "judging it beside the live version")
    tests = HeldOut(gathered.split.test, gathered.outside, _correction_weight(gathered))
    live = await _live_folder(app, candidate.parent)
    judged = await judge(app.encoder, candidate.folder, live, tests, app.catalog.names)
    figures = {
        **candidate.figures,
        "judging_seconds": round(time.monotonic() - started, 1),
        "test": _metrics(judged.metrics),
        "live_test": _metrics(judged.live_metrics),
        "gate": [asdict(count) for count in judged.counts],
        "new": gathered.new,
        "refused": gathered.refused,
    }
    files = {path.name: path.read_bytes() for path in sorted(candidate.folder.iterdir())}
    files[classifiers.SNAPSHOT] = candidate.data
    tell(0.99, "storing it")
    version = await classifiers.add(
        app.engine,
        classifiers.NewVersion(app.encoder_id, candidate.parent, app.catalog.names, figures, files),
    )
    await examples.note_people(app.engine, version, gathered.people)
    await forget_vanished(app.engine, version)
    reason = await _decide(app.engine, version, candidate, judged.refusal)
    await _keep_pictures(app.engine, version, reason, judged)
    await classifiers.forget_files(app.engine)
    return {"version": version, "is_live": not reason, "refusal": reason or None} | figures


def _correction_weight(gathered: Gathered) -> float:
    """How many questions were taken wrong for each of which people said what it is."""
    counts = Counter(example.origin for example in gathered.split.training)
    if not counts[Origin.CORRECTED]:
        return 1.0
    return 1 + counts[Origin.EXCLUDED] / counts[Origin.CORRECTED]


def _metrics(metrics: Any) -> dict[str, Any] | None:
    return None if metrics is None else asdict(metrics)


async def _live_folder(app: App, live: int | None) -> Path | None:
    """The live version's files; None where there is none, or none that could serve beside this
    retrieval encoder."""
    if live is None:
        return None
    folder = await registry.fetch(app.engine, live, app.settings.data_directory / "classifiers")
    is_of_this_encoder = read_model(folder).fingerprint == app.encoder.manifest.fingerprint
    return folder if is_of_this_encoder else None


async def _decide(engine: AsyncEngine, version: int, candidate: Candidate, reason: str) -> str:
    """Promote the version, or refuse it for a reason; why it was not promoted."""
    is_live = not reason and await classifiers.promote(
        engine, version, instead_of=candidate.parent, by=candidate.by
    )
    if not is_live:
        reason = reason or (
            "Another version went live meanwhile; the next retraining compares with that one."
        )
        await classifiers.refuse(engine, version, reason)
    return reason


async def _keep_pictures(engine: AsyncEngine, version: int, reason: str, judged: Judgement) -> None:
    """Draw what the training showed; the version is decided on, with or without its pictures."""
    from bot.intents.panels import Point, draw_panels
    from bot.intents.report import draw

    if judged.metrics is None:
        return
    decision = f"It stays out. {reason}" if reason else "It is live."
    history = [
        Point(each.id, each.metrics["test"]["macro_f1"], each.metrics["test"]["accuracy"],
              each.state == "refused")
        for each in reversed(await classifiers.newest(engine, PICTURED_VERSIONS))
        if each.metrics.get("test")
    ]  # fmt: skip
    try:
        picture = draw(version, decision, judged.metrics, judged.live_metrics)
        panels = draw_panels(version, judged.metrics, judged.live_metrics, history)
    except (OSError, RuntimeError, ValueError) as error:
        log.warning("Version %s has no picture, as it cannot be drawn: %s", version, error)
    else:
        await classifiers.keep_picture(engine, version, picture, panels)
