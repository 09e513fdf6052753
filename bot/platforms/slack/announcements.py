"""What admins are told by itself: the digest, and answers that got better or worse; once each."""

import asyncio
import logging
from typing import Any

from bot.answer_lists import Listing, announced
from bot.errors import AwayError, DeliveryError
from bot.platforms.slack.answer_views import listing_messages
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.posted import posted_before
from bot.platforms.slack.replying import show
from bot.platforms.slack.workspace import Workspace
from bot.storage import announcements
from bot.storage.announcements import Announcement

LOOK_SECONDS = 10.0
EVENT_TYPE = "supportbot_announcement"
GONE = "gone"

log = logging.getLogger(__name__)


async def post_announcements(workspace: Workspace) -> None:
    """Post in the admins' channel what they have not been told yet, for ever."""
    channel, place = workspace.options.admin_channel, workspace.identity.workspace
    if channel is None:
        await asyncio.Event().wait()
        return
    while True:
        announcement = await announcements.take(workspace.engine, PLATFORM, place)
        if announcement is None:
            await asyncio.sleep(LOOK_SECONDS)
            continue
        try:
            message = await _post(workspace, announcement, channel)
        except AwayError as error:
            log.warning("The admins are told later: %s", error)
        except DeliveryError as error:
            log.warning("The admins' channel %s takes no message: %s", channel, error)
        else:
            await announcements.note(workspace.engine, announcement.id, PLATFORM, place, message)


async def _post(workspace: Workspace, announcement: Announcement, channel: str) -> str:
    """The id of the message that tells it."""
    if announcement.tries > 1:
        found = await posted_before(workspace, channel, _mark(announcement))
        if found is not None:
            return found
    listing = await announced(workspace.engine, announcement.kind, announcement.content)
    if listing is None:
        return GONE
    return await _send(workspace, announcement, channel, listing)


async def _send(
    workspace: Workspace, announcement: Announcement, channel: str, listing: Listing
) -> str:
    message = listing_messages(listing)[0]
    posted = await show(
        workspace.calls, "chat.postMessage", channel=channel, text=message.text,
        blocks=message.blocks, metadata=_mark(announcement), unfurl_links=False,
        unfurl_media=False,
    )  # fmt: skip
    return str(posted["ts"])


def _mark(announcement: Announcement) -> dict[str, Any]:
    payload = {"announcement_id": announcement.id}
    return {"event_type": EVENT_TYPE, "event_payload": payload}
