"""Administration from Slack: who may, what is done once, and what becomes of it in the channel."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.platforms.slack import admins, job_messages
from bot.storage import audit, claims, classifiers, conversations, job_watchers, jobs
from bot.storage.claims import Claim
from bot.storage.job_watchers import Watcher
from tests.platforms.slack.office import ADA, BOB, CHANNEL, TEAM, Office, open_office, until
from tests.platforms.slack.scripted_api import BOT_USER, Json

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
PNG = b"\x89PNG\r\n\x1a\n and so on"


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


async def taken(engine: AsyncEngine) -> Claim:
    """Take up a job as a worker does."""
    async with engine.begin() as connection:
        worker = await connection.scalar(text("SELECT * FROM procrastinate_register_worker_v1()"))
        fetch = text("SELECT id, attempts, lock FROM procrastinate_fetch_job_v2(NULL, :worker)")
        row = (await connection.execute(fetch, {"worker": worker})).one()
    claim = Claim(row.id, row.attempts, row.lock)
    assert await claims.begin(engine, claim)
    return claim


async def told(office: Office, count: int = 1) -> None:
    """Have what is due told, as the background does, and as if the time to wait had passed."""
    for _ in range(count):
        async with office.workspace.engine.begin() as connection:
            await connection.execute(
                text("UPDATE job_watchers SET told_at = told_at - interval '10 seconds'")
            )
        telling = asyncio.create_task(job_messages.tell_of_jobs(office.workspace))
        await asyncio.sleep(0.5)
        telling.cancel()
        await asyncio.wait([telling])


def messages(office: Office, channel: str = CHANNEL) -> list[Json]:
    return office.slack.channels[channel]


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


async def test_a_job_is_one_message_that_is_updated_and_ends_with_figures(
    office: Office, engine: AsyncEngine
) -> None:
    await office.reply_to(ADA, "/reindex documents")
    await told(office)
    claim = await taken(engine)
    await claims.note_progress(engine, claim, 0.4, "reading", 12)
    await told(office)
    shown = messages(office)[0]
    assert "40% done, about 12 s left" in shown["text"]
    assert "▓▓▓▓▓▓▓▓░" in str(shown["blocks"])
    counts = {"indexed": 12, "unchanged": 480, "rejected": 1, "removed": 0}
    await claims.succeed(engine, claim, {"source": "documents", "counts": counts, "problems": []})
    await told(office, 3)
    assert len(messages(office)) == 1
    assert "12 indexed, 480 unchanged" in messages(office)[0]["text"]
    assert len(office.slack.of("chat.postMessage")) == 1
    assert len(office.slack.of("chat.update")) == 2


async def test_a_message_is_updated_at_most_every_three_seconds(
    office: Office, engine: AsyncEngine
) -> None:
    await office.reply_to(ADA, "/reindex documents")
    claim = await taken(engine)
    telling = asyncio.create_task(job_messages.tell_of_jobs(office.workspace))
    for number in range(20):
        await claims.note_progress(engine, claim, number / 20, None, None)
        await asyncio.sleep(0.1)
    telling.cancel()
    await asyncio.wait([telling])
    assert len(office.slack.of("chat.postMessage")) == 1
    assert office.slack.of("chat.update") == []


async def test_two_processes_and_a_restart_tell_an_ending_once(
    office: Office, engine: AsyncEngine
) -> None:
    await office.reply_to(ADA, "/reindex documents")
    await told(office)
    claim = await taken(engine)
    await claims.fail(engine, claim, "The folder is gone.")
    async with engine.begin() as connection:  # three seconds later
        await connection.execute(text("UPDATE job_watchers SET told_at = now() - interval '4 s'"))
    processes = [asyncio.create_task(job_messages.tell_of_jobs(office.workspace)) for _ in range(5)]
    await asyncio.sleep(1.5)
    for process in processes:
        process.cancel()
    await asyncio.wait(processes)
    await told(office, 2)
    assert len(messages(office)) == 1
    assert "The folder is gone." in messages(office)[0]["text"]
    assert len(office.slack.of("chat.update")) == 1


async def test_a_process_that_dies_between_posting_and_noting_leaves_one_message(
    office: Office, engine: AsyncEngine
) -> None:
    await office.reply_to(ADA, "/reindex documents")
    watcher = await job_watchers.claim(engine, "slack", TEAM, 3, 40)
    assert watcher
    await job_watchers.note(engine, watcher, None, job_messages.POSTING)
    metadata = {"event_type": job_messages.EVENT_TYPE, "event_payload": {"job_id": watcher.job_id}}
    office.slack.answer(
        "chat.postMessage", {"channel": CHANNEL, "text": "waits", "metadata": metadata}
    )
    assert await job_watchers.claim(engine, "slack", TEAM, 3, 40) is None  # nobody else meanwhile
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE job_watchers SET told_at = now() - interval '4 s'"))
    claim = await taken(engine)
    await claims.fail(engine, claim, "The folder is gone.")
    await told(office, 3)
    assert len(messages(office)) == 1
    assert "The folder is gone." in messages(office)[0]["text"]


async def test_a_deleted_message_comes_again(office: Office, engine: AsyncEngine) -> None:
    await office.reply_to(ADA, "/reindex documents")
    await told(office)
    messages(office).clear()
    await claims.fail(engine, await taken(engine), "The folder is gone.")
    await told(office, 3)
    assert ["The folder is gone." in message["text"] for message in messages(office)] == [True]


async def test_where_the_bot_is_not_in_the_channel_the_caller_is_told_in_private(
    office: Office, engine: AsyncEngine
) -> None:
    def refuse(arguments: Json) -> Any:
        is_direct = arguments["channel"].startswith("D")
        return None if is_direct else {"ok": False, "error": "not_in_channel"}

    office.slack.answers["chat.postMessage"] = refuse
    await office.reply_to(ADA, "/reindex documents")
    await told(office)
    await claims.fail(engine, await taken(engine), "The folder is gone.")
    await told(office, 2)
    assert messages(office) == []
    assert [message["user"] for message in messages(office, f"D{ADA}")] == [BOT_USER]
    assert "The folder is gone." in messages(office, f"D{ADA}")[0]["text"]


async def test_the_message_of_a_superseded_job_goes_on_with_its_successor(
    office: Office, engine: AsyncEngine
) -> None:
    await office.reply_to(ADA, "/reindex documents")
    await told(office)
    claim = await taken(engine)
    await jobs.request(engine, "reindex", "documents", "schedule")
    await claims.give_back(engine, claim)
    await claims.fail(engine, await taken(engine), "The folder is gone.")
    await told(office, 3)
    assert ["The folder is gone." in message["text"] for message in messages(office)] == [True]


async def test_a_retraining_ends_with_its_picture_in_the_thread_once(
    office: Office, app: App
) -> None:
    engine = app.engine
    new = classifiers.NewVersion(app.encoder_id, None, ["a", "b"], {}, {"model.onnx": b"weights"})
    version = await classifiers.add(engine, new)
    await classifiers.keep_picture(engine, version, PNG)
    await office.reply_to(ADA, "/retrain")
    await told(office)
    await claims.succeed(engine, await taken(engine), retrained(version))
    await told(office, 3)
    assert any(PNG in upload for upload in office.slack.uploads)
    assert len(office.slack.uploads) == 1
    (shared,) = office.slack.of("files.completeUploadExternal")
    assert (shared["channel_id"], shared["thread_ts"]) == (CHANNEL, messages(office)[0]["ts"])
    assert f"Version {version} is live: accuracy 91.0" in messages(office)[0]["text"]


@pytest.mark.parametrize("is_taken", [True, False])
async def test_a_process_that_dies_over_the_picture_has_it_shown_once(
    office: Office, app: App, is_taken: bool
) -> None:
    def lose(arguments: Json) -> Json:
        if is_taken:
            office.slack.channels[CHANNEL].append({"user": BOT_USER, "ts": "9.0", "files": ["F1"]})
        return {"ok": False, "error": "internal_error"}

    engine = app.engine
    new = classifiers.NewVersion(app.encoder_id, None, ["a", "b"], {}, {"model.onnx": b"weights"})
    version = await classifiers.add(engine, new)
    await classifiers.keep_picture(engine, version, PNG)
    job = await jobs.request(engine, "retrain", "", "test")
    await claims.succeed(engine, await taken(engine), retrained(version))
    await job_watchers.watch(engine, Watcher(job.job_id, "slack", TEAM, CHANNEL, ADA))
    office.slack.answers["files.completeUploadExternal"] = lose
    await told(office)
    del office.slack.answers["files.completeUploadExternal"]
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE job_watchers SET told_at = now() - interval '4 s'"))
    await told(office, 2)
    assert len([m for m in messages(office) if "files" in m]) == 1
    assert len([m for m in messages(office) if "files" not in m]) == 1


def retrained(version: int) -> Json:
    """What a retraining gives as its result."""
    test = {"accuracy": 0.92, "macro_f1": 0.91, "examples": 50, "recalls": {"question": 0.9}}
    before = test | {"accuracy": 0.91}
    return {
        "version": version,
        "is_live": True,
        "refusal": None,
        "test": test,
        "live_test": before,
    }


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
