"""`make bench-learning`: how test accuracy grows from ratings alone, version by version.

`python -m benchmarks.learning [--turns N] [--intents N] …`. A team starts with 5 or 10 utterances
an intent and is asked the other training questions of a tuning set. People rate some of the
answers, some of them wrongly. After every 1,000 questions the real retraining learns from what the
database holds, and its gate decides. Beside it stand two lines: a team that never learns, and a
training on the right labels of all questions asked. Every question, version and figure is kept in
the results' folder, where a run that was interrupted, or ran out of its minutes, goes on.
"""

import argparse
import asyncio
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.datasets import SkipBenchmark
from benchmarks.learning_report import draw, table
from benchmarks.learning_sets import SEED, SETS, Asked, Stream, stream
from benchmarks.measure import describe_machine
from benchmarks.people import Habits
from benchmarks.server import new_database, server
from benchmarks.team import ask, asked_so_far, learn, score, team
from bot.app import App
from bot.encoder import Encoder
from bot.intents.dataset import Example, Origin
from bot.intents.model import read_model
from bot.storage import classifiers

RESULTS = Path("benchmarks/results/learning")
EVERY = 1000
MODEL = "all-MiniLM-L6-v2"
console = Console(width=140)  # a name and eight figures, also in a file


@dataclass(frozen=True, slots=True)
class Course:
    """One run: whose questions, how many utterances an intent first, how many are rated."""

    set: str
    start: int
    rated: float
    turns: int | None
    every: int
    intents: int | None

    @property
    def name(self) -> str:
        """For people and for files."""
        parts = [self.set, f"from-{self.start}", f"{self.rated:.0%}-rated".replace("%", "pct")]
        if self.intents:
            parts.append(f"{self.intents}-intents")
        if self.turns:
            parts.append(f"{self.turns}-turns")
        return "-".join([*parts, f"every-{self.every}"])


