"""An answer's text as it grows in Slack: streamed, or a message updated where Slack won't stream.

What was sent is never sent again: what Slack does not surely show as it should is replaced as a
whole, by an update.
"""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import DBAPIError

from bot.errors import AwayError, DeliveryError, RefusedError
from bot.platforms.slack.calls import BusyError, CallError, Calls
from bot.platforms.slack.lengths import escaped
from bot.platforms.slack.messages import Message, partial_message
from bot.storage.database import first_line

# chat.appendStream is of tier 4, chat.update of tier 3 (some 100 and 50 calls a minute for the
# whole workspace): the more answers are written at once, the longer each waits for its next piece.
APPEND_SECONDS = 0.7
UPDATE_SECONDS = 1.4
# Slack ends a stream after about five minutes (slackapi/python-slack-sdk#1859).
ROTATE_SECONDS = 230.0
# Slack takes 12,000 characters of Markdown a call and a message; a rotated answer goes on below.
MAX_CHARACTERS = 11_000
# An answer that nobody ends, as its question failed otherwise, is written no further after this.
IDLE_SECONDS = 60.0
EXPIRED = "message_not_in_streaming_state"
STOPPED = "stopped_by_user"
EVENT_TYPE = "supportbot_answer"

# What may begin a link together with what follows waits for that.
OPEN_END = re.compile(r"(?:[\]@]|:/{0,2}|\bw{1,3}\.?)\Z", re.IGNORECASE)
JOINER = "\u2060"

log = logging.getLogger(__name__)

