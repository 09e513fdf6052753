"""How an answer gets into Slack: once into its thread, or to one person alone."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot.errors import DeliveryError, RefusedError
from bot.inbox import Holding
from bot.messages import Turn
from bot.platforms.slack import response_urls
from bot.platforms.slack.calls import CallError, Calls
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.messages import Message, answer_messages, closing_message
from bot.platforms.slack.streaming import Stream, Target, end_stream
from bot.platforms.slack.titles import name_thread
from bot.storage import answering, conversations, inbox
from bot.storage.conversations import Place

STATUS_SECONDS = 2.0
STATUS = "is looking in the documents …"
NOTICE_TYPE = "supportbot_notice"
# A thread longer than this is not searched further for an answer that was sent and not recorded.
SEARCHED_MESSAGES = 1000
# What Slack says of blocks it does not take; the text alone it takes.
MALFORMED = frozenset(
    {
        "invalid_arguments", "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long",
        "msg_too_long",
    }
)  # fmt: skip

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ThreadReply:
    """The answer to a question, in its thread.

    An earlier attempt may have died between sending and recording: its message is looked for in
    the thread, by the metadata or as the one that no other question accounts for, and updated.
    """

    calls: Calls
    holding: Holding
    bot_user: str
    stream: Stream = field(init=False)

    def __post_init__(self) -> None:
        self.stream = Stream(self.calls, self._target, self.holding.note_reply, self._stop)

    async def begin(self) -> None:
        """Show a status, which Slack takes away with the answer."""
        await self._set_status(STATUS)
        await name_thread(self.calls, self.holding.waiting.arrival)

    async def write(self, piece: str) -> None:
        """Show the next piece, unless an earlier attempt has begun to answer."""
        if self.holding.attempt == 0:
            self.stream.write(piece)

    async def finish(self, turn: Turn) -> str | None:
        """Show the whole answer, once; the ts of its first message."""
        await self.stream.end()
        try:
            ts = await self._finish(turn)
        except RefusedError as error:
            await conversations.note_refusal(self.holding.engine, self._place, error.reason)
            raise
        except CallError as error:
            raise RefusedError(str(error), error.code) from error
        return ts

    async def drop(self) -> None:
        """Take away what was shown, as the question is not answered."""
        await self.stream.end()
        sent = {number: part.ts for number, part in enumerate(self.stream.parts)}
        if self.holding.attempt or self.stream.is_unsure:
            sent = await self._sent_before() | sent
        await self.stream.abandon()
        for ts in sent.values():
            await self._delete(ts)
        if not sent:
            await self._set_status("")

    async def _finish(self, turn: Turn) -> str | None:
        closing = closing_message(turn.answer, turn.id)
        if await self.stream.close(turn.answer.text, closing):
            return self.stream.parts[0].ts
        await self.stream.abandon()
        sent = {number: part.ts for number, part in enumerate(self.stream.parts)}
        if self.holding.attempt or self.stream.is_unsure:
            sent = await self._sent_before() | sent
        messages = answer_messages(turn.answer, turn.id)
        tss = [
            await self._send(message, number, sent.get(number))
            for number, message in enumerate(messages)
        ]
        for number, ts in sent.items():
            if number >= len(messages):
                await self._delete(ts)
        return tss[0]

    async def _send(self, message: Message, number: int, ts: str | None) -> str:
        """Have a message show a part of the answer; its ts.

        What Slack does not let be updated is taken away and posted anew.
        """
        content = {
            "channel": self._target.channel,
            "text": message.text,
            "blocks": message.blocks,
            "metadata": self._target.mark(number),
        }
        if ts is not None:
            try:
                await show(self.calls, "chat.update", ts=ts, **content)
            except CallError as error:
                log.info("A message is posted anew, as Slack does not change it: %s", error.code)
                await self._delete(ts)
            else:
                return ts
        posted = await show(
            self.calls, "chat.postMessage", thread_ts=self._target.thread, unfurl_links=False,
            unfurl_media=False, **content,
        )  # fmt: skip
        return str(posted["ts"])

    async def _delete(self, ts: str) -> None:
        try:
            await self.calls("chat.delete", channel=self._target.channel, ts=ts)
        except (CallError, RefusedError) as error:
            log.info("A message that is not needed any more stays: %s", error)

    async def _set_status(self, status: str) -> None:
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                await self.calls.at_once(
                    "assistant.threads.setStatus", channel_id=self._target.channel,
                    thread_ts=self._target.thread, status=status,
                )  # fmt: skip
        except (DeliveryError, TimeoutError) as error:
            log.debug("no status is shown: %s", error)

    async def _stop(self) -> None:
        """Have the answer end where it is, as a person has pressed stop."""
        arrival = self.holding.waiting.arrival
        await inbox.stop(self.holding.engine, PLATFORM, arrival.conversation)

    async def _sent_before(self) -> dict[int, str]:
        """What was sent of the answer before: the ts of each of its messages, by its number.

        A message that is being streamed has no metadata yet. Questions of a thread are answered
        one by one, so one that no other question accounts for was begun for this one.
        """
        waiting = self.holding.waiting
        known = await answering.known_replies(self.holding.engine, waiting)
        sent: dict[int, str] = {} if waiting.reply is None else {0: waiting.reply}
        strays: list[str] = [] if waiting.reply is None else [waiting.reply]
        for message in await self._own_messages():
            ts, metadata = str(message["ts"]), message.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if payload.get("inbox_id") == waiting.id:
                sent.setdefault(int(payload.get("part", 0)), ts)
            elif not metadata and ts not in known and ts not in sent.values():
                strays.append(ts)
        for ts in strays:
            await end_stream(self.calls, self._target.channel, ts)
            if ts not in sent.values():
                sent[next(number for number in range(len(sent) + 1) if number not in sent)] = ts
        return sent

    async def _own_messages(self) -> list[Mapping[str, Any]]:
        """The bot's messages in the thread since the question."""
        asked = self.holding.waiting.arrival.message
        cursor: str | None = None
        own: list[Mapping[str, Any]] = []
        for _ in range(SEARCHED_MESSAGES // 200):
            try:
                found = await self.calls(
                    "conversations.replies", channel=self._target.channel,
                    ts=self._target.thread, oldest=asked, limit=200, cursor=cursor,
                    include_all_metadata=True,
                )  # fmt: skip
            except CallError as error:
                # Rather answered twice than never, where the bot may not read what it wrote.
                log.warning("An answer sent before cannot be looked for: %s", error.code)
                break
            # The thread's first message comes with every page, and may be the bot's own.
            own += [
                message
                for message in found["messages"]
                if message.get("user") == self.bot_user and message["ts"] > asked
            ]
            cursor = (found.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                break
        return own

    @property
    def _target(self) -> Target:
        arrival = self.holding.waiting.arrival
        thread = arrival.details["thread"]
        return Target(
            arrival.channel, thread, arrival.workspace, arrival.person, self.holding.waiting.id
        )

    @property
    def _place(self) -> Place:
        arrival = self.holding.waiting.arrival
        return Place(arrival.platform, arrival.workspace, arrival.channel)


@dataclass(slots=True)
class PrivateReply:
    """The answer to a command or a shortcut: seen by the asker alone, who may share it."""

    calls: Calls
    holding: Holding

    async def begin(self) -> None:
        """Nothing: what only one person sees comes whole."""

    async def write(self, piece: str) -> None:
        """Nothing, as with `begin`."""

    async def drop(self) -> None:
        """Nothing, as with `begin`."""

    async def finish(self, turn: Turn) -> str | None:
        """Show the answer to the one who asked; a second attempt replaces the first's message.

        Slack gives such messages no id.
        """
        messages = answer_messages(turn.answer, turn.id, is_private=True)
        for number, message in enumerate(messages):
            is_again = self.holding.attempt > 0 and number == 0
            is_shown = await response_urls.send(
                self.holding.waiting.arrival.details["response_url"], text=message.text,
                blocks=message.blocks, replace_original=is_again,
            )  # fmt: skip
            if not is_shown:
                await self._post(message)
        return None

    async def _post(self, message: Message) -> None:
        """Show it in the channel, or where the bot is not in it, in the asker's messages."""
        arrival = self.holding.waiting.arrival
        content = {"text": message.text, "blocks": message.blocks}
        try:
            await show(
                self.calls, "chat.postEphemeral", channel=arrival.channel, user=arrival.person,
                **content,
            )  # fmt: skip
        except (CallError, RefusedError) as error:
            log.info("An answer goes to its asker's own messages: %s", error)
            await self._post_directly(content)

    async def _post_directly(self, content: dict[str, Any]) -> None:
        person = self.holding.waiting.arrival.person
        try:
            await show(self.calls, "chat.postMessage", channel=person, **content)
        except CallError as error:
            raise RefusedError(str(error), error.code) from error


async def show(calls: Calls, method: str, **content: Any) -> dict[str, Any]:
    """Have Slack show a message; where it takes it for malformed, its text alone.

    Raises:
        DeliveryError: Slack does not take it.
    """
    try:
        return await calls(method, **content)
    except CallError as error:
        if error.code not in MALFORMED:
            raise
        log.error("Slack takes a message for malformed (%s); its text is shown.", error.code)
        return await calls(method, **content | {"blocks": []})
