"""Jobs and firings in the database: asked for once, given back without loss, ended once."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.storage import claims, firings, jobs
from bot.storage.claims import Claim
from bot.storage.jobs import Wanted

REQUESTS = """
import asyncio, json, sys
from bot.storage import jobs
from bot.storage.database import open_engine

async def main():
    engine = open_engine(sys.argv[1])
    asked = await asyncio.gather(*(
        jobs.request(engine, "reindex", "wiki", f"person {n}") for n in range(int(sys.argv[2]))
    ))
    print(json.dumps([[a.job_id, a.is_new] for a in asked]))
    await engine.dispose()

asyncio.run(main())
"""
FIRINGS = """
import asyncio, sys
from datetime import datetime, timedelta, UTC
from bot.storage import firings
from bot.storage.database import open_engine
from bot.storage.jobs import Wanted

async def main():
    engine = open_engine(sys.argv[1])
    for number in range(int(sys.argv[2])):
        due = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
        wanted = Wanted("reindex", f"source{number}", "schedule")
        await firings.fire(engine, "clock", due, wanted)
    await engine.dispose()

asyncio.run(main())
"""
NIGHT = datetime(2026, 1, 1, 3, tzinfo=UTC)


async def take(engine: AsyncEngine) -> Claim | None:
    """Take up a job as a worker does."""
    async with engine.begin() as connection:
        worker = await connection.scalar(text("SELECT * FROM procrastinate_register_worker_v1()"))
        row = (
            await connection.execute(
                text("SELECT id, attempts, lock FROM procrastinate_fetch_job_v2(NULL, :worker)"),
                {"worker": worker},
            )
        ).one()
    return Claim(row.id, row.attempts, row.lock) if row.id else None


async def taken(engine: AsyncEngine) -> Claim:
    claim = await take(engine)
    assert claim
    assert await claims.begin(engine, claim)
    return claim


async def start_together(script: str, *arguments: str, processes: int) -> list[str]:
    """What so many processes of a script print that run at the same time."""
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, *arguments, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(processes)
    ]
    printed = await asyncio.gather(*(process.communicate() for process in started))
    assert [process.returncode for process in started] == [0] * processes
    return [output.decode() for output, _ in printed]


async def test_fifty_requests_of_three_processes_make_one_running_and_one_waiting_job(
    engine: AsyncEngine, database: str
) -> None:
    running = (await jobs.request(engine, "reindex", "wiki", "first")).job_id
    assert (await taken(engine)).job_id == running
    printed = await start_together(REQUESTS, database, "17", processes=3)
    replies = [reply for output in printed for reply in json.loads(output)]
    assert len(replies) == 51
    assert sum(is_new for _, is_new in replies) == 1
    assert len({job for job, _ in replies}) == 1
    assert [(job.id, job.state) for job in await jobs.active(engine)] == [
        (running, "running"),
        (replies[0][0], "waiting"),
    ]
    assert await take(engine) is None, "the waiting one runs when the running one has ended"


async def test_a_retraining_that_runs_is_named_and_not_repeated(engine: AsyncEngine) -> None:
    first = await jobs.request(engine, "retrain", "", "ann")
    waiting = await jobs.request(engine, "retrain", "", "bob")
    assert (waiting.job_id, waiting.is_new, waiting.state) == (first.job_id, False, "waiting")
    await taken(engine)
    running = await jobs.request(engine, "retrain", "", "bob")
    assert (running.job_id, running.is_new, running.state) == (first.job_id, False, "running")
    assert len(await jobs.active(engine)) == 1


async def test_the_database_itself_refuses_a_second_waiting_job(engine: AsyncEngine) -> None:
    await jobs.request(engine, "reindex", "wiki", "ann")
    again = text(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock)"
        " SELECT queue_name, task_name, lock, queueing_lock FROM procrastinate_jobs"
    )
    with pytest.raises(Exception, match="procrastinate_jobs_queueing_lock_idx"):
        async with engine.begin() as connection:
            await connection.execute(again)


async def test_a_request_that_allows_shrinking_is_not_lost_in_one_that_waits(
    engine: AsyncEngine, database: str
) -> None:
    await jobs.request(engine, "reindex", "wiki", "ann")
    await jobs.request(engine, "reindex", "wiki", "bob", ["allow_shrink"])
    await jobs.request(engine, "reindex", "wiki", "ann")
    with psycopg.connect(database) as connection:
        found = connection.execute("SELECT args FROM procrastinate_jobs").fetchall()
    assert found == [({"allow_shrink": True},)]


async def test_five_processes_that_fire_the_same_times_make_each_one_job(
    engine: AsyncEngine, database: str
) -> None:
    await start_together(FIRINGS, database, "40", processes=5)
    assert len(await jobs.active(engine)) == 40
    with psycopg.connect(database) as connection:
        count = "SELECT count(*), count(DISTINCT fire_time), count(DISTINCT job_id) FROM firings"
        assert connection.execute(count).fetchone() == (40, 40, 40)


async def test_a_firing_whose_job_cannot_be_made_is_not_noted(engine: AsyncEngine) -> None:
    with pytest.raises(Exception, match="jobs_kind_check"):
        await firings.fire(engine, "bad", NIGHT, Wanted("Not a kind", "", "schedule"))
    assert await firings.last_fired(engine) == {}


async def test_an_older_time_than_the_last_is_not_fired(engine: AsyncEngine) -> None:
    wanted = Wanted("reindex", "wiki", "schedule")
    assert await firings.fire(engine, "wiki", NIGHT, wanted)
    assert not await firings.fire(engine, "wiki", NIGHT - timedelta(days=1), wanted)
    assert await firings.last_fired(engine) == {"wiki": NIGHT}


async def test_a_job_given_back_runs_again_and_its_old_claim_is_worth_nothing(
    engine: AsyncEngine,
) -> None:
    job = (await jobs.request(engine, "reindex", "wiki", "ann")).job_id
    old = await taken(engine)
    assert await claims.note_progress(engine, old, 0.5, "half", 3)
    await claims.give_back(engine, old, "Its worker died.")
    new = await taken(engine)
    assert (new.job_id, old.job_id) == (job, job)
    assert not await claims.note_progress(engine, old, 0.9, "late", None)
    await claims.give_back(engine, old, "Too late.")
    await claims.succeed(engine, old, {"by": "the old"})
    await claims.fail(engine, old, "Too late.")
    assert (await jobs.read(engine, job)).state == "running"
    await claims.succeed(engine, new, {"by": "the new"})
    ended = await jobs.read(engine, job)
    assert (ended.state, ended.result, ended.deaths) == ("succeeded", {"by": "the new"}, 1)
    assert ended.seconds is not None


async def test_an_interrupted_job_is_succeeded_by_the_one_that_waits(
    engine: AsyncEngine, database: str
) -> None:
    first = (await jobs.request(engine, "reindex", "wiki", "ann", ["allow_shrink"])).job_id
    claim = await taken(engine)
    second = (await jobs.request(engine, "reindex", "wiki", "bob")).job_id
    await claims.give_back(engine, claim, "Its worker died.")
    assert (await jobs.read(engine, first)).state == "superseded"
    following = asyncio.create_task(jobs.wait_for(engine, first))
    claim = await taken(engine)
    assert claim.job_id == second
    await claims.succeed(engine, claim, {"indexed": 1})
    ended = await following
    assert (ended.id, ended.state, ended.deaths) == (second, "succeeded", 1)
    with psycopg.connect(database) as connection:
        (args,) = connection.execute(
            "SELECT args FROM procrastinate_jobs WHERE id = %s", (second,)
        ).fetchone() or ({},)
    assert args == {"allow_shrink": True}


async def test_the_fifth_death_fails_the_job_with_its_reason(engine: AsyncEngine) -> None:
    job = (await jobs.request(engine, "reindex", "wiki", "ann")).job_id
    for _ in range(5):
        assert not (await jobs.read(engine, job)).is_over
        await claims.give_back(engine, await taken(engine), "Its worker died.")
    ended = await jobs.wait_for(engine, job)
    assert (ended.state, ended.deaths) == ("failed", 5)
    assert ended.failure == "Its worker died. It was tried 5 times."
    assert (await jobs.request(engine, "reindex", "wiki", "ann")).is_new


async def test_being_interrupted_does_not_count_as_dying(engine: AsyncEngine) -> None:
    job = (await jobs.request(engine, "reindex", "wiki", "ann")).job_id
    for _ in range(7):
        await claims.give_back(engine, await taken(engine))
    assert (await jobs.read(engine, job)).deaths == 0


async def test_jobs_are_stalled_when_their_worker_is_silent_or_gone(engine: AsyncEngine) -> None:
    for source in ("silent", "gone", "alive"):
        await jobs.request(engine, "reindex", source, "ann")
    silent, gone, _alive = [await taken(engine) for _ in range(3)]
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute'"
                 " WHERE id = (SELECT worker_id FROM procrastinate_jobs WHERE id = :id)"),
            {"id": silent.job_id},
        )  # fmt: skip
        await connection.execute(
            text("DELETE FROM procrastinate_workers"
                 " WHERE id = (SELECT worker_id FROM procrastinate_jobs WHERE id = :id)"),
            {"id": gone.job_id},
        )  # fmt: skip
    found = await claims.stalled(engine, silent_seconds=30)
    assert sorted(found, key=lambda claim: claim.job_id) == [silent, gone]


async def test_the_last_end_of_each_kind_is_told_and_old_ones_are_forgotten(
    engine: AsyncEngine,
) -> None:
    for failure in ("The folder is gone.", None):
        await jobs.request(engine, "reindex", "wiki", "ann")
        claim = await taken(engine)
        if failure:
            await claims.fail(engine, claim, failure)
        else:
            await claims.succeed(engine, claim, {"indexed": 3})
    (last,) = await jobs.last_ended(engine)
    assert (last.state, last.result, last.name) == ("succeeded", {"indexed": 3}, "reindex wiki")
    await jobs.forget_old(engine)
    assert len(await jobs.last_ended(engine)) == 1
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE jobs SET requested_at = requested_at - interval '91 days',"
                 " started_at = started_at - interval '91 days',"
                 " finished_at = finished_at - interval '91 days'")
        )  # fmt: skip
    await jobs.forget_old(engine)
    assert await jobs.last_ended(engine) == []


def test_the_queues_schema_is_that_of_the_installed_procrastinate() -> None:
    """Where this fails after an upgrade, its new migrations are to be added as one of ours."""
    from procrastinate.schema import SchemaManager

    schemas = Path(__file__).parents[2] / "migrations" / "schemas"
    copy = (schemas / "procrastinate-3.10.0.sql").read_text("utf-8")
    assert copy == SchemaManager.get_schema()


def test_asking_for_jobs_does_not_load_the_queues_library() -> None:
    script = (
        "import sys, bot.app, bot.status, bot.background, bot.storage.jobs, bot.storage.firings\n"
        "loaded = {'procrastinate', 'apscheduler'} & set(sys.modules)\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
