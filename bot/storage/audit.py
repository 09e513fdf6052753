"""The audit: every call of an admin command, whether it was allowed or refused."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

NOTE = text(
    "INSERT INTO audit (platform, workspace, person, channel, command, arguments, is_allowed)"
    " VALUES (:platform, :workspace, :person, :channel, :command, :arguments, :is_allowed)"
)
NEWEST = text(
    "SELECT platform, workspace, person, channel, command, arguments, is_allowed, called_at"
    " FROM audit ORDER BY id DESC LIMIT :count"
)


@dataclass(frozen=True, slots=True)
class Call:
    """A command as somebody called it; `is_allowed` says whether that person may."""

    platform: str
    workspace: str
    person: str
    channel: str | None
    command: str
    arguments: str
    is_allowed: bool


@dataclass(frozen=True, slots=True)
class Called(Call):
    """A call as it was noted."""

    called_at: datetime


async def note(engine: AsyncEngine, call: Call) -> None:
    """Store a call; stored when this returns."""
    async with engine.begin() as connection:
        await connection.execute(NOTE, asdict(call))


async def newest(engine: AsyncEngine, count: int) -> list[Called]:
    """The last calls, newest first."""
    async with engine.connect() as connection:
        return [Called(*row) for row in await connection.execute(NEWEST, {"count": count})]
