"""Questions as a worker holds them: taken up, answered once, or given back to be tried again."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Arrival, Way
from bot.storage.claims import GIVE_BACK, HOLD, STALLED, Claim
from bot.storage.inbox import TASK

TAKE = text(
    "SELECT *, NOT EXISTS (SELECT FROM inbox AS earlier WHERE earlier.platform = inbox.platform"
    " AND earlier.conversation = inbox.conversation AND earlier.person = inbox.person"
    " AND earlier.id < inbox.id AND earlier.way NOT IN ('follow_up', 'overheard')) AS is_stranger"
    " FROM inbox WHERE id = :id AND state = 'waiting'"
)
# The claim is looked at with the question: who was frozen or cut off meanwhile must not answer.
HELD = text(
    "SELECT text, is_stopped FROM inbox JOIN procrastinate_jobs AS job ON job.id = :job_id"
    " WHERE inbox.id = :id AND state = 'waiting' AND status = 'doing' AND attempts = :attempts"
)
IS_WITHDRAWN = text("SELECT state = 'withdrawn' FROM inbox WHERE id = :id")
NOTE_REPLY = text("UPDATE inbox SET reply = :reply WHERE id = :id")
# A channel that has taken an answer does not refuse any more.
END = text(
    "WITH ended AS (UPDATE inbox SET state = :state, ended_at = now(),"
    "  reply = coalesce(CAST(:reply AS text), reply) WHERE id = :id AND state = 'waiting'"
    "  RETURNING platform, workspace, channel, state)"
    " UPDATE channels SET refusal = NULL FROM ended WHERE ended.state = 'answered'"
    " AND channels.platform = ended.platform AND channels.workspace = ended.workspace"
    " AND channels.channel = ended.channel AND refusal IS NOT NULL"
)
DELETE_JOB = text("DELETE FROM procrastinate_jobs WHERE id = :id")
COUNT_DEATH = text(
    "UPDATE inbox SET deaths = deaths + 1 FROM procrastinate_jobs AS job"
    " WHERE job.id = :id AND inbox.id = CAST(job.args ->> 'inbox_id' AS bigint)"
)
# A question whose job is gone: it would wait for ever.
DEFER_AGAIN = text(
    "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW(:queue, :task, 0,"
    " platform || ':' || conversation, NULL, jsonb_build_object('inbox_id', id), NULL)"
    "::procrastinate_job_to_defer_v1])"
    " FROM inbox WHERE state = 'waiting' AND platform = :platform AND id NOT IN"
    " (SELECT CAST(args ->> 'inbox_id' AS bigint) FROM procrastinate_jobs"
    "  WHERE queue_name = :queue AND status IN ('todo', 'doing'))"
)
OLDEST = text(
    "SELECT extract(epoch FROM now() - min(received_at)) FROM inbox"
    " WHERE state = 'waiting' AND platform = :platform"
)
KNOWN_REPLIES = text(
    "SELECT reply FROM inbox WHERE platform = :platform AND conversation = :conversation"
    " AND reply IS NOT NULL AND id <> :id"
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question to be answered; `reply` is the id of the message begun for it earlier.

    `deaths` counts the processes that died over it; a stranger has asked the bot nothing in this
    conversation before.
    """

    id: int
    arrival: Arrival
    reply: str | None
    deaths: int
    is_stranger: bool


@dataclass(frozen=True, slots=True)
class Held:
    """A question as it stands while it is being answered."""

    text: str
    is_stopped: bool


async def take(engine: AsyncEngine, inbox_id: int) -> Waiting | None:
    """The question, None where it has ended."""
    async with engine.connect() as connection:
        row = (await connection.execute(TAKE, {"id": inbox_id})).one_or_none()
    if row is None:
        return None
    arrival = Arrival(
        row.platform, row.workspace, row.channel, row.message, row.conversation, row.person,
        row.text, Way(row.way), row.client_message, row.details,
    )  # fmt: skip
    return Waiting(row.id, arrival, row.reply, row.deaths, row.is_stranger)


async def held(engine: AsyncEngine, claim: Claim, inbox_id: int) -> Held | None:
    """The question as it stands; None where it has ended or another process answers it now."""
    values = {"id": inbox_id, "job_id": claim.job_id, "attempts": claim.attempts}
    async with engine.connect() as connection:
        row = (await connection.execute(HELD, values)).one_or_none()
    return Held(row.text, row.is_stopped) if row else None


async def is_withdrawn(engine: AsyncEngine, inbox_id: int) -> bool:
    """Whether a question was taken back by who asked it."""
    async with engine.connect() as connection:
        return bool(await connection.scalar(IS_WITHDRAWN, {"id": inbox_id}))


async def note_reply(engine: AsyncEngine, inbox_id: int, reply: str) -> None:
    """Note the id of the message that will hold the answer, before it does."""
    async with engine.begin() as connection:
        await connection.execute(NOTE_REPLY, {"id": inbox_id, "reply": reply})


async def known_replies(engine: AsyncEngine, waiting: Waiting) -> set[str]:
    """The ids of the messages of a conversation that answer other questions than this one."""
    arrival = waiting.arrival
    values = {
        "platform": arrival.platform, "conversation": arrival.conversation, "id": waiting.id
    }  # fmt: skip
    async with engine.connect() as connection:
        return set((await connection.execute(KNOWN_REPLIES, values)).scalars())


async def finish(
    engine: AsyncEngine, claim: Claim, inbox_id: int, state: str, reply: str | None = None
) -> None:
    """Note how a question ended, and delete its job.

    Nothing happens where the claim is no longer held: another process answers it now. A question
    that has ended already stays as it is.
    """
    async with engine.begin() as connection:
        if await connection.scalar(HOLD, _held(claim)) is not None:
            await connection.execute(END, {"id": inbox_id, "state": state, "reply": reply})
            await connection.execute(DELETE_JOB, {"id": claim.job_id})


async def give_back(
    engine: AsyncEngine, claim: Claim, delay_seconds: float = 0, *, is_death: bool = False
) -> None:
    """Have the question tried again after a while, if the claim is held."""
    async with engine.begin() as connection:
        if await connection.scalar(HOLD, _held(claim)) is None:
            return
        if is_death:
            await connection.execute(COUNT_DEATH, {"id": claim.job_id})
        await connection.execute(GIVE_BACK, {"id": claim.job_id, "delay_seconds": delay_seconds})


async def stalled(engine: AsyncEngine, queue: str, silent_seconds: float) -> list[Claim]:
    """The claims of processes that were not heard of for `silent_seconds`."""
    async with engine.connect() as connection:
        rows = await connection.execute(STALLED, {"queue": queue, "seconds": silent_seconds})
        return [Claim(row.id, row.attempts, row.lock or "") for row in rows]


async def defer_strays(engine: AsyncEngine, platform: str, queue: str) -> int:
    """Give waiting questions whose job is gone a new one; how many there were."""
    values = {"platform": platform, "queue": queue, "task": TASK}
    async with engine.begin() as connection:
        return len((await connection.execute(DEFER_AGAIN, values)).all())


async def oldest_seconds(engine: AsyncEngine, platform: str) -> float:
    """How long the oldest unanswered question waits; 0 where none does."""
    async with engine.connect() as connection:
        seconds = await connection.scalar(OLDEST, {"platform": platform})
    return float(seconds or 0)


def _held(claim: Claim) -> dict[str, Any]:
    return {"id": claim.job_id, "attempts": claim.attempts}
