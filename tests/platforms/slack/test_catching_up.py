"""What was said while nobody heard it is found, and answered or told to the admins, once."""

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.inbox import Inbox
from bot.platforms.slack import catching_up
from bot.platforms.slack.calls import Calls
from bot.platforms.slack.catching_up import CatchingUp, keep_up
from bot.platforms.slack.events import PLATFORM, Reader
from bot.platforms.slack.intake import Intake
from bot.platforms.slack.workspace import Options, Workspace, identify
from bot.storage import catching_up as stored
from bot.storage import conversations
from tests.platforms.slack.people import (
    ADA,
    ALICE,
    ARCHIVE,
    BOB,
    BOT,
    BOT_TOKEN,
    GENERAL,
    PRIVATE,
    SUPPORT,
    TEAM,
)  # fmt: skip
from tests.platforms.slack.scopes import ALL_SCOPES
from tests.platforms.slack.workspace import Workspace as Slack


@pytest.fixture
async def workspace(app: App, slack: Slack) -> Workspace:
    """The bot's workspace, as no connection has heard of it yet."""
    client = AsyncWebClient(token=BOT_TOKEN, base_url=slack.api_url, retry_handlers=[])
    calls = Calls(client)
    inbox = Inbox(app.engine, PLATFORM)
    options = Options(admins=frozenset({ADA}), admin_channel=SUPPORT)
    return Workspace(await identify(calls), app.assistant(), calls, inbox, options, {})


async def catch_up(workspace: Workspace) -> bool:
    return await CatchingUp(workspace).run()


async def go_away(workspace: Workspace) -> None:
    """Let the bot have heard everything until now; the peer's times are whole seconds."""
    assert await catch_up(workspace)
    await asyncio.sleep(1.01 - time.time() % 1)


async def rows(engine: AsyncEngine) -> dict[str, str]:
    """The states of what is in the inbox, by what was asked."""
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT text, state FROM inbox ORDER BY id"))
        return {row.text: row.state for row in found}


async def seen(engine: AsyncEngine) -> dict[str, str | None]:
    return {c.id: c.seen for c in await conversations.channels(engine, PLATFORM, TEAM)}


async def test_the_first_start_answers_nothing_of_the_past(
    slack: Slack, workspace: Workspace, engine: AsyncEngine
) -> None:
    await slack.ask(ALICE, GENERAL, "how do refunds work?")
    assert await catch_up(workspace)
    assert await rows(engine) == {}
    assert {GENERAL, PRIVATE, SUPPORT} <= set(await seen(engine))
    assert ARCHIVE not in await seen(engine)


async def test_what_is_asked_while_the_bot_is_away_is_taken_in_once_and_in_order(
    slack: Slack, workspace: Workspace, engine: AsyncEngine
) -> None:
    direct = await slack.direct(BOB)
    await go_away(workspace)
    started = await slack.ask(ALICE, GENERAL, "first")
    await slack.say(BOB, GENERAL, "we talk to each other")
    await workspace.calls("chat.postMessage", channel=GENERAL, text=f"<@{BOT}> my own words")
    await slack.say(BOB, GENERAL, f"<@{ALICE}> this is for Alice")
    await slack.ask(BOB, PRIVATE, "second")
    await slack.say(BOB, BOB, "third, to you alone")
    await slack.say(ALICE, GENERAL, "and a follow-up", thread_ts=started)
    for _ in range(2):
        assert await catch_up(workspace)
    found = await rows(engine)
    assert set(found) == {"first", "second", "third, to you alone", "and a follow-up"}
    assert set(found.values()) == {"waiting"}
    assert list(found).index("first") < list(found).index("and a follow-up")
    assert direct in await seen(engine)


async def test_a_mention_that_came_live_before_the_catch_up_hides_none_that_was_missed(
    slack: Slack, workspace: Workspace, engine: AsyncEngine
) -> None:
    await go_away(workspace)
    await slack.ask(ALICE, GENERAL, "missed")
    ts = await slack.ask(BOB, GENERAL, "heard live")
    intake = Intake(workspace.inbox, workspace.calls, Reader(TEAM, BOT, {}))
    message = await slack.message(GENERAL, ts)
    await intake.take_message({**message, "type": "message", "channel": GENERAL})
    assert set(await rows(engine)) == {"heard live"}
    await catch_up(workspace)
    assert sorted(await rows(engine)) == ["heard live", "missed"]


async def test_a_mention_in_an_old_thread_is_found(
    slack: Slack, workspace: Workspace, engine: AsyncEngine
) -> None:
    old = await slack.ask(ALICE, GENERAL, "an old question")
    await go_away(workspace)
    intake = Intake(workspace.inbox, workspace.calls, Reader(TEAM, BOT, {}))
    message = await slack.message(GENERAL, old)
    await intake.take_message({**message, "type": "message", "channel": GENERAL})
    await slack.say(BOB, GENERAL, "and on Sundays?", thread_ts=old)
    await catch_up(workspace)
    assert "and on Sundays?" in await rows(engine)


async def test_forty_missed_mentions_of_one_person_are_all_taken_in(
    slack: Slack, workspace: Workspace, engine: AsyncEngine
) -> None:
    slack.rules.page_limit = 7
    await go_away(workspace)
    for number in range(40):
        await slack.ask(ALICE, GENERAL, f"question {number}")
    await catch_up(workspace)
    found = await rows(engine)
    assert len(found) == 40
    assert set(found.values()) == {"waiting"}


