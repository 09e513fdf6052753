"""The queue as a worker uses it: procrastinate's, with endings of our own and across outages."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import psycopg
from procrastinate import PsycopgConnector
from procrastinate.connector import BaseAsyncConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.storage.claims import Claim
from bot.storage.database import first_line, url_of

# A database that is away for so long makes the worker start over; its work goes on until then.
OUTAGE_SECONDS = 90.0
RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class Settle(Protocol):
    """Stores how a job ended.

    `unsettled` says why what was to be stored could not be; None at first.
    """

    def __call__(self, job: Job, status: Status, unsettled: str | None) -> Awaitable[None]: ...


class Queue(JobManager):
    """The queue as a worker uses it, except that jobs end as `settle` says.

    procrastinate would mark a job that it lost to another worker, and would leave a job running
    for ever where it cannot be given back as another one waits. An outage of the database, up to
    `OUTAGE_SECONDS`, is waited out. New jobs are polled for, as a pooler between may not pass
    notifications on; `wake` spares the wait for a job that this process has just deferred.
    """

    def __init__(self, connector: BaseAsyncConnector, settle: Settle) -> None:
        super().__init__(connector)
        self.give_up: Callable[[], object] = lambda: None
        self._settle = settle
        self._woken = asyncio.Event()
        self._away_since: float | None = None

    def wake(self) -> None:
        """Have the worker look for jobs now."""
        self._woken.set()

    async def listen_for_jobs(self, *, on_notification: Any, queues: Any = None) -> None:
        """Tell the worker whenever it is woken, for ever."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            await on_notification(channel="", notification={"type": "job_inserted", "job_id": 0})

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """The next job, None also where the database is away."""
        try:
            job = await super().fetch_job(queues, worker_id)
        except ConnectorException as error:
            now = time.monotonic()
            if self._away_since is None:
                log.warning("The queue cannot be read: %s", first_line(error.__cause__ or error))
            self._away_since = self._away_since or now
            if not _is_outage(error) or now - self._away_since > OUTAGE_SECONDS:
                raise
            return None
        self._away_since = None
        return job

    async def update_heartbeat(self, worker_id: int) -> None:
        """Tell that the worker lives, if the database is there to hear it."""
        try:
            await super().update_heartbeat(worker_id)
        except ConnectorException as error:
            if not _is_outage(error):
                raise

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        """None, as nothing aborts jobs."""
        return ()

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Settle how the job ended, however long the database is away."""
        started = time.monotonic()
        unsettled = None
        while True:
            try:
                await self._settle(job, status, unsettled)
                return
            except (DBAPIError, OSError) as error:
                if time.monotonic() - started > OUTAGE_SECONDS:
                    self.give_up()
                    raise
                if isinstance(error, DataError | IntegrityError):
                    unsettled = first_line(error)
            await asyncio.sleep(RETRY_SECONDS)


def connector_of(engine: AsyncEngine, name: str, connections: int) -> PsycopgConnector:
    """procrastinate's own pool on the database of the engine."""
    return PsycopgConnector(
        conninfo=url_of(engine),
        kwargs={"application_name": name, "prepare_threshold": None},
        min_size=1, max_size=connections, timeout=10, reconnect_timeout=5,
    )  # fmt: skip


def claim_of(job: Job) -> Claim:
    """The claim that fetching the job gave."""
    assert job.id is not None
    return Claim(job.id, job.attempts, job.lock or "")


def _is_outage(error: ConnectorException) -> bool:
    return isinstance(error.__cause__, psycopg.OperationalError | psycopg.InterfaceError)
