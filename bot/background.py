"""Work in the background, as the process that wants it done sees it: a worker, a job to follow."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import NoReturn

from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App, Say, open_engine
from bot.job_reports import line
from bot.settings import Settings
from bot.storage import jobs
from bot.storage.jobs import Job

WORKER = (sys.executable, "-m", "ingest.worker")
STOP_SECONDS = 20.0
# A living worker takes up a job within a second, unless it has its hands full.
TAKEN_UP_SECONDS = 5.0
PLAIN_SECONDS = 10.0

Show = Callable[[Job], None]


def become_worker(settings: Settings) -> NoReturn:
    """Turn this process into a worker, which works jobs until Ctrl-C or SIGTERM."""
    os.chdir(settings.directory)
    os.execv(WORKER[0], WORKER)  # noqa: S606


@asynccontextmanager
async def worker_beside(settings: Settings) -> AsyncIterator[None]:
    """Have a worker in a child process until the end of the block, or of this process."""
    process = await asyncio.create_subprocess_exec(
        *WORKER, "--child", cwd=settings.directory, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdin
    try:
        yield
    finally:
        process.stdin.close()  # what it waits for
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def train_first(app: App, say: Say) -> None:
    """Have a classifier trained where there is none that can be used."""
    if await app.live.current() is None:
        await jobs.request(app.engine, "retrain", "", "start", {jobs.ASKED})
        say(
            f"Messages are not told apart yet: {app.live.problem}. One is being trained in the "
            "background; meanwhile every message goes to the documents."
        )


async def retrain(settings: Settings, requested_by: str, show: Show, say: Say) -> Job:
    """Have the classifier retrained, follow that to its end, and give the job as it ended.

    Where a retraining runs or waits already, that one is followed. A worker is started for as long
    as it takes where none takes up the job.
    """
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(settings, say))
        asked = await jobs.request(engine, "retrain", "", requested_by, {jobs.ASKED})
        if not asked.is_new:
            doing = "runs" if asked.state == "running" else "waits to run"
            say(f"A retraining {doing} already, as job {asked.job_id}; this follows it.")
        if not await _is_taken_up(engine, asked.job_id):
            await stack.enter_async_context(worker_beside(settings))
        async for job in jobs.follow(engine, asked.job_id):
            show(job)
        return job


async def _is_taken_up(engine: AsyncEngine, job_id: int) -> bool:
    """Whether a worker runs the job, or soon will."""
    deadline = time.monotonic() + TAKEN_UP_SECONDS
    while (await jobs.read(engine, job_id)).state == "waiting":
        if time.monotonic() > deadline or not await jobs.is_worked(engine):
            return False
        await asyncio.sleep(jobs.FOLLOW_SECONDS)
    return True


@contextmanager
def shown(console: Console) -> Iterator[Show]:
    """Shows how far a job is, until it is over: a bar on a terminal, else a line now and then."""
    if console.is_terminal:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=None)

            def draw(job: Job) -> None:
                total = None if job.fraction is None else 1.0
                bar.update(task, total=total, completed=job.fraction or 0, description=line(job))

            yield draw
        return
    last, last_state = 0.0, ""

    def write(job: Job) -> None:
        nonlocal last, last_state
        now = time.monotonic()
        if job.is_over:
            return
        if job.state != last_state or now - last >= PLAIN_SECONDS:
            last, last_state = now, job.state
            console.print(line(job), markup=False, soft_wrap=True)

    yield write
