"""Hand-offs: turns that people are asked to answer, by whom they are taken, and how they end."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

# A hand-off that could not be posted is tried again after so long, then twice as long and so on.
PAUSE_SECONDS = 30
MAX_PAUSE_SECONDS = 3600

ADD = text(
    "INSERT INTO handoffs (turn_id, platform, workspace, asked_in, asked_thread, asked_by)"
    " VALUES (:turn, :platform, :workspace, :asked_in, :asked_thread, :asked_by)"
    " ON CONFLICT (turn_id) DO NOTHING"
)
ONE = text("SELECT * FROM handoffs WHERE id = :id")
OF_TURN = text("SELECT * FROM handoffs WHERE turn_id = :turn")
# Taken up by one process at a time; one that dies over it leaves it to the next after a while.
TAKE_UNPOSTED = text(
    "UPDATE handoffs SET tries = tries + 1, tried_at = now() WHERE id = ("
    " SELECT id FROM handoffs WHERE platform = :platform AND workspace = :workspace"
    " AND message IS NULL AND state <> 'resolved' AND (tried_at IS NULL OR tried_at < now()"
    "  - make_interval(secs => least(:pause * 2 ^ (tries - 1), :most)))"
    " ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING *"
)
NOTE_MESSAGE = text("UPDATE handoffs SET channel = :channel, message = :message WHERE id = :id")
CLAIM = text(
    "UPDATE handoffs SET state = 'claimed', claimed_by = :person, claimed_at = now()"
    " WHERE id = :id AND state = 'open'"
)
RESOLVE = text(
    "UPDATE handoffs SET state = 'resolved', resolved_by = :person, resolution = :resolution,"
    " claimed_by = coalesce(claimed_by, :person), claimed_at = coalesce(claimed_at, now()),"
    " resolved_at = now() WHERE id = :id AND state <> 'resolved'"
)


@dataclass(frozen=True, slots=True)
class Opening:
    """Who wants a person for a turn, and where; no `thread` where only they see the answer."""

    turn_id: int
    platform: str
    workspace: str
    channel: str
    thread: str
    person: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """A hand-off as it stands: "open", "claimed" or "resolved".

    `asked_in` and `asked_thread` are where the answer was given, `channel` and `message` where
    people were asked to take over, None until then; `tries` counts the attempts to ask them.
    """

    id: int
    turn_id: int
    asked_in: str
    asked_thread: str
    asked_by: str
    channel: str | None
    message: str | None
    state: str
    claimed_by: str | None
    resolved_by: str | None
    tries: int


async def add(engine: AsyncEngine, opening: Opening) -> bool:
    """Open the hand-off of a turn; False where it has one."""
    values = {
        "turn": opening.turn_id,
        "platform": opening.platform,
        "workspace": opening.workspace,
        "asked_in": opening.channel,
        "asked_thread": opening.thread,
        "asked_by": opening.person,
    }
    async with engine.begin() as connection:
        return bool((await connection.execute(ADD, values)).rowcount)


async def find(engine: AsyncEngine, handoff_id: int) -> Handoff | None:
    """The hand-off of that id."""
    async with engine.connect() as connection:
        row = (await connection.execute(ONE, {"id": handoff_id})).one_or_none()
    return _handoff(row) if row else None


async def of_turn(engine: AsyncEngine, turn_id: int) -> Handoff | None:
    """The hand-off of a turn."""
    async with engine.connect() as connection:
        row = (await connection.execute(OF_TURN, {"turn": turn_id})).one_or_none()
    return _handoff(row) if row else None


async def take_unposted(engine: AsyncEngine, platform: str, workspace: str) -> Handoff | None:
    """A hand-off that nobody was asked to take yet; no other process gets it for a while."""
    values = {
        "platform": platform,
        "workspace": workspace,
        "pause": PAUSE_SECONDS,
        "most": MAX_PAUSE_SECONDS,
    }
    async with engine.begin() as connection:
        row = (await connection.execute(TAKE_UNPOSTED, values)).one_or_none()
    return _handoff(row) if row else None


async def note_message(engine: AsyncEngine, handoff_id: int, channel: str, message: str) -> None:
    """Note where people were asked to take over."""
    values = {"id": handoff_id, "channel": channel, "message": message}
    async with engine.begin() as connection:
        await connection.execute(NOTE_MESSAGE, values)


async def claim(engine: AsyncEngine, handoff_id: int, person: str) -> bool:
    """Have a person be the one who took it; False where it is no longer open."""
    async with engine.begin() as connection:
        claimed = await connection.execute(CLAIM, {"id": handoff_id, "person": person})
    return bool(claimed.rowcount)


async def resolve(
    engine: AsyncEngine, handoff_id: int, person: str, resolution: str | None
) -> bool:
    """Close a hand-off with what the answer was; False where it is closed."""
    values = {"id": handoff_id, "person": person, "resolution": resolution}
    async with engine.begin() as connection:
        return bool((await connection.execute(RESOLVE, values)).rowcount)


def _handoff(row: Row[Any]) -> Handoff:
    return Handoff(
        row.id, row.turn_id, row.asked_in, row.asked_thread, row.asked_by, row.channel,
        row.message, row.state, row.claimed_by, row.resolved_by, row.tries,
    )  # fmt: skip
