"""The inbox: each message that a platform delivers is taken in once, with the job to answer it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.messages import Arrival

TASK = "answer"
KEPT_DAYS = 30
# What a platform sends again after this was never answered by it, and is not taken for a new one.
DELIVERY_HOURS = 48
EDIT_SECONDS = 60

# The platform waits three seconds; a database that is slower than this is one that is away.
PATIENCE_SECONDS = 1.5
# One statement, and so one transaction and one round trip: this is all that the platform waits for.
ACCEPT = text(
    "WITH load AS (SELECT"
    " (SELECT count(*) FROM inbox WHERE platform = :platform AND person = :person"
    "   AND received_at > now() - interval '1 minute' AND state NOT IN ('refused', 'ignored'))"
    "   AS of_person,"
    " (SELECT count(*) FROM inbox WHERE platform = :platform AND channel = :channel"
    "   AND received_at > now() - interval '1 minute' AND state NOT IN ('refused', 'ignored'))"
    "   AS in_channel,"
    " (SELECT count(*) FROM inbox WHERE state = 'waiting') AS waiting,"
    " EXISTS (SELECT FROM inbox WHERE platform = :platform AND person = :person"
    "   AND received_at > now() - interval '1 minute' AND state = 'refused') AS is_told"
    "), taken AS ("
    " INSERT INTO inbox (platform, workspace, channel, message, client_message, conversation,"
    "  person, text, way, details, state, ended_at)"
    " SELECT :platform, :workspace, :channel, :message, CAST(:client_message AS text),"
    "  :conversation, :person, :text, :way, CAST(:details AS jsonb), decision.state,"
    "  CASE decision.state WHEN 'refused' THEN now() END"
    " FROM load, LATERAL (SELECT CASE WHEN of_person >= :per_person OR in_channel >= :per_channel"
    "  OR waiting >= :at_once THEN 'refused' ELSE 'waiting' END AS state) AS decision"
    " WHERE :way <> 'follow_up' OR EXISTS (SELECT FROM inbox AS earlier"
    "  WHERE earlier.platform = :platform AND earlier.conversation = :conversation"
    "  AND earlier.state IN ('waiting', 'answered'))"
    " ON CONFLICT DO NOTHING RETURNING id, state)"
    " SELECT taken.state, load.is_told, CASE taken.state WHEN 'waiting' THEN"
    "  procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :task, 0, :lock, NULL,"
    "  jsonb_build_object('inbox_id', taken.id), NULL)::procrastinate_job_to_defer_v1]) END AS jobs"
    " FROM load LEFT JOIN taken ON true"
)
EDIT = text(
    "UPDATE inbox SET text = :text WHERE platform = :platform AND workspace = :workspace"
    " AND channel = :channel AND message = :message AND state = 'waiting'"
    " AND received_at > now() - make_interval(secs => :seconds)"
)
WITHDRAW = text(
    "UPDATE inbox SET state = 'withdrawn', ended_at = now() WHERE platform = :platform"
    " AND workspace = :workspace AND channel = :channel AND message = :message"
    " AND state = 'waiting'"
)
STOP = text(
    "UPDATE inbox SET is_stopped = true WHERE platform = :platform"
    " AND conversation = :conversation AND state = 'waiting'"
)
SEE = text("INSERT INTO deliveries (platform, key) VALUES (:platform, :key) ON CONFLICT DO NOTHING")
FORGET = text("DELETE FROM deliveries WHERE platform = :platform AND key = :key")


class Reception(Enum):
    """What became of an arrival. Only the first refusal of a minute is told to the person."""

    NEW = "new"
    KNOWN = "known"
    REFUSED = "refused"
    REFUSED_AGAIN = "refused again"


@dataclass(frozen=True, slots=True)
class Flood:
    """How many questions are taken a minute, and how many wait at once."""

    per_person: int = 10
    per_channel: int = 60
    at_once: int = 1000


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a message stands: what no two messages share."""

    platform: str
    workspace: str
    channel: str
    message: str

    def as_values(self) -> dict[str, str]:
        """Its fields as parameters."""
        return {
            "platform": self.platform,
            "workspace": self.workspace,
            "channel": self.channel,
            "message": self.message,
        }


