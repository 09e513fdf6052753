"""`supportbot db`: the database's schema, by hand."""

import asyncio
from typing import Annotated

import typer

cli = typer.Typer(help="The database's schema.", no_args_is_help=True)


@cli.command()
def upgrade() -> None:
    """Migrate to the newest schema; every start does this too."""
    from bot.app import migrate_database
    from bot.settings import load_settings

    typer.echo(f"The database is at revision {asyncio.run(migrate_database(load_settings()))}.")


@cli.command()
def downgrade(
    revision: Annotated[str, typer.Argument(help='A revision, or "base" to remove every table.')],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Migrate down to a revision; what newer tables hold is lost."""
    from bot.app import migrate_database
    from bot.settings import load_settings

    if not yes:
        typer.confirm(f"Data of revisions after {revision} is deleted. Go on?", abort=True)
    reached = asyncio.run(migrate_database(load_settings(), down_to=revision))
    typer.echo(f"The database is at revision {reached}.")


@cli.command()
def current() -> None:
    """Print the schema's revision."""
    from bot.app import database_revision
    from bot.settings import load_settings

    typer.echo(asyncio.run(database_revision(load_settings())))
