"""The schema: up, down, and up again, by one process or by twenty at once."""

import asyncio
import sys

import psycopg
import pytest

from bot.errors import DatabaseError
from bot.storage import migrate
from bot.storage.database import open_setup_engine

MIGRATE = """
import asyncio, sys
from bot.storage import migrate
from bot.storage.database import open_setup_engine
asyncio.run(migrate.upgrade(open_setup_engine(sys.argv[1])))
"""
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


async def test_every_migration_goes_up_down_and_up_again(empty_database: str) -> None:
    engine = open_setup_engine(empty_database)
    await migrate.upgrade(engine)
    assert await migrate.current(engine) == migrate.head()
    await migrate.downgrade(engine, "base")
    with psycopg.connect(empty_database) as connection:
        assert connection.execute(TABLES).fetchone() == (1,)  # alembic_version alone
        assert connection.execute(
            "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')"
        ).fetchone() == (0,)
    await migrate.upgrade(engine)
    assert await migrate.current(engine) == migrate.head()
    await engine.dispose()


async def test_twenty_processes_starting_on_an_empty_database_all_succeed(
    empty_database: str,
) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATE, empty_database, stderr=asyncio.subprocess.PIPE
        )
        for _ in range(20)
    ]
    results = await asyncio.gather(*(process.communicate() for process in processes))
    assert [p.returncode for p in processes] == [0] * 20, [error for _, error in results if error]
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (migrate.head(),)
        ]


async def test_a_migration_killed_half_way_leaves_nothing_and_the_next_succeeds(
    empty_database: str,
) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", MIGRATE, empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        while not connection.execute(
            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall():
            await asyncio.sleep(0.005)
        process.kill()
        await process.wait()
    engine = open_setup_engine(empty_database)
    await migrate.upgrade(engine)
    assert await migrate.current(engine) == migrate.head()
    await engine.dispose()


async def test_a_database_of_a_newer_version_is_refused_with_a_sentence(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    engine = open_setup_engine(database)
    with pytest.raises(DatabaseError, match="newer supportbot"):
        await migrate.upgrade(engine)
    await engine.dispose()