async def test_what_is_too_old_is_told_to_the_admins_once_and_never_answered(
    slack: Slack, workspace: Workspace, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await go_away(workspace)
    await slack.ask(ALICE, GENERAL, "is <!channel> <https://evil.example|fine>? " + "long " * 100)
    await slack.ask(BOB, PRIVATE, "and I?")
    await slack.say(BOB, GENERAL, "nobody is asked")
    monkeypatch.setattr(catching_up, "ANSWERED_SECONDS", -1.0)
    for _ in range(2):
        await catch_up(workspace)
    (told,) = await slack.final_messages(SUPPORT)
    assert told["text"].startswith("2 questions were asked more than an hour ago")
    assert set((await rows(engine)).values()) == {"ignored"}
    _, listed = told["blocks"][0]["elements"]
    items = [item["elements"] for item in listed["elements"]]
    assert [[element["type"] for element in item] for item in items] == [["link", "text"]] * 2
    assert all("/archives/" in item[0]["url"] for item in items)
    assert len(items[0][1]["text"]) < 160
    assert len(await rows(engine)) == 2


async def test_without_a_channel_for_admins_each_of_them_is_told(
    slack: Slack, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = replace(workspace, options=replace(workspace.options, admin_channel=None))
    await go_away(workspace)
    await slack.ask(ALICE, GENERAL, "anybody?")
    monkeypatch.setattr(catching_up, "ANSWERED_SECONDS", -1.0)
    await catch_up(workspace)
    (told,) = await slack.final_messages(ADA)
    assert told["text"].startswith("One question was asked")


async def test_an_admins_channel_that_refuses_keeps_nothing_from_going_on(
    slack: Slack, workspace: Workspace, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await go_away(workspace)
    await slack.ask(ALICE, GENERAL, "anybody?")
    monkeypatch.setattr(catching_up, "ANSWERED_SECONDS", -1.0)
    slack.rules.refused[SUPPORT] = "is_archived"
    await catch_up(workspace)
    assert await rows(engine) == {"anybody?": "ignored"}


async def test_a_channel_the_bot_came_to_meanwhile_is_read_from_when_others_were_heard(
    slack: Slack, workspace: Workspace, engine: AsyncEngine
) -> None:
    await go_away(workspace)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM channels WHERE channel = :c"), {"c": GENERAL})
    await slack.ask(ALICE, GENERAL, "welcome, how do refunds work?")
    await catch_up(workspace)
    assert list(await rows(engine)) == ["welcome, how do refunds work?"]


async def test_without_the_scope_to_read_it_is_logged_once_and_the_rest_is_read(
    slack: Slack, workspace: Workspace, engine: AsyncEngine, caplog: pytest.LogCaptureFixture
) -> None:
    await go_away(workspace)
    await slack.ask(ALICE, GENERAL, "public")
    await slack.ask(ALICE, PRIVATE, "private")
    slack.rules.scopes = frozenset(ALL_SCOPES) - {"groups:history"}
    reported: set[str] = set()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            await CatchingUp(workspace, reported).run()
    assert list(await rows(engine)) == ["public"]
    told = [record for record in caplog.records if "missing_scope" in record.getMessage()]
    assert len(told) == 1
    assert "supportbot doctor" in told[0].getMessage()


async def test_a_database_lock_lets_one_process_catch_up_at_a_time(
    slack: Slack, workspace: Workspace, engine: AsyncEngine
) -> None:
    async with stored.alone(engine, TEAM) as is_alone:
        assert is_alone
        assert not await catch_up(workspace)
    assert await catch_up(workspace)


async def test_a_failure_in_the_middle_goes_on_later_and_loses_nothing(
    slack: Slack, workspace: Workspace, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "LOOK_SECONDS", 0.05)
    await go_away(workspace)
    for channel in (GENERAL, PRIVATE, SUPPORT):
        await slack.ask(ADA, channel, f"in {channel}")
    slack.strict.api.fail("conversations.history", "server_error", times=2)
    working = asyncio.create_task(keep_up(workspace))
    try:
        with workspace.hearing.connected():
            await slack.wait_for(lambda: _has(engine, 3))
            await slack.ask(ALICE, GENERAL, "while connected, but unheard here")
        with workspace.hearing.connected():
            await slack.wait_for(lambda: _has(engine, 4))
    finally:
        working.cancel()
        await asyncio.wait([working])


async def test_the_marks_follow_only_what_was_heard_without_a_break(
    slack: Slack, workspace: Workspace, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in (("LOOK_SECONDS", 0.02), ("MARK_SECONDS", 0.0), ("SETTLED_SECONDS", 0.0)):
        monkeypatch.setattr(catching_up, name, seconds)
    working = asyncio.create_task(keep_up(workspace))
    try:
        with workspace.hearing.connected():
            await slack.wait_for(lambda: seen(engine))
            first = (await seen(engine))[GENERAL]
            await slack.wait_for(lambda: _is_later(engine, first))
        await asyncio.sleep(0.2)
        last = (await seen(engine))[GENERAL]
        await asyncio.sleep(0.2)
        assert (await seen(engine))[GENERAL] == last
    finally:
        working.cancel()
        await asyncio.wait([working])


async def _has(engine: AsyncEngine, count: int) -> bool:
    return len(await rows(engine)) == count


async def _is_later(engine: AsyncEngine, first: Any) -> bool:
    return str((await seen(engine))[GENERAL]) > str(first)
