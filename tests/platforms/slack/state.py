"""What the strict Slack knows beyond the peer: scopes, streams, metadata, triggers, statuses."""

import random
import string
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.platforms.slack.journal import Journal
from tests.platforms.slack.people import BOT, BOT_TOKEN
from tests.platforms.slack.rules import Rules

Arguments = dict[str, Any]
Answer = dict[str, Any]
Bring = Callable[[dict[str, Any]], object]

POSTING_REFUSALS = {"is_archived"}


class RefusedError(Exception):
    """Slack says no, in a word of its own."""

    def __init__(self, error: str, **details: Any) -> None:
        super().__init__(error)
        self.answer: Answer = {"ok": False, "error": error, **details}


@dataclass(slots=True)
class Stream:
    """A message being streamed: its Markdown and what else it shows so far."""

    channel: str
    ts: str
    thread_ts: str
    started_at: float
    markdown: str = ""
    blocks: list[dict[str, Any]] = field(default_factory=list)
    is_stopped_by_person: bool = False


@dataclass(slots=True)
class Upload:
    """A file the bot has shared."""

    name: str
    content: bytes = b""
    channel: str | None = None
    thread_ts: str | None = None
    comment: str | None = None


class State:
    """The peer behind the proxy, and what the proxy remembers of a test."""

    def __init__(self, peer_url: str, session: aiohttp.ClientSession, rules: Rules) -> None:
        self.peer_url = peer_url
        self.session = session
        self.rules = rules
        self.journal = Journal()
        # Brings an event to the bot; set by whoever runs the deliveries.
        self.bring_event: Bring = lambda _event: None
        self.channels: dict[str, dict[str, Any]] = {}
        # What the peer does not keep of a message, by channel and ts.
        self.extras: dict[tuple[str, str], dict[str, Any]] = {}
        self.threads: set[tuple[str, str]] = set()
        self.streams: dict[tuple[str, str], Stream] = {}
        self.statuses: dict[tuple[str, str], str] = {}
        self.prompts: dict[str, list[dict[str, Any]]] = {}
        self.titles: dict[tuple[str, str], str] = {}
        self.triggers: dict[str, tuple[float, str]] = {}
        self.used_triggers: set[str] = set()
        # The peer gives a view another id whenever it changes; Slack does not.
        self.view_ids: dict[str, str] = {}
        self.opened: deque[dict[str, Any]] = deque(maxlen=200)
        self.uploads: dict[str, Upload] = {}
        self.response_uses: Counter[str] = Counter()

    async def ask(self, method: str, arguments: Arguments) -> Answer:
        """Call the peer's own method."""
        given = {name: value for name, value in arguments.items() if value is not None}
        async with self.session.post(
            f"{self.peer_url}/api/{method}",
            json=given,
            headers={"Authorization": f"Bearer {BOT_TOKEN}"},
        ) as response:
            answer: Answer = await response.json()
        if not answer.get("ok"):
            raise RefusedError(answer.get("error", "internal_error"))
        return answer

    async def control(self, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Use the peer's control interface: read, or with a body do."""
        method = "GET" if body is None else "POST"
        async with self.session.request(
            method, f"{self.peer_url}/_control/{path}", json=body
        ) as response:
            answer: Answer = await response.json()
        if response.status != 200:
            raise AssertionError(f"the peer refused {path} {body}: {answer}")
        return answer

    @property
    def ui_url(self) -> str:
        """Where the peer's own browser interface is connected."""
        return self.peer_url.replace("http", "ws", 1) + "/ui"

    async def snapshot(self) -> dict[str, Any]:
        """All the peer has: messages, the open modals, every App Home."""
        async with self.session.ws_connect(self.ui_url, max_msg_size=0) as ui:
            state: dict[str, Any] = (await ui.receive_json())["state"]
            return state

    async def refresh_channels(self) -> None:
        """Read the peer's channels anew."""
        state = await self.control("state")
        self.channels = {channel["id"]: channel for channel in state["channels"]}

    async def resolve(self, channel: Any) -> str:
        """The id of a channel; a person's id is the app's conversation with them."""
        if not isinstance(channel, str) or not channel:
            raise RefusedError("channel_not_found")
        if channel.startswith("U"):
            opened = await self.ask("conversations.open", {"users": channel})
            channel = opened["channel"]["id"]
        if channel not in self.channels:
            await self.refresh_channels()
        if channel not in self.channels:
            raise RefusedError("channel_not_found")
        return channel

    async def readable(self, channel: Any) -> str:
        """The id of a channel the bot may read."""
        resolved = await self.resolve(channel)
        refusal = self.rules.refused.get(resolved)
        if refusal is not None and refusal not in POSTING_REFUSALS:
            raise RefusedError(refusal)
        if BOT not in self.channels[resolved]["members"]:
            is_hidden = self.channels[resolved].get("is_private")
            raise RefusedError("channel_not_found" if is_hidden else "not_in_channel")
        return resolved

    async def writable(self, channel: Any) -> str:
        """The id of a channel the bot may write to."""
        resolved = await self.readable(channel)
        if resolved in self.rules.refused:
            raise RefusedError(self.rules.refused[resolved])
        return resolved

    def is_direct(self, channel: str) -> bool:
        """Whether a channel is a conversation of two."""
        return bool(self.channels.get(channel, {}).get("is_im"))

    async def find(self, channel: str, ts: Any) -> dict[str, Any] | None:
        """A message as the peer has it."""
        answer = await self.ask("conversations.replies", {"channel": channel, "ts": str(ts)})
        for message in answer["messages"]:
            if message["ts"] == ts:
                found: dict[str, Any] = message
                return found
        return None

    async def check_thread(self, channel: str, thread_ts: Any) -> None:
        """Refuse a thread whose first message is not there."""
        if thread_ts is None or (channel, thread_ts) in self.threads:
            return
        message = await self.find(channel, thread_ts)
        if message is None or message.get("subtype") == "ephemeral":
            raise RefusedError("thread_not_found")
        self.threads.add((channel, str(thread_ts)))

    async def own_message(self, channel: str, ts: Any, error: str) -> dict[str, Any]:
        """One of the bot's own messages; another's is refused with `error`."""
        message = await self.find(channel, ts)
        if message is None or message.get("subtype") == "ephemeral":
            raise RefusedError("message_not_found")
        if message.get("user") != BOT:
            raise RefusedError(error)
        return message

    def stream(self, channel: str, ts: Any) -> Stream | None:
        """The stream of a message while it lasts."""
        stream = self.streams.get((channel, ts))
        if stream and time.monotonic() - stream.started_at >= self.rules.stream_seconds:
            del self.streams[channel, ts]
            return None
        return stream

    def note_trigger(self, trigger_id: str, person: str) -> None:
        """Remember a trigger id just given to the bot for what a person did."""
        now = time.monotonic()
        if len(self.triggers) > 1000:
            kept = {name: seen for name, seen in self.triggers.items() if now - seen[0] < 60}
            self.triggers, self.used_triggers = kept, self.used_triggers & kept.keys()
        self.triggers[trigger_id] = (now, person)

    def bring_message(self, message: dict[str, Any], changed: dict[str, Any] | None = None) -> None:
        """Tell the app of a message, or with `changed` of what became of it."""
        if message.get("user") == BOT and not self.rules.brings_own_messages:
            return
        channel = message["channel"]
        if changed is None:
            event = {**message, "type": "message", "event_ts": message["ts"]}
        else:
            event = {
                "type": "message",
                "subtype": "message_changed",
                "hidden": True,
                "channel": channel,
                "ts": changed["ts"],
                "event_ts": f"{time.time():.6f}",
                "message": changed,
                "previous_message": message,
            }
        self.bring_event({**event, "channel_type": self.channel_type(channel)})

    def channel_type(self, channel: str) -> str:
        """ "im", "group" (a private channel) or "channel"."""
        if self.is_direct(channel):
            return "im"
        return "group" if self.channels.get(channel, {}).get("is_private") else "channel"


def short_id() -> str:
    """An id as Slack gives a block or an element that has none."""
    return "".join(random.choices(string.ascii_letters + string.digits, k=5))
