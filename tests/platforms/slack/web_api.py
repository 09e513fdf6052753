"""The Web API of the strict Slack: tokens, scopes, limits and faults, then the method itself."""

import asyncio
import contextlib
import json
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.platforms.slack import posting, reading, streaming, surfaces
from tests.platforms.slack.limits import Buckets
from tests.platforms.slack.people import APP_TOKEN, BOT_TOKEN
from tests.platforms.slack.rules import Fault
from tests.platforms.slack.scopes import ALL_SCOPES, missing_scope
from tests.platforms.slack.sockets import Sockets, reset_connection
from tests.platforms.slack.state import Answer, Arguments, RefusedError, State

Method = Callable[[State, Arguments], Awaitable[Answer]]
METHODS: dict[str, Method] = {
    **posting.METHODS,
    **reading.METHODS,
    **streaming.METHODS,
    **surfaces.METHODS,
}
# The peer answers these as Slack does.
PEERS_OWN = {
    "bots.info",
    "conversations.open",
    "emoji.list",
    "files.info",
    "team.info",
    "users.lookupByEmail",
}
JSON_ARGUMENTS = ("blocks", "attachments", "view", "metadata", "files", "chunks", "prompts")
# A call that was on its way when the 429 was sent is not an early one.
GRACE_SECONDS = 0.1


class WebApi:
    """Answers the bot's calls; `own_url` is the address it is reached at."""

    def __init__(self, state: State, sockets: Sockets) -> None:
        self.own_url = ""
        self.faults: list[Fault] = []
        self._state = state
        self._rules = state.rules
        self._journal = state.journal
        self._sockets = sockets
        self._buckets = Buckets()
        # Until when a method may not be called, and since when this is known.
        self._pauses: dict[tuple[str, str], tuple[float, float]] = {}

    def fail(self, method: str, kind: str, **more: Any) -> Fault:
        """Let calls of a method go wrong; see `Fault`."""
        fault = Fault(method, kind, **more)
        self.faults.append(fault)
        return fault

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        if self._rules.is_away:
            reset_connection(request)
            return web.Response(status=503)
        method = request.match_info["method"]
        token, arguments = await _read(request)
        channel = str(arguments.get("channel") or arguments.get("channel_id") or "")
        wait = self._wait(method, channel)
        if wait:
            self._journal.note_call(method, arguments, {"ok": False, "error": "ratelimited"}, 429)
            refusal = {"ok": False, "error": "ratelimited"}
            return web.json_response(refusal, status=429, headers={"Retry-After": str(wait)})
        kind, seconds = self._strike(method, channel)
        if seconds:
            await asyncio.sleep(seconds)
        if kind in {None, "slow", "server_error_after", "reset_after"}:
            answer = await self._carry_out(method, token, arguments)
        else:
            answer = {"ok": False, "error": kind}
        return self._say(request, method, arguments, answer, kind)

    def _say(
        self,
        request: web.Request,
        method: str,
        arguments: Arguments,
        answer: Answer,
        kind: str | None,
    ) -> web.StreamResponse:
        if kind in {"reset", "reset_after"}:
            self._journal.note_call(method, arguments, answer, 0)
            reset_connection(request)
            return web.Response(status=500)
        if kind in {"server_error", "server_error_after"}:
            self._journal.note_call(method, arguments, answer, 500)
            return web.Response(status=500, text="<html>Server Error</html>")
        self._journal.note_call(method, arguments, answer, 200)
        granted = ALL_SCOPES if self._rules.scopes is None else self._rules.scopes
        return web.json_response(answer, headers={"X-OAuth-Scopes": ",".join(sorted(granted))})

    async def _carry_out(self, method: str, token: str | None, arguments: Arguments) -> Answer:
        try:
            self._check_token(method, token)
            if method == "apps.connections.open":
                return {"ok": True, "url": self._sockets.ticket(self.own_url)}
            self._check_scope(method, arguments)
            if method in METHODS:
                answer = await METHODS[method](self._state, arguments)
            elif method in PEERS_OWN:
                answer = await self._state.ask(method, arguments)
            else:
                raise RefusedError("unknown_method")
        except RefusedError as refused:
            return refused.answer
        if "upload_url" in answer:
            path = str(answer["upload_url"]).removeprefix(self._state.peer_url)
            answer["upload_url"] = f"{self.own_url}{path}/{answer['file_id']}"
        return answer

    def _check_token(self, method: str, token: str | None) -> None:
        if not token:
            raise RefusedError("not_authed")
        if token not in {BOT_TOKEN, APP_TOKEN}:
            raise RefusedError("invalid_auth")
        if (token == APP_TOKEN) != (method == "apps.connections.open"):
            raise RefusedError("not_allowed_token_type")

    def _check_scope(self, method: str, arguments: Arguments) -> None:
        granted = self._rules.scopes
        if granted is None:
            return
        channel = str(arguments.get("channel") or "")
        kind = self._state.channel_type(channel) if channel in self._state.channels else None
        needed = missing_scope(method, kind, granted)
        if needed:
            provided = ",".join(sorted(granted))
            raise RefusedError("missing_scope", needed=needed, provided=provided)

    def _wait(self, method: str, channel: str) -> int:
        """Whole seconds to ask for with a 429; 0 lets the call through."""
        rules, now = self._rules, time.monotonic()
        key = (method, channel if method == "chat.postMessage" else "")
        since, until = self._pauses.get(key, (0.0, 0.0))
        if now < until:
            if now - since > GRACE_SECONDS:
                self._journal.early_calls.append(key)
            return math.ceil(until - now)
        wait = 0
        if rules.is_tiered:
            wait = math.ceil(self._buckets.take(method, channel, rules.minute_seconds))
        if not wait and rules.chance.random() < rules.rate_limited_share:
            wait = rules.retry_after_seconds
        if wait:
            self._pauses[key] = (now, now + wait)
        return wait

    def _strike(self, method: str, channel: str) -> tuple[str | None, float]:
        for fault in self.faults:
            if fault.strikes(method, channel, self._rules.chance):
                return fault.kind, fault.seconds
        return None, 0.0


async def _read(request: web.Request) -> tuple[str | None, Arguments]:
    """The token and the arguments of a call, however they were sent."""
    arguments: Arguments = dict(request.query)
    if request.content_type == "application/json":
        with contextlib.suppress(ValueError):
            arguments |= await request.json()
    elif request.method == "POST":
        arguments |= dict(await request.post())
    for name in JSON_ARGUMENTS:
        if isinstance(arguments.get(name), str):
            with contextlib.suppress(ValueError):
                arguments[name] = json.loads(arguments[name])
    authorization = request.headers.get("Authorization", "")
    token = arguments.pop("token", None) or authorization.removeprefix("Bearer ")
    return token or None, arguments
