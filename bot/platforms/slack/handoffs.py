"""Handing over to people: asked for under an answer or by an intent, claimed, resolved."""

import asyncio
import logging
from dataclasses import dataclass
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from sqlalchemy.exc import DBAPIError

from bot.delivery import Reply
from bot.errors import ClickError, DeliveryError
from bot.inbox import Holding
from bot.messages import Outcome, Turn
from bot.platforms.slack.clicks import (
    ID,
    Click,
    answering,
    is_private,
    open_view,
    place_of,
    tell,
    turn_at,
)
from bot.platforms.slack.events import PLATFORM, plain_text
from bot.platforms.slack.handoff_messages import (
    CLAIM,
    RESOLUTION,
    RESOLVE,
    TITLE,
    resolution_view,
)
from bot.platforms.slack.handoff_posting import channel_of, is_alone, refresh, tell_asker
from bot.platforms.slack.intake import AWAY, Intake
from bot.platforms.slack.lengths import sendable
from bot.platforms.slack.messages import PERSON
from bot.platforms.slack.modals import notice_view
from bot.platforms.slack.names import name_of
from bot.platforms.slack.workspace import Workspace
from bot.storage import handoffs
from bot.storage.database import first_line
from bot.storage.handoffs import Handoff, Opening

PASSED_ON = "I have passed this on to the team. They will answer here."
PASSED_ON_ALONE = "I have passed this on to the team. They will write to you."
NO_TEAM = (
    "No team is set up yet to take questions over from me, so please ask somebody you know. I keep "
    "your question for the time there is one."
)
NO_TEAM_BUT_ADMINS = (
    "No team is set up yet to take questions over from me, so I have shown yours to the admins."
)
UNKNOWN = "That question is no longer stored, so nothing was done."
# A trigger of Slack's is good for three seconds.
LOOK_SECONDS = 1.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HandingOver:
    """A reply; where it says that a person will answer, people are asked to."""

    workspace: Workspace
    holding: Holding
    reply: Reply

    async def begin(self) -> None:
        """As the reply does."""
        await self.reply.begin()

    async def write(self, piece: str) -> None:
        """As the reply does."""
        await self.reply.write(piece)

    async def drop(self) -> None:
        """As the reply does."""
        await self.reply.drop()

    async def finish(self, turn: Turn) -> str | None:
        """As the reply does, and then ask people if the answer has said so."""
        reply = await self.reply.finish(turn)
        if turn.answer.outcome is Outcome.HANDED_OVER and turn.id is not None:
            person = turn.question.person.id
            is_new = await _open(self.workspace, turn, person)
            if is_new and self.workspace.options.handoff_channel is None:
                await tell(self.workspace, self._click(turn), _opened(self.workspace, turn))
        return reply

    def _click(self, turn: Turn) -> Click:
        """Where the asker is told something, as if they had clicked below the answer."""
        arrival = self.holding.waiting.arrival
        _, thread = place_of(turn)
        url = arrival.details.get("response_url")
        return Click(arrival.person, "", "", arrival.channel, None, thread, url, turn.id)


def register(app: AsyncApp, workspace: Workspace, intake: Intake) -> None:
    """Take the clicks that ask for a person, and those of the people who are asked."""

    async def close(ack: Any, body: dict[str, Any]) -> None:
        await _close(workspace, ack, body)

    app.action(PERSON)(answering(workspace, ask_person))
    app.action(CLAIM)(answering(workspace, claim))
    app.action(RESOLVE)(answering(workspace, resolve))
    app.view(RESOLUTION)(close)


async def ask_person(workspace: Workspace, click: Click) -> None:
    """Have people asked to take over the question of an answer, once."""
    turn = await turn_at(workspace, click, click.value)
    if await _open(workspace, turn, click.person):
        await tell(workspace, click, _opened(workspace, turn))
        return
    handoff = await handoffs.of_turn(workspace.engine, turn.id or 0)
    if handoff is None or handoff.state == "open":
        await tell(workspace, click, _opened(workspace, turn))
    else:
        await tell(workspace, click, await _taken(workspace, handoff, click.person))


async def claim(workspace: Workspace, click: Click) -> None:
    """Have the one who clicked take a question; the first one does."""
    handoff = await _handoff_at(workspace, click)
    is_first = await handoffs.claim(workspace.engine, handoff.id, click.person)
    handoff = await _found(workspace, handoff.id)
    await refresh(workspace, handoff)
    if not is_first:
        await tell(workspace, click, await _taken(workspace, handoff, click.person))
        return
    name = await name_of(workspace, click.person)
    where = "write to you" if is_alone(handoff) else "answer here"
    await _tell_asker(workspace, click, handoff, f"{name} has taken this and will {where}.")
    await tell(workspace, click, "It is yours. Press “Resolved” once it is answered.")


async def resolve(workspace: Workspace, click: Click) -> None:
    """Ask the one who clicked what the answer was."""
    handoff = await _handoff_at(workspace, click)
    if handoff.state == "resolved":
        await refresh(workspace, handoff)
        await tell(workspace, click, await _taken(workspace, handoff, click.person))
        return
    written = await _last_words(workspace, handoff, handoff.claimed_by or click.person)
    if not await open_view(workspace, click, resolution_view(handoff.id, written)):
        await tell(workspace, click, "Slack was too slow just now. Please press it once more.")


