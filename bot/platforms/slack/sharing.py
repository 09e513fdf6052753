"""Sharing an answer that only its asker sees with everybody in the channel."""

import logging
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from bot.errors import ClickError, RefusedError
from bot.messages import Turn
from bot.platforms.slack.calls import CallError
from bot.platforms.slack.clicks import Click, answering, is_private, place_of, turn_at
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.intake import Intake
from bot.platforms.slack.lengths import shortened
from bot.platforms.slack.messages import SHARE, Message, answer_messages, plain_message
from bot.platforms.slack.names import name_of
from bot.platforms.slack.replying import NOTICE_TYPE, show
from bot.platforms.slack.response_urls import respond
from bot.platforms.slack.workspace import Workspace
from bot.storage import inbox, recall

SHARED = "That answer has been shared already."
# Slack's limit of what is in a message leaves so much room beside an answer.
MAX_QUESTION = 200

log = logging.getLogger(__name__)


def register(app: AsyncApp, workspace: Workspace, intake: Intake) -> None:
    """Take the clicks on "Share with the channel"."""
    app.action(SHARE)(answering(workspace, share))


async def share(workspace: Workspace, click: Click) -> None:
    """Post an answer where it was asked for, once, and take the private one away.

    The turn belongs to the channel from then on, so that everybody there may rate it.
    """
    turn = await turn_at(workspace, click, click.value)
    assert turn.id is not None
    key = f"share {turn.id}"
    if not is_private(turn) or not await inbox.is_first(workspace.engine, PLATFORM, key):
        raise ClickError(SHARED)
    try:
        conversation = await _post(workspace, click, turn)
    except BaseException:
        await inbox.forget(workspace.engine, PLATFORM, key)
        raise
    await recall.move(workspace.engine, turn.id, conversation)
    if click.response_url:
        await respond(click.response_url, delete_original=True)


async def _post(workspace: Workspace, click: Click, turn: Turn) -> str:
    """Post the answer; the conversation that it is in."""
    channel, thread = place_of(turn)
    messages = await _messages(workspace, click, turn)
    mark = {"event_type": NOTICE_TYPE, "event_payload": {"turn_id": turn.id}}
    for number, message in enumerate(messages):
        content = {"text": message.text, "blocks": message.blocks}
        try:
            posted = await show(
                workspace.calls, "chat.postMessage", channel=channel, thread_ts=thread,
                metadata=mark, unfurl_links=False, unfurl_media=False, **content,
            )  # fmt: skip
        except (RefusedError, CallError) as error:
            if number or not click.response_url:
                raise
            log.info("An answer is shared by its own address: %s", error)
            return await _respond(click.response_url, messages, channel, thread)
        thread = thread or str(posted["ts"])
    return f"{channel}:{thread}"


async def _respond(url: str, messages: list[Message], channel: str, thread: str | None) -> str:
    """Post the answer into a channel that the bot is not in."""
    where: dict[str, Any] = {"thread_ts": thread} if thread else {}
    for message in messages:
        is_shown = await respond(
            url, response_type="in_channel", text=message.text, blocks=message.blocks,
            unfurl_links=False, unfurl_media=False, **where,
        )  # fmt: skip
        if not is_shown:
            raise ClickError(
                "Slack does not let me post in this channel. Invite me to it, and try again."
            )
    return f"{channel}:{thread or 'shared'}"


async def _messages(workspace: Workspace, click: Click, turn: Turn) -> list[Message]:
    name = await name_of(workspace, click.person)
    question = shortened(" ".join(turn.question.text.split()), MAX_QUESTION)
    lead = plain_message(f"{name} asked: {question}")
    first, *rest = answer_messages(turn.answer, turn.id)
    return [Message([*lead.blocks, *first.blocks], first.text), *rest]
