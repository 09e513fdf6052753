"""👍 and 👎 under answers and on them: one rating of each person, the last one counts."""

import logging
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from sqlalchemy.exc import DBAPIError

from bot.errors import ClickError, DeliveryError, SupportbotError
from bot.intents.catalog import Catalog
from bot.messages import NOT_FOR_THE_BOT, Person, Prediction, Rating
from bot.platforms.slack.clicks import GONE, Click, answering, open_view, tell, turn_at
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.intake import AWAY, Intake
from bot.platforms.slack.messages import (
    FEEDBACK,
    button,
    person_button,
    plain_message,
    with_buttons,
)
from bot.platforms.slack.modals import (
    REASON,
    WRONG,
    Complaint,
    notice_view,
    read_reason,
    reason_modal,
)
from bot.platforms.slack.workspace import Workspace
from bot.storage import ratings, recall
from bot.storage.database import first_line

VALUES = {"1": 1, "-1": -1}
REACTIONS = {"+1": 1, "thumbsup": 1, "-1": -1, "thumbsdown": -1}
THANKS = "Thank you, your 👍 is noted."
SORRY = "Thank you, your 👎 is noted."
TELL_MORE = "Thank you, your 👎 is noted. It helps most when you say what went wrong."
NOTED = "Thank you, that is noted. Would you like a person to have a look?"

log = logging.getLogger(__name__)


def register(app: AsyncApp, workspace: Workspace, intake: Intake) -> None:
    """Take ratings: by the buttons, by the modal that asks what went wrong, by reactions."""

    async def complain(ack: Any, body: dict[str, Any]) -> None:
        await ack(**await _take_complaint(workspace, body))

    async def react(event: dict[str, Any]) -> None:
        await _take_reaction(workspace, event)

    app.action(FEEDBACK)(answering(workspace, rate))
    app.view(REASON)(complain)
    app.event("reaction_added")(react)
    app.event("reaction_removed")(react)


async def rate(workspace: Workspace, click: Click) -> None:
    """Store the rating of a click; a 👎 counts before its reason is asked for."""
    turn_id, _, written = click.value.partition(":")
    value = VALUES.get(written)
    if value is None:
        raise ClickError(GONE)
    turn = await turn_at(workspace, click, turn_id)
    assert turn.id is not None
    await workspace.assistant.rate(Rating(turn.id, click.by, value))
    if value > 0:
        await tell(workspace, click, THANKS)
        return
    likely = likeliest(turn.prediction, workspace.assistant.router.catalog)
    if not await open_view(workspace, click, reason_modal(turn.id, likely)):
        await tell(workspace, click, with_buttons(plain_message(SORRY), person_button(turn.id)))


def likeliest(prediction: Prediction | None, catalog: Catalog) -> list[tuple[str, str]]:
    """The intents that a question may have been about, likeliest first, with names for people.

    What it was taken for was wrong, so it is left out.
    """
    near = [name for name, _ in prediction.alternatives] if prediction else []
    taken = prediction.intent if prediction else None
    names = [name for name in near if name in catalog.names]
    names += [name for name in catalog.names if name not in names]
    names = sorted((name for name in names if name != taken), key=lambda n: n == NOT_FOR_THE_BOT)
    return [(name, name.replace("_", " ")) for name in names]


async def _take_complaint(workspace: Workspace, body: dict[str, Any]) -> dict[str, Any]:
    """Store what went wrong; how the modal is answered."""
    complaint, errors = read_reason(body["view"])
    if complaint is None:
        return {"response_action": "errors", "errors": errors}
    said = NOTED
    try:
        await _store(workspace, complaint, Person(PLATFORM, body["user"]["id"]))
    except (DBAPIError, OSError) as error:
        log.warning("A reason could not be stored: %s", first_line(error))
        said = AWAY
    except SupportbotError as error:
        said = str(error)
    view = notice_view(WRONG, said, complaint.turn_id)
    if said is NOTED:
        buttons = [person_button(complaint.turn_id)]
        view["blocks"].append({"type": "actions", "elements": buttons})
    return {"response_action": "update", "view": view}


async def _store(workspace: Workspace, complaint: Complaint, person: Person) -> None:
    """Store a reason, for who has rated the answer: only to them was the modal shown."""
    if await ratings.value_of(workspace.engine, complaint.turn_id, person) is None:
        raise ClickError(GONE)
    await workspace.assistant.rate(
        Rating(complaint.turn_id, person, -1, complaint.reason, complaint.intent, complaint.comment)
    )


async def _take_reaction(workspace: Workspace, event: dict[str, Any]) -> None:
    """Take a reaction on an answer for a rating; without it, the rating that it gave goes."""
    value = REACTIONS.get(str(event.get("reaction")).partition("::")[0])
    item, person = event.get("item") or {}, str(event.get("user"))
    is_on_ours = event.get("item_user") in {None, workspace.identity.bot_user}
    if value is None or item.get("type") != "message" or not is_on_ours:
        return
    channel, message = str(item.get("channel")), str(item.get("ts"))
    try:
        turn = await recall.turn_of_reply(workspace.engine, PLATFORM, channel, message)
        if turn is None or turn.id is None or not await _is_a_person(workspace, person):
            return
        rating = Rating(turn.id, Person(PLATFORM, person), value, is_by_reaction=True)
        if event.get("type") == "reaction_removed":
            await ratings.take_back(workspace.engine, rating)
            return
        await workspace.assistant.rate(rating)
    except (DBAPIError, OSError) as error:
        log.warning("A reaction could not be taken: %s", first_line(error))
        return
    if value < 0:
        _, _, thread = turn.question.conversation.id.partition(":")
        click = Click(person, "", "", channel, message, thread or None, None, turn.id)
        why = button(FEEDBACK, "Say what went wrong", f"{turn.id}:-1")
        await tell(
            workspace, click, with_buttons(plain_message(TELL_MORE), why, person_button(turn.id))
        )


async def _is_a_person(workspace: Workspace, member: str) -> bool:
    """Whether a member is no bot; whom Slack tells nothing of is not counted as a person."""
    if member == workspace.identity.bot_user:
        return False
    try:
        found = await workspace.calls("users.info", user=member)
    except DeliveryError as error:
        log.warning("A reaction does not count, as who gave it is unknown: %s", error)
        return False
    user = found.get("user") or {}
    return not user.get("is_bot") and not user.get("deleted")
