"""How a job goes, told in Slack: one message that is updated, and in the end says what came of it.

Every process looks for jobs to be told of; a process that dies leaves its message to the others.
"""

import asyncio
import logging
from dataclasses import replace

from sqlalchemy.exc import DBAPIError

from bot import job_reports
from bot.errors import DeliveryError, JobError, RefusedError
from bot.platforms.slack.calls import CallError
from bot.platforms.slack.commands import DIRECT_CHANNEL, written
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.messages import Message, plain_message
from bot.platforms.slack.workspace import Workspace
from bot.storage import classifiers, job_watchers, jobs
from bot.storage.job_watchers import Watcher
from bot.storage.jobs import Job

# A message is updated at most this often.
PAUSE_SECONDS = 3.0
LOOK_SECONDS = 1.0
# What a dead process was about to tell, another one tells after this; a living one gives up before.
LEASE_SECONDS = 40.0
TELL_SECONDS = 30.0
EVENT_TYPE = "supportbot_job"
BAR_WIDTH = 20
SEARCHED_MESSAGES = 100
ALT_CHARACTERS = 900
# In `told`: what has been begun, and may have been done by a process that died.
POSTING, UPLOADING = "posting …", "uploading …"
# The channel is closed to the bot; the person is told in private.
NOT_THERE = frozenset({"not_in_channel", "channel_not_found", "is_archived"})

log = logging.getLogger(__name__)


async def tell_of_jobs(workspace: Workspace) -> None:
    """Tell of the jobs that were asked for in Slack, for ever.

    Raises:
        DBAPIError: the database is away; begin again later.
    """
    while True:
        watcher = await job_watchers.claim(
            workspace.engine, PLATFORM, workspace.identity.workspace, PAUSE_SECONDS, LEASE_SECONDS
        )
        if watcher is None:
            await asyncio.sleep(LOOK_SECONDS)
            continue
        try:
            async with asyncio.timeout(TELL_SECONDS):
                await _tell(workspace, watcher)
        except (RefusedError, CallError, JobError) as error:
            log.warning("Slack is not told how job %s goes: %s", watcher.job_id, error)
            await job_watchers.release(workspace.engine, watcher, is_over=True)
        except (DeliveryError, TimeoutError) as error:
            log.info("Slack is told later how job %s goes: %r", watcher.job_id, error)
        except (DBAPIError, OSError):
            raise
        except Exception:
            log.exception("job %s is no longer told of", watcher.job_id)
            await job_watchers.release(workspace.engine, watcher, is_over=True)


async def _tell(workspace: Workspace, watcher: Watcher) -> None:
    """Bring the message of a job up to date, and let go of the watcher."""
    engine = workspace.engine
    job = await jobs.read(engine, watcher.job_id)
    if job.superseded_by is not None:
        await _go_on(workspace, watcher, job)
        return
    message = message_of(job)
    if watcher.message is None:
        posted = await _post(workspace, watcher, message)
        if posted is None:
            return
        watcher = posted
    if watcher.told not in {message.text, UPLOADING}:
        if not await _update(workspace, watcher, message):
            # Somebody has deleted it; the next look posts another one.
            watcher = await job_watchers.note(engine, watcher, None, None)
            await job_watchers.release(engine, watcher)
            return
        watcher = await job_watchers.note(engine, watcher, watcher.message, message.text)
    if job.is_over:
        watcher = await _show_picture(workspace, watcher, job)
    await job_watchers.release(engine, watcher, is_over=job.is_over)


async def _go_on(workspace: Workspace, watcher: Watcher, job: Job) -> None:
    """Go on with the job that took over, unless the channel is told of that one already."""
    assert job.superseded_by is not None
    moved = await job_watchers.move(workspace.engine, watcher, job.superseded_by, watcher.channel)
    if moved is not None:
        await job_watchers.release(workspace.engine, moved)
    elif watcher.message is not None:
        name = f"{job.name} (job {job.id})"
        left = plain_message(f"{name} was interrupted and goes on as job {job.superseded_by}.")
        await _update(workspace, watcher, left)


def message_of(job: Job) -> Message:
    """How a job stands or what came of it."""
    if not job.is_over:
        return _progress(job)
    ending, line = job_reports.ending(job), job_reports.line(job)
    if ending == line:
        return plain_message(line)
    return written(f"**{job.name}** (job {job.id})\n\n{ending}")[0]


def _progress(job: Job) -> Message:
    """The job's line, and below it a bar that fills."""
    plain = plain_message(job_reports.line(job))
    if job.state != "running" or job.fraction is None:
        return plain
    filled = round(BAR_WIDTH * min(max(job.fraction, 0.0), 1.0))
    bar = "▓" * filled + "░" * (BAR_WIDTH - filled)
    element = {"type": "text", "text": f"{bar} {job.fraction:.0%}", "style": {"code": True}}
    section = {"type": "rich_text_section", "elements": [element]}
    return replace(plain, blocks=[*plain.blocks, {"type": "rich_text", "elements": [section]}])


