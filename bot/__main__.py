"""The `supportbot` command line."""

import asyncio
import json
import logging
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console

from bot import (
    answer_commands,
    database_commands,
    exchange_commands,
    people_commands,
    review_commands,
    version_commands,
)
from bot.errors import SupportbotError

if TYPE_CHECKING:
    from bot.settings import Settings

ABSTAINED = 3
INTERRUPTED = 130

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

cli = typer.Typer(
    name="supportbot",
    help="A support assistant that answers from your own documents and cites them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.add_typer(version_commands.cli)
cli.add_typer(review_commands.cli)
cli.add_typer(people_commands.cli)
cli.add_typer(exchange_commands.cli)
cli.add_typer(answer_commands.cli)
cli.add_typer(database_commands.cli, name="db")
notices = Console(stderr=True, highlight=False)


def main() -> None:
    """Run a command; errors are sentences on stderr, Ctrl-C ends with status 130."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        cli()
    except SupportbotError as error:
        notices.print(str(error), style="red", markup=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        notices.print("Stopped.")
        sys.exit(INTERRUPTED)


@cli.command()
def run(
    worker: Annotated[
        bool, typer.Option(help="Work jobs beside, such as scheduled reindexes.")
    ] = True,
) -> None:
    """Bring the index up to date and answer: in Slack where its tokens are set, else here."""
    from bot.serving import serve_chats, slack_access

    settings = _settings()
    access = slack_access(settings)
    if access is None:
        _chat(is_refreshing=True, has_worker=worker)
    else:
        _run(serve_chats(settings, access, _say, has_worker=worker))


@cli.command()
def chat() -> None:
    """Answer questions in this terminal from the index as it is."""
    _chat(is_refreshing=False, has_worker=False)


@cli.command()
def ask(
    question: str,
    as_json: Json = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Bring the index up to date first.")
    ] = False,
) -> None:
    """Answer one question and exit: 0 answered, 3 not sure, 1 failed."""
    from bot.app import open_app
    from bot.messages import Outcome, Turn
    from bot.platforms import terminal

    settings = _settings()

    async def answer() -> Turn:
        async with open_app(settings, _say) as app:
            await _index(app, is_refreshing=refresh)
            asked = terminal.question_of(question)
            if as_json:
                return await app.assistant().answer(asked)
            return await terminal.ask(app.assistant(), asked, Console())

    turn = _run(answer())
    if as_json:
        passages = {"passages": [asdict(passage.scores) for passage in turn.answer.passages]}
        _print_json({"turn": turn.id} | asdict(turn.answer) | passages)
    codes = {Outcome.ANSWERED: 0, Outcome.ABSTAINED: ABSTAINED}
    raise typer.Exit(codes.get(turn.answer.outcome, 1))


@cli.command()
def reindex(
    sources: Annotated[list[str] | None, typer.Argument(help="Which sources; all if none.")] = None,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Remove even more than 30 % of a source.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Remove sources that are no longer in the settings.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the index in step with the sources; only what changed is read and encoded."""
    from bot.app import reindex as run_reindex

    arguments = [*(sources or ())]
    arguments += ["--allow-shrink"] if allow_shrink else []
    arguments += ["--forget"] if forget else []
    arguments += ["--json"] if as_json else []

    raise typer.Exit(_run(run_reindex(_settings(), *arguments)))


@cli.command()
def worker() -> None:
    """Work jobs, such as scheduled reindexes and retrainings, until Ctrl-C."""
    from bot.background import become_worker

    become_worker(_settings())


@cli.command()
def retrain(as_json: Json = False) -> None:
    """Train the classifier anew from the catalog, and wait for the end."""
    from bot.background import retrain as request_retraining
    from bot.background import shown
    from bot.job_reports import ending

    with shown(notices) as show:
        job = _run(request_retraining(_settings(), "terminal", show, _say))
    _print_json(job.as_values()) if as_json else typer.echo(ending(job))
    raise typer.Exit(0 if job.state == "succeeded" else 1)


@cli.command()
def status(as_json: Json = False) -> None:
    """What is indexed, how the last reindex went, and how questions ended."""
    from bot.status import collect, show_status

    found = _run(collect(_settings(), _say))
    _print_json(found) if as_json else show_status(found, Console())


@cli.command()
def doctor(as_json: Json = False) -> None:
    """Check everything supportbot needs, and say what to do where something is wrong."""
    from bot.doctor import examine, show_checks

    checks = _run(examine(Path.cwd()))
    _print_json([asdict(check) for check in checks]) if as_json else show_checks(checks, Console())
    raise typer.Exit(0 if all(check.is_ok for check in checks) else 1)


@cli.command()
def evaluate(
    questions: Annotated[
        Path | None, typer.Argument(help='JSON lines: {"question": "…", "uri": "install.md"}')
    ] = None,
    cases: Annotated[
        bool, typer.Option("--cases", help="Ask again what people rated wrong or incomplete.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure the answers to your own questions, or to those that people rated down."""
    from bot.app import open_app
    from bot.evaluation import ask_cases, evaluate_questions, read_questions, show_report

    if cases == (questions is not None):
        raise typer.BadParameter("Give a file of questions, or --cases.")
    settings = _settings()
    asked = read_questions(questions) if questions else []

    async def work() -> dict[str, Any]:
        async with open_app(settings, _say) as app:
            await _index(app, is_refreshing=False)
            if cases:
                return await ask_cases(app)
            return await evaluate_questions(app.assistant(), asked)

    report = _run(work())
    _print_json(report) if as_json else show_report(report, Console())


@cli.command()
def init() -> None:
    """Write a commented supportbot.toml into this folder."""
    from bot.settings import write_example

    typer.echo(f"Wrote {write_example(Path.cwd())}. Edit it, then run: supportbot run")


@cli.command()
def slack_manifest(
    http: Annotated[
        str | None,
        typer.Option(help="Where Slack posts events, such as https://bot.example.com."),
    ] = None,
) -> None:
    """Print the Slack app's manifest, to paste into "From a manifest"."""
    from bot.platforms.slack.manifest import write_manifest

    typer.echo(write_manifest(http), nl=False)


def _chat(*, is_refreshing: bool, has_worker: bool) -> None:
    from contextlib import AsyncExitStack

    from bot.app import open_app
    from bot.platforms.terminal import chat as talk

    settings = _settings()
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            app = runner.run(stack.enter_async_context(open_app(settings, _say)))
            runner.run(_index(app, is_refreshing=is_refreshing))
            if has_worker:
                from bot.background import worker_beside

                runner.run(stack.enter_async_context(worker_beside(settings)))
            if is_refreshing:
                from bot.background import train_first

                runner.run(train_first(app, _say))
            talk(app.assistant(), runner.run, Console())
        finally:
            runner.run(stack.aclose())


async def _index(app: Any, *, is_refreshing: bool) -> None:
    """Reindex where it was asked for or never done, and say what a changed encoder needs."""
    from bot.app import reindex as run_reindex

    if is_refreshing or await app.unindexed_sources():
        await run_reindex(app.settings, "--quiet")
    elif stale := await app.stale_documents():
        _say(
            f"{stale} documents were indexed with another encoder; they are found by their words "
            "alone until you run: supportbot reindex"
        )


def _settings() -> "Settings":
    from bot.settings import load_settings

    return load_settings()


def _run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def _say(sentence: str) -> None:
    notices.print(sentence, style="dim", markup=False)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


if __name__ == "__main__":
    main()
