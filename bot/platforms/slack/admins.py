"""Who may call admin commands in Slack, found out anew for every call."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from bot.platforms.slack.calls import Calls
from bot.platforms.slack.workspace import Workspace

CACHE_SECONDS = 60.0
ASK_SECONDS = 5.0

log = logging.getLogger(__name__)


class Standing(Enum):
    """Whether somebody is an admin; UNKNOWN where Slack could not be asked."""

    ADMIN = "admin"
    OTHER = "other"
    UNKNOWN = "unknown"

    @property
    def is_admin(self) -> bool:
        """Whether admin commands may be called."""
        return self is Standing.ADMIN


@dataclass(slots=True)
class Admins:
    """The admins of one workspace: those of the settings and, if these say so, Slack's own."""

    workspace: Workspace
    _known: dict[str, tuple[float, Standing]] = field(default_factory=dict, init=False)

    async def standing(self, person: str, team: str | None) -> Standing:
        """Whether a person may; `team` is the workspace that Slack says the person acts in.

        Guests, bots, the deactivated and members of other workspaces are no admins.
        """
        home = self.workspace.identity.workspace
        if not person or (team is not None and team != home):
            return Standing.OTHER
        options = self.workspace.options
        if person in options.admins:
            return Standing.ADMIN
        if not options.has_workspace_admins:
            return Standing.OTHER
        now = time.monotonic()
        asked_at, standing = self._known.get(person, (float("-inf"), Standing.UNKNOWN))
        if now - asked_at < CACHE_SECONDS:
            return standing
        standing = await _ask(self.workspace.calls, person, home)
        if standing is not Standing.UNKNOWN:
            self._known = {
                who: known for who, known in self._known.items() if now - known[0] < CACHE_SECONDS
            }
            self._known[person] = (now, standing)
        return standing


def refusal(person: str, standing: Standing) -> str:
    """What somebody reads who may not, Markdown."""
    if standing is Standing.UNKNOWN:
        return (
            "I could not ask Slack whether you are an admin, so nothing was done. Please try again "
            "in a minute."
        )
    return (
        "Only admins may do that. The operator names them as `admins` below `[slack]` in "
        f"`supportbot.toml`; your member id is `{person}`."
    )


async def _ask(calls: Calls, person: str, home: str) -> Standing:
    try:
        async with asyncio.timeout(ASK_SECONDS):
            user = (await calls.at_once("users.info", user=person))["user"]
            is_admin = _is_admin(user, person, home)
    except Exception as error:  # noqa: BLE001 whatever goes wrong, the call is refused and audited
        log.warning("Slack did not say whether %s is an admin: %r", person, error)
        return Standing.UNKNOWN
    return Standing.ADMIN if is_admin else Standing.OTHER


def _is_admin(user: Mapping[str, Any], person: str, home: str) -> bool:
    """Whether Slack's description of a person is that of an admin of this workspace."""
    barred = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger")
    if user.get("id") != person or user.get("team_id") != home:
        return False
    if any(user.get(flag) for flag in barred):
        return False
    return user.get("is_admin") is True or user.get("is_owner") is True
