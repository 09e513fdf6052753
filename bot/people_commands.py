"""`supportbot forget-me`, `bar`, `unbar` and `barred`: people who are taken out, or left out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

BY = "terminal"

Platform = Annotated[str, typer.Argument(help="Where the person is: slack, discord or terminal.")]
Id = Annotated[str, typer.Argument(help="The id there, such as U0123ABC, or a login name.")]

cli = typer.Typer()


@cli.command()
def forget_me(platform: Platform, person: Id) -> None:
    """Delete all that is stored of a person, and have them in no later version."""
    from bot import forgetting
    from bot.messages import Person

    _run(lambda engine: _said(forgetting.forget(engine, Person(platform, person))))


@cli.command()
def bar(platform: Platform, person: Id) -> None:
    """Learn no longer from what a person asks and rates, as of one who sends spam."""
    from bot import forgetting

    found = forgetting.person_of(person, platform)
    _run(lambda engine: forgetting.bar(engine, found, BY))


@cli.command()
def unbar(platform: Platform, person: Id) -> None:
    """Learn from a person again."""
    from bot import forgetting

    found = forgetting.person_of(person, platform)
    _run(lambda engine: forgetting.unbar(engine, found))


@cli.command()
def barred() -> None:
    """Who is barred, and since when."""
    from bot.storage import examples

    async def listed(engine: "AsyncEngine") -> str:
        lines = [
            f"{each.person.platform} {each.person.id}, by {each.barred_by} on "
            f"{each.barred_at:%Y-%m-%d}"
            for each in await examples.barred(engine)
        ]
        return "\n".join(lines) or "Nobody is barred."

    _run(listed)


async def _said(done: Awaitable[object]) -> str:
    return str(await done)


def _run(work: "Callable[[AsyncEngine], Awaitable[str]]") -> None:
    """Do it on the database of this folder's settings, and print what is said of it."""
    from bot.app import open_engine
    from bot.settings import load_settings

    settings = load_settings()

    async def run() -> str:
        async with open_engine(settings) as engine:
            return await work(engine)

    typer.echo(asyncio.run(run()))
