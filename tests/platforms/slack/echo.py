"""A tiny real bot, by which the Slack to test against is tested."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.platforms.slack.people import APP_TOKEN, BOT
from tests.platforms.slack.workspace import Workspace

PING_SECONDS = 0.3
BUTTONS = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "An answer."}},
    {
        "type": "context_actions",
        "block_id": "rating:1",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "feedback",
                "positive_button": {"text": {"type": "plain_text", "text": "Yes"}, "value": "1:1"},
                "negative_button": {"text": {"type": "plain_text", "text": "No"}, "value": "1:-1"},
            }
        ],
    },
]
MODAL = {
    "type": "modal",
    "callback_id": "reason",
    "title": {"type": "plain_text", "text": "Why?"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {
            "type": "input",
            "block_id": "comment",
            "label": {"type": "plain_text", "text": "Comment"},
            "element": {"type": "plain_text_input", "action_id": "comment", "max_length": 20},
        }
    ],
}


@dataclass(slots=True)
class Echo:
    """A bot that answers what mentions it, and keeps what it was brought."""

    client: AsyncWebClient
    app: AsyncApp
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuses: int = 0

    def __post_init__(self) -> None:
        self.app.middleware(self._gate)
        self.app.event("app_mention")(self._answer)
        self.app.event("message")(self._nothing)
        self.app.event("app_home_opened")(self._nothing)
        self.app.event("agent_session_stopped")(self._nothing)
        self.app.command("/ask")(self._command)
        self.app.action("feedback")(self._ask_why)
        self.app.view("reason")(self._take_reason)
        self.app.shortcut("about")(self._ask_why)

    def heard_of(self, kind: str) -> list[dict[str, Any]]:
        return [body for name, body in self.heard if name == kind]

    async def _gate(self, body: dict[str, Any], next: Any) -> None:  # noqa: A002
        if self.refuses:
            self.refuses -= 1
            raise RuntimeError("the database is away")
        kind = body.get("event", body).get("type") or body.get("command")
        self.heard.append((str(kind), body))
        await next()

    async def _answer(self, event: dict[str, Any]) -> None:
        thread_ts = event.get("thread_ts") or event["ts"]
        await self.client.chat_postMessage(
            channel=event["channel"],
            thread_ts=thread_ts,
            text=event["text"].removeprefix(f"<@{BOT}> "),
            blocks=BUTTONS,
            metadata={"event_type": "answer", "event_payload": {"question": 1}},
        )

    async def _nothing(self) -> None:
        pass

    async def _command(self, ack: Any, respond: Any) -> None:
        await ack("one moment")
        await respond("answered")

    async def _ask_why(self, ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await self.client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    async def _take_reason(self, ack: Any, view: dict[str, Any]) -> None:
        said = view["state"]["values"]["comment"]["comment"]["value"]
        if said == "bad":
            await ack(response_action="errors", errors={"comment": "Say more."})
        else:
            await ack()


@contextlib.asynccontextmanager
async def over_socket(slack: Workspace, echo: Echo) -> AsyncIterator[None]:
    handler = AsyncSocketModeHandler(
        echo.app, APP_TOKEN, web_client=echo.client, ping_interval=PING_SECONDS
    )
    opened = slack.strict.sockets.opened
    await handler.connect_async()
    await slack.wait_for(lambda: slack.strict.sockets.opened > opened)
    try:
        yield
    finally:
        await handler.close_async()


@contextlib.asynccontextmanager
async def over_http(slack: Workspace, echo: Echo) -> AsyncIterator[None]:
    server = echo.app.web_app(path="/slack/events")
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.strict.posts.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    try:
        yield
    finally:
        await runner.cleanup()


def error_of(caught: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(caught.value.response["error"])
