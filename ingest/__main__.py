"""`python -m ingest`: bring the index in step with the sources, and report."""

import argparse
import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import partial

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import open_app, open_engine
from bot.child import TRY_AGAIN, end_with_parent, report_failure, report_result
from bot.child import report as report_progress
from bot.errors import DatabaseError, SourceBusyError, SourceError, SupportbotError
from bot.messages import APPROVED_ANSWERS
from bot.settings import load_settings
from bot.settings_schema import HANDBOOK, SourceSettings
from bot.storage import approved, documents, vector_index, words
from ingest.parsing import Parser
from ingest.pipeline import Pipeline, Report
from ingest.pipeline import Progress as Tell
from ingest.sources.approved import ApprovedSource
from ingest.sources.folder import FolderSource

PLAIN_SECONDS = 10.0
BUSY_SECONDS = 1.0
SHOWN_PROBLEMS = 20

notices = Console(stderr=True, highlight=False)


def main() -> None:
    """Reindex as the command line says; exit status 1 where there were problems."""
    parser = argparse.ArgumentParser(prog="supportbot reindex")
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--allow-shrink", action="store_true")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--forget", action="store_true")
    parser.add_argument("--quiet", action="store_true", help="say nothing where nothing changed")
    parser.add_argument("--as-job", action="store_true", help="talk to a worker, as bot.child says")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if arguments.as_job:
        sys.exit(run_as_job(*arguments.sources, allow_shrink=arguments.allow_shrink))
    try:
        if arguments.forget:
            asyncio.run(forget(arguments.sources))
            return
        reports = asyncio.run(reindex(arguments.sources, allow_shrink=arguments.allow_shrink))
    except SupportbotError as error:
        notices.print(str(error), style="red", markup=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        notices.print("Stopped; what was indexed stays, the rest follows at the next reindex.")
        sys.exit(130)
    if arguments.as_json:
        json.dump([asdict(report) for report in reports], sys.stdout, ensure_ascii=False, indent=2)
    else:
        for report in reports:
            show(report, quiet=arguments.quiet)
    sys.exit(1 if any(report.problems for report in reports) else 0)


def run_as_job(source: str, *, allow_shrink: bool) -> int:
    """Reindex a source for a worker, which hears of it as `bot.child` says; the exit status."""
    end_with_parent()
    try:
        (report,) = asyncio.run(
            reindex([source], allow_shrink=allow_shrink, told=told_to_worker, is_patient=True)
        )
        if not report.is_complete:
            raise SourceError(" ".join(report.problems))
    except SupportbotError as error:
        report_failure(error)
        return TRY_AGAIN if isinstance(error, DatabaseError) else 1
    report_result(asdict(report))
    return 0


async def reindex(
    names: list[str],
    *,
    allow_shrink: bool,
    told: Callable[[str], AbstractContextManager[Tell]] | None = None,
    is_patient: bool = False,
) -> list[Report]:
    """Reindex the sources of these names, all if there are none.

    `told` shows the progress of a source; `is_patient` waits for another reindex of it to end.

    Raises:
        SourceError: there is no source of such a name, or it is being reindexed already.
    """
    settings = load_settings()
    known = {source.name: source for source in settings.sources}
    for name in names:
        if name not in known and name != APPROVED_ANSWERS:
            raise SourceError(f"There is no source {name!r}. There are: {', '.join(known)}.")
    async with open_app(settings, say) as app:
        await words.use_language(app.engine, settings.language)
        indexed = set(await documents.sizes(app.engine))
        await leave(app.engine, indexed - known.keys() - {APPROVED_ANSWERS})
        if not names:
            has_answers = APPROVED_ANSWERS in indexed or await approved.published(app.engine)
            names = [*known, *([APPROVED_ANSWERS] if has_answers else [])]
        with Parser() as parser:
            pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
            reports = []
            for name in names:
                with (told or told_to_person)(name) as tell:
                    work = partial(
                        _reindex, pipeline, app.engine, known.get(name), allow_shrink, tell
                    )
                    reports.append(await (when_free(work) if is_patient else work()))
        await vector_index.ensure(
            app.engine, app.encoder_id, app.encoder.dimension, settings.search.exact_up_to
        )
    return reports


async def _reindex(
    pipeline: Pipeline,
    engine: AsyncEngine,
    settings: SourceSettings | None,
    allow_shrink: bool,
    tell: Tell,
) -> Report:
    """Reindex a source of the settings; without settings, the answers as they are approved now."""
    if settings is None:
        answers = ApprovedSource(await approved.published(engine))
        # What is gone was withdrawn: no disk can be missing.
        return await pipeline.reindex(answers, allow_shrink=True, progress=tell)
    source = open_source(settings)
    return await pipeline.reindex(source, allow_shrink=allow_shrink, progress=tell)


async def when_free(work: Callable[[], Awaitable[Report]]) -> Report:
    """The report of a reindex, which waits for as long as another process reindexes its source."""
    while True:
        try:
            return await work()
        except SourceBusyError:
            report_progress(None, "waiting for another reindex of this source to end")
            await asyncio.sleep(BUSY_SECONDS)


async def leave(engine: AsyncEngine, unset: set[str]) -> None:
    """Deal with sources that are indexed but no longer in the settings.

    The handbook goes by itself once a team has documents of its own; others may be another
    process's and are only named.
    """
    for name in sorted(unset):
        if name == HANDBOOK:
            await documents.forget_source(engine, name)
            say("The handbook is no longer answered from, as you have set your own sources.")
        else:
            say(
                f"The source {name!r} is indexed but no longer in supportbot.toml. To remove its "
                f"documents, run: supportbot reindex --forget {name}"
            )


def say(sentence: str) -> None:
    """Tell what a first start waits for."""
    notices.print(sentence, style="dim", markup=False)


async def forget(names: list[str]) -> None:
    """Remove the documents of these sources from the index; the sources themselves stay.

    Raises:
        SourceError: none is named, or one is still in the settings, which would index it again.
    """
    settings = load_settings()
    configured = {source.name for source in settings.sources}
    if APPROVED_ANSWERS in names:
        raise SourceError("Approved answers are taken back with: supportbot answers withdraw")
    if not names or configured & set(names):
        raise SourceError(
            "Name the sources to forget, and take them out of supportbot.toml first: the next "
            "reindex would bring them back."
        )
    async with open_engine(settings) as engine:
        for name in names:
            removed = await documents.forget_source(engine, name)
            notices.print(f"{name}: {removed} documents removed", markup=False)


def open_source(settings: SourceSettings) -> FolderSource:
    """The source that the settings describe."""
    return FolderSource(
        settings.name,
        settings.folder,
        include=settings.include,
        exclude=settings.exclude,
        url=settings.url,
        audience=settings.audience,
    )


@contextmanager
def told_to_worker(_source: str) -> Iterator[Tell]:
    """Reports progress as a child does."""
    started = time.monotonic()

    def tell(done: int, total: int) -> None:
        left = (time.monotonic() - started) / done * (total - done) if done else None
        report_progress(done / total if total else None, f"{done} of {total} documents", left)

    yield tell


@contextmanager
def told_to_person(source: str) -> Iterator[Tell]:
    """Shows progress: a bar on a terminal, a line every ten seconds elsewhere."""
    if notices.is_terminal:
        with Progress(
            TextColumn("Indexing {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.speed:.0f}/s", justify="right"),
            TimeRemainingColumn(),
            console=notices,
            transient=True,
        ) as bar:
            task = bar.add_task(source, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    started = last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= PLAIN_SECONDS and done:
            last = now
            rate = done / (now - started)
            notices.print(
                f"Indexing {source}: {done} of {total} documents, {rate:.0f}/s, "
                f"{(total - done) / rate:.0f} s left"
            )

    yield tell


def show(report: Report, *, quiet: bool) -> None:
    """Print what a reindex did, every document counted once, and its problems."""
    counts = report.counts
    if not quiet or counts.indexed or counts.removed or report.problems:
        total = counts.indexed + counts.unchanged + counts.rejected
        notices.print(
            f"{report.source}: {total} documents: {counts.indexed} indexed, {counts.unchanged} "
            f"unchanged, {counts.rejected} rejected; {counts.removed} removed",
            markup=False,
        )
    for problem in report.problems[:SHOWN_PROBLEMS]:
        notices.print(f"  {problem}", markup=False, soft_wrap=True)
    if len(report.problems) > SHOWN_PROBLEMS:
        notices.print(
            f"  … and {len(report.problems) - SHOWN_PROBLEMS} more; see supportbot status"
        )


if __name__ == "__main__":
    main()
