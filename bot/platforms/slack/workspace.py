"""One Slack workspace: who the bot is there, what answers in it, and how it is set up."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.assistant import Assistant
from bot.calling import Administration
from bot.inbox import Inbox
from bot.platforms.slack.calls import Calls
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.hearing import Hearing
from bot.reviewing import Reviews
from bot.storage import conversations
from bot.versions import Serving

MODES_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """How the bot behaves in Slack; the ids are Slack's.

    `modes` says how channels are answered in by themselves, until an admin says otherwise there;
    `sources` names what admins may have reindexed.
    """

    admins: frozenset[str] = frozenset()
    has_workspace_admins: bool = False
    modes: Mapping[str, str] = field(default_factory=dict)
    handoff_channel: str | None = None
    handoff_group: str | None = None
    admin_channel: str | None = None
    suggested_prompts: tuple[str, ...] = ()
    deadline_seconds: float = 60.0
    sources: tuple[str, ...] = ()
    renew_after_days: int = 180


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is: the ids of its workspace, user and bot, and the workspace's address."""

    workspace: str
    name: str
    bot_user: str
    bot_id: str
    bot_name: str
    url: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """What the handlers of Slack's deliveries work with.

    `modes` are those of the options and what admins have set since.
    """

    identity: Identity
    assistant: Assistant
    calls: Calls
    inbox: Inbox
    options: Options
    modes: dict[str, str]
    hearing: Hearing = field(default_factory=Hearing)

    @property
    def engine(self) -> AsyncEngine:
        """The pool of the database."""
        return self.assistant.engine

    @property
    def administration(self) -> Administration:
        """What admin commands work on."""
        retriever, router, options = self.assistant.retriever, self.assistant.router, self.options
        serving = Serving(router.catalog.names, retriever.encoder_id)
        reviews = Reviews(self.engine, router.catalog, router.min_confidence)
        return Administration(
            self.engine, options.sources, serving, options.modes, reviews, retriever.encode_all,
            options.renew_after_days,
        )  # fmt: skip

    async def read_modes(self) -> None:
        """Take over what admins have set, in any process."""
        known = await conversations.channels(self.engine, PLATFORM, self.identity.workspace)
        set_now = {channel.id: channel.mode for channel in known if channel.mode is not None}
        self.modes.update({**self.options.modes, **set_now})

    async def follow_modes(self) -> None:
        """Keep the modes up to date, for ever."""
        while True:
            await asyncio.sleep(MODES_SECONDS)
            await self.read_modes()


async def identify(calls: Calls) -> Identity:
    """Who the bot is, as Slack says.

    Raises:
        DeliveryError: Slack cannot be reached, or refuses the token.
    """
    data = await calls("auth.test")
    return Identity(
        data["team_id"], data.get("team", ""), data["user_id"], data.get("bot_id", ""),
        data.get("user", "supportbot"), data.get("url", ""),
    )  # fmt: skip
