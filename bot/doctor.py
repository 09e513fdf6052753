"""Checks everything supportbot needs, for `supportbot doctor`; each failure says what to do."""

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console
from sqlalchemy.exc import DBAPIError

from bot.app import catalog_of, database_url, model_spec, open_app
from bot.checks import Check
from bot.errors import CatalogError, SupportbotError
from bot.serving import slack_access, slack_options
from bot.settings import Settings, load_settings
from bot.storage.database import check, explain, is_recommended, open_setup_engine

FREE_BYTES = 2 * 1024**3
MIN_PYTHON = (3, 11)


async def examine(directory: Path) -> list[Check]:
    """All checks for the settings of a directory; a failure keeps the later ones from running
    only where they need what failed."""
    checks = [_python(), _disk(directory)]
    try:
        settings = load_settings(directory)
    except SupportbotError as error:
        return [*checks, Check("settings", False, "wrong", str(error))]
    checks.append(Check("settings", True, f"{len(settings.sources)} sources"))
    checks.append(_catalog(settings))
    checks += [check async for check in _services(settings)]
    return [*checks, _language_model(settings), *await _slack(settings), _discord(settings)]


def show_checks(checks: list[Check], console: Console) -> None:
    """Print the checks, a line each, and the advice below each that failed."""
    for item in checks:
        mark = "[green]ok  [/]" if item.is_ok else "[red]FAIL[/]"
        console.print(f"{mark} {item.name}: ", end="")
        console.print(item.found, markup=False, highlight=False, soft_wrap=True)
        if item.advice:
            console.print(f"     {item.advice}", markup=False, highlight=False, soft_wrap=True)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(
        "Python",
        sys.version_info >= MIN_PYTHON,
        version,
        "" if sys.version_info >= MIN_PYTHON else "Install Python 3.11 or newer.",
    )


def _disk(directory: Path) -> Check:
    free = shutil.disk_usage(directory).free
    is_ok = free >= FREE_BYTES
    return Check(
        "disk",
        is_ok,
        f"{free / 1024**3:.1f} GiB free",
        "" if is_ok else "Free at least 2 GiB, or move data_directory to a larger disk.",
    )


def _catalog(settings: Settings) -> Check:
    try:
        catalog = catalog_of(settings)
    except CatalogError as error:
        return Check("intents", False, "wrong", str(error))
    return Check("intents", True, f"{len(catalog.intents)} intents")


async def _services(settings: Settings) -> AsyncIterator[Check]:
    try:
        async with database_url(settings) as url:
            engine = open_setup_engine(url)
            try:
                postgres, pgvector = await check(engine)
            except DBAPIError as error:
                raise explain(error, url) from error
            finally:
                await engine.dispose()
            yield Check("Postgres", True, str(postgres))
            advice = (
                ""
                if is_recommended(pgvector)
                else "It works, but 0.8.4 or newer is safer: earlier ones can corrupt an HNSW "
                "index on vacuum. Install it, then run ALTER EXTENSION vector UPDATE."
            )
            yield Check("pgvector", True, pgvector, advice)
            async with open_app(settings) as app:
                yield Check("schema", True, "migrated")
                manifest = app.encoder.manifest
                yield Check(
                    "encoder", True, f"{manifest.model} ({manifest.precision}), hashes match"
                )
                stale = await app.stale_documents()
                yield Check(
                    "index",
                    not stale,
                    f"{stale} documents of another encoder" if stale else "of this encoder",
                    "Run: supportbot reindex" if stale else "",
                )
    except CatalogError:
        return  # told above; what the app would bring cannot be checked without it
    except SupportbotError as error:
        yield Check("services", False, type(error).__name__, str(error))


def _language_model(settings: Settings) -> Check:
    """Whether it can be opened; it is not asked anything, which would cost money."""
    spec = model_spec(settings)
    if spec is None:
        return Check("language model", True, "none, so answers are quotes")
    try:
        spec.check()
    except SupportbotError as error:
        return Check("language model", False, spec.name, str(error))
    return Check("language model", True, spec.name)


async def _slack(settings: Settings) -> list[Check]:
    """What Slack says, where there is a token for it."""
    try:
        access = slack_access(settings)
    except SupportbotError as error:
        return [Check("Slack tokens", False, "one missing", str(error))]
    if access is None:
        return [Check("Slack tokens", True, "none, so supportbot answers in the terminal")]
    from bot.platforms.slack.checks import check_slack

    return await check_slack(access, slack_options(settings))


def _discord(settings: Settings) -> Check:
    found = "none" if settings.secrets.discord_token is None else "present"
    return Check("Discord tokens", True, found)
