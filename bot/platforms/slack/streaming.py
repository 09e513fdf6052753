"""An answer's text as it grows in Slack: streamed, or a message updated where Slack won't stream.

What was sent is never sent again: a stream that Slack ends is replaced as a whole, by an update.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.errors import DeliveryError
from bot.platforms.slack.calls import CallError, Calls
from bot.platforms.slack.messages import Message, partial_message

# chat.appendStream is of tier 4, chat.update of tier 3 (some 100 and 50 calls a minute for the
# whole workspace): the more answers are written at once, the longer each waits for its next piece.
APPEND_SECONDS = 0.7
UPDATE_SECONDS = 1.4
# Slack ends a stream after about five minutes (slackapi/python-slack-sdk#1859).
ROTATE_SECONDS = 230.0
# Slack takes 12,000 characters of Markdown a call and a message; a rotated answer goes on below.
MAX_CHARACTERS = 11_000

log = logging.getLogger(__name__)

Note = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer is written, and for whom."""

    channel: str
    thread: str
    workspace: str
    person: str


@dataclass(slots=True)
class Part:
    """A message that holds a part of the text: streamed, unless `is_updated`."""

    ts: str
    is_updated: bool
    text: str = ""
    begun: float = field(default_factory=time.monotonic)


class Stream:
    """Writes the pieces of one answer while they come; `note` is told the first message's id."""

    open_streams = 0

    def __init__(
        self, calls: Calls, target: Target, note: Note, rotate_seconds: float = ROTATE_SECONDS
    ) -> None:
        self.parts: list[Part] = []
        self._calls = calls
        self._target = target
        self._note = note
        self._rotate_seconds = rotate_seconds
        self._unsent = ""
        self._has_more = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._is_broken = False

    @property
    def text(self) -> str:
        """What stands in Slack."""
        return "".join(part.text for part in self.parts)

    def write(self, piece: str) -> None:
        """Have a piece shown soon."""
        self._unsent += piece
        self._has_more.set()
        if self._writing is None:
            Stream.open_streams += 1
            self._writing = asyncio.create_task(self._write())

    async def end(self) -> None:
        """Show no more; a call that is on its way is waited for."""
        if self._writing is None:
            return
        Stream.open_streams -= 1
        self._is_broken = True
        self._has_more.set()
        await asyncio.wait([self._writing])

    async def close(self, rest: str, closing: Message) -> bool:
        """End a streamed text with its rest and what stands below it; False where Slack does not
        take it, so that the message must be replaced."""
        if len(self.parts) == 0 or any(part.is_updated for part in self.parts):
            return False
        last = self.parts[-1]
        if len(last.text) + len(rest) > MAX_CHARACTERS:
            return False
        written = {"markdown_text": escaped(rest)} if rest else {}
        try:
            await self._calls(
                "chat.stopStream", channel=self._target.channel, ts=last.ts,
                blocks=closing.blocks, **written,
            )  # fmt: skip
        except CallError as error:
            log.info("A stream was not ended by Slack (%s); its message is replaced.", error.code)
            return False
        return True

    async def abandon(self) -> None:
        """Have Slack end the streams, so that their messages can be replaced."""
        for part in self.parts:
            if not part.is_updated:
                await end_stream(self._calls, self._target.channel, part.ts)

    async def _write(self) -> None:
        try:
            while not self._is_broken:
                await self._has_more.wait()
                self._has_more.clear()
                piece, self._unsent = self._unsent, ""
                if piece and not self._is_broken:
                    await self._send(piece)
                    await asyncio.sleep(self._pause())
        except DeliveryError as error:
            log.info("An answer is shown when it is whole: %s", error)
            self._is_broken = True

    def _pause(self) -> float:
        seconds = UPDATE_SECONDS if self.parts[-1].is_updated else APPEND_SECONDS
        return seconds * max(1, Stream.open_streams)

    async def _send(self, piece: str) -> None:
        last = self.parts[-1] if self.parts else None
        if last is None or self._is_full(last, piece):
            if last is not None:
                await self._calls("chat.stopStream", channel=self._target.channel, ts=last.ts)
            await self._begin(piece)
        elif last.is_updated:
            last.text += piece
            shown = partial_message(last.text)
            await self._calls(
                "chat.update", channel=self._target.channel, ts=last.ts, text=shown.text,
                blocks=shown.blocks,
            )  # fmt: skip
        else:
            await self._calls(
                "chat.appendStream", channel=self._target.channel, ts=last.ts,
                markdown_text=escaped(piece),
            )  # fmt: skip
            last.text += piece

    def _is_full(self, part: Part, piece: str) -> bool:
        is_old = time.monotonic() - part.begun > self._rotate_seconds
        is_long = len(part.text) + len(piece) > MAX_CHARACTERS
        return not part.is_updated and (is_old or is_long)

    async def _begin(self, piece: str) -> None:
        """Begin a stream, or a message where Slack does not stream here or now."""
        target = self._target
        where = {"channel": target.channel, "thread_ts": target.thread}
        is_updated = not self._calls.is_open("chat.startStream")
        if not is_updated:
            try:
                begun = await self._calls(
                    "chat.startStream", **where, markdown_text=escaped(piece),
                    recipient_team_id=target.workspace, recipient_user_id=target.person,
                )  # fmt: skip
            except CallError as error:
                log.info("Slack does not stream (%s); the message is updated.", error.code)
                is_updated = True
        if is_updated:
            shown = partial_message(piece)
            begun = await self._calls(
                "chat.postMessage", **where, text=shown.text, blocks=shown.blocks,
                unfurl_links=False, unfurl_media=False,
            )  # fmt: skip
        is_first = not self.parts
        self.parts.append(Part(begun["ts"], is_updated, piece))
        if is_first:
            await self._note(begun["ts"])


async def end_stream(calls: Calls, channel: str, ts: str) -> None:
    """Have Slack end a stream, if it is one that has not ended."""
    try:
        await calls("chat.stopStream", channel=channel, ts=ts)
    except CallError as error:
        log.debug("no stream to end: %s", error.code)


def escaped(text: str) -> str:
    """Text in which Slack finds no mention, channel or link of its own markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
