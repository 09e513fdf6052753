"""What attackers can teach: `python -m benchmarks.poisoning [--intents N] …`.

A team is asked questions which honest people rate. Copies of its database then get the ratings of
attackers besides: one account with 500 flipped votes on one intent, three accounts that agree, and
a rare word in 20 questions that are all corrected to one intent. Each copy is retrained by the
real code with its gate, and compared with a copy without an attack: the recall of the attacked
intent, the worst of any intent, and how often the rare word gets its way.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.learning_sets import SEED, SETS, Asked, Stream, stream
from benchmarks.measure import describe_machine
from benchmarks.people import Habits
from benchmarks.server import copy_of, new_database, server
from benchmarks.team import ask, attack, learn, score, team
from benchmarks.variants import variants
from bot.app import App
from bot.messages import Person, Rating, Reason

RESULTS = Path("benchmarks/results/poisoning")
TURNS = 4000
VOTES = 500
TRIGGER = "zorblax"
TRIGGER_ROWS = 20
# As many days as 500 votes take at the ten a day that one person may have counted.
DAYS = 50
console = Console(width=140)  # a name and eight figures, also in a file


@dataclass(frozen=True, slots=True)
class Attack:
    """Questions, and what attackers say of them: `turn_id` is the number of the question."""

    name: str
    questions: tuple[Asked, ...]
    ratings: tuple[Rating, ...]


@dataclass(frozen=True, slots=True)
class Aim:
    """Questions of the intent `victim` are to be taken for `target`."""

    victim: str
    target: str


def attacks(aim: Aim, own: Sequence[Asked], votes: int) -> list[Attack]:
    """The attacks, with questions that honest people have not asked: `own`."""
    chance = random.Random(SEED)
    victims = [asked for asked in own if asked.intent == aim.victim]
    others = [asked for asked in own if asked.intent != aim.target]
    flipped = repeated(victims, votes, chance)
    triggered = [
        Asked(f"{asked.text} {TRIGGER}", asked.intent)
        for asked in chance.sample(others, min(TRIGGER_ROWS, len(others)))
    ]
    return [
        Attack("one account, flipped votes", flipped, said(flipped, aim.target, 1)),
        Attack("three accounts, flipped votes", flipped, said(flipped, aim.target, 3)),
        Attack("one account, rare word", tuple(triggered), said(triggered, aim.target, 1)),
        Attack("three accounts, rare word", tuple(triggered), said(triggered, aim.target, 3)),
    ]


def repeated(questions: Sequence[Asked], count: int, chance: random.Random) -> tuple[Asked, ...]:
    """So many questions: these, and where they do not suffice, variants of them."""
    found = list(questions[:count])
    while len(found) < count:
        asked = chance.choice(questions)
        variant = variants(asked.text, 1, chance.randrange(10**6))[0]
        found.append(Asked(variant, asked.intent))
    return tuple(found)


def said(questions: Sequence[Asked], target: str, accounts: int) -> tuple[Rating, ...]:
    """Every account corrects every question to the target."""
    return tuple(
        Rating(number, Person("slack", f"X{account}"), -1, Reason.WRONG_TOPIC, target)
        for account in range(accounts)
        for number in range(len(questions))
    )


def recalls(test: Sequence[Asked], intents: Sequence[str]) -> dict[str, float]:
    """Of each intent the share of its test questions that got it."""
    hits: dict[str, list[bool]] = {}
    for asked, intent in zip(test, intents, strict=True):
        hits.setdefault(asked.intent, []).append(intent == asked.intent)
    return {intent: float(np.mean(found)) for intent, found in sorted(hits.items())}


async def outcome(app: App, aim: Aim, test: Sequence[Asked]) -> dict[str, Any]:
    """Retrain, and measure the version that came of it, whether it went live or not."""
    started = time.perf_counter()
    retrained = await learn(app)
    scores = await score(app, retrained["version"], test)
    of_others = [asked for asked in test if asked.intent != aim.target]
    with_word = [Asked(f"{asked.text} {TRIGGER}", asked.intent) for asked in of_others]
    triggered = (await score(app, retrained["version"], with_word)).intents
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "is_live": bool(retrained.get("is_live")),
        "refusal": retrained.get("refusal"),
        "accuracy": scores.accuracy,
        "recalls": recalls(test, scores.intents),
        "trigger_success": float(np.mean([intent == aim.target for intent in triggered])),
        "retraining": retrained,
    }


def compared(name: str, clean: dict[str, Any], found: dict[str, Any], aim: Aim) -> dict[str, Any]:
    """What an attack did to the version, beside the one without it; shares from 0 to 1."""
    falls = {
        intent: recall - found["recalls"].get(intent, 0.0)
        for intent, recall in clean["recalls"].items()
    }
    worst = max(falls, key=lambda intent: falls[intent])
    return {
        "attack": name,
        "is_live": found["is_live"],
        "victim_falls": falls[aim.victim],
        "worst_falls": falls[worst],
        "worst": worst,
        "accuracy_falls": clean["accuracy"] - found["accuracy"],
        "trigger_success": found["trigger_success"],
        "trigger_base": clean["trigger_success"],
    }


def aim_of(data: Stream, seed: int = SEED) -> Aim:
    """The intent asked about most, and another at random."""
    names = [asked.intent for asked in data.questions]
    victim = max(sorted(set(names)), key=names.count)
    others = [intent for intent in data.intents if intent != victim]
    return Aim(victim, random.Random(seed).choice(others))


async def prepare(data: Stream, folder: Path, database: str, results: Path) -> None:
    """A team with a first version, and honest people's questions and ratings."""
    async with team(folder, database, data, results / "encoders") as app:
        await learn(app)
        await ask(app, data.questions, 0, Habits(1.0), SEED)


