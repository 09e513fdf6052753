"""How strictly the Slack to test against answers calls about messages."""

import asyncio
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from tests.platforms.slack.echo import BUTTONS, Echo, error_of
from tests.platforms.slack.people import (
    ALICE,
    ARCHIVE,
    BOT_TOKEN,
    ELSEWHERE,
    GENERAL,
    PRIVATE,
    TEAM,
)
from tests.platforms.slack.workspace import Workspace


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
