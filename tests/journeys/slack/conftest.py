"""The bot as it serves a Slack workspace, by Socket Mode and by signed events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from bot.app import App
from bot.assistant import Assistant
from bot.platforms.slack.access import Access
from bot.platforms.slack.service import Load, serve
from bot.platforms.slack.workspace import Options
from bot.storage.inbox import Flood
from ingest.__main__ import open_source
from ingest.parsing import Parser
from ingest.pipeline import Pipeline
from tests.intents.conftest import catalog, catalog_file, version_folder
from tests.journeys.slack.team import PAGES, Team
from tests.platforms.slack.fixtures import slack, slack_mode, slack_peer, slack_rules
from tests.platforms.slack.peer import free_port
from tests.platforms.slack.people import ADA, APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, SUPPORT
from tests.platforms.slack.workspace import Workspace

__all__ = [
    "catalog", "catalog_file", "slack", "slack_mode", "slack_peer", "slack_rules",
    "version_folder",
]  # fmt: skip


PATIENT = Flood(1000, 1000, 1000)


@pytest.fixture(params=["socket", "events"])
def slack_mode(request: pytest.FixtureRequest) -> str:  # noqa: F811
    """Both ways in which Slack brings events."""
    mode: str = request.param
    return mode


@pytest.fixture
async def indexed(app: App) -> App:
    """The app of a team with three pages."""
    for name, page in PAGES.items():
        (app.settings.directory / "documents" / name).write_text(page)
    with Parser() as parser:
        pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
        await pipeline.reindex(open_source(app.settings.sources[0]))
    return app


@pytest.fixture
def options() -> Options:
    """How the bot is set up; a test may replace this."""
    return Options(admins=frozenset({ADA}), handoff_channel=SUPPORT)


@pytest.fixture
async def team(
    indexed: App,
    slack: Workspace,
    slack_mode: str,
    options: Options,
) -> AsyncIterator[Team]:
    """The workspace with the bot in it."""
    async with serving(indexed, slack, slack_mode, options):
        yield Team(slack, indexed)


@asynccontextmanager
async def serving(
    app: App,
    slack: Workspace,
    mode: str,
    options: Options,
    assistant: Assistant | None = None,
    flood: Flood = PATIENT,
) -> AsyncIterator[None]:
    """Have the bot serve until the end of the block."""
    port = free_port() if mode == "events" else None
    access = Access(
        BOT_TOKEN, APP_TOKEN, SIGNING_SECRET, slack.api_url, "127.0.0.1", port, sockets=2
    )
    if port is not None:
        slack.strict.posts.url = f"http://127.0.0.1:{port}/slack/events"
    said = asyncio.Event()
    load = Load(flood, at_once=4)
    task = asyncio.create_task(
        serve(assistant or app.assistant(), access, options, load, lambda _: said.set())
    )
    ready = asyncio.create_task(said.wait())
    await asyncio.wait([task, ready], timeout=60, return_when=asyncio.FIRST_COMPLETED)
    assert said.is_set(), task
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