Note = Callable[[str], Awaitable[None]]
Stopped = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer is written, for whom, and to which question of the inbox."""

    channel: str
    thread: str
    workspace: str
    person: str
    inbox_id: int

    def mark(self, part: int) -> dict[str, Any]:
        """The metadata by which a part of the answer is known again."""
        payload = {"inbox_id": self.inbox_id, "part": part}
        return {"event_type": EVENT_TYPE, "event_payload": payload}


@dataclass(slots=True)
class Part:
    """A message that holds a part of the text: being streamed, or one to be updated."""

    ts: str
    is_streaming: bool
    text: str = ""
    begun: float = field(default_factory=time.monotonic)


class Stream:
    """Writes the pieces of one answer while they come.

    `note` is told the first message's id, `stopped` that a person has pressed stop. `is_unsure`
    once it is not known whether Slack has a message or piece that was sent.
    """

    open_streams = 0

    def __init__(self, calls: Calls, target: Target, note: Note, stopped: Stopped) -> None:
        self.parts: list[Part] = []
        self.is_unsure = False
        self._calls = calls
        self._target = target
        self._note = note
        self._stopped = stopped
        self._unsent = ""
        self._has_more = asyncio.Event()
        self._is_over = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    @property
    def text(self) -> str:
        """What stands in Slack."""
        return "".join(part.text for part in self.parts)

    def write(self, piece: str) -> None:
        """Have a piece shown soon."""
        if self._is_over.is_set():
            return
        self._unsent += piece
        self._has_more.set()
        if self._writing is None or self._writing.done():
            Stream.open_streams += 1
            self._writing = asyncio.create_task(self._write())

    async def end(self) -> None:
        """Show no more; a call that is on its way is waited for."""
        self._is_over.set()
        self._has_more.set()
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def close(self, whole: str, closing: Message) -> bool:
        """End a streamed text with the rest of it and what stands below it.

        False where its message must be replaced: Slack has ended the stream or never begun one, it
        is not known what stands there, or what does is not the answer as people should keep it.
        """
        if len(self.parts) != 1 or not self.parts[0].is_streaming or self.is_unsure:
            return False
        part = self.parts[0]
        if not whole.startswith(part.text) or len(whole) > MAX_CHARACTERS:
            return False
        if inert(whole) != escaped(whole):
            return False
        rest = whole[len(part.text) :]
        written = {"markdown_text": escaped(rest)} if rest else {}
        try:
            await self._calls(
                "chat.stopStream", channel=self._target.channel, ts=part.ts,
                blocks=closing.blocks, metadata=self._target.mark(0), **written,
            )  # fmt: skip
        except CallError as error:
            log.info("A stream was not ended by Slack (%s); its message is replaced.", error.code)
            return False
        return True

    async def abandon(self) -> None:
        """Have Slack end the streams, so that their messages can be replaced."""
        for part in self.parts:
            if part.is_streaming:
                await end_stream(self._calls, self._target.channel, part.ts)

    async def _write(self) -> None:
        try:
            while not self._is_over.is_set() and await self._is_given_more():
                await self._write_on()
                await self._pause()
        except DeliveryError as error:
            log.info("An answer is shown when it is whole: %s", error)
            self._is_over.set()
            self.is_unsure = isinstance(error, AwayError)
            if isinstance(error, CallError) and error.code == STOPPED:
                await self._tell_stopped()
        finally:
            Stream.open_streams -= 1

    async def _is_given_more(self) -> bool:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._has_more.wait()
        except TimeoutError:
            return self._has_more.is_set()
        self._has_more.clear()
        return True

    async def _tell_stopped(self) -> None:
        try:
            await self._stopped()
        except (DBAPIError, OSError) as error:
            log.warning("That an answer was stopped could not be noted: %s", first_line(error))

    async def _write_on(self) -> None:
        """Send what there is to send, except for an end that may be half a link."""
        whole, self._unsent = self._unsent, ""
        held = OPEN_END.search(whole)
        end = held.start() if held else len(whole)
        piece, self._unsent = whole[:end], whole[end:]
        if not piece or self._is_over.is_set():
            return
        try:
            await self._send(piece)
        except BusyError:
            self._unsent = piece + self._unsent
            self._has_more.set()

    async def _pause(self) -> None:
        """Wait as long as Slack asks for and more where many write, unless the text is over."""
        is_streaming = not self.parts or self.parts[-1].is_streaming
        seconds = APPEND_SECONDS if is_streaming else UPDATE_SECONDS
        asked = self._calls.seconds_closed("chat.appendStream" if is_streaming else "chat.update")
        try:
            async with asyncio.timeout(max(asked, seconds * Stream.open_streams)):
                await self._is_over.wait()
        except TimeoutError:
            return

    async def _send(self, piece: str) -> None:
        last = self.parts[-1] if self.parts else None
        if last is not None and last.is_streaming and self._is_full(last, piece):
            await self._close_part(last)
            last = None
        if last is None:
            await self._begin(piece)
        elif last.is_streaming:
            await self._append(last, piece)
        else:
            await self._update(last, piece)

    async def _close_part(self, part: Part) -> None:
        mark = self._target.mark(len(self.parts) - 1)
        try:
            await self._calls.at_once(
                "chat.stopStream", channel=self._target.channel, ts=part.ts, metadata=mark
            )
        except CallError as error:
            if error.code != EXPIRED:
                raise
        part.is_streaming = False

    async def _append(self, last: Part, piece: str) -> None:
        try:
            await self._calls.at_once(
                "chat.appendStream", channel=self._target.channel, ts=last.ts,
                markdown_text=inert(piece),
            )  # fmt: skip
        except CallError as error:
            if error.code != EXPIRED:
                raise
            last.is_streaming = False
            await self._update(last, piece)
        else:
            last.text += piece

    async def _update(self, last: Part, piece: str) -> None:
        shown = partial_message(last.text + piece)
        await self._calls.at_once(
            "chat.update", channel=self._target.channel, ts=last.ts, text=shown.text,
            blocks=shown.blocks,
        )  # fmt: skip
        last.text += piece

    def _is_full(self, part: Part, piece: str) -> bool:
        is_old = time.monotonic() - part.begun > ROTATE_SECONDS
        return is_old or len(part.text) + len(piece) > MAX_CHARACTERS

    async def _begin(self, piece: str) -> None:
        """Begin a stream, or a message where Slack does not stream here or now."""
        target = self._target
        where = {"channel": target.channel, "thread_ts": target.thread}
        try:
            begun = await self._calls.at_once(
                "chat.startStream", **where, markdown_text=inert(piece),
                recipient_team_id=target.workspace, recipient_user_id=target.person,
            )  # fmt: skip
            is_streaming = True
        except (CallError, RefusedError, BusyError) as error:
            log.info("Slack does not stream; the message is updated: %s", error)
            shown = partial_message(piece)
            begun = await self._calls(
                "chat.postMessage", **where, text=shown.text, blocks=shown.blocks,
                metadata=target.mark(len(self.parts)), unfurl_links=False, unfurl_media=False,
            )  # fmt: skip
            is_streaming = False
        self.parts.append(Part(begun["ts"], is_streaming, piece))
        if len(self.parts) == 1:
            try:
                await self._note(begun["ts"])
            except (DBAPIError, OSError) as error:
                log.warning("Where an answer stands could not be noted: %s", first_line(error))


async def end_stream(calls: Calls, channel: str, ts: str) -> None:
    """Have Slack end a stream, if it is one that has not ended."""
    try:
        await calls("chat.stopStream", channel=channel, ts=ts)
    except CallError as error:
        log.debug("no stream to end: %s", error.code)


def inert(markdown: str) -> str:
    """Markdown in which Slack finds no link either, by characters that nobody sees."""
    text = re.sub(r"\](?=[(\[:])", "]" + JOINER, markdown)
    text = re.sub(r":(?=//)", ":" + JOINER, text)
    text = re.sub(r"@(?=\w)", "@" + JOINER, text)
    return escaped(re.sub(r"(?<=\bwww)\.", JOINER + ".", text, flags=re.IGNORECASE))
