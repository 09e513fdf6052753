"""App Home: what the bot can do, for admins its state and buttons; the agent pane's prompts."""

import logging
import re
from collections.abc import Sequence
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from sqlalchemy.exc import DBAPIError

from bot.errors import DeliveryError
from bot.platforms.slack import home_view
from bot.platforms.slack.admins import Admins
from bot.platforms.slack.commands import Desk, Said, answers
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.home_view import PREFIX, answer_view
from bot.platforms.slack.intake import Intake
from bot.platforms.slack.messages import plain_message
from bot.platforms.slack.workspace import Workspace
from bot.storage import inbox, showcase

MAX_PROMPTS = 4
# Slack shows a prompt's title on a button.
TITLE_CHARACTERS = 75
GREETING = (
    "Hello! Ask me anything that stands in the team's documents: I answer with the sources, and "
    "say so where I am not sure. 👍 and 👎 help me get better."
)
BUTTON = re.compile(f"^{re.escape(PREFIX)}")

log = logging.getLogger(__name__)


def register(app: AsyncApp, workspace: Workspace, intake: Intake) -> None:
    """Have App Home shown and its buttons taken."""
    desk = Desk(workspace, Admins(workspace))

    async def opened(ack: Any, event: dict[str, Any], body: dict[str, Any]) -> None:
        await ack()
        person, channel = event.get("user"), event.get("channel")
        if not isinstance(person, str) or person == workspace.identity.bot_user:
            return
        try:
            if event.get("tab") == "messages" and isinstance(channel, str):
                await _welcome(workspace, person, channel)
            elif event.get("tab") != "messages":
                await _publish(desk, person, body.get("team_id"))
        except (DeliveryError, DBAPIError, OSError) as error:
            log.warning("App Home was not shown to %s: %s", person, error)

    async def pressed(ack: Any, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        words = action["action_id"].removeprefix(PREFIX)
        person, team = body["user"]["id"], (body.get("team") or {}).get("id")
        said = Said(person, body["user"].get("team_id") or team, person, words)
        try:
            await _run(desk, said, body["trigger_id"])
        except (DeliveryError, DBAPIError, OSError) as error:
            log.warning("The answer to a button did not reach %s: %s", person, error)

    app.event("app_home_opened")(opened)
    app.action(BUTTON)(pressed)


async def _publish(desk: Desk, person: str, team: str | None) -> None:
    """Show a person's Home as things are now."""
    workspace = desk.workspace
    standing = await desk.admins.standing(person, team)
    view = await home_view.home(workspace, person, is_admin=standing.is_admin)
    await workspace.calls("views.publish", user_id=person, view=view)


async def _run(desk: Desk, said: Said, trigger: str) -> None:
    """Run the command of a button: its answer comes in a modal, where that fails in a message."""
    calls, person = desk.workspace.calls, said.person
    shown = None
    try:
        waiting = answer_view(said.words, plain_message("One moment …").blocks)
        opened = await calls("views.open", trigger_id=trigger, view=waiting)
        shown = opened["view"]["id"]
    except DeliveryError as error:
        log.info("A modal was not opened; the answer comes as a message: %s", error)
    answer = answers(await desk.run(said))[0]
    if shown is not None:
        view = answer_view(said.words, answer.blocks)
        await calls("views.update", view_id=shown, view=view)
    else:
        await calls(
            "chat.postMessage", channel=person, text=answer.text, blocks=answer.blocks,
            unfurl_links=False, unfurl_media=False,
        )  # fmt: skip
    await _publish(desk, person, said.team)


async def _welcome(workspace: Workspace, person: str, channel: str) -> None:
    """Suggest what to ask, and greet who opens the pane for the first time."""
    prompts = await suggested_prompts(workspace)
    try:
        if prompts:
            await workspace.calls(
                "assistant.threads.setSuggestedPrompts", channel_id=channel,
                title="You could ask", prompts=prompts,
            )  # fmt: skip
    except DeliveryError as error:
        log.info("No questions are suggested: %s", error)
    greeting = f"greeting {workspace.identity.workspace} {person}"
    if not await inbox.is_first(workspace.engine, PLATFORM, greeting):
        return
    # Notes of deliveries are not kept for ever; what was said in the pane is.
    history = await workspace.calls("conversations.history", channel=channel, limit=1)
    if not history["messages"]:
        hello = plain_message(GREETING)
        await workspace.calls(
            "chat.postMessage", channel=channel, text=hello.text, blocks=hello.blocks
        )


async def suggested_prompts(workspace: Workspace) -> Sequence[dict[str, str]]:
    """Up to four questions: those of the settings, else what documents really answer."""
    questions: Sequence[str] = workspace.options.suggested_prompts
    if not questions:
        questions = await showcase.example_questions(workspace.engine, MAX_PROMPTS)
    return [{"title": _cut(question), "message": question} for question in questions[:MAX_PROMPTS]]


def _cut(text: str) -> str:
    return text if len(text) <= TITLE_CHARACTERS else f"{text[: TITLE_CHARACTERS - 1]}…"
