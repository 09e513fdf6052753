"""Questions asked beside a conversation: by /ask, and by a shortcut on somebody's message."""

import logging
from collections.abc import Mapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from sqlalchemy.exc import DBAPIError

from bot.messages import Arrival, Way
from bot.platforms.slack.events import PLATFORM, plain_text
from bot.platforms.slack.intake import AWAY, FLOODED, Intake
from bot.platforms.slack.lengths import shortened
from bot.platforms.slack.messages import Message, plain_message
from bot.platforms.slack.response_urls import respond
from bot.platforms.slack.workspace import Workspace
from bot.storage.database import first_line
from bot.storage.inbox import Reception

COMMAND = "/ask"
SHORTCUT = "ask_about"
USAGE = (
    "Write your question behind the command, such as: /ask How do I reset my password? Only you "
    "see the answer, until you share it."
)
NO_TEXT = "That message has no text that I could answer. Please ask me in your own words: /ask …"
MAX_ECHO = 300

log = logging.getLogger(__name__)


def register(app: AsyncApp, workspace: Workspace, intake: Intake) -> None:
    """Take questions that are answered to their asker alone."""

    async def ask(ack: Any, body: dict[str, Any]) -> None:
        question = plain_text(str(body.get("text") or ""), workspace.identity.bot_user)
        if not question:
            await ack(**_shown(plain_message(USAGE)))
            return
        said = await _take(workspace, command_arrival(workspace, body, question))
        await ack(**_shown(said) if said else {})

    async def ask_about(ack: Any, body: dict[str, Any]) -> None:
        said: Message | None = plain_message(NO_TEXT)
        message = body.get("message") or {}
        question = plain_text(str(message.get("text") or ""), workspace.identity.bot_user)
        if question:
            said = await _take(workspace, shortcut_arrival(workspace, body, question))
        await ack()
        if said:
            await respond(str(body.get("response_url")), **_shown(said))

    app.command(COMMAND)(ask)
    app.shortcut(SHORTCUT)(ask_about)


def command_arrival(workspace: Workspace, body: Mapping[str, Any], question: str) -> Arrival:
    """The question of a command; the commands of a person in a channel follow on each other."""
    channel, person = str(body["channel_id"]), str(body["user_id"])
    return Arrival(
        PLATFORM, workspace.identity.workspace, channel, str(body["trigger_id"]),
        f"{channel}:{person}", person, question, Way.COMMAND,
        details={"response_url": body.get("response_url")},
    )  # fmt: skip


def shortcut_arrival(workspace: Workspace, body: Mapping[str, Any], question: str) -> Arrival:
    """The question that somebody's message is, asked for the one who used the shortcut on it."""
    channel, person, message = body["channel"]["id"], body["user"]["id"], body["message"]
    thread = message.get("thread_ts") or message.get("ts") or body.get("message_ts")
    return Arrival(
        PLATFORM, workspace.identity.workspace, channel, str(body["trigger_id"]),
        f"{channel}:{thread}:{person}", person, question, Way.SHORTCUT,
        details={"response_url": body.get("response_url")},
    )  # fmt: skip


async def _take(workspace: Workspace, arrival: Arrival) -> Message | None:
    """Take a question in; what the asker is told at once, None where that was said before."""
    try:
        reception = await workspace.inbox.accept(arrival)
    except (DBAPIError, OSError) as error:
        log.warning("A question could not be taken: %s", first_line(error))
        return plain_message(AWAY)
    if reception is Reception.KNOWN:
        return None
    if reception is not Reception.NEW:
        return plain_message(FLOODED)
    return plain_message(f"Looking in the documents for: {shortened(arrival.text, MAX_ECHO)}")


def _shown(message: Message) -> dict[str, Any]:
    return {"response_type": "ephemeral", "text": message.text, "blocks": message.blocks}
