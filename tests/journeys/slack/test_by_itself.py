"""Where the bot may speak by itself, the classifier decides what is for it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.app import App
from bot.encoder import Encoder
from bot.intents.catalog import load_catalog
from bot.intents.registry import LiveClassifier
from bot.platforms.slack.workspace import Options
from tests.intents.conftest import CATALOG, trained_on
from tests.journeys.slack.conftest import serving
from tests.journeys.slack.team import Team
from tests.journeys.test_intents import stored
from tests.platforms.slack.people import ADA, ALICE, BOB, GENERAL, PRIVATE, SUPPORT
from tests.platforms.slack.workspace import Workspace

TALK = """
  not_for_the_bot:
    description: people talking to each other
    route: reply
    reply: I take that as meant for somebody else.
    utterances:
      - lunch at twelve, who is coming
      - thanks Bob, I will look at it tomorrow
      - can you review my pull request
      - see you in the meeting room
      - lol that was funny
      - I am out on Friday
      - ok, sounds good to me
      - who took my charger
"""
HOLIDAYS = "How many days of holiday do I have?"
CHATTER = "thanks Bob, I will look at it after lunch"

pytestmark = pytest.mark.parametrize("slack_mode", ["socket"])


@pytest.fixture(scope="module")
def talkative(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A catalog that knows talk between people, and a version trained on it."""
    folder = tmp_path_factory.mktemp("talkative")
    (folder / "intents.yaml").write_text(CATALOG + TALK)
    catalog = load_catalog(folder / "intents.yaml")
    version, _ = asyncio.run(trained_on(catalog, encoder_folder, folder / "version"))
    return folder / "intents.yaml", version


@pytest.fixture
async def listening(
    indexed: App, encoder: Encoder, talkative: tuple[Path, Path], slack: Workspace, slack_mode: str
) -> AsyncIterator[Team]:
    """A team whose bot listens in general to questions, and in private to all."""
    catalog = load_catalog(talkative[0])
    cache = indexed.settings.data_directory / "talkative"
    live = LiveClassifier(indexed.engine, cache, catalog, encoder.manifest.fingerprint)
    app = replace(indexed, catalog=catalog, live=live)
    await stored(app, talkative[1])
    options = Options(frozenset({ADA}), modes={GENERAL: "questions", PRIVATE: "all"})
    async with serving(app, slack, slack_mode, options):
        yield Team(slack, app)
    live.close()


async def test_questions_are_answered_and_the_rest_is_left(listening: Team) -> None:
    assert "thirty days" in await listening.says(ALICE, GENERAL, HOLIDAYS)
    for left in ("good morning everybody", CHATTER, "Who won the world cup in 1990?"):
        await listening.slack.say(BOB, GENERAL, left)
    await listening.slack.say(BOB, SUPPORT, HOLIDAYS)
    await asyncio.sleep(2)
    assert len(await listening.slack.final_messages(GENERAL)) == 1
    assert await listening.slack.final_messages(SUPPORT) == []


async def test_where_all_is_heard_talk_between_people_is_left(listening: Team) -> None:
    assert "Hello!" in await listening.says(ALICE, PRIVATE, "good morning everybody")
    await listening.slack.say(ADA, PRIVATE, CHATTER)
    await asyncio.sleep(1.5)
    assert len(await listening.slack.final_messages(PRIVATE)) == 1


async def test_in_a_thread_talk_is_left_and_questions_are_answered(listening: Team) -> None:
    question = await listening.slack.ask(ALICE, SUPPORT, "How long does a refund take?")
    await listening.hears(SUPPORT, question)
    await listening.slack.say(ALICE, SUPPORT, CHATTER, question)
    assert "thirty days" in await listening.says(BOB, SUPPORT, HOLIDAYS, question)
    assert len(await listening.slack.final_messages(SUPPORT, question)) == 2
