"""Socket Mode: connections to Slack that are rebuilt when they go deaf."""

import asyncio
import logging
import time

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp

from bot.errors import AwayError, DeliveryError
from bot.platforms.slack.calls import CallError, Calls, TokenError
from bot.platforms.slack.hearing import Hearing

LOOK_SECONDS = 2.0
# The SDK pings so often and reconnects when four pongs are missing; we wait a little longer.
PING_SECONDS = 3.0
DEAF_SECONDS = 15.0
CLOSE_SECONDS = 3.0
MAX_PAUSE_SECONDS = 20.0

log = logging.getLogger(__name__)


class Socket:
    """One connection to Slack, kept for as long as `keep` runs."""

    def __init__(self, app: AsyncApp, app_token: str, hearing: Hearing) -> None:
        self._app = app
        self._hearing = hearing
        self._app_token = app_token
        self._handler: AsyncSocketModeHandler | None = None
        self.is_connected = asyncio.Event()

    async def keep(self) -> None:
        """Stay connected until cancelled; a connection that hears nothing is built anew."""
        pause = 1.0
        try:
            while True:
                try:
                    await asyncio.wait_for(self._connect(), DEAF_SECONDS)
                    pause = 1.0
                    with self._hearing.connected():
                        await self._watch()
                    log.warning("A connection to Slack hears nothing and is built anew.")
                except TimeoutError:
                    log.warning("Slack cannot be reached; trying again in %.0f s.", pause)
                self.is_connected.clear()
                await self._close()
                await asyncio.sleep(pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
        finally:
            await self._close()

    async def _connect(self) -> None:
        self._handler = AsyncSocketModeHandler(
            self._app, self._app_token, ping_interval=PING_SECONDS
        )
        await self._handler.connect_async()  # type: ignore[no-untyped-call]
        self.is_connected.set()

    async def _watch(self) -> None:
        """Return when the connection hears nothing any more."""
        assert self._handler
        client = self._handler.client
        heard = time.time()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            receiver = client.message_receiver
            if client.closed or receiver is None or receiver.done():
                return
            if client.message_processor.done():
                return
            heard = max(heard, client.last_ping_pong_time or 0)
            if time.time() - heard > DEAF_SECONDS:
                return

    async def _close(self) -> None:
        handler, self._handler = self._handler, None
        if handler is None:
            return
        try:
            await asyncio.wait_for(handler.close_async(), CLOSE_SECONDS)  # type: ignore[no-untyped-call]
        except Exception as error:  # noqa: BLE001 what is broken may not close either
            log.info("An old connection to Slack did not close: %r", error)


async def check_app_token(calls: Calls, app_token: str) -> None:
    """Ask Slack for an address to connect to; whether it can be reached shows later.

    Raises:
        TokenError: Slack does not take the token.
    """
    try:
        await calls("apps.connections.open", app_token=app_token)
    except (TokenError, CallError) as error:
        raise TokenError(app_token_advice(error)) from None
    except AwayError as error:
        log.warning("%s", error)


def app_token_advice(error: DeliveryError) -> str:
    """What to do where Slack opens no connection with the app token."""
    code = error.code if isinstance(error, CallError) else "it is not valid"
    return (
        f"Slack opens no connection with SLACK_APP_TOKEN ({code}). On your Slack app's page Basic "
        "Information, make an app-level token with the scope connections:write and copy it into "
        ".env; on its page Socket Mode, turn Socket Mode on."
    )
