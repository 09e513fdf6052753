"""The clock of a worker: it says when something is due; the database decides who makes it a job."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.cron import WEEKDAYS, Cron
from bot.schedules import Scheduled
from bot.storage import firings, jobs
from bot.storage.database import first_line

RETRY_SECONDS = 2.0
DEFAULTS = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}

log = logging.getLogger(__name__)


async def keep_time(engine: AsyncEngine, scheduled: Sequence[Scheduled]) -> None:
    """Fire what is due, from now on until cancelled; at once, and once, what was missed."""
    clock = AsyncIOScheduler(timezone=UTC, job_defaults=DEFAULTS)
    for each in scheduled:
        clock.add_job(fire_due, trigger(each.cron), args=(engine, each), id=each.name)
    clock.start()
    try:
        for each in scheduled:
            await fire_due(engine, each, is_start=True)
        await asyncio.Event().wait()
    finally:
        clock.shutdown(wait=False)


async def fire_due(
    engine: AsyncEngine, scheduled: Scheduled, *, is_start: bool = False
) -> jobs.Requested | None:
    """Make the last time that was due a job, unless that was done; waits for the database.

    A schedule that starts for the first time counts from now on.
    """
    while True:
        due = scheduled.cron.latest(datetime.now(UTC))
        try:
            if is_start:
                await firings.note_first(engine, scheduled.name, due)
                await jobs.forget_old(engine)
            return await firings.fire(engine, scheduled.name, due, scheduled.wanted)
        except (DBAPIError, OSError) as error:
            log.warning("%s is due but not yet a job: %s", scheduled.name, first_line(error))
        await asyncio.sleep(RETRY_SECONDS)


def trigger(cron: Cron) -> CronTrigger:
    """The same times for APScheduler, which counts weekdays from Monday."""
    return CronTrigger(
        minute=_list(cron.minutes),
        hour=_list(cron.hours),
        day=_list(cron.days),
        month=_list(cron.months),
        day_of_week=",".join(WEEKDAYS[day] for day in cron.weekdays),
        timezone=UTC,
    )


def _list(numbers: Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers)
