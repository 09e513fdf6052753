"""`supportbot gaps` and `supportbot answers`: what is not answered well, and what to answer."""

import asyncio
import json
import os
import shlex
import subprocess
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from bot.answer_lists import Listing
    from bot.app import App
    from bot.approving import Draft
    from bot.settings import Settings
    from bot.storage.jobs import Requested

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Number = Annotated[int, typer.Argument(help="The number that `supportbot answers list` shows.")]

cli = typer.Typer()
answers = typer.Typer(help="The answers that admins approved.", no_args_is_help=True)
cli.add_typer(answers, name="answers")


@cli.command()
def gaps(
    days: Annotated[int, typer.Option(min=1, max=365, help="How far to look back.")] = 30,
    as_json: Json = False,
) -> None:
    """What people asked and the documents did not answer well, by topics."""
    from bot import topics
    from bot.answer_lists import gaps_listing
    from bot.app import open_app

    settings = _settings()

    async def read() -> Any:
        async with open_app(settings) as app:
            encode = app.encoder.encode
            if as_json:
                return asdict(await topics.find(app.engine, encode, days))
            return await gaps_listing(app.engine, encode, days)

    found = asyncio.run(read())
    _print_json(found) if as_json else _show(found)


@answers.command("list")
def show_answers(as_json: Json = False) -> None:
    """The approved answers, those due for renewal first."""
    from bot.answer_lists import answers_listing
    from bot.app import open_engine
    from bot.storage import approved

    settings = _settings()

    async def read() -> Any:
        async with open_engine(settings) as engine:
            if as_json:
                return [asdict(answer) for answer in await approved.published(engine)]
            return await answers_listing(engine, settings.answers.renew_after_days)

    found = asyncio.run(read())
    _print_json(found) if as_json else _show(found)


@answers.command()
def add(
    question: Annotated[str | None, typer.Option(help="What people ask.")] = None,
    answer: Annotated[str | None, typer.Option(help="The answer, Markdown.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file that holds the answer.")] = None,
    turn: Annotated[
        int | None, typer.Option(help="Begin with this turn, as `gaps --json` names it.")
    ] = None,
    audience: Annotated[
        str, typer.Option(prompt="Who may get it (everyone, or slack:C0123ABC …)", help="Who may.")
    ] = "everyone",
    author: Annotated[str | None, typer.Option(help="Whose name it is cited with.")] = None,
) -> None:
    """Approve an answer, which is then a document; opens $EDITOR for what is not given."""
    from bot import approving
    from bot.approving import Approval, Draft
    from bot.platforms.terminal import question_of

    login = question_of("").person.id

    async def work(app: "App") -> "tuple[str, Requested]":
        draft = Draft(question or "", "", None, None)
        if turn is not None:
            draft = await approving.draft(app.engine, turn)
        asked, said = _written(draft, question, _given(answer, file))
        approval = Approval(
            asked, said, frozenset(audience.split()), f"terminal:{login}", author or login
        )
        number, job = await approving.approve(app.engine, approval, turn)
        return f"Answer {number} is approved; questions find it now.", job

    _do(work)


@answers.command()
def renew(number: Number) -> None:
    """Confirm that an answer still holds."""
    from bot import approving

    async def work(app: "App") -> "tuple[str, Requested]":
        job = await approving.renew(app.engine, number, "terminal")
        days = app.settings.answers.renew_after_days
        return f"Answer {number} is renewed for {days} days.", job

    _do(work)


@answers.command()
def withdraw(number: Number) -> None:
    """Take an answer back: no question finds it any more."""
    from bot import approving

    async def work(app: "App") -> "tuple[str, Requested]":
        job = await approving.withdraw(app.engine, number, "terminal")
        return f"Answer {number} is withdrawn: no question finds it any more.", job

    _do(work)


def _do(work: Any) -> None:
    """Do something that changes what the index must hold, and wait until it does."""
    from bot.app import open_app
    from bot.storage import jobs

    settings = _settings()

    async def do() -> None:
        async with open_app(settings) as app:
            said, job = await work(app)
            if await jobs.is_worked(app.engine):
                await jobs.wait_for(app.engine, job.job_id)
            else:
                await _take_in(settings)
            typer.echo(said)

    asyncio.run(do())


async def _take_in(settings: "Settings") -> None:
    """Bring the index in step with the approved answers, where no worker does.

    Raises:
        SourceError: that went wrong; the reason was printed.
    """
    from bot.app import reindex
    from bot.errors import SourceError
    from bot.messages import APPROVED_ANSWERS

    if await reindex(settings, APPROVED_ANSWERS, "--quiet"):
        raise SourceError(
            "It is stored, but the index does not hold it yet. Run: supportbot reindex "
            f"{APPROVED_ANSWERS}"
        )


def _given(answer: str | None, file: Path | None) -> str | None:
    from bot.errors import AnswerError

    if file is None:
        return answer
    if answer is not None:
        raise AnswerError("Give --answer or --file, not both.")
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AnswerError(f"{file} cannot be read: {error}. Give a UTF-8 text file.") from error


def _written(draft: "Draft", question: str | None, answer: str | None) -> tuple[str, str]:
    """The question and the answer; edited where either is not given.

    Raises:
        AnswerError: nothing was changed in the editor, or there is none.
    """
    from bot.errors import AnswerError

    asked, said = question or draft.question, draft.answer if answer is None else answer
    if answer is not None and asked:
        return asked, said
    begun = f"{asked}\n\n{said}\n"
    edited = _edited(begun)
    if edited == begun:
        raise AnswerError("Nothing was changed in the editor, so nothing is approved.")
    first, _, rest = edited.strip().partition("\n")
    return first.lstrip("# "), rest.strip()


def _edited(text: str) -> str:
    """The text as a person leaves it in their editor.

    Raises:
        AnswerError: there is no such editor, or it failed.
    """
    from bot.errors import AnswerError

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "answer.md"
        file.write_text(text, "utf-8")
        try:
            subprocess.run([*shlex.split(editor), str(file)], check=True)
            return file.read_text("utf-8")
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise AnswerError(
                f"The editor {editor!r} did not work ({error}). Set EDITOR to another, or give "
                "--question and --answer."
            ) from error


def _show(listing: "Listing") -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    if console.is_terminal:
        console.print(Markdown(listing.text, hyperlinks=False))
    else:
        typer.echo(listing.text)


def _settings() -> "Settings":
    from bot.settings import load_settings

    return load_settings()


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)
