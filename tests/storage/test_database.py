"""The pool: what a server must have, and errors that say so without telling secrets."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from bot.errors import DatabaseError
from bot.storage.database import check, is_recommended, open_database, open_setup_engine


async def test_a_server_that_is_not_there_gives_a_sentence_without_the_password() -> None:
    with pytest.raises(DatabaseError) as raised:
        await open_database("postgresql://someone:canary-secret@127.0.0.1:1/nothing")
    assert "canary-secret" not in str(raised.value)
    assert "Check DATABASE_URL" in str(raised.value)


async def test_the_versions_of_server_and_pgvector_are_known(empty_database: str) -> None:
    engine = open_setup_engine(empty_database)
    postgres, pgvector = await check(engine)
    assert postgres >= 15
    assert pgvector.startswith("0.")
    await engine.dispose()


def test_pgvector_before_0_8_4_is_not_recommended() -> None:
    assert not is_recommended("0.8.3")
    assert is_recommended("0.8.4")
    assert is_recommended("0.10.0")


STARTING = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"


async def test_a_server_that_is_starting_is_waited_for(database: str, tmp_path: Path) -> None:
    url = make_url(database)
    behind = f"{url.query['host']}/.s.PGSQL.{url.query.get('port', 5432)}"
    refused = 0
    passing: list[asyncio.Task[None]] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while content := await reader.read(65536):
            writer.write(content)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal refused
        if refused < 2:
            refused += 1
            await reader.read(1024)
            writer.write(b"E" + (len(STARTING) + 4).to_bytes(4, "big") + STARTING)
            await writer.drain()
            writer.close()
            return
        inner = await asyncio.open_unix_connection(behind)
        passing.append(asyncio.create_task(pass_on(reader, inner[1])))
        passing.append(asyncio.create_task(pass_on(inner[0], writer)))

    async with await asyncio.start_unix_server(connect, tmp_path / ".s.PGSQL.5432"):
        before = url.update_query_dict({"host": str(tmp_path), "port": "5432"})
        engine = await open_database(before.render_as_string(hide_password=False))
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT count(*) FROM turns")) == 0
        await engine.dispose()
        await asyncio.gather(*passing, return_exceptions=True)
    assert refused == 2
