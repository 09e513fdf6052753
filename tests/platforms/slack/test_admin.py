"""Administration from Slack: who may, and what is done once."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.platforms.slack import admins
from bot.storage import audit, conversations, jobs
from tests.platforms.slack.office import ADA, BOB, CHANNEL, TEAM, Office, open_office, until
from tests.platforms.slack.scripted_api import Json
from tests.platforms.slack.work import messages, taken, told

FORBIDDEN = (
    "/reindex", "/reindex documents", "/retrain", "/supportbot status", "/supportbot sources",
    "/supportbot channel all", "/supportbot versions", "/supportbot rollback 1 --force",
    "/supportbot gaps", "/supportbot no_such_thing",
)  # fmt: skip
MEMBER = {"team_id": TEAM, "is_admin": True}
PEOPLE: dict[str, Json] = {
    "U01GUEST": MEMBER | {"is_restricted": True},
    "U01SINGLE": MEMBER | {"is_ultra_restricted": True},
    "U01OUTSIDER": MEMBER | {"team_id": "T99OTHER"},
    "U01STRANGER": MEMBER | {"is_stranger": True},
    "U01ROBOT": MEMBER | {"is_bot": True},
    "U01GONE": MEMBER | {"deleted": True},
    "U01DEMOTED": MEMBER | {"is_admin": False},
    "U01MEMBER": {"team_id": TEAM},
}


def look_up(arguments: Json) -> Json:
    """users.info: people as Slack describes them, and one it knows nothing of."""
    person = arguments["user"]
    if person in PEOPLE:
        return {"ok": True, "user": {"id": person} | PEOPLE[person]}
    if person == "U01AWAY":
        return {"ok": False, "error": "internal_error"}
    return {"ok": False, "error": "user_not_found"}


@pytest.fixture
async def office(app: App) -> AsyncIterator[Office]:
    async with open_office(app, has_workspace_admins=True) as office:
        office.slack.answers["users.info"] = look_up
        yield office


async def test_a_thousand_calls_by_people_who_may_not_do_nothing_and_are_all_audited(
    office: Office, engine: AsyncEngine
) -> None:
    people = [*PEOPLE, "U01AWAY", "U01UNKNOWN"]
    for _ in range(1000 // len(FORBIDDEN) // len(people)):
        for person in people:
            await asyncio.gather(*(office.command(person, words) for words in FORBIDDEN))
    await until(lambda: len(office.slack.replies) == 1000, seconds=60)
    assert await jobs.active(engine) == []
    assert await conversations.channels(engine, "slack", TEAM) == []
    called = await audit.newest(engine, 2000)
    assert len(called) == 1000
    assert not any(call.is_allowed for call in called)
    assert {call.person for call in called} == set(people)
    refused = ("Only admins may do that", "could not ask Slack")
    assert all(any(words in reply["text"] for words in refused) for reply in office.slack.replies)
    assert all(reply["response_type"] == "ephemeral" for reply in office.slack.replies)


async def test_who_acts_in_another_workspace_is_no_admin_even_if_named(office: Office) -> None:
    await office.command(ADA, "/retrain", team="T99OTHER")
    await until(lambda: bool(office.slack.replies))
    assert "Only admins may do that" in office.slack.replies[0]["text"]


async def test_a_refusal_names_the_setting_and_the_member_id(office: Office) -> None:
    reply = await office.reply_to("U01MEMBER", "/retrain")
    assert "admins below [slack]" in reply
    assert "U01MEMBER" in reply


async def test_an_admin_of_the_workspace_may_only_where_the_settings_say_so(app: App) -> None:
    def describe(arguments: Json) -> Json:
        return {"ok": True, "user": {"id": arguments["user"]} | MEMBER}

    for has_workspace_admins, is_allowed in ((True, True), (False, False)):
        async with open_office(app, has_workspace_admins=has_workspace_admins) as office:
            office.slack.answers["users.info"] = describe
            await office.reply_to(BOB, "/supportbot status")
        assert (await audit.newest(app.engine, 1))[0].is_allowed is is_allowed


async def test_who_is_demoted_loses_the_commands_within_a_minute(
    office: Office, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PEOPLE, BOB, dict(MEMBER))
    await office.reply_to(BOB, "/supportbot status")
    PEOPLE[BOB]["is_admin"] = False
    await office.reply_to(BOB, "/supportbot status")
    assert len(office.slack.of("users.info")) == 1  # asked once a minute at most
    monkeypatch.setattr(admins, "CACHE_SECONDS", 0.0)
    await office.reply_to(BOB, "/supportbot status")
    assert [call.is_allowed for call in await audit.newest(engine, 3)] == [False, True, True]


async def test_while_slack_asks_to_wait_nobody_is_taken_for_an_admin(
    office: Office, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admins, "ASK_SECONDS", 0.3)
    office.slack.answers["users.info"] = {"ok": False, "error": "ratelimited"}
    reply = await office.reply_to(BOB, "/retrain")
    assert "could not ask Slack" in reply
    assert await jobs.active(engine) == []


async def test_everyone_gets_help(office: Office) -> None:
    assert "Ask me anything" in await office.reply_to("U01MEMBER", "/supportbot")
    assert "rollback" not in await office.reply_to("U01MEMBER", "/supportbot help")


@pytest.mark.parametrize("command", ["/reindex documents", "/retrain"])
async def test_fifty_presses_give_one_running_and_at_most_one_waiting_job(
    office: Office, engine: AsyncEngine, command: str
) -> None:
    await office.reply_to(ADA, command)
    running = await taken(engine)
    await asyncio.gather(*(office.command(ADA, command) for _ in range(50)))
    await until(lambda: len(office.slack.replies) == 51)
    active = await jobs.active(engine)
    assert [job.state for job in active[:1]] == ["running"]
    assert len(active) <= 2
    named = {f"job {job.id}" for job in active}
    assert all(any(name in reply["text"] for name in named) for reply in office.slack.replies)
    assert active[0].id == running.job_id
    await told(office)
    assert len(messages(office)) == len(active)  # one message a job, not one a press


async def test_reindex_without_a_source_takes_all_of_the_settings(
    office: Office, engine: AsyncEngine
) -> None:
    await office.reply_to(ADA, "/reindex")
    assert {job.key for job in await jobs.active(engine)} == {"documents", "wiki"}
    assert all(job.requested_by == f"slack:{ADA}" for job in await jobs.active(engine))


async def test_a_mode_that_is_set_holds_at_once(office: Office) -> None:
    assert "where I am mentioned" in await office.reply_to(ADA, "/supportbot channel")
    assert "(questions)" in await office.reply_to(ADA, "/supportbot channel questions")
    assert office.workspace.modes == {CHANNEL: "questions"}


async def test_what_people_type_pings_nobody(office: Office) -> None:
    reply = await office.reply_to(ADA, "/reindex <!channel> <@U01BOB> https://evil.example/")
    assert "There is no source" in reply
    assert "<" not in reply
    assert "https://evil" not in reply


async def test_a_command_is_answered_where_its_address_has_expired(office: Office) -> None:
    office.slack.respond_status = 404
    await office.command(ADA, "/supportbot help")
    await until(lambda: bool(office.slack.of("chat.postEphemeral")))
    assert office.slack.of("chat.postEphemeral")[0]["user"] == ADA
