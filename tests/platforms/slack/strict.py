"""A Slack as strict as the real one, between the bot and the lenient peer behind it."""

import asyncio
import contextlib
import time
from typing import Any, Self

import aiohttp
from aiohttp import web

from tests.platforms.slack.content import check_blocks
from tests.platforms.slack.deliveries import Deliveries
from tests.platforms.slack.intake import Intake
from tests.platforms.slack.journal import Delivery
from tests.platforms.slack.peer import Peer
from tests.platforms.slack.posts import Posts
from tests.platforms.slack.rules import Rules
from tests.platforms.slack.sockets import Sockets
from tests.platforms.slack.state import RefusedError, State, Stream
from tests.platforms.slack.web_api import WebApi

MAX_BODY = 64 * 2**20
RESPONSE_URL_USES = 5


class StrictSlack:
    """The proxy: `url` is where it listens, `api_url` what the bot takes for Slack's Web API.

    `way` is "socket" (Socket Mode through the proxy) or "events" (signed posts to the bot, whose
    address `posts.url` names).
    """

    def __init__(self, peer: Peer, rules: Rules, way: str) -> None:
        self.rules = rules
        self._peer = peer
        self._way = way
        self._cleanup = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=30),
                connector=aiohttp.TCPConnector(limit=0),
            )
            self.session = await stack.enter_async_context(session)
            self.state = State(self._peer.url, session, self.rules)
            self.journal = self.state.journal
            await self.state.control("reset", {})
            await self.state.refresh_channels()
            self.sockets, self.posts = Sockets(self.state), Posts(self.state)
            self.api = WebApi(self.state, self.sockets)
            way = self.sockets if self._way == "socket" else self.posts
            self.deliveries = Deliveries(self.state, way)
            self.intake = Intake(self.state, self.deliveries)
            await self._serve(stack)
            stack.push_async_callback(self.intake.stop)
            stack.push_async_callback(self.deliveries.stop)
            stack.push_async_callback(self.sockets.stop)
            if self._peer.hook_port is None:
                await self._listen(stack)
            self._cleanup = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._cleanup.aclose()

    async def _serve(self, stack: contextlib.AsyncExitStack) -> None:
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_route("*", "/api/{method}", self.api.serve)
        app.router.add_get("/socket/{ticket}", self.sockets.serve)
        app.router.add_post("/_hooks/response/{name}", self._respond)
        app.router.add_post("/upload/v1/{name}/{file}", self._upload)
        app.router.add_post("/from-peer", self.intake.take_post)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", self._peer.hook_port or 0, reuse_address=True)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self.api_url = f"{self.url}/api/"
        self.intake.own_url = self.api.own_url = self.url

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        connected = asyncio.Event()
        listening = asyncio.create_task(self.intake.listen(connected))

        async def stop() -> None:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

        stack.push_async_callback(stop)
        async with asyncio.timeout(10):
            await connected.wait()

    # --- what a test does to Slack

    def inject(self, kind: str, payload: dict[str, Any]) -> Delivery:
        """Bring the bot a payload of the test's own, however malformed; `kind` is "events_api",
        "slash_commands" or "interactive". For a well-formed event see `Intake.bring_event`."""
        return self.deliveries.bring(kind, payload)

    def stop_stream(self, channel: str, person: str) -> list[Stream]:
        """Press the stop button on what is being streamed in a channel."""
        stopped = [stream for stream in self.state.streams.values() if stream.channel == channel]
        for stream in stopped:
            stream.is_stopped_by_person = True
            self.intake.bring_event(
                {
                    "type": "agent_session_stopped",
                    "channel": channel,
                    "thread_ts": stream.thread_ts,
                    "user": person,
                    "streaming_message_ts": [stream.ts],
                    "event_ts": f"{time.time():.6f}",
                }
            )
        return stopped

    # --- response URLs and uploads

    async def _respond(self, request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await request.json()
        self.state.response_uses[name] += 1
        if self.state.response_uses[name] > RESPONSE_URL_USES:
            self.journal.note_call("response_url", body, {"ok": False, "error": "used_url"}, 404)
            return web.json_response({"ok": False, "error": "used_url"}, status=404)
        try:
            if body.get("blocks"):
                check_blocks(body["blocks"], self.rules.check_blocks)
        except RefusedError as refused:
            self.journal.note_call("response_url", body, refused.answer, 400)
            return web.Response(status=400, text=str(refused))
        if not body.get("delete_original") and "response_type" not in body:
            body["response_type"] = "ephemeral"
        url = f"{self._peer.url}{request.path}"
        async with self.session.post(url, json=body) as response:
            text = await response.text()
        self.journal.note_call("response_url", body, {"ok": response.status == 200}, 200)
        return web.Response(status=response.status, text=text or "ok")

    async def _upload(self, request: web.Request) -> web.Response:
        content = await request.read()
        upload = self.state.uploads.get(request.match_info["file"])
        if upload is None:
            return web.Response(status=404)
        url = f"{self._peer.url}/upload/v1/{request.match_info['name']}"
        headers = {"Content-Type": request.headers.get("Content-Type", "application/octet-stream")}
        async with self.session.post(url, data=content, headers=headers) as response:
            upload.content = content
            return web.Response(status=response.status, text=await response.text())
