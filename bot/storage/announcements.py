"""What admins are told once, in each workspace: made by a job, posted by whoever looks first.

The content holds numbers and the ids of turns, never what people wrote: that is read when it is
posted, as far as it is still there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# One that could not be posted is tried again after so long, then twice as long and so on.
PAUSE_SECONDS = 30
MAX_PAUSE_SECONDS = 3600
# What is older is no news: a workspace that joins hears nothing of it.
NEWS_DAYS = 3
KEPT_DAYS = 90

ADD = text(
    "INSERT INTO announcements (key, kind, content) VALUES (:key, :kind, CAST(:content AS jsonb))"
    " ON CONFLICT (key) DO NOTHING"
)
FORGET = text("DELETE FROM announcements WHERE made_at < now() - make_interval(days => :days)")
MEET = text(
    "INSERT INTO announcement_posts (announcement_id, platform, workspace)"
    " SELECT id, :platform, :workspace FROM announcements"
    " WHERE made_at > now() - make_interval(days => :days) ON CONFLICT DO NOTHING"
)
# Taken up by one process at a time; one that dies over it leaves it to the next after a while.
TAKE = text(
    "UPDATE announcement_posts AS p SET tries = tries + 1, tried_at = now()"
    " FROM announcements AS a WHERE a.id = p.announcement_id AND (p.announcement_id, p.platform,"
    "  p.workspace) = (SELECT announcement_id, platform, workspace FROM announcement_posts"
    "  JOIN announcements ON announcements.id = announcement_id"
    "  WHERE platform = :platform AND workspace = :workspace AND message IS NULL"
    "  AND made_at > now() - make_interval(days => :days) AND (tried_at IS NULL OR tried_at < now()"
    "   - make_interval(secs => least(:pause * 2 ^ (tries - 1), :most)))"
    "  ORDER BY announcement_id LIMIT 1 FOR UPDATE OF announcement_posts SKIP LOCKED)"
    " RETURNING a.id, a.kind, a.content, p.tries"
)
NOTE = text(
    "UPDATE announcement_posts SET message = :message WHERE announcement_id = :id"
    " AND platform = :platform AND workspace = :workspace"
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """Something to tell: "gaps" or "cases", with its numbers; `tries` counts the attempts."""

    id: int
    kind: str
    content: dict[str, Any]
    tries: int


async def add(connection: AsyncConnection, key: str, kind: str, content: Mapping[str, Any]) -> bool:
    """Have something told; False where that of this key was told before."""
    await connection.execute(FORGET, {"days": KEPT_DAYS})
    values = {"key": key, "kind": kind, "content": json.dumps(content)}
    return bool((await connection.execute(ADD, values)).rowcount)


async def take(engine: AsyncEngine, platform: str, workspace: str) -> Announcement | None:
    """Something that was not told there yet; no other process gets it for a while."""
    values = {
        "platform": platform,
        "workspace": workspace,
        "days": NEWS_DAYS,
        "pause": PAUSE_SECONDS,
        "most": MAX_PAUSE_SECONDS,
    }
    async with engine.begin() as connection:
        await connection.execute(MEET, values)
        row = (await connection.execute(TAKE, values)).one_or_none()
    return Announcement(*row) if row else None


async def note(
    engine: AsyncEngine, announcement_id: int, platform: str, workspace: str, message: str
) -> None:
    """Note that it was told, in the message of that id."""
    values = {
        "id": announcement_id,
        "platform": platform,
        "workspace": workspace,
        "message": message,
    }
    async with engine.begin() as connection:
        await connection.execute(NOTE, values)
