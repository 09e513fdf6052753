"""Messages that were posted and not recorded, found again by their metadata."""

import logging
from collections.abc import Mapping
from typing import Any

from bot.platforms.slack.calls import CallError
from bot.platforms.slack.workspace import Workspace

# So many of a channel's last messages are looked through.
SEARCHED_MESSAGES = 200

log = logging.getLogger(__name__)


async def posted_before(workspace: Workspace, channel: str, mark: Mapping[str, Any]) -> str | None:
    """The message with this metadata, of a process that died, or was not answered, between posting
    and recording."""
    try:
        found = await workspace.calls(
            "conversations.history", channel=channel, limit=SEARCHED_MESSAGES,
            include_all_metadata=True,
        )  # fmt: skip
    except CallError as error:
        log.warning("A message sent before cannot be looked for: %s", error)
        return None
    for message in found["messages"]:
        metadata = message.get("metadata") or {}
        is_own = message.get("user") == workspace.identity.bot_user
        is_of_type = metadata.get("event_type") == mark["event_type"]
        if is_own and is_of_type and metadata.get("event_payload") == mark["event_payload"]:
            return str(message["ts"])
    return None
