"""How an answer gets into Slack: once into its thread, or to one person alone."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.errors import AwayError, DeliveryError, RefusedError
from bot.inbox import Holding
from bot.messages import Turn, Way
from bot.platforms.slack.calls import CallError, Calls
from bot.platforms.slack.messages import Message, answer_messages, closing_message
from bot.platforms.slack.streaming import Stream, Target, end_stream
from bot.storage import answering, conversations
from bot.storage.conversations import Place

STATUS = "is looking in the documents …"
EVENT_TYPE = "supportbot_answer"
NOTICE_TYPE = "supportbot_notice"
# A thread longer than this is not searched further for an answer that was sent and not recorded.
SEARCHED_MESSAGES = 1000
TITLE_CHARACTERS = 75
TITLE_SECONDS = 2.0

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
        self.stream = Stream(self.calls, self._target, self.holding.note_reply)

    async def begin(self) -> None:
        """Show a status, which Slack takes away with the answer."""
        try:
            await self.calls(
                "assistant.threads.setStatus", channel_id=self._target.channel,
                thread_ts=self._target.thread, status=STATUS,
            )  # fmt: skip
        except DeliveryError as error:
            log.debug("no status is shown: %s", error)
        await self._name_thread()

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

    async def _finish(self, turn: Turn) -> str | None:
        shown, whole = self.stream.text, turn.answer.text
        if shown and whole.startswith(shown):
            closing = closing_message(turn.answer, turn.id)
            if await self.stream.close(whole[len(shown) :], closing):
                return self.stream.parts[0].ts
        await self.stream.abandon()
        messages = answer_messages(turn.answer, turn.id)
        sent = {number: part.ts for number, part in enumerate(self.stream.parts)}
        if self.holding.attempt and not sent:
            sent = await self._sent_before()
        tss = [
            await self._send(message, number, sent.get(number))
            for number, message in enumerate(messages)
        ]
        for number, ts in sent.items():
            if number >= len(messages):
                await self._delete(ts)
        return tss[0]

    async def _name_thread(self) -> None:
        """Have a thread of the agent pane listed under the question that opened it."""
        arrival = self.holding.waiting.arrival
        if arrival.way is not Way.DIRECT or arrival.message != self._target.thread:
            return
        text = " ".join(arrival.text.split()) or "…"
        title = text if len(text) <= TITLE_CHARACTERS else f"{text[: TITLE_CHARACTERS - 1]}…"
        try:
            async with asyncio.timeout(TITLE_SECONDS):
                await self.calls(
                    "assistant.threads.setTitle", channel_id=self._target.channel,
                    thread_ts=self._target.thread, title=title,
                )  # fmt: skip
        except (DeliveryError, TimeoutError) as error:
            log.debug("a thread has no title: %r", error)

    async def _send(self, message: Message, number: int, ts: str | None) -> str:
        payload = {"inbox_id": self.holding.waiting.id, "part": number}
        content: dict[str, Any] = {
            "channel": self._target.channel,
            "text": message.text,
            "blocks": message.blocks,
            "metadata": {"event_type": EVENT_TYPE, "event_payload": payload},
        }
        if ts is not None:
            try:
                await self.calls("chat.update", ts=ts, **content)
            except CallError as error:
                if error.code not in {"message_not_found", "cant_update_message"}:
                    raise
            else:
                return ts
        posted = await self.calls(
            "chat.postMessage", **content, thread_ts=self._target.thread, unfurl_links=False,
            unfurl_media=False,
        )  # fmt: skip
        return str(posted["ts"])

    async def _delete(self, ts: str) -> None:
        try:
            await self.calls("chat.delete", channel=self._target.channel, ts=ts)
        except CallError as error:
            log.info("A part of an answer that became shorter stays: %s", error.code)

    async def _sent_before(self) -> dict[int, str]:
        """What earlier attempts have sent of the answer: the ts of each of its messages."""
        waiting = self.holding.waiting
        if waiting.reply is not None:
            await end_stream(self.calls, self._target.channel, waiting.reply)
        known = await answering.known_replies(self.holding.engine, waiting.spot, waiting.id)
        sent: dict[int, str] = {}
        strays: list[str] = []
        for message in await self._own_messages():
            metadata = message.get("metadata") or {}
            payload = metadata.get("event_payload") or {}
            if payload.get("inbox_id") == waiting.id:
                sent.setdefault(int(payload.get("part", 0)), message["ts"])
            elif not metadata and message["ts"] not in known:
                strays.append(message["ts"])
        if waiting.reply is not None:
            sent[0] = waiting.reply
        elif strays and 0 not in sent:
            await end_stream(self.calls, self._target.channel, strays[0])
            sent[0] = strays[0]
        return sent

    async def _own_messages(self) -> list[Mapping[str, Any]]:
        """The bot's messages in the thread since the question."""
        cursor, own = "", []
        for _ in range(SEARCHED_MESSAGES // 200):
            try:
                found = await self.calls(
                    "conversations.replies", channel=self._target.channel,
                    ts=self._target.thread, oldest=self.holding.waiting.arrival.message,
                    limit=200, cursor=cursor or None, include_all_metadata=True,
                )  # fmt: skip
            except CallError as error:
                if error.code == "thread_not_found":
                    raise RefusedError(str(error), error.code) from None
                raise AwayError(f"The thread cannot be read: {error.code}.") from error
            own += [
                message for message in found["messages"] if message.get("user") == self.bot_user
            ]
            cursor = (found.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                break
        return own

    @property
    def _target(self) -> Target:
        arrival = self.holding.waiting.arrival
        thread = arrival.details["thread"]
        return Target(arrival.channel, thread, arrival.workspace, arrival.person)

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

    async def finish(self, turn: Turn) -> str | None:
        """Show the answer to the one who asked; a second attempt replaces the first's message.

        Slack gives such messages no id.
        """
        arrival = self.holding.waiting.arrival
        messages = answer_messages(turn.answer, turn.id, is_private=True)
        client = AsyncWebhookClient(arrival.details["response_url"])
        for number, message in enumerate(messages):
            is_again = self.holding.attempt > 0 and number == 0
            try:
                answered = await client.send(
                    text=message.text, blocks=message.blocks, response_type="ephemeral",
                    replace_original=is_again, unfurl_links=False, unfurl_media=False,
                )  # fmt: skip
            except Exception as error:  # its client raises what aiohttp and json do
                raise AwayError(f"Slack cannot be reached: {error!r}") from error
            if answered.status_code >= 500 or answered.status_code == 429:
                raise AwayError(f"Slack answered a command's reply with {answered.status_code}.")
            if answered.status_code != 200:
                await self._post(message)
        return None

    async def _post(self, message: Message) -> None:
        """Show it where the command's own address has expired."""
        arrival = self.holding.waiting.arrival
        try:
            await self.calls(
                "chat.postEphemeral", channel=arrival.channel, user=arrival.person,
                text=message.text, blocks=message.blocks,
            )  # fmt: skip
        except CallError as error:
            raise RefusedError(str(error), error.code) from error
