"""How one Slack app is reached, and the client that asks its Web API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

API_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Access:
    """How Slack is reached: by Socket Mode, or with a port by signed HTTP events."""

    bot_token: str
    app_token: str | None
    signing_secret: str | None
    api_url: str
    host: str
    port: int | None
    sockets: int


@asynccontextmanager
async def open_client(access: Access) -> AsyncIterator[AsyncWebClient]:
    """A client with the bot's token, which tries nothing again by itself."""
    timeout = aiohttp.ClientTimeout(total=API_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield AsyncWebClient(
            access.bot_token, base_url=access.api_url, session=session, timeout=API_SECONDS,
            retry_handlers=[],
        )  # fmt: skip
