"""What those who look after the bot see of its work, as Markdown."""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from bot import job_reports, versions
from bot.messages import APPROVED_ANSWERS
from bot.storage import activity, classifiers, documents, examples, jobs, runs
from bot.storage.classifiers import Version
from bot.storage.documents import SourceSize
from bot.storage.runs import Run

SHOWN_JOBS = 10
SHOWN_VERSIONS = 10
SHOWN_PROBLEMS = 2
SHOWN_CHARACTERS = 150
HOUR, DAY = 3600, 86_400
MARKUP = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_{}[]<>#+-.!|~&:"})

NO_WORKER = "No worker is alive, so no job is run. The operator starts one: `supportbot worker`."


def literal(text: str, characters: int = SHOWN_CHARACTERS) -> str:
    """Text of people or documents on one line, in which Markdown finds no markup."""
    line = " ".join(text.split())
    short = line if len(line) <= characters else line[: characters - 1] + "…"
    return short.translate(MARKUP)


def ago(then: datetime, now: datetime | None = None) -> str:
    """How long ago something was, roughly, such as "3 hours ago"."""
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    if seconds >= 2 * HOUR:
        unit, name = (DAY, "days") if seconds >= 2 * DAY else (HOUR, "hours")
        return f"{seconds // unit:.0f} {name} ago"
    if seconds >= HOUR:
        return "an hour ago"
    if seconds >= 120:
        return f"{seconds // 60:.0f} minutes ago"
    return "a minute ago" if seconds >= 60 else "just now"


async def jobs_overview(engine: AsyncEngine) -> str:
    """The running and waiting jobs, with percent and time left."""
    active = await jobs.active(engine)
    lines = [f"- {literal(job_reports.line(job))}" for job in active[:SHOWN_JOBS]]
    if len(active) > SHOWN_JOBS:
        lines.append(f"- … and {len(active) - SHOWN_JOBS} more")
    if active and not await jobs.is_worked(engine):
        lines += ["", NO_WORKER]
    return "\n".join(lines or ["No job is running or waiting."])


async def activity_overview(engine: AsyncEngine) -> str:
    """Questions and ratings of the week, and the open hand-offs."""
    week = await activity.count(engine)
    handoffs = _number(week.open_handoffs, "hand-off is", "hand-offs are")
    return (
        f"This week {_number(week.questions, 'question was', 'questions were')} asked, rated "
        f"👍 {week.up} and 👎 {week.down}. {handoffs} open."
    )


async def live_overview(engine: AsyncEngine) -> str:
    """The live classifier version and how it did on its test."""
    live_id = await classifiers.live_id(engine)
    live = await classifiers.find(engine, live_id) if live_id is not None else None
    if live is None:
        return "No classifier has been trained yet; every message goes to the documents."
    return f"Version {live.id} of the classifier is live{_figures(live)}."


async def sources_overview(engine: AsyncEngine, names: Sequence[str]) -> str:
    """The sources that are set up: their size, last reindex and first problems."""
    if not names:
        return "No source is set up. The operator names them in `supportbot.toml`."
    sizes, last = await documents.sizes(engine), await runs.last_runs(engine)
    lines = []
    for name in names:
        size = sizes.get(name, SourceSize(0, 0))
        run = last.get(name)
        if name == APPROVED_ANSWERS and run is None:
            continue
        counted = _number(size.documents, "document", "documents")
        lines.append(f"- **{literal(name)}**: {counted}, {_run_line(run)}")
        problems = run.problems if run else []
        lines += [f"  - {literal(problem, 300)}" for problem in problems[:SHOWN_PROBLEMS]]
        if len(problems) > SHOWN_PROBLEMS:
            lines.append(f"  - … and {len(problems) - SHOWN_PROBLEMS} more problems")
    return "\n".join(lines)


async def versions_overview(engine: AsyncEngine) -> str:
    """The classifier versions trained last, newest first."""
    found = await versions.listed(engine, SHOWN_VERSIONS)
    if not found:
        return "No classifier has been trained yet. `retrain` trains the first."
    return "\n".join(f"- {_version_line(version)}" for version in found)


async def barred_overview(engine: AsyncEngine) -> str:
    """The people whose questions and ratings are not learnt from."""
    barred = await examples.barred(engine)
    if not barred:
        return "Nobody is barred: everybody's ratings are learnt from."
    lines = [
        f"- {literal(each.person.platform)}:{literal(each.person.id)}, by "
        f"{literal(each.barred_by)} {ago(each.barred_at)}"
        for each in barred
    ]
    return "\n".join(["Nothing is learnt from:", "", *lines])


def _run_line(run: Run | None) -> str:
    if run is None:
        return "never indexed"
    if run.finished_at is None:
        return f"a reindex began {ago(run.started_at)} and has not ended"
    if not run.is_complete:
        return f"the last reindex, {ago(run.finished_at)}, was not complete"
    counts = run.counts
    return (
        f"updated {ago(run.finished_at)} ({counts.indexed} indexed, {counts.unchanged} unchanged, "
        f"{counts.rejected} rejected, {counts.removed} removed)"
    )


def _version_line(version: Version) -> str:
    story = versions.story(version)
    told = f"; {literal(story, 300)}" if story else ""
    trained = f"{version.created_at:%Y-%m-%d %H:%M}"
    return f"**{version.id}**, {version.state}, trained {trained}{_figures(version)}{told}"


def _figures(version: Version) -> str:
    accuracy, macro_f1 = versions.share(version, "accuracy"), versions.share(version, "macro_f1")
    return f", accuracy {accuracy}, macro F1 {macro_f1}" if accuracy and macro_f1 else ""


def _number(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
