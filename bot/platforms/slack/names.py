"""What people are called in Slack."""

from bot.errors import DeliveryError
from bot.platforms.slack.lengths import sendable, shortened
from bot.platforms.slack.workspace import Workspace

UNKNOWN = "Somebody"
MAX_NAME = 80


async def name_of(workspace: Workspace, person: str) -> str:
    """The name that others see of a person, for text that is shown literally."""
    try:
        found = await workspace.calls.at_once("users.info", user=person)
    except DeliveryError:
        return UNKNOWN
    user = found.get("user") or {}
    profile = user.get("profile") or {}
    names = (
        profile.get("display_name"), profile.get("real_name"), user.get("real_name"),
        user.get("name"),
    )  # fmt: skip
    written = (" ".join(sendable(str(name)).split()) for name in names if name)
    return shortened(next((name for name in written if name), UNKNOWN), MAX_NAME)
