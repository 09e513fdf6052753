"""How far the channels of a workspace were heard, and what arrived of what was said in them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Arrival
from bot.storage.conversations import Place

LOCK = text("SELECT pg_try_advisory_lock(hashtext('supportbot catching up'), hashtext(:workspace))")
# A row a channel is written every two minutes at most, so that a start reads little again.
HEAR = text(
    "UPDATE channels SET seen = greatest(seen, :mark) WHERE platform = :platform"
    " AND workspace = :workspace AND (seen IS NULL OR seen < :mark)"
)
# Where somebody asked for the first time, such as in a new direct message.
HEAR_NEW = text(
    "INSERT INTO channels (platform, workspace, channel, seen)"
    " SELECT DISTINCT platform, workspace, channel, CAST(:mark AS text) FROM inbox"
    " WHERE platform = :platform AND workspace = :workspace"
    " AND received_at > now() - interval '1 day' AND way NOT IN ('command', 'shortcut')"
    " ON CONFLICT DO NOTHING"
)
SEE = text(
    "INSERT INTO channels (platform, workspace, channel, seen)"
    " VALUES (:platform, :workspace, :channel, :mark)"
    " ON CONFLICT (platform, workspace, channel) DO UPDATE"
    " SET seen = greatest(channels.seen, excluded.seen)"
)
KNOWN = text(
    "SELECT message FROM inbox WHERE platform = :platform AND workspace = :workspace"
    " AND channel = :channel AND message = ANY(:messages)"
)
LATEST = text(
    "SELECT channel FROM inbox WHERE platform = :platform AND workspace = :workspace"
    " GROUP BY channel ORDER BY max(id) DESC"
)
THREADS = text(
    "SELECT details->>'thread' AS thread FROM inbox WHERE platform = :platform"
    " AND channel = :channel AND workspace = :workspace AND details->>'thread' IS NOT NULL"
    " AND state IN ('waiting', 'answered') AND received_at > now() - make_interval(days => :days)"
    " GROUP BY 1 ORDER BY max(id) DESC LIMIT :count"
)
LEAVE = text(
    "INSERT INTO inbox (platform, workspace, channel, message, client_message, conversation,"
    " person, text, way, details, state, ended_at) VALUES (:platform, :workspace, :channel,"
    " :message, :client_message, :conversation, :person, :text, :way, '{}', 'ignored', now())"
    " ON CONFLICT DO NOTHING"
)


@asynccontextmanager
async def alone(engine: AsyncEngine, workspace: str) -> AsyncIterator[bool]:
    """Whether no other process catches up in the workspace, until the end of the block."""
    async with engine.connect() as holder:
        await holder.execution_options(isolation_level="AUTOCOMMIT")
        is_alone = bool(await holder.scalar(LOCK, {"workspace": workspace}))
        try:
            yield is_alone
        finally:
            await holder.invalidate()  # closing the connection frees the lock however this ends


async def note_heard(engine: AsyncEngine, platform: str, workspace: str, mark: str) -> None:
    """Note that everything said before `mark` has arrived, in every channel that is known.

    Message ids sort by their time.
    """
    values = {"platform": platform, "workspace": workspace, "mark": mark}
    async with engine.begin() as connection:
        await connection.execute(HEAR, values)
        await connection.execute(HEAR_NEW, values)


async def note_read(engine: AsyncEngine, place: Place, mark: str) -> None:
    """Note that everything said before `mark` in a channel was read."""
    async with engine.begin() as connection:
        await connection.execute(SEE, place.as_values() | {"mark": mark})


async def known(engine: AsyncEngine, place: Place, messages: Sequence[str]) -> set[str]:
    """Those of the messages that arrived in the inbox, however they ended."""
    values = place.as_values() | {"messages": list(messages)}
    async with engine.connect() as connection:
        return set((await connection.execute(KNOWN, values)).scalars())


async def latest_channels(engine: AsyncEngine, platform: str, workspace: str) -> list[str]:
    """The channels where questions were asked, the latest first."""
    values = {"platform": platform, "workspace": workspace}
    async with engine.connect() as connection:
        return list((await connection.execute(LATEST, values)).scalars())


async def threads(engine: AsyncEngine, place: Place, days: int, count: int) -> list[str]:
    """The newest threads of a channel in which the bot took part within so many days."""
    values = place.as_values() | {"days": days, "count": count}
    async with engine.connect() as connection:
        return list((await connection.execute(THREADS, values)).scalars())


async def leave(engine: AsyncEngine, arrival: Arrival) -> None:
    """Have a message never answered, as it was told to somebody else."""
    values = {
        "platform": arrival.platform, "workspace": arrival.workspace, "channel": arrival.channel,
        "message": arrival.message, "client_message": arrival.client_message,
        "conversation": arrival.conversation, "person": arrival.person, "text": arrival.text,
        "way": arrival.way.value,
    }  # fmt: skip
    async with engine.begin() as connection:
        await connection.execute(LEAVE, values)
