"""The bot's Slack app on a scripted Slack: what people do there, through Bolt as it is served."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import App
from bot.inbox import Inbox
from bot.platforms.slack.calls import Calls
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.service import bolt_app
from bot.platforms.slack.workspace import Identity, Options, Workspace
from tests.platforms.slack.fixtures import end_listeners
from tests.platforms.slack.scripted_api import BOT_USER, ScriptedSlack, scripted_slack

TEAM = "T01TEST"
CHANNEL = "C01GEN"
ADA = "U01ADA"
BOB = "U01BOB"
NUMBERS = itertools.count(1)


@dataclass
class Office:
    """A workspace with its bot; what people do returns once Slack has its confirmation."""

    slack: ScriptedSlack
    workspace: Workspace
    app: AsyncApp = field(init=False)

    def __post_init__(self) -> None:
        self.app = bolt_app(self.workspace)

    async def command(
        self, person: str, written: str, channel: str = CHANNEL, team: str = TEAM
    ) -> None:
        """Somebody types a slash command."""
        name, _, text = written.partition(" ")
        await self._deliver(
            {
                "command": name,
                "text": text,
                "user_id": person,
                "team_id": team,
                "channel_id": channel,
                "trigger_id": f"trigger {next(NUMBERS)}",
                "response_url": f"{self.slack.url}/respond",
            }
        )

    async def press(self, person: str, action: str, team: str = TEAM) -> None:
        """Somebody presses a button of App Home."""
        await self._deliver(
            {
                "type": "block_actions",
                "user": {"id": person, "team_id": team},
                "team": {"id": team},
                "trigger_id": f"trigger {next(NUMBERS)}",
                "view": {"id": "VHOME", "type": "home"},
                "actions": [{"type": "button", "action_id": action, "block_id": "b"}],
            }
        )

    async def open_home(self, person: str, tab: str = "home") -> None:
        """Somebody opens a tab of the bot."""
        number = next(NUMBERS)
        event = {"type": "app_home_opened", "user": person, "channel": f"D{person}", "tab": tab}
        await self.event(event | {"event_ts": f"{number}.0"})

    async def event(self, event: dict[str, Any]) -> None:
        """Slack delivers an event."""
        await self._deliver(
            {
                "type": "event_callback",
                "team_id": TEAM,
                "event_id": f"Ev{next(NUMBERS)}",
                "event": event,
            }
        )

    async def _deliver(self, body: dict[str, Any]) -> None:
        response = await self.app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))
        assert response.status == 200

    async def reply_to(self, person: str, written: str, channel: str = CHANNEL) -> str:
        """What is answered to a command, as its notification text."""
        before = len(self.slack.replies)
        await self.command(person, written, channel)
        await until(lambda: len(self.slack.replies) > before)
        reply: str = self.slack.replies[-1]["text"]
        return reply


async def until(is_so: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "that did not happen in time"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def open_office(app: App, **options: Any) -> AsyncIterator[Office]:
    """The bot of `app` in a workspace where Ada is an admin by the settings."""
    timeout = aiohttp.ClientTimeout(total=15)
    async with scripted_slack() as slack, aiohttp.ClientSession(timeout=timeout) as session:
        client = AsyncWebClient(
            "xoxb-test", base_url=f"{slack.url}/api/", session=session, retry_handlers=[]
        )
        identity = Identity(TEAM, "Peer", BOT_USER, "B0BOT", "supportbot", "https://peer.slack.com")
        settings = {"admins": frozenset({ADA}), "sources": ("documents", "wiki")} | options
        workspace = Workspace(
            identity, app.assistant(), Calls(client), Inbox(app.engine, PLATFORM),
            Options(**settings), {},
        )  # fmt: skip
        yield Office(slack, workspace)
        await end_listeners()
