"""Admin commands in Slack: `/reindex`, `/retrain` and `/supportbot …`."""

import logging
from dataclasses import dataclass
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from sqlalchemy.exc import DBAPIError

from bot import commands
from bot.calling import Caller, Done
from bot.errors import DeliveryError
from bot.messages import Answer, Outcome
from bot.platforms.slack.admins import Admins, Standing, refusal
from bot.platforms.slack.answer_views import listing_messages
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.intake import BROKEN, Intake
from bot.platforms.slack.messages import Message, answer_messages
from bot.platforms.slack.response_urls import respond
from bot.platforms.slack.review_messages import review_message
from bot.platforms.slack.workspace import Workspace
from bot.storage import job_watchers
from bot.storage.database import first_line
from bot.storage.job_watchers import Watcher

# What stands before what is typed: `/reindex wiki` is the command "reindex wiki".
SLASH = {"/reindex": "reindex ", "/retrain": "retrain ", "/supportbot": ""}
AWAY = (
    "My database does not answer. Please try again in a minute: a job that is asked for twice runs "
    "once. The operator finds the cause in the log."
)
DIRECT_CHANNEL = "D"
# Slack takes five replies to a command.
MAX_REPLIES = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Said:
    """A command as it was said in Slack; `team` is the workspace that the person acts in.

    `channel` is the person's own id where it was said in none, as by a button of App Home.
    """

    person: str
    team: str | None
    channel: str
    words: str


def register(app: AsyncApp, workspace: Workspace, intake: Intake) -> None:
    """Have the commands taken; what they answer is seen by the caller alone."""
    desk = Desk(workspace, Admins(workspace))

    async def take(ack: Any, command: dict[str, Any]) -> None:
        await ack()
        words = SLASH[command["command"]] + (command.get("text") or "")
        said = Said(command["user_id"], command.get("team_id"), command["channel_id"], words)
        for message in answers(await desk.run(said))[:MAX_REPLIES]:
            await _reply(workspace, command["response_url"], said, message)

    for name in SLASH:
        app.command(name)(take)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where commands are run, whether typed or pressed."""

    workspace: Workspace
    admins: Admins

    async def run(self, said: Said) -> Done:
        """The answer to a command, whatever goes wrong; its jobs are followed in the channel."""
        try:
            return await self._run(said)
        except (DBAPIError, OSError) as error:
            log.warning("A command of Slack failed: %s", first_line(error))
            return Done(AWAY)
        except Exception:
            log.exception("a command of Slack failed")
            return Done(BROKEN)

    async def admit(self, said: Said, name: str) -> str:
        """Why a click must not do what an admin may, or nothing; it is audited like a command."""
        caller, standing = await self._caller(said)
        administration = self.workspace.administration
        if await commands.admit(administration, caller, name, said.words, is_open=False):
            return ""
        return refusal(said.person, standing)

    async def _caller(self, said: Said) -> tuple[Caller, Standing]:
        standing = await self.admins.standing(said.person, said.team)
        is_direct = said.channel == said.person or said.channel.startswith(DIRECT_CHANNEL)
        place, channel = self.workspace.identity.workspace, None if is_direct else said.channel
        return Caller(PLATFORM, place, said.person, channel, standing.is_admin), standing

    async def _run(self, said: Said) -> Done:
        workspace = self.workspace
        place = workspace.identity.workspace
        caller, standing = await self._caller(said)
        done = await commands.call(workspace.administration, caller, said.words)
        if not done.is_allowed:
            return Done(refusal(said.person, standing), is_allowed=False)
        for job_id in done.job_ids:
            watcher = Watcher(job_id, PLATFORM, place, said.channel, said.person)
            await job_watchers.watch(workspace.engine, watcher)
        await workspace.read_modes()
        return done


def answers(done: Done) -> list[Message]:
    """The answer to a command as messages."""
    if done.page:
        return [review_message(done.page)]
    return listing_messages(done.listing) if done.listing else written(done.text)


def written(markdown: str) -> list[Message]:
    """Markdown of ours as messages."""
    return answer_messages(Answer(Outcome.ANSWERED, markdown), None)


async def _reply(workspace: Workspace, address: str, said: Said, message: Message) -> None:
    """Show a message to the caller alone."""
    if await respond(address, text=message.text, blocks=message.blocks):
        return
    try:
        await workspace.calls(
            "chat.postEphemeral", channel=said.channel, user=said.person, text=message.text,
            blocks=message.blocks,
        )  # fmt: skip
    except DeliveryError as error:
        log.warning("The answer to a command was not delivered: %s", error)
