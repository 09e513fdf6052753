"""Answers that admins approve: drafted from a question, changed, renewed, withdrawn by a press."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from sqlalchemy.exc import DBAPIError

from bot import approving
from bot.answer_lists import DRAFT, EDIT, RENEW, WITHDRAW
from bot.approving import Approval
from bot.errors import AnswerError, ClickError
from bot.platforms.slack.admins import Admins, refusal
from bot.platforms.slack.answer_views import (
    ANSWER,
    APPROVAL,
    TITLE,
    Filled,
    approval_modal,
    read_approval,
)
from bot.platforms.slack.clicks import ID, Click, answering, open_view, tell
from bot.platforms.slack.commands import Desk, Said
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.intake import AWAY, Intake
from bot.platforms.slack.modals import MAX_OPTION_VALUE, notice_view
from bot.platforms.slack.names import name_of
from bot.platforms.slack.workspace import Workspace
from bot.storage import audit, job_watchers
from bot.storage.database import first_line
from bot.storage.job_watchers import Watcher

TOO_SLOW = "Slack was too slow just now. Please press it once more."
UNREADABLE = "That cannot be read any more, so nothing was done. Please open it anew."
APPROVED = (
    "Answer {number} is approved. I am reading it now, which takes some seconds, and write to you "
    "when questions find it."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Presser:
    """Who pressed something; `team` is the workspace that the person acts in."""

    person: str
    team: str | None


def register(app: AsyncApp, workspace: Workspace, intake: Intake) -> None:
    """Take what admins press below questions and answers, and the modal in which they approve."""
    desk = Desk(workspace, Admins(workspace))

    async def approve(ack: Any, body: dict[str, Any]) -> None:
        await ack(**await _approve(desk, body))

    for action, handler in HANDLERS.items():
        app.action(action)(_for_admins(desk, handler))
    app.view(APPROVAL)(approve)


Handler = Callable[[Desk, Presser, Click], Awaitable[None]]


def _for_admins(desk: Desk, handler: Handler) -> Callable[..., Awaitable[None]]:
    """A listener of Bolt's for a press, which knows who pressed."""

    async def listen(ack: Any, body: dict[str, Any]) -> None:
        presser = _presser(body)

        async def follow(workspace: Workspace, click: Click) -> None:
            await handler(desk, presser, click)

        await answering(desk.workspace, follow)(ack=ack, body=body)

    return listen


async def draft(desk: Desk, presser: Presser, click: Click) -> None:
    """Open the modal with the question of a turn, and what a person answered to it."""
    turn_id = _number(click)
    await _check(desk, presser, click.channel, f"draft turn {turn_id}")
    begun = await approving.draft(desk.workspace.engine, turn_id)
    if not await open_view(desk.workspace, click, approval_modal(begun)):
        await tell(desk.workspace, click, TOO_SLOW)


async def edit(desk: Desk, presser: Presser, click: Click) -> None:
    """Open the modal with a published answer."""
    number = _number(click)
    await _check(desk, presser, click.channel, f"edit {number}")
    answer = await approving.find(desk.workspace.engine, number)
    if len(" ".join(answer.audience)) > MAX_OPTION_VALUE:
        raise ClickError("More may get it than Slack can show. Withdraw it, and add it anew.")
    if not await open_view(desk.workspace, click, approval_modal(approving.draft_of(answer))):
        await tell(desk.workspace, click, TOO_SLOW)


async def run(verb: str, desk: Desk, presser: Presser, click: Click) -> None:
    """Do what the command of that name does, which checks and audits it."""
    said = Said(presser.person, presser.team, presser.person, f"answers {verb} {_number(click)}")
    await tell(desk.workspace, click, (await desk.run(said)).text)


HANDLERS: Mapping[str, Handler] = {
    DRAFT: draft,
    EDIT: edit,
    RENEW: partial(run, "renew"),
    WITHDRAW: partial(run, "withdraw"),
}


async def _approve(desk: Desk, body: dict[str, Any]) -> dict[str, Any]:
    """Publish what was filled in; how the modal is answered."""
    filled = read_approval(body["view"])
    if filled is None:
        return {"response_action": "update", "view": notice_view(TITLE, UNREADABLE)}
    try:
        return await _publish(desk, _presser(body), filled)
    except AnswerError as error:
        return {"response_action": "errors", "errors": {ANSWER: str(error)}}
    except ClickError as error:
        said = str(error)
    except (DBAPIError, OSError) as error:
        log.warning("An answer could not be approved: %s", first_line(error))
        said = AWAY
    return {"response_action": "update", "view": notice_view(TITLE, said)}


async def _publish(desk: Desk, presser: Presser, filled: Filled) -> dict[str, Any]:
    workspace, person = desk.workspace, presser.person
    about = f"turn {filled.turn_id}" if filled.answer_id is None else str(filled.answer_id)
    await _check(desk, presser, "", f"approve {about}")
    name = await name_of(workspace, person)
    approval = Approval(
        filled.question, filled.answer, filled.audience, f"{PLATFORM}:{person}", name
    )
    if filled.answer_id is None:
        number, job = await approving.approve(workspace.engine, approval, filled.turn_id)
    else:
        number = filled.answer_id
        job = await approving.change(workspace.engine, number, approval)
    watcher = Watcher(job.job_id, PLATFORM, workspace.identity.workspace, person, person)
    await job_watchers.watch(workspace.engine, watcher)
    said = APPROVED.format(number=number)
    return {"response_action": "update", "view": notice_view(TITLE, said)}


async def _check(desk: Desk, presser: Presser, channel: str, what: str) -> None:
    """Audit what somebody is about to do.

    Raises:
        ClickError: they are no admin, so it must not be done.
    """
    workspace, person = desk.workspace, presser.person
    standing = await desk.admins.standing(person, presser.team)
    call = audit.Call(
        PLATFORM, workspace.identity.workspace, person, channel or None, "answers", what,
        standing.is_admin,
    )  # fmt: skip
    await audit.note(workspace.engine, call)
    if not standing.is_admin:
        raise ClickError(refusal(person, standing).replace("`", ""))


def _presser(body: Mapping[str, Any]) -> Presser:
    user = body["user"]
    return Presser(user["id"], user.get("team_id") or (body.get("team") or {}).get("id"))


def _number(click: Click) -> int:
    if not ID.fullmatch(click.value):
        raise ClickError(UNREADABLE)
    return int(click.value)
