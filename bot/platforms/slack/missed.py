"""What admins are told of questions that came too late to be answered."""

import logging
from collections.abc import Sequence
from typing import Any

from bot.errors import DeliveryError, RefusedError
from bot.messages import Arrival
from bot.platforms.slack.calls import CallError
from bot.platforms.slack.workspace import Workspace

MAX_LISTED = 30
MAX_CHARACTERS = 150

log = logging.getLogger(__name__)

Element = dict[str, Any]


async def tell_missed(workspace: Workspace, missed: Sequence[Arrival]) -> None:
    """Post one list of them to the admins' channel, or to each admin where there is none.

    Raises:
        AwayError: Slack cannot be reached.
    """
    options = workspace.options
    places = [options.admin_channel] if options.admin_channel else sorted(options.admins)
    intro = _intro(len(missed))
    log.warning("%s", intro)
    if not places:
        return
    listed = [(arrival, await _permalink(workspace, arrival)) for arrival in missed[:MAX_LISTED]]
    for place in places:
        try:
            await workspace.calls(
                "chat.postMessage", channel=place, text=intro, blocks=_blocks(intro, listed),
                unfurl_links=False, unfurl_media=False,
            )  # fmt: skip
        except (CallError, RefusedError) as error:
            log.warning("The admins in %s are not told of missed questions: %s", place, error)


def _intro(count: int) -> str:
    what = "One question was" if count == 1 else f"{count} questions were"
    return (
        f"{what} asked more than an hour ago, while I was away, and I have not answered. Please "
        "see to it, or ask for it again."
    )


def _blocks(intro: str, listed: Sequence[tuple[Arrival, str | None]]) -> list[Element]:
    """Everything that people wrote stands in text elements, in which Slack finds no markup."""
    items = [{"type": "rich_text_section", "elements": _item(*each)} for each in listed]
    return [
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_section", "elements": [{"type": "text", "text": intro}]},
                {"type": "rich_text_list", "style": "bullet", "elements": items},
            ],
        }
    ]


def _item(arrival: Arrival, link: str | None) -> list[Element]:
    asked = " ".join(arrival.text.split()) or "(no text)"
    short = asked if len(asked) <= MAX_CHARACTERS else f"{asked[: MAX_CHARACTERS - 1]}…"
    text: list[Element] = [{"type": "text", "text": f" {short}"}]
    return [{"type": "link", "url": link, "text": "Show"}, *text] if link else text


async def _permalink(workspace: Workspace, arrival: Arrival) -> str | None:
    try:
        found = await workspace.calls(
            "chat.getPermalink", channel=arrival.channel, message_ts=arrival.message
        )
    except DeliveryError as error:
        log.info("A missed question is listed without its link: %s", error)
        return None
    return str(found["permalink"])
