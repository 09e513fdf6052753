"""The one connection pool of a process, to a Postgres that was checked to have what we need."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import psycopg
from pgvector.psycopg import register_vector_async
from sqlalchemy import URL, NullPool, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bot.errors import DatabaseError
from bot.storage import migrate

T = TypeVar("T")

START_SECONDS = 60.0
STARTING = re.compile("starting up|not yet accepting connections|in recovery mode")

MIN_POSTGRES = 15
MIN_PGVECTOR = (0, 8)
# Earlier ones can corrupt an HNSW index on vacuum (pgvector CHANGELOG, 0.8.3 and 0.8.4).
RECOMMENDED_PGVECTOR = (0, 8, 4)

log = logging.getLogger(__name__)

# jit costs more than it saves on statements of milliseconds. Generic plans spare planning at every
# question and do not change under us. The hnsw settings let a filtered scan go on until it has
# enough rows (pgvector README, "Iterative Index Scans").
SESSION_SETTINGS = {
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "hnsw.ef_search": "200",
    "hnsw.iterative_scan": "relaxed_order",
}

VERSIONS = text(
    "SELECT current_setting('server_version_num')::integer / 10000,"
    " (SELECT extversion FROM pg_extension WHERE extname = 'vector'),"
    " (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'),"
    " pg_is_in_recovery()"
)


def sqlalchemy_url(url: str) -> URL:
    """The libpq `url` for SQLAlchemy's psycopg 3 dialect."""
    return make_url(url).set(drivername="postgresql+psycopg")


def url_of(engine: AsyncEngine) -> str:
    """The libpq URL of a pool's database, with its password."""
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def open_engine(url: str, pool_size: int = 5) -> AsyncEngine:
    """A pool on the libpq `url`; connects at first use, prepares every statement."""
    engine = create_async_engine(
        sqlalchemy_url(url),
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=30,
        connect_args={
            "options": " ".join(f"-c {name}={value}" for name, value in SESSION_SETTINGS.items()),
            "application_name": "supportbot",
            "connect_timeout": 10,
            "prepare_threshold": 0,
        },
    )

    @event.listens_for(engine.sync_engine, "connect")
    def register_vector_types(connection: Any, _record: Any) -> None:
        connection.run_async(register_vector_async)

    return engine


def open_setup_engine(url: str) -> AsyncEngine:
    """Connections for checks and migrations: nothing pooled or prepared, no vector types yet."""
    return create_async_engine(
        sqlalchemy_url(url),
        poolclass=NullPool,
        connect_args={"connect_timeout": 10, "prepare_threshold": None},
    )


async def open_database(url: str, pool_size: int = 5) -> AsyncEngine:
    """A pool on a database that was checked and migrated.

    Raises:
        DatabaseError: it cannot be reached, is too old, lacks pgvector or cannot be migrated.
    """
    setup = open_setup_engine(url)
    try:
        await _wait_for_start(setup)
        await check(setup)
        await migrate.upgrade(setup)
    except DBAPIError as error:
        raise explain(error, url) from None
    finally:
        await setup.dispose()
    return open_engine(url, pool_size)


async def _wait_for_start(engine: AsyncEngine) -> None:
    """Wait while the server says that it starts, as it does in the seconds after a crash."""
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            async with engine.connect():
                return
        except DBAPIError as error:
            if not STARTING.search(str(error.orig)) or time.monotonic() > until:
                raise
            log.warning("The database is starting; waiting for it.")
        await asyncio.sleep(1)


async def check(engine: AsyncEngine) -> tuple[int, str]:
    """The server's major version and the pgvector version it has or offers.

    Raises:
        DatabaseError: one of them is missing, too old, or the server is a read-only standby.
    """
    async with engine.connect() as connection:
        major, installed, offered, is_standby = (await connection.execute(VERSIONS)).one()
    if is_standby:
        raise DatabaseError(
            "DATABASE_URL points to a read-only standby. Point it to the primary server."
        )
    if major < MIN_POSTGRES:
        raise DatabaseError(
            f"The server runs PostgreSQL {major}; supportbot needs {MIN_POSTGRES} or newer. "
            "Upgrade it, or unset DATABASE_URL to use the embedded server."
        )
    vector = installed or offered
    if vector is None:
        raise DatabaseError(
            "The server has no pgvector extension. Install it (Debian and Ubuntu: apt install "
            f"postgresql-{major}-pgvector), or unset DATABASE_URL to use the embedded server."
        )
    if _version(vector) < MIN_PGVECTOR:
        raise DatabaseError(
            f"The database has pgvector {vector}; supportbot needs 0.8 or newer. Install it on "
            "the server, then run ALTER EXTENSION vector UPDATE in the database."
        )
    return major, vector


async def read_again_after_restart(read: Callable[[], Awaitable[T]]) -> T:
    """What `read` gives; tried a second time where its connection was dead.

    A pool holds on to connections from before a restart of the server. Asking each whether it
    lives before every use would cost every question a round trip. The first that is found dead
    makes the pool renew all that are as old, so the second try meets a new one.
    """
    try:
        return await read()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return await read()
    except psycopg.OperationalError:
        return await read()


def is_recommended(pgvector: str) -> bool:
    """Whether this pgvector version is free of the known HNSW corruption bugs."""
    return _version(pgvector) >= RECOMMENDED_PGVECTOR


def explain(error: DBAPIError | psycopg.Error, url: str) -> DatabaseError:
    """The sentence for a database error, without credentials."""
    where = sqlalchemy_url(url).render_as_string(hide_password=True)
    where = where.replace("postgresql+psycopg", "postgresql")
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.errors.InsufficientPrivilege):
        return DatabaseError(
            "The database user may not create the pgvector extension or our tables. Have an "
            "administrator run CREATE EXTENSION vector in the database and let the user own it."
        )
    reason = first_line(error)
    password = sqlalchemy_url(url).password
    if password:
        reason = reason.replace(str(password), "***")
    return DatabaseError(
        f"The database at {where} does not work: {reason}. Check DATABASE_URL and that the "
        "server runs, or unset DATABASE_URL to use the embedded server."
    )


def first_line(error: BaseException) -> str:
    """What an error of the database says first; the rest is statements and hints."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0]


def _version(written: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", written)[:3])
