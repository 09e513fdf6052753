"""A topic that is taken wrong, named right by several people, is right after a retraining."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from bot import retraining
from bot.app import App
from bot.intents.registry import POLL_SECONDS, LiveClassifier
from bot.platforms.slack.workspace import Options
from tests.journeys.slack.conftest import serving
from tests.journeys.test_intents import settings, stored
from tests.platforms.slack.people import ADA, ALICE, BOB, CAROL, GENERAL
from tests.platforms.slack.test_rating import modal, press, whispered
from tests.platforms.slack.workspace import Workspace

__all__ = ["settings"]

WANTED = "talk_to_a_person"
# What nothing in the catalog is like, and everybody means the same by.
ASKED = (
    "the printer on floor two is broken, send a technician",
    "please send a technician, the coffee machine leaks",
    "my monitor is broken, can a technician come over",
    "we need a technician for the broken door lock",
    "a technician must repair the projector in room five",
    "send a technician to fix the heating in the office",
    "the lift is broken again, a technician should look at it",
    "could a technician come and repair my headset",
    "the scanner is broken, please have a technician visit",
)
NEXT = "the dishwasher is broken, send a technician please"


@pytest.fixture
def slack_mode() -> str:
    """One way in is enough: what comes of ratings does not depend on it."""
    return "socket"


async def routed(app: App, slack: Workspace) -> str | None:
    """The intent that the next such question is taken for."""
    ts = await slack.ask(ALICE, GENERAL, NEXT)
    await slack.wait_for_answers(GENERAL, ts)
    return await last_intent(app)


async def last_intent(app: App) -> str | None:
    """The intent that the last question was taken for."""
    async with app.engine.connect() as connection:
        intent: str | None = await connection.scalar(
            text("SELECT intent FROM turns ORDER BY id DESC LIMIT 1")
        )
    return intent


async def follows(replica: LiveClassifier, version: int) -> bool:
    """Whether a process comes to serve a version."""
    async with asyncio.timeout(12 * POLL_SECONDS):
        while (current := await replica.current()) is None or current.version != version:
            await asyncio.sleep(0.2)
    return True


@pytest.mark.timeout(900)
async def test_what_several_people_correct_is_right_after_a_retraining_until_it_is_rolled_back(
    indexed: App, slack: Workspace, version_folder: Path, options: Options
) -> None:
    first = await stored(indexed, version_folder)
    other = LiveClassifier(
        indexed.engine, indexed.settings.data_directory / "other", indexed.catalog,
        indexed.encoder.manifest.fingerprint,
    )  # fmt: skip
    async with serving(indexed, slack, "socket", options):
        assert await routed(indexed, slack) != WANTED
        for number, question in enumerate(ASKED):
            person = (ALICE, BOB, CAROL)[number % 3]
            asked = await slack.ask(person, GENERAL, question)
            (answer, *_) = await slack.wait_for_answers(GENERAL, asked)
            if await last_intent(indexed) == WANTED:
                await press(slack, person, answer, 1)
                continue
            await press(slack, person, answer, -1)
            await modal(slack)
            assert await slack.submit(person, {"reason": "wrong_topic", "intent": WANTED}) == {}
            await slack.close_view(person)
        report = await retraining.retrain(indexed, lambda _share, _note: None)
        assert report["is_live"], report
        assert report["new"] >= 5
        assert report["version"] == first + 1
        assert await follows(indexed.live, first + 1)
        assert await follows(other, first + 1)
        assert await routed(indexed, slack) == WANTED
        await slack.command(ADA, GENERAL, "/supportbot", "rollback")
        await whispered(slack, GENERAL, ADA, f"Version {first} is live")
        assert await follows(indexed.live, first)
        assert await follows(other, first)
        assert await routed(indexed, slack) != WANTED
    other.close()
