"""What people said while nobody heard it: found in Slack's history, answered or told to admins."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import DBAPIError

from bot.errors import DeliveryError
from bot.inbox import Inbox
from bot.messages import Arrival, Way
from bot.platforms.slack.calls import CallError
from bot.platforms.slack.events import PLATFORM, Reader
from bot.platforms.slack.missed import tell_missed
from bot.platforms.slack.workspace import Workspace
from bot.storage import catching_up as stored
from bot.storage import conversations
from bot.storage.conversations import Place
from bot.storage.database import first_line
from bot.storage.inbox import Flood

# Older than this is not read, and older than that not answered: it has been settled otherwise.
READ_SECONDS = 24 * 3600.0
ANSWERED_SECONDS = 3600.0
MAX_MESSAGES = 1000
MAX_THREADS = 20
MAX_DIRECT = 200
THREAD_DAYS = 1
PAGE = 200
# How far the clocks of Slack and of this machine may be apart.
SKEW_SECONDS = 60.0
# Slack delivers what was not confirmed again at once, after one minute and after five.
SETTLED_SECONDS = 600.0
MARK_SECONDS = 120.0
LOOK_SECONDS = 5.0
# Where nothing tells of a break, as with HTTP events, it is looked for as often.
UNNOTICED_SECONDS = 1800.0
KINDS = (("public_channel", "channel"), ("private_channel", "channel"), ("im", "im"))
ADDRESSED = frozenset({Way.MENTION, Way.DIRECT})
# What people asked while the bot was away is not refused for coming all at once.
NO_FLOOD = Flood(10**9, 10**9, 10**9)

log = logging.getLogger(__name__)


async def keep_up(workspace: Workspace) -> None:
    """Catch up at the start and after each break in what is heard, for ever."""
    hearing = workspace.hearing
    reported: set[str] = set()
    while True:
        await hearing.is_heard.wait()
        breaks, catching_up = hearing.breaks, CatchingUp(workspace, reported)
        while hearing.breaks == breaks:
            try:
                if await catching_up.run():
                    await _note_heard_until_break(workspace, breaks)
                    break
            except (DBAPIError, DeliveryError, OSError) as error:
                reason = first_line(error) if isinstance(error, DBAPIError) else error
                log.warning("What was said meanwhile is looked for again soon: %s", reason)
            await asyncio.sleep(LOOK_SECONDS)


async def _note_heard_until_break(workspace: Workspace, breaks: int) -> None:
    """Note how far everything was heard, until there is a break or there may have been one."""
    hearing, begun = workspace.hearing, time.monotonic()
    noted = begun
    while hearing.breaks == breaks:
        now = time.monotonic()
        if not hearing.notices_breaks and now - begun > UNNOTICED_SECONDS:
            return
        if now - noted >= MARK_SECONDS and now - begun > SETTLED_SECONDS:
            mark = _timestamp(time.time() - SETTLED_SECONDS)
            await stored.note_heard(workspace.engine, PLATFORM, workspace.identity.workspace, mark)
            noted = now
        await asyncio.sleep(LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class Room:
    """A channel or a direct message that the bot is in; `kind` is as in Slack's events."""

    id: str
    kind: str


