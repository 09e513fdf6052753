"""A storm over the bot in Slack: `python -m tests.platforms.slack.storm`, or `make storm`.

Questions are asked while everything breaks: deliveries come twice and as twins, replicas of the bot
are killed, Postgres is restarted, Slack refuses calls with 429, and a retraining and a reindex run.
In the end each question must have one answer.
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from bot.storage import jobs
from bot.storage.database import open_engine
from bot.storage.embedded import EmbeddedServer
from tests.platforms.slack.peer import Peer, cache_directory, install
from tests.platforms.slack.people import (
    ADA,
    ALICE,
    APP_TOKEN,
    BOB,
    BOT_TOKEN,
    CAROL,
    GENERAL,
    PRIVATE,
    SUPPORT,
)
from tests.platforms.slack.replica import Replica
from tests.platforms.slack.rules import Rules, official_checks
from tests.platforms.slack.strict import StrictSlack
from tests.platforms.slack.weather import Plan, Weather
from tests.platforms.slack.workspace import Workspace

HANDBOOK = Path(__file__).resolve().parents[3] / "docs"
PLACES = ((ALICE, GENERAL), (BOB, GENERAL), (CAROL, SUPPORT), (ADA, PRIVATE), (ALICE, PRIVATE))
QUESTIONS = (
    "How can I make it answer from our own folder?",
    "What is stored of a question?",
    "When does it say that it is not sure?",
    "How do I use my own Postgres?",
    "Who won the world cup in 1990?",
)
READY_SECONDS = 120.0
SETTINGS = """\
data_directory = "data"
[questions]
per_person = 100000
per_channel = 100000
waiting = 100000
[slack]
api_url = "{api_url}"
admins = ["{admin}"]
[[sources]]
name = "handbook"
folder = "{handbook}"
schedule = ""
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; a silent turn has an answer in the database and none in Slack."""

    asked: int
    answered_once: int
    lost: int
    doubled: int
    silent: int
    ack_p99_ms: float
    ack_max_ms: float
    redelivered: int
    rate_limited_calls: int
    replicas_killed: int
    postgres_restarts: int
    seconds: float
    states: dict[str, int]

    @property
    def is_weathered(self) -> bool:
        """Whether nothing was lost, doubled or left silent, and every ack came in time."""
        is_in_time = self.ack_p99_ms < 500 and self.ack_max_ms < 2500
        return not (self.lost or self.doubled or self.silent) and is_in_time


async def storm(plan: Plan, folder: Path, *, say: Any = print) -> Outcome:
    """Let it blow over a bot in a folder of its own."""
    with ExitStack() as stack:
        server = EmbeddedServer(folder / "server")
        stack.enter_context(server)
        database = server.start()
        peer = stack.enter_context(Peer(install(cache_directory()), folder / "slack"))
        rules = Rules(*official_checks())
        rules.retry_seconds = (0.5, 5.0, 15.0)
        async with StrictSlack(peer, rules, "socket") as strict:
            home = _home(folder, strict.api_url, database)
            weather = Weather(home, server, database, plan)
            worker = Replica(home, "worker", "worker")
            stack.callback(worker.kill)
            for replica in weather.replicas:
                stack.callback(replica.kill)
            say("Indexing the handbook and connecting …")
            await _begin(home, weather, worker, plan, strict)
            rules.redeliver_share = plan.redelivered
            rules.first_twin = "random"
            rules.rate_limited_share = plan.rate_limited
            say(f"Asking {plan.questions} questions …")
            supervising = asyncio.create_task(weather.supervise())
            try:
                return await _blow(plan, weather, Workspace(strict), say)
            finally:
                supervising.cancel()


async def _begin(
    home: Path, weather: Weather, worker: Replica, plan: Plan, strict: StrictSlack
) -> None:
    """Index once, have the background work begin, and wait until the replicas are connected."""
    indexing = Replica(home, "indexing", "reindex")
    indexing.start()
    deadline = time.monotonic() + READY_SECONDS
    while indexing.is_running and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    assert "indexed" in indexing.log, indexing.log
    if plan.has_worker:
        engine = open_engine(weather.database)
        await jobs.request(engine, "retrain", "", "storm")
        await jobs.request(engine, "reindex", "handbook", "storm")
        await engine.dispose()
        worker.start()
    for replica in weather.replicas:
        replica.start()
    while len(strict.sockets.lines) < 2 * plan.replicas:
        assert time.monotonic() < deadline, [replica.log for replica in weather.replicas]
        await asyncio.sleep(0.2)


async def _blow(plan: Plan, weather: Weather, slack: Workspace, say: Any) -> Outcome:
    started = time.monotonic()
    chance = random.Random(11)
    asked: list[tuple[str, str]] = []
    breaking = [asyncio.create_task(weather.kill()), asyncio.create_task(weather.restart())]
    for number in range(plan.questions):
        person, channel = PLACES[number % len(PLACES)]
        asked.append((channel, await slack.ask(person, channel, chance.choice(QUESTIONS))))
        due = started + (number + 1) / plan.per_second
        await asyncio.sleep(max(0.0, due - time.monotonic()))
    await asyncio.gather(*breaking)
    say("Asked all; waiting for the last answers …")
    slack.rules.rate_limited_share = 0.0
    await slack.strict.deliveries.settle(plan.settle_seconds)
    await _wait_until_answered(weather.database, len(asked), plan.settle_seconds)
    await asyncio.sleep(2)
    return await _count(asked, weather, slack, time.monotonic() - started)


async def _wait_until_answered(database: str, asked: int, seconds: float) -> None:
    """What Slack has given up to deliver is read from the channels once a replica is back."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with psycopg.connect(database) as connection:
            row = connection.execute(
                "SELECT count(*) FROM inbox WHERE state <> 'waiting'"
            ).fetchone()
        if row and row[0] >= asked:
            return
        await asyncio.sleep(1)


