"""A small catalog, and a version really trained on it, once a run."""

import asyncio
from pathlib import Path

import pytest

from bot.encoder import Encoder
from bot.intents.catalog import Catalog, load_catalog
from bot.intents.dataset import examples_of, names_of
from bot.intents.training import Plan, Trained, train

CATALOG = """
intents:
  question:
    description: asks about the product
    route: documents
    utterances:
      - how long does a refund take
      - what does the yearly plan cost
      - where do I find my invoices
      - when do unused holidays expire
      - which browsers are supported
      - is there a limit on file size
      - do you store data in europe
      - how many seats are in the team plan
  greeting:
    description: says hello
    route: reply
    reply: Hello! What can I help you with?
    utterances:
      - hello
      - hi there
      - good morning everybody
      - hey bot
      - good evening
      - hello, anybody there
      - hiya
      - greetings to you
  talk_to_a_person:
    description: wants a human
    route: handoff
    reply: I have noted your message for the team.
    utterances:
      - let me talk to a human
      - I want to speak with a person
      - connect me to an agent please
      - can somebody from support call me
      - a real human please
      - get me your manager
      - I need a support representative
      - escalate this to a person
"""


@pytest.fixture(scope="session")
def catalog_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small catalog as a file."""
    path = tmp_path_factory.mktemp("catalog") / "intents.yaml"
    path.write_text(CATALOG)
    return path


@pytest.fixture(scope="session")
def catalog(catalog_file: Path) -> Catalog:
    """The small catalog."""
    return load_catalog(catalog_file)


@pytest.fixture(scope="session")
def version_folder(
    catalog: Catalog, encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The files of a version trained on the small catalog."""
    return asyncio.run(trained_on(catalog, encoder_folder, tmp_path_factory.mktemp("version")))[0]


async def trained_on(catalog: Catalog, encoder_folder: Path, folder: Path) -> tuple[Path, Trained]:
    """Train on a catalog; the version's folder and how it went."""
    encoder = Encoder(encoder_folder)
    examples = (*examples_of(catalog), *names_of(catalog))
    plan = Plan("all-MiniLM-L6-v2")
    trained = await train(examples, catalog.names, encoder, plan, folder / "version")
    encoder.close()
    return folder / "version", trained
