"""The pool: what a server must have, and errors that say so without telling secrets."""

import pytest

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
