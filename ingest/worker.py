"""`python -m ingest.worker`: works the jobs of the queue and keeps their schedule."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from procrastinate.exceptions import ConnectorException
from rich.console import Console
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import open_engine
from bot.child import end_with_parent
from bot.errors import DatabaseError, SupportbotError
from bot.schedules import schedules
from bot.settings import Settings, load_settings
from bot.storage import claims
from bot.storage.database import first_line
from bot.storage.jobs import QUEUE
from ingest.jobs import Commands, Work, command_of, queue_app
from ingest.schedule import keep_time

CONCURRENCY = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a worker does what it does again and again, in seconds.

    A worker that was silent for `silent` is taken for dead, so a job of a killed worker is taken up
    again after at most `silent` + `sweep` + `poll`.
    """

    poll: float = 0.5
    heartbeat: float = 5
    silent: float = 25
    sweep: float = 5
    restart: float = 3


def main() -> None:
    """Work jobs until Ctrl-C or SIGTERM, or until the parent ends where it is a child."""
    parser = argparse.ArgumentParser(prog="supportbot worker")
    parser.add_argument("--child", action="store_true", help="end when stdin closes")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # an outage is told once, by us
    if arguments.child:
        end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    notices = Console(stderr=True, highlight=False)
    try:
        settings = load_settings()
        if not arguments.child:
            notices.print("Working jobs until Ctrl-C; supportbot status shows them.", style="dim")
        asyncio.run(work(settings))
    except SupportbotError as error:
        notices.print(str(error), style="red", markup=False)
        sys.exit(error.exit_code)


async def work(
    settings: Settings, pace: Pace | None = None, command_of: Commands = command_of
) -> None:
    """Work jobs until SIGTERM or SIGINT, also across outages of the database.

    Raises:
        SupportbotError: the database cannot be used at the start.
    """
    pace = pace or Pace()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    has_worked = False
    while not stopping.is_set():
        try:
            async with open_engine(settings) as engine:
                has_worked = True
                deadline_seconds = settings.jobs.deadline_minutes * 60
                commands = Work(settings.directory, deadline_seconds, command_of)
                async with (
                    beside(keep_time(engine, schedules(settings))),
                    beside(sweep(engine, pace)),
                ):
                    await work_on(engine, commands, pace, stopping)
        except (DatabaseError, DBAPIError, ConnectorException, OSError) as error:
            if not has_worked:
                raise
            log.warning("The worker starts over: %s", first_line(error.__cause__ or error))
        if not stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pace.restart)


async def work_on(engine: AsyncEngine, work: Work, pace: Pace, stopping: asyncio.Event) -> None:
    """Work jobs of one database until stopped, or until it was away for too long.

    New jobs are polled for, as a pooler between may not pass notifications on.
    """
    app, queue = queue_app(engine, work, connections=CONCURRENCY + 2)
    async with app.open_async():
        working = asyncio.create_task(
            app.run_worker_async(
                queues=[QUEUE], concurrency=CONCURRENCY, listen_notify=False,
                fetch_job_polling_interval=pace.poll, update_heartbeat_interval=pace.heartbeat,
                stalled_worker_timeout=pace.silent, shutdown_graceful_timeout=0,
                install_signal_handlers=False,
            )
        )  # fmt: skip
        queue.give_up = working.cancel
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait([working, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in (working, stopped):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await working


async def sweep(engine: AsyncEngine, pace: Pace) -> None:
    """Have the jobs of dead workers run again, for ever.

    After an outage of the database the living get time to be heard of first.
    """
    pause = 2 * pace.heartbeat
    while True:
        await asyncio.sleep(pause)
        pause = pace.sweep
        try:
            for claim in await claims.stalled(engine, pace.silent):
                await claims.give_back(engine, claim, "Its worker died or was cut off.")
        except (DBAPIError, OSError) as error:
            log.warning("Jobs of dead workers cannot be looked for: %s", first_line(error))
            pause = pace.silent


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have something done at the same time, until the end of the block."""
    task = asyncio.create_task(work)
    task.add_done_callback(tell_failure)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def tell_failure(task: asyncio.Task[None]) -> None:
    """Log what ended a task that should have gone on."""
    if not task.cancelled() and (error := task.exception()):
        log.error("A part of the worker has failed; restart it.", exc_info=error)


if __name__ == "__main__":
    main()
