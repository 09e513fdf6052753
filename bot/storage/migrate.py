"""Brings the schema up to date, one process at a time however many start together."""

import io
from collections.abc import Callable

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.errors import DatabaseError
from bot.packaged import packaged

LOCK = text("SELECT pg_advisory_lock(hashtext('supportbot migrations'))")
LOCK_TIMEOUT = text("SET lock_timeout = '300s'")
IS_MIGRATED = text("SELECT to_regclass('alembic_version') IS NOT NULL")
CURRENT = text("SELECT version_num FROM alembic_version")


async def upgrade(engine: AsyncEngine, revision: str = "head") -> None:
    """Migrate up to `revision`.

    Raises:
        DatabaseError: the revision is unknown to this code, or another migration did not end.
    """
    if revision == "head" and await current(engine) == head():
        return
    await _migrate(engine, lambda config: command.upgrade(config, revision))


async def downgrade(engine: AsyncEngine, revision: str) -> None:
    """Migrate down to `revision`; "base" removes every table.

    Raises:
        DatabaseError: as for `upgrade`.
    """
    await _migrate(engine, lambda config: command.downgrade(config, revision))


async def current(engine: AsyncEngine) -> str | None:
    """The revision that the database is at; None before the first migration."""
    async with engine.connect() as connection:
        if not await connection.scalar(IS_MIGRATED):
            return None
        revision: str | None = await connection.scalar(CURRENT)
        return revision


def head() -> str:
    """The revision that this code expects."""
    revision = ScriptDirectory(str(packaged("migrations"))).get_current_head()
    assert revision is not None
    return revision


async def _migrate(engine: AsyncEngine, step: Callable[[Config], None]) -> None:
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(packaged("migrations")))
    config.set_main_option("path_separator", "os")

    def run(connection: Connection) -> None:
        config.attributes["connection"] = connection
        step(config)

    # The lock has a connection of its own: a session lock outlives the migrations' transactions,
    # and closing the connection releases it however this ends.
    async with engine.connect() as holder:
        await _lock(await holder.execution_options(isolation_level="AUTOCOMMIT"))
        try:
            async with engine.connect() as connection:
                await connection.run_sync(run)
                await connection.commit()
        except CommandError as error:
            raise DatabaseError(
                f"The database cannot be migrated: {error}. It was probably written by a newer "
                "supportbot; run that version, or restore a backup made with this one."
            ) from error
        finally:
            await holder.invalidate()


async def _lock(holder: AsyncConnection) -> None:
    await holder.execute(LOCK_TIMEOUT)
    try:
        await holder.execute(LOCK)
    except OperationalError as error:
        raise DatabaseError(
            "Another process has been migrating the database for five minutes. Let it end, or "
            "stop it, and start again."
        ) from error