class Kept:
    """The figures of a run in a file, written after each step."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.figures: dict[str, Any] = {"rounds": []}
        if path.exists():
            self.figures = json.loads(path.read_text())

    def save(self) -> None:
        """Write them; a kill leaves the former or the new file, whole."""
        scratch = self._path.with_suffix(".new")
        scratch.write_text(json.dumps(self.figures, indent=2) + "\n")
        scratch.replace(self._path)


def ends(questions: int, every: int) -> Iterator[int]:
    """After how many questions there is a retraining: the first before any."""
    yield from range(0, questions, every)
    yield questions


async def run(course: Course, postgres: str, results: Path, until: float) -> dict[str, Any]:
    """Go through a course, from where it stood if it was begun before; its figures. Nothing more
    is begun when the monotonic clock says `until`."""
    data = stream(course.set, course.start, course.intents)
    data = data.first(course.turns or len(data.questions))
    kept = Kept(results / f"{course.name}.json")
    folder = results / course.name
    if "database" not in kept.figures:
        shutil.rmtree(folder, ignore_errors=True)
        name = f"learning_{course.name}_{time.time_ns()}"[:60]
        kept.figures |= {"database": new_name(postgres, name), "name": course.name}
        kept.figures |= {"questions": len(data.questions), "test": len(data.test), "seed": SEED}
        kept.save()
    database = _of_this_server(postgres, kept.figures["database"])
    async with team(folder, database, data, results / "encoders") as app:
        for number, end in enumerate(ends(len(data.questions), course.every)):
            if number >= len(kept.figures["rounds"]) and time.monotonic() < until:
                await _round(app, data, end, Habits(course.rated), kept)
        if "supervised" not in kept.figures and time.monotonic() < until:
            console.print(f"{course.name}: training on all labels")
            kept.figures["supervised"] = await supervised(app.encoder, data, folder / "supervised")
            kept.save()
    return kept.figures


async def _round(app: App, data: Stream, end: int, habits: Habits, kept: Kept) -> None:
    since = await asked_so_far(app)
    if since < end:
        await ask(app, data.questions[since:end], since, habits, SEED)
    started = time.perf_counter()
    said = await learn(app)
    seconds = time.perf_counter() - started
    live = await classifiers.live_id(app.engine)
    assert live is not None
    scores = await score(app, live, data.test)
    found = {"turns": end, "live": live, "accuracy": scores.accuracy,
             "kept_in_scope": scores.kept_in_scope, "seconds": round(seconds, 1),
             "retraining": said}  # fmt: skip
    trained = said.get("version")
    if trained not in (None, live):
        found["candidate_accuracy"] = (await score(app, trained, data.test)).accuracy
    kept.figures["rounds"].append(found)
    kept.save()
    decided = "live" if said.get("is_live") else said.get("skipped") or said.get("refusal")
    console.print(
        f"{kept.figures['name']}: {end} questions, {100 * scores.accuracy:.1f} % right, "
        f"{seconds:.0f} s; {decided}"
    )


async def supervised(encoder: Encoder, data: Stream, folder: Path) -> dict[str, Any]:
    """The same training on utterances and questions with their right intents."""
    from bot.intents.training import Plan, train

    examples = [Example(one.text, one.intent) for one in (*data.utterances, *data.questions)]
    names = data.intents
    examples += [Example(name.replace("_", " "), name, Origin.NAME) for name in names]
    started = time.perf_counter()
    await train(examples, names, encoder, Plan(MODEL), folder)
    seconds = time.perf_counter() - started
    return {
        "accuracy": await _accuracy(encoder, folder, data.test),
        "examples": len(examples),
        "seconds": round(seconds, 1),
    }


async def _accuracy(encoder: Encoder, folder: Path, test: tuple[Asked, ...]) -> float:
    model, tuned = read_model(folder), Encoder(folder)
    texts = [asked.text for asked in test]
    views = model.scorer.views(await encoder.encode(texts), await tuned.encode(texts))
    tuned.close()
    likeliest = model.blend.probabilities(views).argmax(axis=1)
    right = [model.names[at] == one.intent for at, one in zip(likeliest, test, strict=True)]
    return float(np.mean(right))


def new_name(postgres: str, name: str) -> str:
    """Create a database; its name on this server, whose address is another at the next start."""
    return str(new_database(postgres, name).rsplit("/", 1)[-1].partition("?")[0])


def _of_this_server(postgres: str, name: str) -> str:
    from sqlalchemy import make_url

    return make_url(postgres).set(database=name).render_as_string(hide_password=False)


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--start", nargs="+", type=int, choices=(5, 10), default=[5, 10])
    parser.add_argument("--rated", nargs="+", type=float, default=[1.0, 0.2], metavar="SHARE")
    parser.add_argument("--turns", type=int, help="so many questions; all if not given")
    parser.add_argument("--every", type=int, default=EVERY, help="questions between retrainings")
    parser.add_argument("--intents", type=int, help="only so many intents, for a short run")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def main() -> None:
    """Go through the courses; print a table, write JSON and PNG after each."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    given = options()
    given.results.mkdir(parents=True, exist_ok=True)
    courses = [
        Course(name, start, rated, given.turns, given.every, given.intents)
        for name in given.sets
        for start in given.start
        for rated in given.rated
    ]
    done: list[dict[str, Any]] = []
    until = time.monotonic() + 60 * given.minutes
    with server(given.results) as postgres:
        for course in courses:
            try:
                figures = asyncio.run(run(course, postgres, given.results, until))
            except SkipBenchmark as skipped:
                console.print(f"{course.name} is skipped: {skipped}")
                continue
            if not figures["rounds"]:
                continue
            done.append(figures)
            summary = {"machine": describe_machine(), "courses": done}
            (given.results / "learning.json").write_text(json.dumps(summary, indent=2) + "\n")
            (given.results / "learning.png").write_bytes(draw(done))
    if not done:
        return
    console.print(table(done))
    console.print(f"Figures: {given.results / 'learning.json'}, {given.results / 'learning.png'}")


if __name__ == "__main__":
    main()
