"""The Slack to test against, a tiny bot to test it with, and the real one in it."""

from collections.abc import AsyncIterator

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.platforms.slack.echo import Echo, over_http, over_socket
from tests.platforms.slack.fixtures import slack, slack_mode, slack_peer, slack_rules
from tests.platforms.slack.people import BOT_TOKEN, SIGNING_SECRET
from tests.platforms.slack.running import assistant, bot, options
from tests.platforms.slack.workspace import Workspace

__all__ = ["assistant", "bot", "options", "slack", "slack_mode", "slack_peer", "slack_rules"]


@pytest.fixture
def client(slack: Workspace) -> AsyncWebClient:
    return AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url, retry_handlers=[])


@pytest.fixture
async def echo(slack: Workspace, client: AsyncWebClient, slack_mode: str) -> AsyncIterator[Echo]:
    bot = Echo(client, AsyncApp(client=client, signing_secret=SIGNING_SECRET))
    way = over_socket if slack_mode == "socket" else over_http
    async with way(slack, bot):
        yield bot
