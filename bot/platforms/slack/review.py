"""Reviewing in Slack: each click settles a question, and shows the next one in its place."""

import logging
import re
from dataclasses import replace
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from sqlalchemy.exc import DBAPIError

from bot import reviewing
from bot.errors import DeliveryError, SupportbotError
from bot.intents.masking import masked
from bot.messages import Person
from bot.platforms.slack.admins import Admins
from bot.platforms.slack.clicks import FAILED, Click, click_of, open_view, tell
from bot.platforms.slack.commands import Desk, Said
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.home_view import answer_view
from bot.platforms.slack.intake import AWAY, Intake
from bot.platforms.slack.messages import Message, plain_message
from bot.platforms.slack.modals import notice_view
from bot.platforms.slack.response_urls import respond
from bot.platforms.slack.review_messages import (
    OTHER,
    PREFIX,
    REVIEW,
    Spot,
    decided_by,
    other_modal,
    read_other,
    review_message,
)
from bot.platforms.slack.workspace import Workspace
from bot.reviewing import Decided
from bot.storage import recall
from bot.storage.database import first_line

TITLE = "What was it about?"
ACTION = re.compile(f"^{re.escape(PREFIX)}")

log = logging.getLogger(__name__)


def register(app: AsyncApp, workspace: Workspace, intake: Intake) -> None:
    """Take the clicks below questions to settle, and the view behind "Another …"."""
    desk = Desk(workspace, Admins(workspace))

    async def click(ack: Any, body: dict[str, Any], action: dict[str, Any]) -> None:
        await ack()
        clicked = click_of(body)
        try:
            await _take_click(desk, clicked, _said(body, clicked, action), action["action_id"])
        except (DBAPIError, OSError) as error:
            log.warning("A review could not be taken: %s", first_line(error))
            await _tell(workspace, clicked, AWAY)

    async def submit(ack: Any, body: dict[str, Any]) -> None:
        try:
            await _take_other(desk, ack, body)
        except (DBAPIError, OSError) as error:
            log.warning("A review could not be taken: %s", first_line(error))
            await ack(response_action="update", view=notice_view(TITLE, AWAY))

    app.action(ACTION)(click)
    app.view(REVIEW)(submit)


async def _take_click(desk: Desk, click: Click, said: Said, action: str) -> None:
    """Settle what was clicked on, if its clicker may."""
    workspace = desk.workspace
    if refused := await desk.admit(said, "review"):
        await _tell(workspace, click, refused)
        return
    spot = Spot(0, click.channel, click.response_url or "", click.view or "")
    decided = decided_by(action, click.value)
    if decided is None and action == f"{PREFIX}{OTHER}" and click.value.isdecimal():
        await _ask_other(workspace, click, spot)
    elif decided is None:
        await _show_next(workspace, spot, click.person, reviewing.GONE)
    else:
        await _show_next(workspace, spot, click.person, await _decide(workspace, click, decided))


async def _ask_other(workspace: Workspace, click: Click, spot: Spot) -> None:
    """Show all intents: in a view of their own, or in the one where the question is."""
    turn_id = int(click.value[:18])
    turn = await recall.turn(workspace.engine, turn_id)
    if turn is None:
        await _show_next(workspace, spot, click.person, reviewing.GONE)
        return
    place = replace(spot, turn_id=turn_id)
    catalog = workspace.administration.reviews.catalog
    view = other_modal(masked(turn.question.text), catalog, place)
    if click.view:
        await _update(workspace, click.view, view)
    elif not await open_view(workspace, click, view):
        await _tell(workspace, click, FAILED)


async def _take_other(desk: Desk, ack: Any, body: dict[str, Any]) -> None:
    """Settle what was filled in; what cannot be kept is told in the view."""
    workspace = desk.workspace
    clicked = click_of(body)
    found = read_other(body["view"])
    words = f"{found[1].turn_id} {found[1].intent}" if found else "?"
    channel = found[0].channel if found else ""
    said = Said(clicked.person, _team(body), channel or clicked.person, words)
    if refused := await desk.admit(said, "review"):
        await ack(response_action="update", view=notice_view(TITLE, refused))
        return
    if found is None:
        await ack(response_action="update", view=notice_view(TITLE, reviewing.GONE))
        return
    spot, decided = found
    told = await _decide(workspace, clicked, decided)
    if spot.view:
        message = await _next(workspace, clicked.person, told)
        await ack(response_action="update", view=answer_view("review", message.blocks))
        return
    await ack()
    await _show_next(workspace, spot, clicked.person, told)


async def _decide(workspace: Workspace, click: Click, decided: Decided) -> str:
    """What came of a decision, in a sentence."""
    try:
        return await reviewing.decide(workspace.administration.reviews, click.by, decided)
    except SupportbotError as error:
        return str(error)


async def _show_next(workspace: Workspace, spot: Spot, person: str, said: str) -> None:
    """Show the next question where the last one was; where that is gone, below it."""
    message = await _next(workspace, person, said)
    if spot.view:
        await _update(workspace, spot.view, answer_view("review", message.blocks))
        return
    content = {"text": message.text, "blocks": message.blocks}
    if spot.response_url and await respond(spot.response_url, replace_original=True, **content):
        return
    await tell(workspace, Click(person, "", "", spot.channel, None, None, None, None), message)


async def _next(workspace: Workspace, person: str, said: str) -> Message:
    page = await reviewing.following(workspace.administration.reviews, Person(PLATFORM, person))
    return review_message(page, said)


async def _update(workspace: Workspace, view_id: str, view: dict[str, Any]) -> None:
    try:
        await workspace.calls("views.update", view_id=view_id, view=view)
    except DeliveryError as error:
        log.warning("What follows in a review was not shown: %s", error)


async def _tell(workspace: Workspace, click: Click, sentence: str) -> None:
    """Tell something beside the question, which stays."""
    if not click.view and click.response_url:
        message = plain_message(sentence)
        if await respond(click.response_url, text=message.text, blocks=message.blocks):
            return
    await tell(workspace, click, sentence)


def _said(body: dict[str, Any], click: Click, action: dict[str, Any]) -> Said:
    """A click as the audit notes it."""
    words = f"{action['action_id'].removeprefix(PREFIX)} {click.value}"
    return Said(click.person, _team(body), click.channel or click.person, words[:200])


def _team(body: dict[str, Any]) -> str | None:
    team: str | None = body["user"].get("team_id") or (body.get("team") or {}).get("id")
    return team
