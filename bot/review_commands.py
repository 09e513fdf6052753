"""`supportbot review`: settle what questions were about, one after the other, or list them."""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

# More than anybody settles at once, and few enough to print.
MOST_LISTED = 100

cli = typer.Typer()


@cli.command()
def review(
    as_json: Annotated[
        bool, typer.Option("--json", help="List what waits as JSON, and settle nothing.")
    ] = False,
) -> None:
    """Settle doubtful questions, the most informative first; retraining learns from them most."""
    from contextlib import AsyncExitStack

    from rich.console import Console

    from bot.app import catalog_of, open_engine
    from bot.platforms import terminal, terminal_review
    from bot.reviewing import Reviews, listed
    from bot.settings import load_settings

    settings = load_settings()
    catalog = catalog_of(settings)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            engine = runner.run(stack.enter_async_context(open_engine(settings)))
            desk = Reviews(engine, catalog, settings.intents.min_confidence)
            if as_json:
                shown, waiting = runner.run(listed(desk, terminal.person(), MOST_LISTED))
                values = {"waiting": waiting, "questions": [asdict(each) for each in shown]}
                typer.echo(json.dumps(values, indent=2, default=str, ensure_ascii=False))
            else:
                terminal_review.review(desk, terminal.person(), runner.run, Console())
        finally:
            # The database is told what went wrong, which it puts into a sentence.
            runner.run(stack.__aexit__(*sys.exc_info()))
