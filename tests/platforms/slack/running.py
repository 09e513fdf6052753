"""The bot as `supportbot run` serves Slack, on a few pages, for the tests of what people do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.app import App
from bot.assistant import Assistant
from bot.platforms.slack.access import Access
from bot.platforms.slack.service import Load, serve
from bot.platforms.slack.workspace import Options
from bot.rag.generative import Writer
from bot.rag.language_model import LanguageModel, ModelSpec
from bot.storage.inbox import Flood
from ingest.__main__ import open_source
from ingest.parsing import Parser
from ingest.pipeline import Pipeline
from tests.llm_server import LlmServer
from tests.platforms.slack.people import APP_TOKEN, BOT_TOKEN, SUPPORT
from tests.platforms.slack.workspace import Workspace

PAGES = {
    "refunds.md": "# Refunds\n\nRefunds are paid within five working days.\n",
    "vpn.md": "# VPN\n\nInstall the client, then run vpn-connect in a shell.\n",
    "webhooks.md": "# Webhooks\n\nSend a webhook like this:\n\n"
    "```sh\ncurl http://hooks.example/new\n```\n\n"
    "A webhook is described in [the guide](http://guide.example/) of @here.\n",
    "holidays.md": "# Holidays\n\nEverybody has thirty days of holiday a year.\n",
}
REFUND = "How long does a refund take?"
WEATHER = "Who won the world cup in 1990?"
FLOOD = Flood(per_person=1000, per_channel=1000, at_once=1000)


@pytest.fixture
async def assistant(home: Path, app: App) -> Assistant:
    """The assistant on these pages, without a classifier and without a language model."""
    for name, page in PAGES.items():
        (home / "documents" / name).write_text(page)
    with Parser() as parser:
        pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
        await pipeline.reindex(open_source(app.settings.sources[0]))
    return app.assistant()


@pytest.fixture
def options() -> Options:
    """A team to hand over to; a test that wants others overrides it."""
    return Options(handoff_channel=SUPPORT, handoff_group="S01HELPERS")


@pytest.fixture
async def bot(assistant: Assistant, slack: Workspace, options: Options) -> AsyncIterator[None]:
    """The bot, answering in the test's Slack."""
    async with serving(assistant, slack, options):
        yield


@asynccontextmanager
async def serving(
    assistant: Assistant, slack: Workspace, options: Options, at_once: int = 8
) -> AsyncIterator[None]:
    """Serve Slack to the end of the block."""
    is_connected = asyncio.Event()
    access = Access(BOT_TOKEN, APP_TOKEN, None, slack.api_url, "127.0.0.1", None, sockets=1)
    load = Load(FLOOD, at_once)
    task = asyncio.create_task(
        serve(assistant, access, options, load, lambda _: is_connected.set())
    )
    connecting = asyncio.create_task(is_connected.wait())
    try:
        async with asyncio.timeout(60):
            await asyncio.wait([task, connecting], return_when=asyncio.FIRST_COMPLETED)
        yield
    finally:
        for each in (task, connecting):
            each.cancel()
        await asyncio.wait([task, connecting])
        if not task.cancelled():
            task.result()


def writing(assistant: Assistant, server: LlmServer) -> Assistant:
    """The assistant with answers written by that server."""
    spec = ModelSpec("openai/scripted", server.url, "a key", timeout_seconds=20)
    return replace(assistant, writer=Writer(LanguageModel(spec), 20))