async def _post(workspace: Workspace, watcher: Watcher, message: Message) -> Watcher | None:
    """The watcher with its message; None where the person is told of this job elsewhere already."""
    if watcher.told == POSTING:
        found = await _posted_before(workspace, watcher)
        if found is not None:
            return await job_watchers.note(workspace.engine, watcher, found, None)
    watcher = await job_watchers.note(workspace.engine, watcher, None, POSTING)
    ts = None
    try:
        if watcher.channel != watcher.person:
            ts = await _send(workspace, watcher, message)
    except RefusedError as error:
        if error.reason not in NOT_THERE or watcher.channel.startswith(DIRECT_CHANNEL):
            raise
    if ts is None:
        opened = await workspace.calls("conversations.open", users=watcher.person)
        direct = opened["channel"]["id"]
        moved = await job_watchers.move(workspace.engine, watcher, watcher.job_id, direct)
        if moved is None:
            return None
        watcher = moved
        ts = await _send(workspace, watcher, message)
    return await job_watchers.note(workspace.engine, watcher, ts, message.text)


async def _send(workspace: Workspace, watcher: Watcher, message: Message) -> str:
    posted = await workspace.calls(
        "chat.postMessage", channel=watcher.channel, text=message.text, blocks=message.blocks,
        metadata={"event_type": EVENT_TYPE, "event_payload": {"job_id": watcher.job_id}},
        unfurl_links=False, unfurl_media=False,
    )  # fmt: skip
    return str(posted["ts"])


async def _posted_before(workspace: Workspace, watcher: Watcher) -> str | None:
    """The message that a process posted and died before it could note it."""
    try:
        found = await workspace.calls(
            "conversations.history", channel=watcher.channel, limit=SEARCHED_MESSAGES,
            include_all_metadata=True,
        )  # fmt: skip
    except CallError as error:
        log.info("It is not known whether a job's message was posted: %s", error)
        return None
    for message in found["messages"]:
        metadata = message.get("metadata") or {}
        job_id = (metadata.get("event_payload") or {}).get("job_id")
        is_own = message.get("user") == workspace.identity.bot_user
        if is_own and metadata.get("event_type") == EVENT_TYPE and job_id == watcher.job_id:
            return str(message["ts"])
    return None


async def _update(workspace: Workspace, watcher: Watcher, message: Message) -> bool:
    """Replace the message; False where it is gone."""
    try:
        await workspace.calls(
            "chat.update", channel=watcher.channel, ts=watcher.message, text=message.text,
            blocks=message.blocks,
        )  # fmt: skip
    except CallError as error:
        if error.code != "message_not_found":
            raise
        return False
    return True


async def _show_picture(workspace: Workspace, watcher: Watcher, job: Job) -> Watcher:
    """Upload what a retraining showed into the message's thread, once."""
    version = (job.result or {}).get("version")
    if job.kind != "retrain" or version is None or (job.result or {}).get("skipped"):
        return watcher
    picture = await classifiers.picture(workspace.engine, version)
    panels = await classifiers.panels(workspace.engine, version)
    if picture is None or (watcher.told == UPLOADING and await _is_shown(workspace, watcher)):
        return watcher
    watcher = await job_watchers.note(workspace.engine, watcher, watcher.message, UPLOADING)
    alt = job_reports.ending(job)[:ALT_CHARACTERS]
    files = [
        {"content": content, "filename": f"version-{version}{part}.png", "title": title,
         "alt_txt": alt}
        for content, part, title in (
            (picture, "", f"Accuracy per intent before and after, version {version}"),
            (panels, "-panels", f"Confusions, calibration, risk and history, version {version}"),
        )
        if content is not None
    ]  # fmt: skip
    try:
        await workspace.calls(
            "files_upload_v2", channel=watcher.channel, thread_ts=watcher.message,
            file_uploads=files,
        )  # fmt: skip
    except CallError as error:
        log.warning("The picture of version %s was not shown: %s", version, error)
    return watcher


async def _is_shown(workspace: Workspace, watcher: Watcher) -> bool:
    """Whether a process that died has uploaded the picture; so it is where nobody can tell."""
    try:
        thread = await workspace.calls(
            "conversations.replies", channel=watcher.channel, ts=watcher.message,
            limit=SEARCHED_MESSAGES,
        )  # fmt: skip
    except CallError:
        return True
    own = (m for m in thread["messages"] if m.get("user") == workspace.identity.bot_user)
    return any(message.get("files") for message in own)
