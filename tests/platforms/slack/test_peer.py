"""The Slack to test against, driven by a real Bolt app: each way in which it is strict, once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from tests.platforms.slack.people import (
    ADA,
    ALICE,
    APP_TOKEN,
    ARCHIVE,
    BOB,
    BOT,
    BOT_TOKEN,
    ELSEWHERE,
    GENERAL,
    GUEST,
    PRIVATE,
    SIGNING_SECRET,
    TEAM,
)
from tests.platforms.slack.posts import signed
from tests.platforms.slack.rules import Rules
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


@pytest.fixture
def client(slack: Workspace) -> AsyncWebClient:
    return AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url, retry_handlers=[])


@pytest.fixture
async def echo(slack: Workspace, client: AsyncWebClient, slack_mode: str) -> AsyncIterator[Echo]:
    bot = Echo(client, AsyncApp(client=client, signing_secret=SIGNING_SECRET))
    way = over_socket if slack_mode == "socket" else over_http
    async with way(slack, bot):
        yield bot


def error_of(caught: pytest.ExceptionInfo[SlackApiError]) -> str:
    return str(caught.value.response["error"])


both_modes = pytest.mark.parametrize("slack_mode", ["socket", "events"])


@both_modes
async def test_a_mention_is_answered_in_its_thread(slack: Workspace, echo: Echo) -> None:
    asked = await slack.ask(ALICE, GENERAL, "hello")
    (answer,) = await slack.wait_for_answers(GENERAL, asked)
    assert answer["text"] == "hello"
    assert answer["metadata"]["event_payload"] == {"question": 1}
    await slack.strict.deliveries.settle()
    mention, message = echo.heard_of("app_mention")[0], echo.heard_of("message")[0]
    assert mention["event_id"] != message["event_id"]
    assert mention["event"]["client_msg_id"] == message["event"]["client_msg_id"]
    own = [body["event"] for body in echo.heard_of("message") if "bot_id" in body["event"]]
    assert [event["ts"] for event in own] == [] or own[0]["user"] == BOT
    assert slack.journal.ack_percentile(99) < 1


@both_modes
async def test_commands_clicks_modals_and_shortcuts_reach_the_bot(
    slack: Workspace, echo: Echo
) -> None:
    assert (await slack.command(ALICE, GENERAL, "/ask", "hi")).is_acked
    await slack.wait_for(lambda: slack.journal.count("response_url", "ok") == 1)
    whispers = [message["text"] for message in await slack.whispers(GENERAL, ALICE)]
    assert sorted(whispers) == ["answered", "one moment"]
    answer = (await slack.wait_for_answers(GENERAL, await slack.ask(ALICE, GENERAL, "x")))[0]
    assert (await slack.press(BOB, GENERAL, answer["ts"], "feedback", "1:-1")).is_acked
    await slack.wait_for(slack.views)
    assert await slack.submit(BOB, {"comment": "bad"}) == {"comment": "Say more."}
    assert await slack.submit(BOB, {"comment": "good"}) == {}
    assert await slack.views() == []
    with pytest.raises(AssertionError, match="Nothing to press"):
        await slack.press(BOB, GENERAL, answer["ts"], "feedback", "2:1")
    assert (await slack.shortcut(ALICE, GENERAL, answer["ts"], "about")).is_acked
    opened = await slack.wait_for(slack.views)
    with pytest.raises(AssertionError, match="must be filled in"):
        await slack.submit(ALICE)
    assert opened[0]["id"] == slack.strict.state.opened[-1]["id"]
    assert echo.heard_of("message_action")[0]["message"]["ts"] == answer["ts"]


async def test_what_slack_would_not_post_is_refused(
    slack: Workspace, client: AsyncWebClient
) -> None:
    slack.rules.check_blocks = lambda blocks: ["bad"] if blocks[0]["type"] == "wrong" else []

    async def refusal(**arguments: Any) -> str:
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(**({"channel": GENERAL, "text": "t"} | arguments))
        return error_of(caught)

    assert await refusal(blocks=[{"type": "wrong"}]) == "invalid_blocks"
    assert await refusal(blocks=[{"type": "divider"}] * 51) == "invalid_blocks"
    assert await refusal(text="x" * 40_001) == "msg_too_long"
    assert await refusal(thread_ts="1.000001") == "thread_not_found"
    assert await refusal(channel="C0NOWHERE") == "channel_not_found"
    assert await refusal(channel=ARCHIVE) == "is_archived"
    assert await refusal(channel=ELSEWHERE) == "not_in_channel"
    with pytest.raises(SlackApiError) as caught:
        await client.api_call("chat.postMessage", json={"channel": GENERAL})
    assert error_of(caught) == "no_text"
    slack.rules.refused[GENERAL] = "not_in_channel"
    assert await refusal() == "not_in_channel"
    assert slack.journal.count("chat.postMessage", "ok") == 0
    assert await slack.messages(GENERAL) == []


async def test_wrong_tokens_and_missing_scopes_are_refused(
    slack: Workspace, client: AsyncWebClient
) -> None:
    slack.rules.scopes = frozenset({"chat:write"})
    assert (await client.auth_test()).headers["X-OAuth-Scopes"] == "chat:write"
    for token, method, error in (
        ("xoxb-wrong", "auth.test", "invalid_auth"),
        (BOT_TOKEN, "apps.connections.open", "not_allowed_token_type"),
        (BOT_TOKEN, "users.list", "missing_scope"),
    ):
        with pytest.raises(SlackApiError) as caught:
            await AsyncWebClient(token=token, base_url=slack.api_url).api_call(method)
        assert error_of(caught) == error


async def test_a_429_asks_to_wait_and_calls_before_that_are_noted(
    slack: Workspace, client: AsyncWebClient
) -> None:
    slack.rules.is_tiered = True
    posts = [client.chat_postMessage(channel=GENERAL, text=str(n)) for n in range(3)]
    await asyncio.gather(*posts)
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=GENERAL, text="four")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    await asyncio.sleep(0.2)
    with pytest.raises(SlackApiError):
        await client.chat_postMessage(channel=GENERAL, text="too early")
    assert slack.journal.early_calls == [("chat.postMessage", GENERAL)]
    await client.chat_postMessage(channel=PRIVATE, text="another channel")
    client.retry_handlers.append(AsyncRateLimitErrorRetryHandler(max_retry_count=2))
    await client.chat_postMessage(channel=GENERAL, text="five")
    assert len(await slack.messages(GENERAL)) == 4


async def test_an_event_that_is_not_acked_comes_again(slack: Workspace, echo: Echo) -> None:
    echo.refuses = 2
    asked = await slack.say(ALICE, ALICE, "hello")
    await slack.wait_for(lambda: echo.heard_of("message"))
    assert echo.heard_of("message")[0]["event"]["ts"] == asked
    slack.rules.ack_seconds = 0.1
    (delivery,) = slack.journal.deliveries_of("message")
    await slack.strict.deliveries.settle()
    assert [attempt.number for attempt in delivery.attempts] == [0, 1, 2]
    assert slack.journal.lost == 0


async def test_an_acked_event_may_come_again(slack: Workspace, echo: Echo) -> None:
    slack.rules.redeliver_share = 1.0
    slack.rules.redeliver_seconds = 0.1
    await slack.say(ALICE, ALICE, "hello")
    await slack.wait_for(lambda: len(echo.heard_of("message")) == 2)
    first, second = echo.heard_of("message")
    assert first["event_id"] == second["event_id"]


@pytest.mark.parametrize("first", ["message", "app_mention"])
async def test_the_twins_of_a_mention_come_in_either_order(
    slack: Workspace, echo: Echo, first: str
) -> None:
    slack.rules.first_twin = first
    slack.rules.brings_own_messages = False
    await slack.ask(ALICE, GENERAL, "hello")
    await slack.wait_for(lambda: len(echo.heard) == 2)
    assert echo.heard[0][0] == first


@pytest.mark.parametrize("accident", ["disconnect", "too_many", "reset", "blackhole"])
async def test_a_broken_connection_is_survived(slack: Workspace, echo: Echo, accident: str) -> None:
    sockets = slack.strict.sockets
    slack.rules.ack_seconds = 0.3
    slack.rules.retry_seconds = (0.05, 0.5, 3.0)
    if accident == "reset":
        sockets.reset()
    elif accident == "blackhole":
        sockets.blackhole(60)
    else:
        await getattr(sockets, accident)()
    asked = await slack.ask(ALICE, GENERAL, "still there?")
    await slack.wait_for_answers(GENERAL, asked)
    assert sockets.opened == 2
    await slack.strict.deliveries.settle()


async def test_each_event_goes_to_one_socket_and_eleven_are_too_many(
    slack: Workspace, echo: Echo
) -> None:
    slack.rules.max_sockets = 2
    async with over_socket(slack, echo):
        assert len(slack.strict.sockets.lines) == 2
        slack.rules.brings_own_messages = False
        for number in range(10):
            await slack.say(ALICE, ALICE, f"hello {number}")
        await slack.strict.deliveries.settle()
        assert len(echo.heard_of("message")) == 10
        url = slack.strict.sockets.ticket(slack.strict.url)
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as third:
            assert (await third.receive_json())["reason"] == "too_many_websockets"


async def test_a_stream_shows_its_text_and_ends(slack: Workspace, client: AsyncWebClient) -> None:
    asked = await slack.ask(ALICE, GENERAL, "hello")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_startStream(channel=GENERAL, thread_ts=asked)
    assert error_of(caught) == "missing_recipient_team_id"
    stream = await client.chat_stream(
        channel=GENERAL,
        thread_ts=asked,
        recipient_team_id=TEAM,
        recipient_user_id=ALICE,
        buffer_size=1,
    )
    await stream.append(markdown_text="one ")
    await stream.append(markdown_text="two")
    ts = (await slack.final_messages(GENERAL, asked))[0]["ts"]
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=GENERAL, ts=ts, text="x")
    assert error_of(caught) == "streaming_state_conflict"
    with pytest.raises(SlackApiError) as caught:
        await client.chat_appendStream(channel=GENERAL, ts=ts, markdown_text="x" * 12_001)
    assert error_of(caught) == "msg_too_long"
    await stream.stop(blocks=BUTTONS)
    (message,) = await slack.wait_for_answers(GENERAL, asked)
    assert message["text"] == "one two"
    kinds = [block["type"] for block in message["blocks"]]
    assert kinds == ["markdown", "section", "context_actions"]


async def test_a_stream_expires_or_is_stopped(slack: Workspace, echo: Echo) -> None:
    slack.rules.stream_seconds = 0.2
    asked = await slack.say(ALICE, ALICE, "hello")
    channel = await slack.direct(ALICE)

    async def start() -> str:
        started = await echo.client.chat_startStream(channel=channel, thread_ts=asked)
        return str(started["ts"])

    async def refusal(ts: str) -> str:
        with pytest.raises(SlackApiError) as caught:
            await echo.client.chat_appendStream(channel=channel, ts=ts, markdown_text="x")
        return error_of(caught)

    expired = await start()
    await asyncio.sleep(0.25)
    assert await refusal(expired) == "message_not_in_streaming_state"
    await echo.client.chat_update(channel=channel, ts=expired, text="whole")
    stopped = await start()
    slack.strict.stop_stream(channel, ALICE)
    assert await refusal(stopped) == "stopped_by_user"
    await slack.wait_for(lambda: echo.heard_of("agent_session_stopped"))


@pytest.mark.parametrize(
    ("kind", "is_posted"),
    [
        ("server_error", False),
        ("reset", False),
        ("server_error_after", True),
        ("reset_after", True),
        ("internal_error", False),
    ],
)
async def test_a_call_fails_before_or_after_slack_took_it(
    slack: Workspace, client: AsyncWebClient, kind: str, is_posted: bool
) -> None:
    slack.strict.api.fail("chat.postMessage", kind)
    with pytest.raises((SlackApiError, aiohttp.ClientError)):
        await client.chat_postMessage(channel=GENERAL, text="hello")
    assert bool(await slack.messages(GENERAL)) is is_posted
    await client.chat_postMessage(channel=GENERAL, text="again")


async def test_threads_are_read_in_pages_with_their_metadata(
    slack: Workspace, client: AsyncWebClient
) -> None:
    asked = await slack.say(ALICE, GENERAL, "hello")
    mark = {"event_type": "answer", "event_payload": {"n": 1}}
    for number in range(3):
        await client.chat_postMessage(
            channel=GENERAL, thread_ts=asked, text=str(number), metadata=mark
        )
    await client.chat_postEphemeral(channel=GENERAL, user=ALICE, text="psst", thread_ts=asked)
    texts, cursor = [], ""
    while cursor is not None:
        page = await client.conversations_replies(
            channel=GENERAL, ts=asked, limit=2, cursor=cursor, include_all_metadata=True
        )
        texts += [message["text"] for message in page["messages"]]
        cursor = page["response_metadata"]["next_cursor"] or None
    assert texts == ["hello", "0", "1", "2"]
    assert page["messages"][-1]["metadata"] == mark
    plain = await client.conversations_replies(channel=GENERAL, ts=asked)
    assert "metadata" not in plain["messages"][-1]
    history = await client.conversations_history(channel=GENERAL, oldest="0")
    assert [message["text"] for message in history["messages"]] == ["hello"]
    assert history["messages"][0]["reply_count"] == 4


async def test_text_alone_leaves_the_blocks_of_a_message(
    slack: Workspace, client: AsyncWebClient
) -> None:
    posted = await client.chat_postMessage(channel=GENERAL, text="a", blocks=BUTTONS)
    await client.chat_update(channel=GENERAL, ts=posted["ts"], text="b")
    (message,) = await slack.messages(GENERAL)
    assert (message["text"], len(message["blocks"])) == ("b", 2)
    theirs = await slack.say(ALICE, GENERAL, "mine")
    with pytest.raises(SlackApiError) as caught:
        await client.chat_update(channel=GENERAL, ts=theirs, text="c")
    assert error_of(caught) == "cant_update_message"


async def test_a_trigger_opens_one_view_within_its_seconds(
    slack: Workspace, client: AsyncWebClient, echo: Echo
) -> None:
    slack.rules.trigger_seconds = 0.2
    await slack.command(ALICE, GENERAL, "/ask")
    trigger = echo.heard_of("/ask")[0]["trigger_id"]
    opened = (await client.views_open(trigger_id=trigger, view=MODAL))["view"]["id"]
    for _ in range(2):
        updated = await client.views_update(view_id=opened, view=MODAL)
        assert updated["view"]["id"] == opened
    for seconds, error in ((0, "exchanged_trigger_id"), (0.25, "expired_trigger_id")):
        await asyncio.sleep(seconds)
        if seconds:
            trigger = (await slack.strict.intake.ticket(ALICE, GENERAL))["trigger_id"]
            await asyncio.sleep(seconds)
        with pytest.raises(SlackApiError) as caught:
            await client.views_open(trigger_id=trigger, view=MODAL)
        assert error_of(caught) == error


async def test_the_home_the_pane_people_groups_and_files(
    slack: Workspace, client: AsyncWebClient, echo: Echo
) -> None:
    await slack.open_home(ALICE)
    await slack.open_home(ALICE, "messages")
    await slack.wait_for(lambda: len(echo.heard_of("app_home_opened")) == 2)
    tabs = {body["event"]["tab"] for body in echo.heard_of("app_home_opened")}
    assert tabs == {"home", "messages"}
    home = {"type": "home", "blocks": BUTTONS[:1]}
    await client.views_publish(user_id=ALICE, view=home)
    shown = await slack.home(ALICE)
    assert shown is not None
    assert shown["blocks"][0]["type"] == "section"
    channel = await slack.direct(ALICE)
    await client.assistant_threads_setSuggestedPrompts(
        channel_id=channel, prompts=[{"title": "a", "message": "b"}]
    )
    asked = await slack.say(ALICE, ALICE, "hello")
    await client.assistant_threads_setStatus(channel_id=channel, thread_ts=asked, status="busy")
    assert slack.strict.state.statuses == {(channel, asked): "busy"}
    await client.files_upload_v2(channel=channel, thread_ts=asked, content="x,y", filename="a.csv")
    (upload,) = slack.strict.state.uploads.values()
    assert b"x,y" in upload.content
    people = {p["id"]: p for p in (await client.users_list())["members"]}
    assert people[ADA]["is_admin"]
    assert people[GUEST]["is_restricted"]
    assert not (await client.users_info(user=ALICE))["user"]["is_admin"]
    assert (await client.usergroups_users_list(usergroup="S01HELPERS"))["users"][1] == ADA


@pytest.mark.parametrize("slack_mode", ["events"])
async def test_posts_are_signed_and_come_again_with_their_number(
    slack: Workspace, echo: Echo
) -> None:
    echo.refuses = 1
    await slack.say(ALICE, ALICE, "hello")
    await slack.wait_for(lambda: echo.heard_of("message"))
    (delivery,) = slack.journal.deliveries_of("message")
    assert [attempt.failure for attempt in delivery.attempts] == ["http_error", None]
    assert await slack.strict.posts.verify() == "3eZbrw1aBm2"
    url = str(slack.strict.posts.url)
    headers = signed(b"{}", "application/json", at=1.0)
    async with slack.strict.session.post(url, data=b"{}", headers=headers) as response:
        assert response.status == 401


async def test_malformed_frames_and_own_payloads_can_be_sent(slack: Workspace, echo: Echo) -> None:
    for text in ("{", '{"type": "hello"}', '{"type": "events_api"}', '{"type": "new"}'):
        await slack.strict.sockets.send(text)
    slack.strict.intake.bring_event(
        {"type": "message", "subtype": "bot_message", "channel": GENERAL, "ts": "1.2", "text": "x"}
    )
    await slack.wait_for(lambda: echo.heard_of("message"))


async def test_only_subscribed_events_are_brought(
    slack: Workspace, slack_rules: Rules, echo: Echo
) -> None:
    slack_rules.events = frozenset({"app_mention"})
    asked = await slack.ask(ALICE, GENERAL, "hello")
    await slack.wait_for_answers(GENERAL, asked)
    await slack.strict.deliveries.settle()
    assert {name for name, _ in echo.heard} == {"app_mention"}
