"""Reviews: the questions that people are asked about, and what they settled.

What is settled never expires: it outlives the turn that it was said of.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Person

# The last decision wins, whoever makes it.
SETTLE = text(
    "WITH former AS (SELECT turn_id, intent, settled_on, settled_by, settled_at FROM settled"
    "  WHERE turn_id = :turn),"
    " stored AS (INSERT INTO settled (turn_id, asker_platform, asker, text, is_paraphrase, intent,"
    "  settled_on, settled_by) SELECT id, platform, person, :text, :is_paraphrase, :intent,"
    "  :platform, :person FROM turns WHERE id = :turn FOR KEY SHARE"
    "  ON CONFLICT (turn_id) DO UPDATE SET text = excluded.text,"
    "  is_paraphrase = excluded.is_paraphrase, intent = excluded.intent,"
    "  settled_on = excluded.settled_on, settled_by = excluded.settled_by, settled_at = now()"
    "  RETURNING turn_id),"
    " queued AS (DELETE FROM to_review WHERE turn_id = :turn),"
    " passed AS (DELETE FROM passed_over WHERE turn_id = :turn)"
    " SELECT former.intent, former.settled_on, former.settled_by, former.settled_at"
    " FROM stored LEFT JOIN former USING (turn_id)"
)
LEAVE_OUT = text(
    "WITH stored AS (INSERT INTO passed_over (turn_id, platform, person, is_left_out)"
    "  SELECT id, :platform, :person, true FROM turns WHERE id = :turn FOR KEY SHARE"
    "  ON CONFLICT (turn_id, platform, person) DO UPDATE SET is_left_out = true, passed_at = now()"
    "  RETURNING turn_id),"
    " queued AS (DELETE FROM to_review WHERE turn_id = :turn),"
    " unsettled AS (DELETE FROM settled WHERE turn_id = :turn) SELECT turn_id FROM stored"
)
SKIP = text(
    "WITH old AS (DELETE FROM passed_over WHERE NOT is_left_out AND turn_id <> :turn"
    "  AND passed_at < now() - make_interval(hours => :hours))"
    " INSERT INTO passed_over (turn_id, platform, person, is_left_out)"
    " SELECT id, :platform, :person, false FROM turns WHERE id = :turn FOR KEY SHARE"
    " ON CONFLICT (turn_id, platform, person) DO UPDATE SET passed_at = now() RETURNING turn_id"
)
SETTLED = text(
    "SELECT turn_id, text, intent, settled_by, settled_at, is_paraphrase, settled_on,"
    " asker_platform FROM settled ORDER BY id"
)
LEFT_OUT = text("SELECT DISTINCT turn_id FROM passed_over WHERE is_left_out")
EMPTY = text("DELETE FROM to_review")
# Turns that are gone meanwhile are not noted, nor those that were settled or left out.
NOTE = text(
    "INSERT INTO to_review (turn_id, why, information) SELECT id, why, information FROM"
    " unnest(CAST(:turns AS bigint[]), CAST(:whys AS text[]), CAST(:information AS real[]))"
    "  AS found (turn, why, information) JOIN turns ON id = turn"
    " WHERE NOT EXISTS (SELECT FROM settled WHERE turn_id = turn)"
    " AND NOT EXISTS (SELECT FROM passed_over WHERE turn_id = turn AND is_left_out)"
    " ORDER BY id FOR KEY SHARE OF turns ON CONFLICT (turn_id) DO UPDATE"
    " SET why = excluded.why, information = excluded.information"
)


class Why(StrEnum):
    """Why people are asked about a question.

    Its example was quarantined, as it contradicts the others; people's ratings conflict; or the
    classifier was not certain.
    """

    QUARANTINED = "quarantined"
    CONFLICTING = "conflicting"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class ToReview:
    """A turn that the last gathering found doubtful: "quarantined" or "conflicting".

    `information` (>= 0) says how much settling it would teach.
    """

    turn_id: int
    why: str
    information: float


@dataclass(frozen=True, slots=True)
class Settled:
    """What somebody settled: the masked text and its intent, None where it is none of ours.

    `turn_id` is None where the turn is gone; `text` may be an admin's paraphrase of what was asked
    on the platform `asked_on`.
    """

    turn_id: int | None
    text: str
    intent: str | None
    settled_by: str
    settled_at: datetime
    is_paraphrase: bool = False
    settled_on: str = ""
    asked_on: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """An intent for a turn's question, None for none of ours, with the masked text to keep."""

    turn_id: int
    intent: str | None
    text: str
    is_paraphrase: bool = False


@dataclass(frozen=True, slots=True)
class Former:
    """What had been settled before."""

    intent: str | None
    by: Person
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A decision that was stored, and the one that it replaced."""

    former: Former | None


async def note(engine: AsyncEngine, items: Collection[ToReview]) -> None:
    """Have people asked about these turns, and no longer about those noted before."""
    kept = {item.turn_id: item for item in items}
    values = [asdict(item) for item in kept.values()]
    async with engine.begin() as connection:
        await connection.execute(EMPTY)
        await connection.execute(
            NOTE,
            {
                "turns": [item["turn_id"] for item in values],
                "whys": [str(item["why"]) for item in values],
                "information": [item["information"] for item in values],
            },
        )


async def settle(engine: AsyncEngine, decision: Decision, by: Person) -> Change | None:
    """Store a decision in place of any former one; None where the turn is gone."""
    values = {
        "turn": decision.turn_id,
        "intent": decision.intent,
        "text": decision.text,
        "is_paraphrase": decision.is_paraphrase,
    }
    async with engine.begin() as connection:
        rows = await connection.execute(SETTLE, values | _of(by))
        row = rows.one_or_none()
    if row is None:
        return None
    if row.settled_at is None:
        return Change(None)
    return Change(Former(row.intent, Person(row.settled_on, row.settled_by), row.settled_at))


async def leave_out(engine: AsyncEngine, turn_id: int, by: Person) -> bool:
    """Have nobody asked about a turn again, nor trained with it; False where it is gone."""
    async with engine.begin() as connection:
        stored = await connection.scalar(LEAVE_OUT, {"turn": turn_id} | _of(by))
    return stored is not None


async def skip(engine: AsyncEngine, turn_id: int, by: Person, hours: int) -> bool:
    """Not ask this person about a turn for some hours; False where it is gone."""
    async with engine.begin() as connection:
        stored = await connection.scalar(SKIP, {"turn": turn_id, "hours": hours} | _of(by))
    return stored is not None


async def settled(engine: AsyncEngine) -> list[Settled]:
    """Everything that was settled, in the order in which it first was."""
    async with engine.connect() as connection:
        return [Settled(*row) for row in await connection.execute(SETTLED)]


async def left_out(engine: AsyncEngine) -> set[int]:
    """The ids of the turns that admins left out: they train nothing."""
    async with engine.connect() as connection:
        return set((await connection.execute(LEFT_OUT)).scalars())


def _of(person: Person) -> dict[str, str]:
    return {"platform": person.platform, "person": person.id}
