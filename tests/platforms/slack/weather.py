"""What a storm over the bot does: replicas are killed, and Postgres goes as if power had failed."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bot.storage.embedded import EmbeddedServer
from tests.platforms.slack.replica import Replica


@dataclass(frozen=True, slots=True)
class Plan:
    """How hard it blows."""

    questions: int = 2000
    per_second: float = 20.0
    replicas: int = 3
    kills: int = 20
    restarts: int = 2
    redelivered: float = 0.3
    rate_limited: float = 0.05
    has_worker: bool = True
    settle_seconds: float = 300.0


class Weather:
    """The team's Postgres, and the replicas that come and go."""

    def __init__(self, home: Path, server: EmbeddedServer, database: str, plan: Plan) -> None:
        self.database = database
        self.killed = self.restarted = 0
        self._server = server
        self._plan = plan
        self.replicas = [
            Replica(home, f"replica-{number}", "run", "--no-worker")
            for number in range(plan.replicas)
        ]

    async def kill(self) -> None:
        """Kill a replica every second, each time the next, and start it again."""
        for number in range(self._plan.kills):
            await asyncio.sleep(1)
            replica = self.replicas[number % len(self.replicas)]
            await asyncio.to_thread(replica.kill)
            if not replica.is_running:
                replica.start()
            self.killed += 1

    async def supervise(self) -> None:
        """Start what has ended by itself, as a supervisor does, until cancelled."""
        while True:
            await asyncio.sleep(1)
            for replica in self.replicas:
                if not replica.is_running:
                    replica.start()

    async def restart(self) -> None:
        """Stop Postgres as a power failure would and start it again, evenly over the questions."""
        pause = self._plan.questions / self._plan.per_second / (self._plan.restarts + 1)
        for _ in range(self._plan.restarts):
            await asyncio.sleep(pause)
            await asyncio.to_thread(self._restart)
            self.restarted += 1

    def _restart(self) -> None:
        with psycopg.connect(self.database) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        assert row
        pid = int((Path(row[0]) / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGQUIT)
        time.sleep(0.5)
        self._server.start()
