"""Workers die, stop and lose the database; jobs are run again, end once, and block nobody."""

import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.cron import read_cron
from bot.schedules import Scheduled
from bot.storage import firings, jobs, runs
from bot.storage.jobs import Job, Wanted
from ingest import schedule
from ingest.worker import Pace, beside
from tests.ingest.worker_processes import (
    SILENT_SECONDS,
    WorkerProcess,
    is_alive,
    owner,
    until,
)
from tests.ingest.worker_processes import (
    runs as pids,
)

NEVER = (
    'data_directory = "data"\nretraining.schedule = ""\n[[sources]]\nname = "documents"\n'
    'folder = "documents"\nschedule = ""\n'
)


@pytest.fixture
def home(home: Path) -> Path:
    """The folder of a team that schedules nothing."""
    (home / "supportbot.toml").write_text(NEVER)
    return home


async def asked(engine: AsyncEngine, key: str) -> int:
    return (await jobs.request(engine, "reindex", key, "ann")).job_id


async def ended(engine: AsyncEngine, key: str) -> Job:
    return await jobs.wait_for(engine, await asked(engine, key))


async def test_a_job_of_a_killed_worker_is_resumed_and_its_child_does_not_outlive_it(
    home: Path, engine: AsyncEngine
) -> None:
    with WorkerProcess(home), WorkerProcess(home):
        job = await asked(engine, "slow")

        async def is_half() -> bool:
            return (await jobs.read(engine, job)).fraction == 0.5

        await until(is_half)
        (orphan,) = pids(home, "slow")
        os.kill(owner(orphan), signal.SIGKILL)
        await until(lambda: not is_alive(orphan), seconds=5)
        await until(lambda: len(pids(home, "slow")) == 2, seconds=SILENT_SECONDS + 5)
        (home / "go on").touch()
        found = await jobs.wait_for(engine, job)
        assert (found.id, found.state, found.deaths) == (job, "succeeded", 1)
        assert found.result is not None
        assert found.result["niceness"] == 10
        assert len(pids(home, "slow")) == 2
        assert await jobs.active(engine) == []


def test_a_killed_worker_is_noticed_within_45_seconds() -> None:
    pace = Pace()
    assert pace.silent + max(pace.sweep, 2 * pace.heartbeat) + pace.poll <= 45
    assert pace.silent >= 3 * pace.heartbeat


async def test_a_job_that_kills_every_worker_fails_with_its_reason_and_blocks_nobody(
    home: Path, engine: AsyncEngine
) -> None:
    job = await asked(engine, "kill")
    other = 0
    for number in range(5):
        with WorkerProcess(home) as worker:
            await until(lambda worker=worker: worker.process.poll() is not None)
            assert worker.process.returncode == -signal.SIGKILL
        if number == 0:
            other = await asked(engine, "fine")
    with WorkerProcess(home):
        found = await jobs.wait_for(engine, job)
        assert (await jobs.wait_for(engine, other)).state == "succeeded"
        assert (await ended(engine, "next")).state == "succeeded"
    assert (found.state, found.deaths) == ("failed", 5)
    assert found.failure == "Its worker died or was cut off. It was tried 5 times."
    assert len(pids(home, "kill")) == 5


async def test_a_process_that_crashes_each_time_fails_its_job_after_five_attempts(
    home: Path, engine: AsyncEngine
) -> None:
    with WorkerProcess(home):
        found = await ended(engine, "crash")
    assert found.failure == "Its process was ended by SIGSEGV. It was tried 5 times."
    assert len(pids(home, "crash")) == 5


async def test_a_refusal_fails_at_once_with_the_sentence_of_the_process(
    home: Path, engine: AsyncEngine
) -> None:
    with WorkerProcess(home):
        found = await ended(engine, "refuse")
    assert (found.state, found.failure) == ("failed", "The folder is gone. Bring it back.")
    assert len(pids(home, "refuse")) == 1


async def test_a_result_that_cannot_be_stored_fails_the_job_and_says_so(
    home: Path, engine: AsyncEngine
) -> None:
    with WorkerProcess(home):
        found = await ended(engine, "unstorable")
    assert found.state == "failed"
    assert "What came out of it cannot be stored" in (found.failure or "")