async def _count(
    asked: list[tuple[str, str]], weather: Weather, slack: Workspace, seconds: float
) -> Outcome:
    answers: defaultdict[tuple[str, str], int] = defaultdict(int)
    for channel in sorted({channel for channel, _ in asked}):
        for message in await slack.final_messages(channel):
            answers[channel, message.get("thread_ts") or message["ts"]] += 1
    with psycopg.connect(weather.database) as connection:
        states = dict(
            connection.execute("SELECT state, count(*) FROM inbox GROUP BY state").fetchall()
        )
        stored = set(
            connection.execute(
                "SELECT channel, message FROM inbox WHERE state <> 'waiting'"
            ).fetchall()
        )
    counts = Counter(min(answers[question], 2) for question in asked)
    journal = slack.journal
    return Outcome(
        asked=len(asked), answered_once=counts[1], doubled=counts[2],
        lost=sum(1 for question in asked if not answers[question] and question not in stored),
        silent=sum(1 for question in asked if not answers[question] and question in stored),
        ack_p99_ms=round(journal.ack_percentile(99) * 1000, 1),
        ack_max_ms=round(max(journal.ack_seconds) * 1000, 1),
        redelivered=sum(len(delivery.attempts) > 1 for delivery in journal.deliveries),
        rate_limited_calls=sum(n for (_, ended), n in journal.counts.items() if ended == "429"),
        replicas_killed=weather.killed, postgres_restarts=weather.restarted,
        seconds=round(seconds, 1), states=states,
    )  # fmt: skip


def _home(folder: Path, api_url: str, database: str) -> Path:
    home = folder / "home"
    home.mkdir()
    shutil.copytree(HANDBOOK, home / "handbook")
    (home / "supportbot.toml").write_text(
        SETTINGS.format(api_url=api_url, admin=ADA, handbook="handbook")
    )
    (home / ".env").write_text(
        f"DATABASE_URL={database}\nSLACK_BOT_TOKEN={BOT_TOKEN}\nSLACK_APP_TOKEN={APP_TOKEN}\n"
    )
    return home


def main() -> None:
    """Run the storm, print what came of it, and fail where the bot did not weather it."""
    parser = argparse.ArgumentParser(description=__doc__)
    plan = Plan()
    parser.add_argument("--questions", type=int, default=plan.questions)
    parser.add_argument("--per-second", type=float, default=plan.per_second)
    parser.add_argument("--replicas", type=int, default=plan.replicas)
    parser.add_argument("--kills", type=int, default=plan.kills)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    plan = replace(
        plan, questions=arguments.questions, per_second=arguments.per_second,
        replicas=arguments.replicas, kills=arguments.kills,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="storm-") as folder:
        outcome = asyncio.run(storm(plan, Path(folder)))
    values = asdict(outcome)
    print(json.dumps(values, indent=2) if arguments.json else _table(values))
    sys.exit(not outcome.is_weathered)


def _table(values: dict[str, Any]) -> str:
    return "\n".join(f"{name.replace('_', ' '):>20}  {value}" for name, value in values.items())


if __name__ == "__main__":
    main()
