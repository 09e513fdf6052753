"""Conversations on platforms: who takes part, and what channels the bot may answer in by itself."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Arrival

IS_HANDED_OVER = text(
    "SELECT EXISTS (SELECT FROM handoffs JOIN turns ON turns.id = turn_id"
    " WHERE turns.platform = :platform AND turns.conversation = :conversation"
    " AND message IS NOT NULL AND state <> 'resolved')"
)
SET_MODE = text(
    "INSERT INTO channels (platform, workspace, channel, mode, changed_by)"
    " VALUES (:platform, :workspace, :channel, :mode, :person)"
    " ON CONFLICT (platform, workspace, channel) DO UPDATE SET mode = excluded.mode,"
    " changed_by = excluded.changed_by, changed_at = now()"
)
REFUSE = text(
    "INSERT INTO channels (platform, workspace, channel, refusal)"
    " VALUES (:platform, :workspace, :channel, :refusal)"
    " ON CONFLICT (platform, workspace, channel) DO UPDATE SET refusal = excluded.refusal"
)


@dataclass(frozen=True, slots=True)
class Channel:
    """What is known of a channel.

    `mode` is how it answers by itself, None where nobody has set that; `seen` up to when
    everything said there has arrived, and `refusal` why the platform last took no answer there.
    """

    id: str
    mode: str | None
    seen: str | None
    refusal: str | None


async def is_handed_over(engine: AsyncEngine, arrival: Arrival) -> bool:
    """Whether people were asked to take over the conversation and are not done."""
    values = {"platform": arrival.platform, "conversation": arrival.conversation}
    async with engine.connect() as connection:
        return bool(await connection.scalar(IS_HANDED_OVER, values))


async def channels(engine: AsyncEngine, platform: str, workspace: str) -> list[Channel]:
    """The channels that anything is known of."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT channel, mode, seen, refusal FROM channels"
                " WHERE platform = :platform AND workspace = :workspace ORDER BY channel"
            ),
            {"platform": platform, "workspace": workspace},
        )
        return [Channel(row.channel, row.mode, row.seen, row.refusal) for row in rows]


@dataclass(frozen=True, slots=True)
class Place:
    """A channel of a workspace of a platform."""

    platform: str
    workspace: str
    channel: str

    def as_values(self) -> dict[str, str]:
        """Its fields as parameters."""
        return {"platform": self.platform, "workspace": self.workspace, "channel": self.channel}


async def set_mode(engine: AsyncEngine, place: Place, mode: str, person: str) -> None:
    """Set which unmentioned messages of a channel are answered."""
    async with engine.begin() as connection:
        await connection.execute(SET_MODE, place.as_values() | {"mode": mode, "person": person})


async def note_refusal(engine: AsyncEngine, place: Place, refusal: str | None) -> None:
    """Note why the platform takes no answers there; None where it does again."""
    async with engine.begin() as connection:
        await connection.execute(REFUSE, place.as_values() | {"refusal": refusal})
