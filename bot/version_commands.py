"""`supportbot versions` and `supportbot rollback`: the trained classifiers, and back to one."""

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.storage.classifiers import Version
    from bot.versions import RolledBack

BY = "terminal"

cli = typer.Typer()


@cli.command()
def versions(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """The trained classifier versions, newest first: which is live, how good, and why."""
    from bot.app import open_engine
    from bot.settings import load_settings
    from bot.versions import listed

    settings = load_settings()

    async def read() -> "list[Version]":
        async with open_engine(settings) as engine:
            return await listed(engine)

    found = asyncio.run(read())
    if as_json:
        values = [asdict(version) for version in found]
        typer.echo(json.dumps(values, indent=2, default=str, ensure_ascii=False))
    else:
        _show(found)


@cli.command()
def rollback(
    version: Annotated[
        int | None, typer.Argument(help="Which version; the one before the live one if none.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Take even a version that was refused.")
    ] = False,
) -> None:
    """Make an earlier classifier version live again."""
    make_live("rollback", version, is_forced=force, is_rollback=True)


def make_live(name: str, version: int | None, *, is_forced: bool, is_rollback: bool) -> None:
    """Make a version live as the command of that name does; it is audited first."""
    from bot.app import open_app
    from bot.intents.registry import POLL_SECONDS
    from bot.settings import load_settings
    from bot.storage import audit
    from bot.versions import Serving, roll_back

    settings = load_settings()

    async def work() -> "RolledBack":
        async with open_app(settings) as app:
            serving = Serving(app.catalog.names, app.encoder_id)
            words = [*([str(version)] if version is not None else []), *["--force"] * is_forced]
            call = audit.Call(BY, "", BY, None, name, " ".join(words), is_allowed=True)
            await audit.note(app.engine, call)
            return await roll_back(
                app.engine, serving, BY, version, is_forced=is_forced, is_rollback=is_rollback
            )

    done = asyncio.run(work())
    instead = f" instead of version {done.former_id}" if done.former_id is not None else ""
    typer.echo(
        f"Version {done.version.id} is live{instead}. Running bots follow within "
        f"{POLL_SECONDS:.0f} seconds."
    )


def _show(found: "list[Version]") -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from bot.versions import lineage, share, story

    if not found:
        typer.echo("No classifier has been trained yet. Run: supportbot retrain")
        return
    columns = ("Version", "State", "Trained", "Accuracy", "Macro F1", "How that came")
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for version in found:
        table.add_row(
            str(version.id), version.state, f"{version.created_at:%Y-%m-%d %H:%M}",
            share(version, "accuracy"), share(version, "macro_f1"),
            escape("; ".join(filter(None, (story(version), lineage(version))))),
        )  # fmt: skip
    Console().print(table)
