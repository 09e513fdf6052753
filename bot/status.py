"""What is indexed and how questions ended, for `supportbot status`."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App, open_app
from bot.messages import APPROVED_ANSWERS
from bot.schedules import schedules
from bot.settings import Settings
from bot.storage import (
    activity,
    classifiers,
    documents,
    firings,
    jobs,
    migrate,
    ratings,
    runs,
    turns,
)
from bot.storage.encoders import full_name

SHOWN_VERSIONS = 3


async def collect(settings: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """The status as plain values, ready for JSON."""
    async with open_app(settings, say) as app:
        sizes = await documents.sizes(app.engine)
        last = await runs.last_runs(app.engine)
        sources = []
        folders: dict[str, str | None] = {each.name: str(each.folder) for each in settings.sources}
        if APPROVED_ANSWERS in sizes or APPROVED_ANSWERS in last:
            folders[APPROVED_ANSWERS] = None
        for name, folder in folders.items():
            size = sizes.pop(name, documents.SourceSize(0, 0))
            run = last.get(name)
            sources.append(
                {"name": name, "folder": folder}
                | asdict(size)
                | {"last_run": asdict(run) if run else None}
            )
        return {
            "revision": await migrate.current(app.engine),
            "encoder": full_name(app.encoder.manifest.model, app.encoder.manifest.precision),
            "documents_of_other_encoders": await app.stale_documents(),
            "sources": sources,
            "sources_no_longer_set": sorted(sizes),
            "classifier": await collect_classifier(app),
            "questions": await turns.count(app.engine),
            "ratings": await ratings.count(app.engine),
            "jobs": await collect_jobs(settings, app.engine),
            "chats": await collect_chats(app.engine),
        }


async def collect_classifier(app: App) -> dict[str, Any]:
    """Which version is used, how it did on its test, and what came of the last ones."""
    classifier = await app.live.current()
    versions = await classifiers.newest(app.engine, SHOWN_VERSIONS)
    return {
        "version": classifier.version if classifier else None,
        "problem": app.live.problem or None,
        "versions": [asdict(version) for version in versions],
    }


async def collect_jobs(settings: Settings, engine: AsyncEngine) -> dict[str, Any]:
    """What runs, waits, ended last and is due next, as plain values."""
    active = await jobs.active(engine)
    fired = await firings.last_fired(engine)
    now = datetime.now(UTC)
    return {
        "is_worked": await jobs.is_worked(engine),
        "running": [job.as_values() for job in active if job.state == "running"],
        "waiting": [job.as_values() for job in active if job.state == "waiting"],
        "last": [job.as_values() for job in await jobs.last_ended(engine)],
        "schedules": [
            {
                "kind": each.wanted.kind,
                "key": each.wanted.key,
                "schedule": each.written,
                "last_due": fired.get(each.name),
                "next_due": each.cron.following(now),
            }
            for each in schedules(settings)
        ],
    }


async def collect_chats(engine: AsyncEngine) -> dict[str, Any]:
    """What waits in the inbox and with people, and which channels took no answer."""
    lately = await activity.count(engine)
    return asdict(await activity.backlog(engine)) | {
        "open_handoffs": lately.open_handoffs,
        "refused_channels": await activity.refusals(engine),
    }


def show_status(found: dict[str, Any], console: Console) -> None:
    """Print the status, with what to do where something is off."""
    table = Table("Source", "Documents", "Chunks", "Last reindex", box=None, padding=(0, 2, 0, 0))
    for source in found["sources"]:
        table.add_row(
            source["name"], str(source["documents"]), str(source["chunks"]),
            _run_line(source["last_run"]),
        )  # fmt: skip
    console.print(table)
    for source in found["sources"]:
        for problem in (source["last_run"] or {}).get("problems", ()):
            console.print(f"  {source['name']}: {problem}", markup=False, soft_wrap=True)
    asked = ", ".join(f"{number} {outcome}" for outcome, number in found["questions"].items())
    rated = found["ratings"]
    console.print(
        f"\nQuestions: {asked or 'none yet'}; rated 👍 {rated.get('up', 0)}, 👎 "
        f"{rated.get('down', 0)}"
    )
    show_chats(found["chats"], console)
    show_classifier(found["classifier"], console)
    console.print(f"Encoder: {found['encoder']}; database revision {found['revision']}")
    if found["documents_of_other_encoders"]:
        console.print(
            f"{found['documents_of_other_encoders']} documents were indexed with another encoder. "
            "Run: supportbot reindex"
        )
    show_jobs(found["jobs"], console)
    for name in found["sources_no_longer_set"]:
        console.print(
            f"The source {name!r} is still indexed but no longer in supportbot.toml. To remove its "
            f"documents, run: supportbot reindex --forget {name}",
            markup=False,
        )


def show_chats(found: dict[str, Any], console: Console) -> None:
    """Print what waits for the bot or for people in the chats, if anything does."""
    if found["waiting"]:
        console.print(
            f"Inbox: {found['waiting']} waiting for an answer, the oldest for "
            f"{found['oldest_seconds']:.0f} s"
        )
    if found["open_handoffs"]:
        console.print(f"Hand-offs: {found['open_handoffs']} open")
    for channel in found["refused_channels"]:
        console.print(
            f"The channel {channel['channel']} on {channel['platform']} last took no answer: "
            f"{channel['refusal']}",
            markup=False, soft_wrap=True,
        )  # fmt: skip


def show_classifier(found: dict[str, Any], console: Console) -> None:
    """Print the versions with their figures, or what to do where none is used."""
    if found["problem"]:
        console.print(
            f"Classifier: none is used, as {found['problem']}; every message goes to the "
            "documents. Run: supportbot retrain",
            soft_wrap=True,
        )
    for version in found["versions"]:
        test = version["metrics"].get("test", {})
        figures = f", macro F1 {test['macro_f1']:.1%}" if test else ""
        reason = f": {version['refusal']}" if version["refusal"] else ""
        console.print(
            f"Classifier version {version['id']}, {version['created_at']:%Y-%m-%d %H:%M}, "
            f"{version['state']}{figures}{reason}",
            markup=False, soft_wrap=True,
        )  # fmt: skip


def show_jobs(found: dict[str, Any], console: Console) -> None:
    """Print each kind of job: how the last one ended, what is running, and when the next is due."""
    ended = {(job["kind"], job["key"]): _ended_line(job) for job in found["last"]}
    due = {(s["kind"], s["key"]): f"{s['next_due']:%Y-%m-%d %H:%M} UTC" for s in found["schedules"]}
    active: dict[tuple[str, str], str] = {}
    for job in [*found["waiting"], *found["running"]]:  # where both are, the running one is told
        active[job["kind"], job["key"]] = _active_line(job)
    console.print()
    table = Table("Job", "Now", "Last run", "Next run", box=None, padding=(0, 2, 0, 0))
    for name in sorted(ended | active | due):
        table.add_row(
            " ".join(name).strip(), active.get(name, ""), ended.get(name, "never"),
            due.get(name, "not scheduled"),
        )  # fmt: skip
    console.print(table)
    for job in found["last"]:
        if job["failure"]:
            what = f"{job['kind']} {job['key']}".strip()
            console.print(f"  {what} failed: {job['failure']}", markup=False, soft_wrap=True)
    if not found["is_worked"]:
        console.print("No worker is alive, so no job is run. Run: supportbot worker")


def _active_line(job: dict[str, Any]) -> str:
    if job["state"] == "waiting":
        return "waiting"
    parts = [
        "running" if job["fraction"] is None else f"{job['fraction']:.0%}",
        *([job["note"]] if job["note"] else []),
        *([] if job["seconds_left"] is None else [f"about {job['seconds_left']:.0f} s left"]),
    ]
    return ", ".join(parts)


def _ended_line(job: dict[str, Any]) -> str:
    took = "" if job["seconds"] is None else f", took {job['seconds']:.0f} s"
    return f"{job['finished_at']:%Y-%m-%d %H:%M} {job['state']}{took}"


def _run_line(run: dict[str, Any] | None) -> str:
    if run is None:
        return "never; run: supportbot reindex"
    if run["finished_at"] is None:
        return f"{run['started_at']:%Y-%m-%d %H:%M}, not finished"
    counts = run["counts"]
    line = (
        f"{run['finished_at']:%Y-%m-%d %H:%M}: {counts['indexed']} indexed, "
        f"{counts['unchanged']} unchanged, {counts['rejected']} rejected, "
        f"{counts['removed']} removed"
    )
    return line if run["is_complete"] else f"{line} (incomplete)"
