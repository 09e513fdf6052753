"""Clicks in Slack: who clicked where, on whose answer, and how they are told what came of it."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import DBAPIError

from bot.errors import ClickError, DeliveryError, SupportbotError
from bot.messages import Person, Turn
from bot.platforms.slack.calls import CallError, TokenError
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.intake import AWAY
from bot.platforms.slack.messages import Message, plain_message
from bot.platforms.slack.modals import NOTICE, notice_view
from bot.platforms.slack.replying import show
from bot.platforms.slack.response_urls import respond
from bot.platforms.slack.workspace import Workspace
from bot.storage import recall
from bot.storage.database import first_line

ID = re.compile(r"[0-9]{1,18}")
GONE = "That answer is no longer stored, so nothing can be done with it. Please ask again."
FOREIGN = "That answer belongs to another conversation, so nothing was done."
FAILED = "Slack did not let me do that. Please try again in a minute."

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Click:
    """A person's click on a button with a `value`, in a message or in a view.

    `channel` is empty in a `view`, which may stand for the answer of `turn_id`; `thread` is None
    where the message is in none.
    """

    person: str
    value: str
    trigger: str
    channel: str
    message: str | None
    thread: str | None
    response_url: str | None
    turn_id: int | None
    view: str | None = None

    @property
    def by(self) -> Person:
        """Who clicked."""
        return Person(PLATFORM, self.person)


Handler = Callable[[Workspace, Click], Awaitable[None]]


def click_of(body: Mapping[str, Any]) -> Click:
    """The click that a delivery of Slack's tells of."""
    action = (body.get("actions") or [{}])[0]
    container, message = body.get("container") or {}, body.get("message") or {}
    channel = (body.get("channel") or {}).get("id") or container.get("channel_id") or ""
    view = body.get("view") or {}
    private = str(view.get("private_metadata") or "")
    return Click(
        body["user"]["id"], str(action.get("value") or ""), str(body.get("trigger_id") or ""),
        channel, container.get("message_ts") or message.get("ts"),
        message.get("thread_ts") or container.get("thread_ts"), body.get("response_url"),
        int(private) if view.get("callback_id") == NOTICE and ID.fullmatch(private) else None,
        view.get("id"),
    )  # fmt: skip


def answering(workspace: Workspace, handler: Handler) -> Callable[..., Awaitable[None]]:
    """A listener of Bolt's for clicks: confirmed at once, and what goes wrong is told."""

    async def listen(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        click = click_of(body)
        try:
            await handler(workspace, click)
        except (DBAPIError, OSError) as error:
            log.warning("A click could not be followed: %s", first_line(error))
            await tell(workspace, click, AWAY)
        except DeliveryError as error:
            log.warning("A click could not be followed: %s", error)
            await tell(workspace, click, FAILED)
        except SupportbotError as error:
            await tell(workspace, click, str(error))

    return listen


async def turn_at(workspace: Workspace, click: Click, turn_id: str) -> Turn:
    """The stored turn whose answer was clicked on.

    Raises:
        ClickError: it is gone, or its answer is not where the click was.
    """
    if not ID.fullmatch(turn_id):
        raise ClickError(GONE)
    turn = await recall.turn(workspace.engine, int(turn_id))
    if turn is None:
        raise ClickError(GONE)
    if not _is_theirs(turn, click):
        log.warning("%s clicked on the answer of another conversation.", click.person)
        raise ClickError(FOREIGN)
    return turn


def _is_theirs(turn: Turn, click: Click) -> bool:
    """Whether an answer is seen where a person clicked: in that channel, and by them."""
    place = turn.question.conversation
    channel, *rest = place.id.split(":")
    if place.platform != PLATFORM or (is_private(turn) and rest[-1] != click.person):
        return False
    return channel == click.channel or (not click.channel and click.turn_id == turn.id)


def is_private(turn: Turn) -> bool:
    """Whether only its asker sees an answer: its conversation ends with their id."""
    return turn.question.conversation.id.endswith(f":{turn.question.person.id}")


def place_of(turn: Turn) -> tuple[str, str | None]:
    """The channel of a turn, and its thread if it has one."""
    channel, *rest = turn.question.conversation.id.split(":")
    thread = rest[0] if rest and re.fullmatch(r"[0-9]+\.[0-9]+", rest[0]) else None
    return channel, thread


async def tell(workspace: Workspace, click: Click, said: str | Message) -> None:
    """Tell the one who clicked, and nobody else; by their own messages where nothing else works."""
    message = plain_message(said) if isinstance(said, str) else said
    content: dict[str, Any] = {"text": message.text, "blocks": message.blocks}
    if click.view and await _update_view(workspace, click.view, message):
        return
    if click.channel:
        try:
            await show(
                workspace.calls, "chat.postEphemeral", channel=click.channel, user=click.person,
                thread_ts=click.thread, **content,
            )  # fmt: skip
        except TokenError as error:
            log.warning("Somebody was not told what came of a click: %s", error)
            return
        except DeliveryError as error:
            log.info("What came of a click is told another way: %s", error)
        else:
            return
    if click.response_url and await respond(click.response_url, **content):
        return
    try:
        await show(workspace.calls, "chat.postMessage", channel=click.person, **content)
    except DeliveryError as error:
        log.warning("Somebody was not told what came of a click: %s", error)


async def _update_view(workspace: Workspace, view_id: str, message: Message) -> bool:
    view = notice_view("Thank you", message.text) | {"blocks": message.blocks}
    try:
        await workspace.calls.at_once("views.update", view_id=view_id, view=view)
    except DeliveryError as error:
        log.info("What came of a click is told another way: %s", error)
        return False
    return True


async def open_view(workspace: Workspace, click: Click, view: dict[str, Any]) -> bool:
    """Open a view over what was clicked on; False where Slack did not in time."""
    try:
        await workspace.calls.at_once("views.open", trigger_id=click.trigger, view=view)
    except CallError as error:
        log.info("A view could not be opened: %s", error)
        return False
    return True
