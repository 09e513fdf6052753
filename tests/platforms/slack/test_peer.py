"""What the Slack to test against brings the bot, and how it may go wrong."""

import aiohttp
import pytest

from tests.platforms.slack.echo import Echo, over_socket
from tests.platforms.slack.people import (
    ALICE,
    BOT,
    GENERAL,
    ROBOT,
)
from tests.platforms.slack.posts import signed
from tests.platforms.slack.rules import Rules
from tests.platforms.slack.workspace import Workspace

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
    # Bolt keeps its own messages from the app; Slack sends them all the same.
    brought = [delivery.payload["event"] for delivery in slack.journal.deliveries_of("message")]
    assert [event["user"] for event in brought] == [ALICE, BOT]
    assert slack.journal.ack_percentile(99) < 1


async def test_an_event_that_is_not_acked_comes_again(slack: Workspace, echo: Echo) -> None:
    slack.rules.ack_seconds = 0.2
    echo.refuses = 2
    asked = await slack.say(ALICE, ALICE, "hello")
    await slack.wait_for(lambda: echo.heard_of("message"))
    assert echo.heard_of("message")[0]["event"]["ts"] == asked
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


async def test_edits_unfurls_and_other_bots_are_told_apart(slack: Workspace, echo: Echo) -> None:
    slack.rules.brings_own_messages = False
    ts = await slack.say(ALICE, ALICE, "hello", client_msg_id="one-of-mine")
    await slack.edit(ALICE, await slack.direct(ALICE), ts, "hello!")
    await slack.unfurl(ALICE, ts)
    await slack.delete(ALICE, await slack.direct(ALICE), ts)
    await slack.say(ROBOT, GENERAL, "beep")
    await slack.wait_for(lambda: len(echo.heard_of("message")) == 5)
    heard = [body["event"] for body in echo.heard_of("message")]
    said, robot = sorted((e for e in heard if "subtype" not in e), key=lambda e: "bot_id" in e)
    assert said["client_msg_id"] == "one-of-mine"
    assert robot["bot_id"] == "B06ROBOT"
    changes = [event for event in heard if event.get("subtype") == "message_changed"]
    assert {event["message"]["client_msg_id"] for event in changes} == {"one-of-mine"}
    before_and_after = {
        (event["previous_message"]["text"], event["message"]["text"]) for event in changes
    }
    assert before_and_after == {("hello", "hello!"), ("hello!", "hello!")}
    (deleted,) = (event for event in heard if event.get("subtype") == "message_deleted")
    assert deleted["deleted_ts"] == ts


async def test_slack_may_be_away_for_a_while(slack: Workspace, echo: Echo) -> None:
    slack.rules.is_away = True
    slack.strict.sockets.reset()
    with pytest.raises(aiohttp.ClientError):
        await echo.client.chat_postMessage(channel=GENERAL, text="anyone?")
    slack.rules.retry_seconds = (0.05,)
    await slack.say(ALICE, ALICE, "lost")
    await slack.strict.deliveries.settle()
    assert slack.journal.lost == 1
    slack.rules.is_away = False
    await slack.wait_for(lambda: slack.strict.sockets.lines)
    asked = await slack.ask(ALICE, GENERAL, "found")
    await slack.wait_for_answers(GENERAL, asked)


async def test_only_subscribed_events_are_brought(
    slack: Workspace, slack_rules: Rules, echo: Echo
) -> None:
    slack_rules.events = frozenset({"app_mention"})
    asked = await slack.ask(ALICE, GENERAL, "hello")
    await slack.wait_for_answers(GENERAL, asked)
    await slack.strict.deliveries.settle()
    assert {name for name, _ in echo.heard} == {"app_mention"}
