"""The language that words are stemmed in; the inverted index itself is kept by the database."""

from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import SettingsError


async def use_language(engine: AsyncEngine, language: str) -> bool:
    """Stem in this text-search configuration of Postgres from now on; whether it is a new one.

    A change rebuilds the words of every chunk, without reading or encoding a document again.

    Raises:
        SettingsError: the database has no such configuration.
    """
    async with engine.begin() as connection:
        if await connection.scalar(text("SELECT language FROM corpus")) == language:
            return False
        try:
            await connection.execute(text("SELECT change_language(:l)"), {"l": language})
        except ProgrammingError as error:
            names = await _configurations(engine)
            raise SettingsError(
                f"language = {language!r}: the database has no such text-search configuration. "
                f"Write one of: {', '.join(names)}."
            ) from error
    return True


async def _configurations(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT cfgname FROM pg_ts_config ORDER BY cfgname"))
        return list(rows.scalars())