async def _open(workspace: Workspace, turn: Turn, person: str) -> bool:
    """Open the hand-off of a turn; False where it has one."""
    assert turn.id is not None
    channel, thread = place_of(turn)
    place = "" if is_private(turn) else thread or ""
    opening = Opening(turn.id, PLATFORM, workspace.identity.workspace, channel, place, person)
    return await handoffs.add(workspace.engine, opening)


def _opened(workspace: Workspace, turn: Turn) -> str:
    """What is said to who asked for a person."""
    if workspace.options.handoff_channel is None:
        return NO_TEAM if channel_of(workspace.options) is None else NO_TEAM_BUT_ADMINS
    channel, _ = place_of(turn)
    return PASSED_ON_ALONE if is_private(turn) or channel.startswith("D") else PASSED_ON


async def _taken(workspace: Workspace, handoff: Handoff, person: str) -> str:
    """Who has taken or resolved a question, in words for a person."""
    is_resolved = handoff.state == "resolved"
    holder = handoff.resolved_by if is_resolved else handoff.claimed_by
    name = "You have" if holder == person else f"{await name_of(workspace, holder or '')} has"
    if is_resolved:
        return f"{name} marked this as resolved already."
    return f"{name} taken this already."


async def _handoff_at(workspace: Workspace, click: Click) -> Handoff:
    """The hand-off whose message was clicked on.

    Raises:
        ClickError: it is gone, or was not clicked on where people were asked.
    """
    if not ID.fullmatch(click.value):
        raise ClickError(UNKNOWN)
    handoff = await _found(workspace, int(click.value))
    if handoff.message is None and click.message and click.channel == channel_of(workspace.options):
        # Faster than whoever posted it could record where.
        await handoffs.note_message(workspace.engine, handoff.id, click.channel, click.message)
        return await _found(workspace, handoff.id)
    if (handoff.channel, handoff.message) != (click.channel, click.message):
        log.warning("%s clicked on a hand-off that is not there.", click.person)
        raise ClickError("That question was handed to other people, so nothing was done.")
    return handoff


async def _found(workspace: Workspace, handoff_id: int) -> Handoff:
    handoff = await handoffs.find(workspace.engine, handoff_id)
    if handoff is None:
        raise ClickError(UNKNOWN)
    return handoff


async def _tell_asker(workspace: Workspace, click: Click, handoff: Handoff, text: str) -> None:
    try:
        await tell_asker(workspace, handoff, text)
    except DeliveryError as error:
        log.warning("An asker was not told of a hand-off: %s", error)
        name = await name_of(workspace, handoff.asked_by)
        await tell(workspace, click, f"I could not tell {name}, so please do so yourself.")


async def _last_words(workspace: Workspace, handoff: Handoff, person: str) -> str:
    """What a person wrote last in the asker's thread; empty where that cannot be read in time."""
    if is_alone(handoff):
        return ""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            found = await workspace.calls.at_once(
                "conversations.replies", channel=handoff.asked_in, ts=handoff.asked_thread,
                oldest=handoff.asked_thread, limit=200,
            )  # fmt: skip
    except (DeliveryError, TimeoutError) as error:
        log.info("What a person answered cannot be read: %s", error)
        return ""
    said = [
        str(message.get("text") or "")
        for message in found["messages"]
        if message.get("user") == person and message["ts"] != handoff.asked_thread
    ]
    return plain_text(said[-1], workspace.identity.bot_user) if said else ""


async def _close(workspace: Workspace, ack: Any, body: dict[str, Any]) -> None:
    """Store what the answer was, and tell everybody who waits for it."""
    view, person = body["view"], str(body["user"]["id"])
    element = view["blocks"][0].get("element") or {}
    values = view.get("state", {}).get("values", {})
    answer = sendable(
        str(values.get(RESOLUTION, {}).get(RESOLUTION, {}).get("value") or "")
    ).strip()
    private = str(view.get("private_metadata"))
    try:
        handoff_id = int(private) if ID.fullmatch(private) else 0
        is_first = await handoffs.resolve(workspace.engine, handoff_id, person, answer or None)
        handoff = await handoffs.find(workspace.engine, handoff_id)
    except (DBAPIError, OSError) as error:
        log.warning("A hand-off could not be closed: %s", first_line(error))
        await ack(response_action="update", view=notice_view(TITLE, AWAY))
        return
    if handoff is None or not is_first:
        said = await _taken(workspace, handoff, person) if handoff else UNKNOWN
        await ack(response_action="update", view=notice_view(TITLE, said))
        return
    await ack()
    await _tell_resolved(workspace, handoff, "" if element.get("initial_value") else answer)


async def _tell_resolved(workspace: Workspace, handoff: Handoff, answer: str) -> None:
    """Tell in the thread, with the answer where it does not stand there yet."""
    assert handoff.resolved_by
    name = await name_of(workspace, handoff.resolved_by)
    said = f"{name} has marked this as resolved."
    click = Click(
        handoff.resolved_by, "", "", handoff.channel or "", handoff.message, None, None, None
    )
    text = f"{said}\n\n{answer}" if answer else said
    await _tell_asker(workspace, click, handoff, text)
    try:
        await refresh(workspace, handoff)
    except DeliveryError as error:
        log.warning("A request to take over does not show that it is resolved: %s", error)
