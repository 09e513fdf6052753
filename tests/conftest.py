"""What tests share: one Postgres a run, a migrated database a test, the real encoder."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.encoder import Encoder
from bot.intents.catalog import load_catalog
from bot.intents.registry import LiveClassifier
from bot.settings import Settings, load_settings
from bot.storage import encoders
from bot.storage.database import open_database, open_engine
from bot.storage.embedded import EmbeddedServer

# Another server for the same suite, such as one of the operating system's own.
OTHER_SERVER = "SUPPORTBOT_TEST_DATABASE_URL"


def pytest_configure() -> None:
    """Take Ctrl-C even where the run was started in the background, which ignores it; what a
    process ignores, those it starts ignore too, and some tests interrupt them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Threads of torch that wait by spinning take the processors from what runs beside the tests.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The libpq URL of the run's server."""
    if OTHER_SERVER in os.environ:
        yield os.environ[OTHER_SERVER]
        return
    with EmbeddedServer(tmp_path_factory.mktemp("server")) as embedded:
        yield embedded.start()


def database_of(server: str, name: str) -> str:
    """The URL of another database of the same server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def create_database(server: str, name: str, template: str | None = None) -> str:
    """Create a database; its URL."""
    with psycopg.connect(server, autocommit=True) as connection:
        clause = f" TEMPLATE {template}" if template else ""
        connection.execute(f"CREATE DATABASE {name}{clause}")
    return database_of(server, name)


@pytest.fixture
def empty_database(server: str) -> str:
    """The URL of a database with nothing in it."""
    return create_database(server, f"test_{uuid.uuid4().hex}")


@pytest.fixture(scope="session")
def template(server: str) -> str:
    """The name of a migrated database to clone."""
    name = f"template_{uuid.uuid4().hex}"

    async def migrate() -> None:
        engine = await open_database(create_database(server, name))
        await engine.dispose()

    asyncio.run(migrate())
    return name


@pytest.fixture
def database(server: str, template: str) -> str:
    """The URL of a migrated database of the test's own."""
    return create_database(server, f"test_{uuid.uuid4().hex}", template)


@pytest.fixture
async def engine(database: str) -> AsyncIterator[AsyncEngine]:
    """A pool on the test's database."""
    engine = open_engine(database)
    yield engine
    await engine.dispose()


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default encoder, exported once a run."""
    folder = tmp_path_factory.mktemp("encoders") / "all-MiniLM-L6-v2-int8"
    subprocess.run(
        [sys.executable, "-m", "bot.encoder_export", "all-MiniLM-L6-v2", "int8", str(folder)],
        check=True,
        capture_output=True,
    )
    return folder


@pytest.fixture(scope="session")
def encoder(encoder_folder: Path) -> Iterator[Encoder]:
    """The default encoder, loaded once a run."""
    encoder = Encoder(encoder_folder)
    yield encoder
    encoder.close()


@pytest.fixture
def home(tmp_path: Path, encoder_folder: Path, database: str) -> Path:
    """A folder as an operator has it: settings, secrets, documents, the encoder already built."""
    (tmp_path / "data" / "encoders").mkdir(parents=True)
    (tmp_path / "data" / "encoders" / encoder_folder.name).symlink_to(encoder_folder)
    (tmp_path / "documents").mkdir()
    (tmp_path / ".env").write_text(f"DATABASE_URL={database}\n")
    (tmp_path / "supportbot.toml").write_text(
        'data_directory = "data"\n[[sources]]\nname = "documents"\nfolder = "documents"\n'
    )
    return tmp_path


@pytest.fixture
def settings(home: Path) -> Settings:
    """The settings of that folder, whatever the environment of the test run holds."""
    return load_settings(home, {})


@pytest.fixture
async def app(
    settings: Settings, engine: AsyncEngine, encoder: Encoder, encoder_folder: Path
) -> App:
    """The app on that folder's documents, nothing indexed yet."""
    encoder_id = await encoders.register(engine, encoder.manifest, encoder_folder)
    catalog = load_catalog(settings.intents.catalog)
    cache = settings.data_directory / "classifiers"
    live = LiveClassifier(engine, cache, catalog, encoder.manifest.fingerprint)
    return App(settings, engine, encoder, encoder_id, catalog, live)
