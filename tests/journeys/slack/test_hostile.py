"""Texts that try to ping, to link, to break out or to give orders, through everything people and
documents can say. `SUPPORTBOT_HOSTILE=1000` tries them all."""

import asyncio
import os
from typing import Any

import pytest
from sqlalchemy import text

from bot.app import App
from bot.platforms.slack.workspace import Options
from ingest.__main__ import open_source
from ingest.parsing import Parser
from ingest.pipeline import Pipeline
from tests.hostile import hostile_texts
from tests.journeys.slack.conftest import serving
from tests.platforms.slack.block_kit import links, mentions, message_problems
from tests.platforms.slack.people import ALICE, BOB, GENERAL, SUPPORT
from tests.platforms.slack.workspace import Workspace

TRIED = int(os.environ.get("SUPPORTBOT_HOSTILE", "90"))
MAX_QUESTION = 3000

pytestmark = [
    pytest.mark.parametrize("slack_mode", ["socket"]),
    pytest.mark.timeout(900),
]


def texts() -> list[str]:
    """An even choice of the hostile texts, as Slack lets people type them."""
    found = [hostile.encode("utf-8", "ignore").decode() for hostile in hostile_texts()]
    found += [f"{one}\n{other}" for one, other in zip(found, reversed(found), strict=True)]
    return found[:: max(1, len(found) // TRIED)]


@pytest.fixture
async def poisoned(app: App) -> App:
    """The app of a team whose documents are hostile."""
    folder = app.settings.directory / "documents"
    for number, hostile in enumerate(texts()):
        title = " ".join(hostile.split())[:200]
        page = f"# {title}\n\nRefund number {number}: {hostile[:2000]}\n"
        (folder / f"{number}.md").write_text(page)
    with Parser() as parser:
        pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
        await pipeline.reindex(open_source(app.settings.sources[0]))
    return app


async def test_no_text_pings_anybody_or_links_anywhere(
    poisoned: App, slack: Workspace, slack_mode: str, options: Options
) -> None:
    asked = 0
    async with serving(poisoned, slack, slack_mode, options):
        for number, hostile in enumerate(texts()):
            escaped = hostile.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            words = f"what about refund number {number} {escaped}"[:MAX_QUESTION]
            await slack.ask(ALICE, GENERAL, words)
            asked += 1
        await slack.wait_for(lambda: _is_answered(poisoned, asked), 600)
        for message in await slack.final_messages(GENERAL):
            await _hand_over(slack, message)
        handed = await slack.wait_for(lambda: slack.final_messages(SUPPORT), 60)
    shown = [*await slack.final_messages(GENERAL), *handed]
    assert len(shown) > asked
    for message in shown:
        assert_harmless(message)
    refused = {ended for (_, ended), number in slack.journal.counts.items() if number}
    assert not refused & {"invalid_blocks", "msg_too_long", "invalid_arguments"}


def assert_harmless(message: dict[str, Any]) -> None:
    """Nobody is mentioned, and what is linked is where the question stands: these documents have
    no address to cite, and a hand-off names the channel and the message it came from."""
    content = {"text": message.get("text", ""), "blocks": message.get("blocks") or []}
    assert not message_problems(content), content
    assert not [each for each in mentions(content) if GENERAL not in each], content
    assert all(f"/archives/{GENERAL}/" in url for url in links(content)), content


async def _is_answered(app: App, asked: int) -> bool:
    await asyncio.sleep(0.5)
    async with app.engine.connect() as connection:
        statement = text("SELECT count(*) FROM inbox WHERE state = 'answered'")
        return (await connection.scalar(statement) or 0) >= asked


async def _hand_over(slack: Workspace, message: dict[str, Any]) -> None:
    """Ask for a person under every tenth answer."""
    if int(message["ts"].rpartition(".")[2]) % 10:
        return
    for block in message.get("blocks") or []:
        for element in block.get("elements", ()):
            if element.get("action_id") == "person":
                await slack.press(BOB, GENERAL, message["ts"], "person", element["value"])
