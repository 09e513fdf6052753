"""Slack's Web API on loopback as far as administration calls it, scripted by the test."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.platforms.slack.block_kit import problems, view_problems

BOT_USER = "U0BOT"

Json = dict[str, Any]


@dataclass
class ScriptedSlack:
    """The calls that came, what stands in the channels, and what is answered instead.

    `answers` holds, by method, what to answer: a value, or what makes one of the arguments.
    """

    url: str = ""
    calls: list[tuple[str, Json]] = field(default_factory=list)
    replies: list[Json] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    channels: defaultdict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, Json | Callable[[Json], Json]] = field(default_factory=dict)
    invalid: list[str] = field(default_factory=list)
    respond_status: int = 200

    def of(self, method: str) -> list[Json]:
        """The arguments of every call of a method."""
        return [arguments for name, arguments in self.calls if name == method]

    def answer(self, method: str, arguments: Json) -> Json:
        """What Slack answers."""
        self.calls.append((method, arguments))
        self._check(arguments)
        scripted = self.answers.get(method)
        if callable(scripted):
            scripted = scripted(arguments)
        if scripted is not None:
            return scripted
        known = getattr(self, f"_{method.replace('.', '_')}", None)
        return {"ok": True} | (known(arguments) if known else {})

    def _check(self, arguments: Json) -> None:
        self.invalid += problems(arguments["blocks"]) if "blocks" in arguments else []
        self.invalid += view_problems(arguments["view"]) if "view" in arguments else []

    def _chat_postMessage(self, arguments: Json) -> Json:  # noqa: N802 the method's name
        ts = f"1700000000.{len(self.calls):06}"
        message = {"user": BOT_USER, "ts": ts} | arguments
        self.channels[arguments["channel"]].append(message)
        return {"ts": ts, "channel": arguments["channel"]}

    def _chat_update(self, arguments: Json) -> Json:
        for message in self.channels[arguments["channel"]]:
            if message["ts"] == arguments["ts"]:
                message.update(arguments)
                return {"ts": arguments["ts"]}
        return {"ok": False, "error": "message_not_found"}

    def _conversations_history(self, arguments: Json) -> Json:
        return {"messages": list(reversed(self.channels[arguments["channel"]]))}

    def _conversations_replies(self, arguments: Json) -> Json:
        return {"messages": self.channels[arguments["channel"]]}

    def _conversations_open(self, arguments: Json) -> Json:
        return {"channel": {"id": f"D{arguments['users']}"}}

    def _views_open(self, arguments: Json) -> Json:
        return {"view": {"id": f"V{len(self.calls)}"}}

    def _files_getUploadURLExternal(self, arguments: Json) -> Json:  # noqa: N802
        return {"file_id": "F1", "upload_url": f"{self.url}/upload"}

    def _files_completeUploadExternal(self, arguments: Json) -> Json:  # noqa: N802
        posted = {"user": BOT_USER, "ts": f"1700000001.{len(self.calls):06}", "files": ["F1"]}
        self.channels[arguments["channel_id"]].append(posted)
        return {"files": [{"id": "F1"}]}


@asynccontextmanager
async def scripted_slack() -> AsyncIterator[ScriptedSlack]:
    """A Slack that answers until the end of the block; every block and view must have been valid.

    Slack's own addresses: `url`/api/ for calls, `url`/respond for replies to commands.
    """
    slack = ScriptedSlack()

    async def call(request: web.Request) -> web.Response:
        found = await _arguments(request)
        answer = slack.answer(request.match_info["method"], found)
        if answer.get("error") == "ratelimited":
            return web.json_response(answer, status=429, headers={"Retry-After": "30"})
        return web.json_response(answer)

    async def respond(request: web.Request) -> web.Response:
        reply = await request.json()
        slack.invalid += problems(reply["blocks"])
        slack.replies.append(reply)
        return web.Response(text="ok", status=slack.respond_status)

    async def upload(request: web.Request) -> web.Response:
        slack.uploads.append(await request.read())
        return web.Response(text="OK")

    application = web.Application()
    application.router.add_route("*", "/api/{method}", call)
    application.router.add_post("/respond", respond)
    application.router.add_post("/upload", upload)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        slack.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield slack
    finally:
        await runner.cleanup()
    assert slack.invalid == []


async def _arguments(request: web.Request) -> Json:
    """The arguments of a call: Slack takes JSON, forms, and JSON within forms."""
    if request.content_type == "application/json":
        body: Json = await request.json()
        return body
    written = {**request.query, **await request.post()}
    return {name: _value(str(value)) for name, value in written.items()}


def _value(written: str) -> Any:
    return json.loads(written) if written[:1] in {"{", "["} else written