@dataclass(slots=True)
class CatchingUp:
    """One round through the channels. A round that failed goes on where it was.

    `reported` is what the log has been told already; `late` are the questions too old to be
    answered, in `late_rooms`.
    """

    workspace: Workspace
    reported: set[str] = field(default_factory=set)
    began: float = field(default_factory=time.time)
    done: set[str] = field(default_factory=set)
    late: list[Arrival] = field(default_factory=list)
    late_rooms: list[Room] = field(default_factory=list)

    async def run(self) -> bool:
        """Take in what was said since the channels were last heard; False while another process
        does. What is older than an hour is told to the admins instead.

        Raises:
            AwayError: Slack cannot be reached.
            DBAPIError: nor can the database.
        """
        workspace = self.workspace.identity.workspace
        async with stored.alone(self.workspace.engine, workspace) as is_alone:
            if is_alone:
                await self._read_rooms()
                await self._settle_late()
            return is_alone

    async def _read_rooms(self) -> None:
        workspace = self.workspace.identity.workspace
        known = await conversations.channels(self.workspace.engine, PLATFORM, workspace)
        seen = {channel.id: channel.seen for channel in known if channel.seen is not None}
        # A channel that the bot came to meanwhile was last heard when all others were.
        everywhere = min(seen.values(), default=None)
        for room in await self._rooms(seen):
            if room.id in self.done:
                continue
            since = seen.get(room.id, everywhere)
            if since is None:
                await self._note_read(room, self.began)
            elif late := await self._read(room, since):
                self.late += late
                self.late_rooms.append(room)
            else:
                await self._note_read(room, self.began - SKEW_SECONDS)
            self.done.add(room.id)

    async def _settle_late(self) -> None:
        if not self.late:
            return
        await tell_missed(self.workspace, self.late)
        for arrival in self.late:
            await stored.leave(self.workspace.engine, arrival)
        for room in self.late_rooms:
            await self._note_read(room, self.began - SKEW_SECONDS)
        self.late.clear()

    async def _rooms(self, seen: dict[str, str]) -> list[Room]:
        """The channels, then direct messages: those never heard of first, then the latest."""
        workspace = self.workspace.identity.workspace
        latest = await stored.latest_channels(self.workspace.engine, PLATFORM, workspace)
        rank = {channel: number for number, channel in enumerate(latest)}
        rooms: list[Room] = []
        for slack_kind, kind in KINDS:
            found = await self._pages(
                "users.conversations", "channels", types=slack_kind, exclude_archived=True
            )
            ids = [str(each["id"]) for each in found if not each.get("is_user_deleted")]
            if kind == "im":
                ids.sort(key=lambda room: rank.get(room, len(rank)) if room in seen else -1)
                del ids[MAX_DIRECT:]
            rooms += [Room(room, kind) for room in ids]
        return rooms

    async def _read(self, room: Room, since: str) -> list[Arrival]:
        """Take in what was said in a channel since then; the questions too old to be answered."""
        oldest = max(since, _timestamp(self.began - READ_SECONDS))
        messages = await self._messages(room, oldest)
        identity = self.workspace.identity
        reader = Reader(identity.workspace, identity.bot_user, self.workspace.modes)
        # Its own inbox, as what comes all at once here was not asked all at once.
        inbox = Inbox(self.workspace.engine, PLATFORM, NO_FLOOD)
        too_old = _timestamp(self.began - ANSWERED_SECONDS)
        late: list[Arrival] = []
        for message in messages:
            arrival = reader.arrival({**message, "channel": room.id, "channel_type": room.kind})
            if arrival is None:
                continue
            if arrival.message >= too_old:
                await inbox.accept(arrival)
            elif arrival.way in ADDRESSED:
                late.append(arrival)
        ids = [arrival.message for arrival in late]
        known = await stored.known(self.workspace.engine, self._place(room), ids)
        return [arrival for arrival in late if arrival.message not in known]

    async def _messages(self, room: Room, oldest: str) -> list[dict[str, Any]]:
        """What was said in a channel and its threads since then, in the order it was."""
        found = await self._pages(
            "conversations.history", "messages", channel=room.id, oldest=oldest
        )
        active = [
            message["ts"] for message in found if str(message.get("latest_reply") or "") > oldest
        ]
        taking_part = await stored.threads(
            self.workspace.engine, self._place(room), THREAD_DAYS, MAX_THREADS
        )
        for thread in list(dict.fromkeys([*active, *taking_part]))[:MAX_THREADS]:
            found += await self._pages(
                "conversations.replies", "messages", channel=room.id, ts=thread, oldest=oldest
            )
        said = {message["ts"]: message for message in found if message["ts"] > oldest}
        return [said[ts] for ts in sorted(said)]

    async def _pages(self, method: str, key: str, **arguments: Any) -> list[dict[str, Any]]:
        """What a method lists, page by page up to a bound; nothing where Slack refuses."""
        cursor, found = "", list[dict[str, Any]]()
        while len(found) < MAX_MESSAGES:
            try:
                page = await self.workspace.calls(
                    method, **arguments, limit=PAGE, cursor=cursor or None
                )
            except CallError as error:
                self._report_refusal(method, arguments, error.code)
                return found
            found += page.get(key) or []
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return found
        log.warning("More than %d were found by %s; the rest is left.", MAX_MESSAGES, method)
        return found

    def _report_refusal(self, method: str, arguments: dict[str, Any], code: str) -> None:
        """Log what cannot be read, once."""
        what = str(arguments.get("types") or arguments.get("channel"))
        complaint = f"{method} {code}" if code == "missing_scope" else f"{method} {code} {what}"
        if complaint in self.reported:
            return
        self.reported.add(complaint)
        log.warning(
            "What was said while I was away cannot be read (%s for %s: %s). Run: supportbot doctor",
            method, what, code,
        )  # fmt: skip

    async def _note_read(self, room: Room, until: float) -> None:
        await stored.note_read(self.workspace.engine, self._place(room), _timestamp(until))

    def _place(self, room: Room) -> Place:
        return Place(PLATFORM, self.workspace.identity.workspace, room.id)


def _timestamp(seconds: float) -> str:
    """A time as Slack writes it in the ids of messages."""
    return f"{seconds:.6f}"