def queue_of(platform: str) -> str:
    """The queue of the questions of a platform."""
    return f"questions of {platform}"


async def accept(engine: AsyncEngine, arrival: Arrival, flood: Flood) -> Reception:
    """Take a message in with the job to answer it, in one transaction, unless it is known.

    A follow-up in a conversation that the bot takes no part in counts as known, so it is left.
    """
    spot = Spot(arrival.platform, arrival.workspace, arrival.channel, arrival.message)
    values = spot.as_values() | {
        "client_message": arrival.client_message,
        "conversation": arrival.conversation,
        "person": arrival.person,
        "text": arrival.text,
        "way": arrival.way.value,
        "details": json.dumps(dict(arrival.details)),
        "per_person": flood.per_person,
        "per_channel": flood.per_channel,
        "at_once": flood.at_once,
    }
    values |= {"queue": queue_of(arrival.platform), "task": TASK, "lock": lock_of(arrival)}
    async with asyncio.timeout(PATIENCE_SECONDS), _committing(engine) as connection:
        row = (await connection.execute(ACCEPT, values)).one()
    if row.state is None:
        return Reception.KNOWN
    if row.state == "waiting":
        return Reception.NEW
    return Reception.REFUSED_AGAIN if row.is_told else Reception.REFUSED


def lock_of(arrival: Arrival) -> str:
    """The name under which the questions of a conversation are answered one by one, in order."""
    return f"{arrival.platform}:{arrival.conversation}"


async def edit(engine: AsyncEngine, spot: Spot, new_text: str) -> bool:
    """Replace what was asked, if it was asked within the last minute and is unanswered."""
    async with engine.begin() as connection:
        changed = await connection.execute(
            EDIT, spot.as_values() | {"text": new_text, "seconds": EDIT_SECONDS}
        )
    return bool(changed.rowcount)


async def withdraw(engine: AsyncEngine, spot: Spot) -> bool:
    """Have an unanswered question not answered."""
    async with engine.begin() as connection:
        return bool((await connection.execute(WITHDRAW, spot.as_values())).rowcount)


async def stop(engine: AsyncEngine, platform: str, conversation: str) -> bool:
    """Have the answer that is being written in a conversation end where it is."""
    async with engine.begin() as connection:
        stopped = await connection.execute(
            STOP, {"platform": platform, "conversation": conversation}
        )
    return bool(stopped.rowcount)


async def is_first(engine: AsyncEngine, platform: str, key: str) -> bool:
    """Whether a delivery that is no message, such as a click, comes for the first time."""
    async with asyncio.timeout(PATIENCE_SECONDS), _committing(engine) as connection:
        return bool((await connection.execute(SEE, {"platform": platform, "key": key})).rowcount)


async def forget(engine: AsyncEngine, platform: str, key: str) -> None:
    """Have what bears this key count as not delivered, as nothing came of it."""
    async with engine.begin() as connection:
        await connection.execute(FORGET, {"platform": platform, "key": key})


async def forget_old(engine: AsyncEngine, days: int = KEPT_DAYS) -> None:
    """Delete what ended more than `days` days ago; the turns stay."""
    async with engine.begin() as connection:
        await connection.execute(
            text("DELETE FROM inbox WHERE ended_at < now() - make_interval(days => :days)"),
            {"days": days},
        )
        await connection.execute(
            text(
                "DELETE FROM deliveries WHERE received_at < now() - make_interval(hours => :hours)"
            ),
            {"hours": DELIVERY_HOURS},
        )


@asynccontextmanager
async def _committing(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection on which every statement is a transaction of its own."""
    async with engine.connect() as connection:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")
