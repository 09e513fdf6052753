"""Asks people to take questions over: one message each, posted whatever dies, kept up to date."""

import asyncio
import logging

from bot.errors import AwayError, DeliveryError, RefusedError
from bot.messages import Turn
from bot.platforms.slack.calls import CallError
from bot.platforms.slack.clicks import is_private
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.handoff_messages import Request, request_message
from bot.platforms.slack.messages import Message, plain_message
from bot.platforms.slack.names import name_of
from bot.platforms.slack.posted import posted_before
from bot.platforms.slack.replying import NOTICE_TYPE, show
from bot.platforms.slack.workspace import Options, Workspace
from bot.storage import handoffs, recall
from bot.storage.handoffs import Handoff

LOOK_SECONDS = 1.0
REQUEST_TYPE = "supportbot_handoff"

log = logging.getLogger(__name__)


def channel_of(options: Options) -> str | None:
    """Where people are asked to take over: their channel, else the admins'."""
    return options.handoff_channel or options.admin_channel


async def post_handoffs(workspace: Workspace) -> None:
    """Post the hand-offs that nobody has seen yet, for ever.

    Opening one only stores it, so that it is posted once, by whichever process looks first.
    """
    channel = channel_of(workspace.options)
    if channel is None:
        await asyncio.Event().wait()
        return
    while True:
        handoff = await handoffs.take_unposted(
            workspace.engine, PLATFORM, workspace.identity.workspace
        )
        if handoff is None:
            await asyncio.sleep(LOOK_SECONDS)
            continue
        try:
            await _post(workspace, handoff, channel)
        except AwayError as error:
            log.warning("People are asked to take over a question later: %s", error)
        except DeliveryError as error:
            log.warning("People cannot be asked to take over a question: %s", error)
            if handoff.tries == 1:
                await _tell_admins(workspace, channel, error)


async def refresh(workspace: Workspace, handoff: Handoff) -> None:
    """Have the message show how the hand-off stands."""
    message = await _message(workspace, handoff)
    if message is None or handoff.channel is None or handoff.message is None:
        return
    await show(
        workspace.calls, "chat.update", channel=handoff.channel, ts=handoff.message,
        text=message.text, blocks=message.blocks, metadata=_mark(handoff),
    )  # fmt: skip


async def tell_asker(workspace: Workspace, handoff: Handoff, text: str) -> None:
    """Tell in the asker's thread, or where only they see the answer, in their own messages.

    Raises:
        DeliveryError: they are not told.
    """
    message = plain_message(text)
    where = {"channel": handoff.asked_by}
    if handoff.asked_thread:
        where = {"channel": handoff.asked_in, "thread_ts": handoff.asked_thread}
    mark = {"event_type": NOTICE_TYPE, "event_payload": {"handoff_id": handoff.id}}
    await show(
        workspace.calls, "chat.postMessage", text=message.text, blocks=message.blocks,
        metadata=mark, unfurl_links=False, unfurl_media=False, **where,
    )  # fmt: skip


def is_alone(handoff: Handoff) -> bool:
    """Whether the asker asked where nobody else can answer."""
    return not handoff.asked_thread or handoff.asked_in.startswith("D")


async def _post(workspace: Workspace, handoff: Handoff, channel: str) -> None:
    ts = await posted_before(workspace, channel, _mark(handoff)) if handoff.tries > 1 else None
    if ts is None:
        message = await _message(workspace, handoff)
        if message is None:
            return
        posted = await show(
            workspace.calls, "chat.postMessage", channel=channel, text=message.text,
            blocks=message.blocks, metadata=_mark(handoff), unfurl_links=False, unfurl_media=False,
        )  # fmt: skip
        ts = str(posted["ts"])
    await handoffs.note_message(workspace.engine, handoff.id, channel, ts)


async def _message(workspace: Workspace, handoff: Handoff) -> Message | None:
    """The message as the hand-off stands; None where its turn is gone."""
    turn = await recall.turn(workspace.engine, handoff.turn_id)
    if turn is None:
        return None
    return request_message(
        Request(
            handoff, turn, await name_of(workspace, handoff.asked_by),
            await _name(workspace, handoff.claimed_by), await _name(workspace, handoff.resolved_by),
            workspace.options.handoff_group, await _permalink(workspace, handoff, turn),
        )
    )  # fmt: skip


async def _name(workspace: Workspace, person: str | None) -> str | None:
    return await name_of(workspace, person) if person else None


async def _permalink(workspace: Workspace, handoff: Handoff, turn: Turn) -> str | None:
    if is_alone(handoff) or is_private(turn):
        return None
    try:
        found = await workspace.calls(
            "chat.getPermalink", channel=handoff.asked_in, message_ts=handoff.asked_thread
        )
    except (CallError, RefusedError) as error:
        log.info("A conversation has no link: %s", error)
        return None
    return str(found["permalink"])


def _mark(handoff: Handoff) -> dict[str, object]:
    return {"event_type": REQUEST_TYPE, "event_payload": {"handoff_id": handoff.id}}


async def _tell_admins(workspace: Workspace, channel: str, error: DeliveryError) -> None:
    log.error("The channel for questions to people, %s, takes none: %s", channel, error)
    admins = workspace.options.admin_channel
    if admins is None or admins == channel:
        return
    reason = error.reason if isinstance(error, RefusedError) else str(error)
    message = plain_message(
        "A question waits for a person, and Slack does not let me post in the channel for such "
        f"questions ({reason}). Invite me to it, or set another `handoff_channel` below [slack] in "
        "supportbot.toml. I keep the question and try again."
    )
    try:
        await show(
            workspace.calls, "chat.postMessage", channel=admins, text=message.text,
            blocks=message.blocks,
        )  # fmt: skip
    except DeliveryError as untold:
        log.warning("The admins were not told: %s", untold)
