"""An operator asks for work in the background, follows it, and reads the status."""

import asyncio
import json
import signal
import subprocess
import sys
from io import StringIO
from pathlib import Path

import psutil
import psycopg
import pytest
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import background
from bot.settings import load_settings
from bot.status import collect_jobs, show_jobs
from bot.storage import claims, jobs
from tests.ingest.worker_processes import WorkerProcess, is_alive, runs, until, worker_command
from tests.journeys.test_terminal import supportbot
from tests.storage.test_jobs import taken


def workers(database: str) -> int:
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT count(*) FROM procrastinate_workers").fetchone()
    assert found
    return int(found[0])


def worker_of(pid: int) -> psutil.Process | None:
    """The worker that the process with this pid has started."""
    children = psutil.Process(pid).children()
    return next((child for child in children if "ingest.worker" in child.cmdline()), None)


async def test_a_retraining_is_asked_for_followed_and_its_result_printed_as_json(
    home: Path, engine: AsyncEngine
) -> None:
    with WorkerProcess(home):
        await until(lambda: jobs.is_worked(engine))
        result = await asyncio.to_thread(supportbot, home, "retrain", "--json")
    assert result.returncode == 0, result.stderr
    job = json.loads(result.stdout)
    assert (job["kind"], job["state"], job["requested_by"]) == ("retrain", "succeeded", "terminal")
    assert job["result"]["key"] == ""


async def test_a_retraining_that_already_runs_is_said_and_followed(
    home: Path, engine: AsyncEngine
) -> None:
    job = (await jobs.request(engine, "retrain", "", "ann")).job_id
    claim = await taken(engine)
    assert await claims.note_progress(engine, claim, 0.42, "fine-tuning, epoch 3 of 10", 40)
    follower = subprocess.Popen(
        [sys.executable, "-m", "bot", "retrain"], cwd=home, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert follower.stderr
    assert f"A retraining runs already, as job {job}" in follower.stderr.readline()
    assert "42% done, about 40 s left: fine-tuning, epoch 3 of 10" in follower.stderr.readline()
    await claims.fail(engine, claim, "The candidate is worse than the live classifier.")
    printed, _ = follower.communicate(timeout=30)
    assert follower.returncode == 1
    assert f"retrain (job {job}) failed after" in printed
    assert "The candidate is worse than the live classifier." in printed


async def test_without_a_worker_one_is_started_for_as_long_as_it_takes(
    home: Path, engine: AsyncEngine, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "WORKER", worker_command(home))
    shown: list[str] = []
    job = await background.retrain(
        load_settings(home, {}), "ann", lambda job: shown.append(job.state), shown.append
    )
    assert job.state == "succeeded"
    assert (shown[0], shown[-1]) == ("waiting", "succeeded")
    assert workers(database) == 0


async def test_status_tells_what_runs_what_failed_and_what_is_due(
    home: Path, engine: AsyncEngine
) -> None:
    await jobs.request(engine, "retrain", "", "ann")
    claim = await taken(engine)
    await claims.note_progress(engine, claim, 0.42, "fine-tuning, epoch 3 of 10", 40)
    await jobs.request(engine, "reindex", "documents", "ann")
    await claims.fail(engine, await taken(engine), "The folder is gone.")
    await jobs.request(engine, "reindex", "documents", "ann")
    printed = StringIO()
    found = await collect_jobs(load_settings(home, {}), engine)
    show_jobs(found, Console(file=printed, width=160))
    lines = [line for line in printed.getvalue().splitlines() if line]
    assert lines[1].startswith("evaluate ")
    assert "04:30 UTC" in lines[1]
    assert lines[2].startswith("reindex documents  waiting")
    assert "failed, took 0 s" in lines[2]
    assert "03:00 UTC" in lines[2]
    assert lines[3].startswith(
        "retrain            42%, fine-tuning, epoch 3 of 10, about 40 s left"
    )
    assert "never" in lines[3]
    assert "03:30 UTC" in lines[3]
    assert lines[4] == "  reindex documents failed: The folder is gone."
    told = json.loads(supportbot(home, "status", "--json").stdout)["jobs"]
    assert [job["fraction"] for job in told["running"]] == [pytest.approx(0.42)]
    assert [job["key"] for job in told["waiting"]] == ["documents"]
    assert told["last"][0]["failure"] == "The folder is gone."


def test_status_says_that_no_worker_is_alive(home: Path) -> None:
    assert "Run: supportbot worker" in supportbot(home, "status").stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_the_worker_of_a_running_bot_ends_with_it(
    home: Path, database: str, number: int
) -> None:
    bot = subprocess.Popen(
        [sys.executable, "-m", "bot", "run"], cwd=home, stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    await until(lambda: workers(database) == 1, seconds=60, what="the worker's start")
    worker = worker_of(bot.pid)
    assert worker
    bot.send_signal(number)
    bot.communicate()
    await until(lambda: not is_alive(worker.pid), seconds=10, what="the worker's end")
    assert workers(database) == 0, "it ended in good order"


def test_a_bot_may_run_without_a_worker(home: Path, database: str) -> None:
    result = supportbot(home, "run", "--no-worker", said="quit\n")
    assert result.returncode == 0, result.stderr
    with psycopg.connect(database) as connection:
        assert connection.execute(
            "SELECT last_value, is_called FROM procrastinate_workers_id_seq"
        ).fetchone() == (1, False)


async def test_the_worker_command_works_jobs_until_it_is_stopped(
    home: Path, engine: AsyncEngine
) -> None:
    (home / "documents" / "tea.md").write_text("# Tea\n\nTea is served at four o'clock.\n")
    job = (await jobs.request(engine, "reindex", "documents", "ann")).job_id
    unknown = (await jobs.request(engine, "reindex", "wiki", "ann")).job_id
    worker = subprocess.Popen(
        [sys.executable, "-m", "bot", "worker"], cwd=home, stderr=subprocess.PIPE, text=True
    )
    found = await jobs.wait_for(engine, job)
    refused = await jobs.wait_for(engine, unknown)
    worker.send_signal(signal.SIGTERM)
    _, complaints = worker.communicate(timeout=30)
    assert worker.returncode == 0, complaints
    assert found.result is not None, found
    assert found.result["counts"]["indexed"] == 1
    assert refused.failure == "There is no source 'wiki'. There are: documents."
    assert runs(home, "documents") == [], "no stand-in was used"


def test_a_worker_whose_database_is_away_at_the_start_says_so(home: Path) -> None:
    (home / ".env").write_text("DATABASE_URL=postgresql://nobody@127.0.0.1:9/none\n")
    result = supportbot(home, "worker")
    assert result.returncode == 1
    assert "does not work" in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