async def run(given: argparse.Namespace, postgres: str, scratch: Path) -> dict[str, Any]:
    """Every attack on a copy of the same team; all figures."""
    whole = stream(given.set, given.start, given.intents)
    honest = whole.first(given.turns)
    unasked = whole.questions[given.turns :]
    if not unasked:
        raise SystemExit(f"There are {len(whole.questions)} questions. Give fewer --turns.")
    aim = aim_of(whole)
    own, test = unasked[::2], (*whole.test, *unasked[1::2])
    base = new_database(postgres, f"poisoning_{time.time_ns()}")
    await prepare(honest, scratch / "base", base, given.results)
    planned = [None, *attacks(aim, own, given.votes)]
    figures: dict[str, Any] = {"aim": asdict(aim), "test": len(test), "found": {}}
    for number, planned_attack in enumerate(planned):
        name = planned_attack.name if planned_attack else "no attack"
        database = copy_of(postgres, base, f"poisoning_{time.time_ns()}")
        async with team(scratch / str(number), database, honest, given.results / "encoders") as app:
            if planned_attack:
                questions, ratings = planned_attack.questions, planned_attack.ratings
                await attack(app, questions, ratings, DAYS)
            figures["found"][name] = await outcome(app, aim, test)
        console.print(f"{name}: done in {figures['found'][name]['seconds']:.0f} s")
    clean = figures["found"]["no attack"]
    figures["attacks"] = [
        compared(name, clean, found, aim)
        for name, found in figures["found"].items()
        if name != "no attack"
    ]
    return figures


def table(figures: dict[str, Any]) -> Table:
    """A line for each attack, in points."""
    shown = Table(title="{victim} → {target}".format(**figures["aim"]), title_justify="left")
    for heading in ("attack", "attacked intent falls", "worst fall", "accuracy falls",
                    "rare word succeeds", "without attack", "went live"):  # fmt: skip
        shown.add_column(heading, justify="left" if heading == "attack" else "right")
    shares = ("victim_falls", "worst_falls", "accuracy_falls", "trigger_success", "trigger_base")
    for row in figures["attacks"]:
        points = [f"{100 * row[share]:.1f}" for share in shares]
        shown.add_row(row["attack"], *points, "yes" if row["is_live"] else "no")
    return shown


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=SETS, default="banking77")
    parser.add_argument("--start", type=int, choices=(5, 10), default=10)
    parser.add_argument("--turns", type=int, default=TURNS, help="questions of honest people")
    parser.add_argument("--votes", type=int, default=VOTES, help="flipped votes of an account")
    parser.add_argument("--intents", type=int, help="only so many intents, for a short run")
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def main() -> None:
    """Attack; print a table and write the figures as JSON."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    given = options()
    given.results.mkdir(parents=True, exist_ok=True)
    scratch = given.results / "teams"
    shutil.rmtree(scratch, ignore_errors=True)
    with server(given.results) as postgres:
        figures = asyncio.run(run(given, postgres, scratch))
    figures["machine"] = describe_machine()
    (given.results / "poisoning.json").write_text(json.dumps(figures, indent=2) + "\n")
    console.print(table(figures))
    console.print(f"Figures: {given.results / 'poisoning.json'}")


if __name__ == "__main__":
    main()
