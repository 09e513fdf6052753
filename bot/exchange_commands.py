"""`supportbot report`, `export`, `import` and `promote`: a version looked at, moved, made live."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.version_commands import BY, make_live

if TYPE_CHECKING:
    from bot.storage.classifiers import Version

cli = typer.Typer()

Number = Annotated[int, typer.Argument(help="Which version; `supportbot versions` lists them.")]


@cli.command()
def report(
    version: Number,
    picture: Annotated[
        Path | None, typer.Option(help="Save its picture of the intents as this PNG.")
    ] = None,
    panels: Annotated[
        Path | None, typer.Option(help="Save its four other panels as this PNG.")
    ] = None,
) -> None:
    """What the test of a version showed: by intent, confusions, calibration, what was compared."""
    from bot.app import open_engine
    from bot.errors import VersionError
    from bot.settings import load_settings
    from bot.storage import classifiers
    from bot.version_reports import report as written

    settings = load_settings()

    async def work() -> "tuple[Version | None, bytes | None, bytes | None]":
        async with open_engine(settings) as engine:
            found = await classifiers.find(engine, version)
            drawn = await classifiers.picture(engine, version)
            return found, drawn, await classifiers.panels(engine, version)

    found, *drawn = asyncio.run(work())
    if found is None:
        raise VersionError(f"There is no version {version}. `supportbot versions` lists them.")
    typer.echo(written(found))
    for target, content in zip((picture, panels), drawn, strict=True):
        if target is not None:
            _save(target, content, version)


@cli.command()
def promote(
    version: Number,
    force: Annotated[
        bool, typer.Option("--force", help="Take even a version that was refused.")
    ] = False,
) -> None:
    """Make a classifier version live; the refusal that was overruled stays in its history."""
    make_live("promote", version, is_forced=force, is_rollback=False)


@cli.command()
def export(
    version: Number, folder: Annotated[Path, typer.Argument(help="A folder that does not exist.")]
) -> None:
    """Write a version as a Hugging Face directory: safetensors and JSON."""
    from bot.app import open_app
    from bot.exchange import export_to
    from bot.settings import load_settings

    async def work() -> None:
        async with open_app(load_settings()) as app:
            await export_to(app, version, folder)

    _run(work())
    typer.echo(f"Version {version} is in {folder}. Its README.md says how to use it.")


@cli.command(name="import")
def import_(
    folder: Annotated[Path, typer.Argument(help="A folder that `supportbot export` wrote.")],
) -> None:
    """Judge the version in a folder beside the live one; it goes live if it is no worse."""
    from bot.app import open_app
    from bot.exchange import import_from
    from bot.job_reports import retraining_summary
    from bot.settings import load_settings

    async def work() -> dict[str, Any]:
        async with open_app(load_settings()) as app:
            return await import_from(app, folder, BY, lambda _share, _note: None)

    result = _run(work())
    typer.echo(retraining_summary(result))
    if not result["is_live"]:
        raise typer.Exit(1)


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    from bot.errors import TrainingError

    try:
        return asyncio.run(work)
    except ModuleNotFoundError as error:
        raise TrainingError(
            f"This needs the package {error.name!r}. Run: pip install 'supportbot[train]'"
        ) from None


def _save(target: Path, content: bytes | None, version: int) -> None:
    from bot.errors import VersionError

    if content is None:
        raise VersionError(f"No picture of version {version} is kept.")
    try:
        target.write_bytes(content)
    except OSError as error:
        raise VersionError(f"{target} cannot be written: {error.strerror}.") from None
    typer.echo(f"Saved {target}.")
