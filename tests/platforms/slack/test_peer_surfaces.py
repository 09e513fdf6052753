"""Commands, clicks, modals, the App Home and files of the Slack to test against."""

import asyncio

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.platforms.slack.echo import BUTTONS, MODAL, Echo, error_of
from tests.platforms.slack.people import (
    ADA,
    ALICE,
    BOB,
    GENERAL,
    GUEST,
)
from tests.platforms.slack.workspace import Workspace

both_modes = pytest.mark.parametrize("slack_mode", ["socket", "events"])


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
