"""Socket Mode: connections to Slack that are rebuilt when they go deaf."""

import asyncio
import logging
import time

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp

LOOK_SECONDS = 2.0
# The SDK pings so often and reconnects when four pongs are missing; we wait a little longer.
PING_SECONDS = 3.0
DEAF_SECONDS = 15.0
CLOSE_SECONDS = 3.0
MAX_PAUSE_SECONDS = 20.0

log = logging.getLogger(__name__)


class Socket:
    """One connection to Slack, kept for as long as `keep` runs."""

    def __init__(self, app: AsyncApp, app_token: str) -> None:
        self._app = app
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
