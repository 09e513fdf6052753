"""Signed HTTP events: what Slack posts to a port, where Socket Mode is not wanted."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier

PATH = "/slack/events"
MAX_BYTES = 2 * 2**20

log = logging.getLogger(__name__)


@asynccontextmanager
async def listening(app: AsyncApp, signing_secret: str, host: str, port: int) -> AsyncIterator[int]:
    """Hand what Slack posts to Bolt until the end of the block; the port.

    Raises:
        OSError: the port cannot be had.
    """
    verifier = SignatureVerifier(signing_secret)

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        if not is_genuine(verifier, body, dict(request.headers)):
            return web.Response(status=401, text="The signature is not Slack's.")
        response = await app.async_dispatch(
            AsyncBoltRequest(body=body.decode("utf-8"), headers=dict(request.headers))
        )
        content_type = response.headers.get("content-type", ["text/plain"])[0]
        return web.Response(
            status=response.status, text=response.body, content_type=content_type.split(";")[0]
        )

    server = web.Application(client_max_size=MAX_BYTES)
    server.router.add_post(PATH, take)
    runner = web.AppRunner(server, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def is_genuine(verifier: SignatureVerifier, body: bytes, headers: dict[str, str]) -> bool:
    """Whether Slack signed the body within the last five minutes.

    The verifier raises where a timestamp is no number or a signature no ASCII.
    """
    try:
        text = body.decode("utf-8")
        return bool(verifier.is_valid_request(text, headers))
    except Exception as error:  # noqa: BLE001 nothing a stranger sends may be more than refused
        log.info("A request with a malformed signature was refused: %r", error)
        return False
