"""A job in Slack: one message that is updated, ended once, with its picture."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.platforms.slack import job_messages
from bot.storage import claims, classifiers, job_watchers, jobs
from bot.storage.job_watchers import Watcher
from tests.platforms.slack.office import ADA, CHANNEL, TEAM, Office, open_office
from tests.platforms.slack.scripted_api import BOT_USER, Json
from tests.platforms.slack.work import messages, taken, told

PNG = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture
async def office(app: App) -> AsyncIterator[Office]:
    async with open_office(app) as office:
        yield office


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
    await classifiers.keep_picture(engine, version, PNG, PNG + b"panels")
    await office.reply_to(ADA, "/retrain")
    await told(office)
    await claims.succeed(engine, await taken(engine), retrained(version))
    await told(office, 3)
    assert len(office.slack.uploads) == 2
    assert [PNG + b"panels" in upload for upload in office.slack.uploads] == [False, True]
    assert all(PNG in upload for upload in office.slack.uploads)
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