async def test_what_may_work_later_waits_to_run_again(home: Path, engine: AsyncEngine) -> None:
    with WorkerProcess(home):
        job = await asked(engine, "later")

        async def is_given_back() -> bool:
            return (await jobs.read(engine, job)).deaths == 1

        await until(is_given_back)
    assert (await jobs.read(engine, job)).state == "waiting"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopped_worker_gives_its_job_back_and_ends_its_child(
    home: Path, engine: AsyncEngine, number: int
) -> None:
    job = await asked(engine, "slow")
    with WorkerProcess(home) as worker:
        await until(lambda: len(pids(home, "slow")) == 1)
        status, complaints = worker.end(number)
    assert status == 0, complaints
    assert "Traceback" not in complaints
    assert not is_alive(pids(home, "slow")[0])
    found = await jobs.read(engine, job)
    assert (found.state, found.deaths) == ("waiting", 0)
    assert not await jobs.is_worked(engine)
    (home / "go on").touch()
    with WorkerProcess(home):
        assert (await jobs.wait_for(engine, job)).state == "succeeded"


async def test_a_worker_whose_connections_are_cut_goes_on_with_its_job(
    home: Path, engine: AsyncEngine, database: str
) -> None:
    with WorkerProcess(home) as worker:
        job = await asked(engine, "slow")
        await until(lambda: len(pids(home, "slow")) == 1)
        for _ in range(3):
            with psycopg.connect(database, autocommit=True) as connection:
                cut = connection.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    " AND application_name LIKE 'supportbot%'"
                ).fetchone()
                assert cut
                assert cut[0] > 0
            await engine.dispose()
            await until(lambda: _has_connection(database), what="a new connection")
        (home / "go on").touch()
        assert (await jobs.wait_for(engine, job)).state == "succeeded"
        assert (await ended(engine, "fine")).state == "succeeded"
        assert worker.process.poll() is None
    assert len(pids(home, "slow")) == 1


def _has_connection(database: str) -> bool:
    with psycopg.connect(database) as connection:
        return bool(
            connection.execute(
                "SELECT FROM pg_stat_activity WHERE datname = current_database()"
                " AND application_name = 'supportbot worker'"
            ).fetchall()
        )


async def test_a_job_waits_for_a_reindex_that_somebody_runs_by_hand(home: Path, app: App) -> None:
    (home / "documents" / "tea.md").write_text("# Tea\n\nTea is served at four o'clock.\n")
    with WorkerProcess(home):
        async with runs.only_one(app.engine, "documents"):
            job = await asked(app.engine, "documents")

            async def is_waiting() -> bool:
                return "waiting for another" in ((await jobs.read(app.engine, job)).note or "")

            await until(is_waiting)
        found = await jobs.wait_for(app.engine, job)
    assert (found.state, found.deaths) == ("succeeded", 0)
    assert found.result is not None
    assert found.result["counts"]["indexed"] == 1
    assert (await runs.last_runs(app.engine))["documents"].is_complete


@pytest.fixture
async def nightly(engine: AsyncEngine) -> Scheduled:
    """A schedule that has fired three days ago, when all workers went down."""
    scheduled = Scheduled(Wanted("reindex", "wiki", "schedule"), read_cron("0 3 * * *"), "")
    due = scheduled.cron.latest(datetime.now(UTC) - timedelta(days=3))
    await firings.note_first(engine, scheduled.name, due)
    return scheduled


async def test_three_days_without_a_worker_make_one_job(
    engine: AsyncEngine, nightly: Scheduled
) -> None:
    for _ in range(2):
        await schedule.fire_due(engine, nightly, is_start=True)
    (job,) = await jobs.active(engine)
    assert (job.name, job.requested_by) == ("reindex wiki", "schedule")
    due = nightly.cron.latest(datetime.now(UTC))
    assert await firings.last_fired(engine) == {"reindex:wiki": due}


async def test_a_schedule_counts_from_its_first_start_on(engine: AsyncEngine) -> None:
    scheduled = Scheduled(Wanted("retrain", "", "schedule"), read_cron("30 3 * * *"), "")
    await schedule.fire_due(engine, scheduled, is_start=True)
    assert await jobs.active(engine) == []
    due = scheduled.cron.latest(datetime.now(UTC))
    assert await firings.last_fired(engine) == {"retrain:": due}


async def test_the_clock_fires_the_time_that_was_due_not_the_time_it_is(
    engine: AsyncEngine, nightly: Scheduled, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apscheduler.triggers.interval import IntervalTrigger

    monkeypatch.setattr(schedule, "trigger", lambda _cron: IntervalTrigger(seconds=1))
    due = nightly.cron.latest(datetime.now(UTC))
    async with beside(schedule.keep_time(engine, [nightly])):

        async def is_fired() -> bool:
            return await firings.last_fired(engine) == {"reindex:wiki": due}

        await until(is_fired)  # at the start
        async with engine.begin() as connection:
            a_day_ago = "UPDATE firings SET fire_time = fire_time - interval '1 day'"
            await connection.exec_driver_sql(a_day_ago)
        await until(is_fired)  # by the tick of the clock
