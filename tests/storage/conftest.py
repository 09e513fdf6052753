"""Directories of an embedded server: empty, or with its data, copied as that is faster."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.storage.embedded import EmbeddedServer
from tests.storage.embedded_processes import server_processes


@pytest.fixture(scope="session")
def made_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("made")
    with EmbeddedServer(directory):
        pass
    return directory / "postgres"


@pytest.fixture
def empty_directory(tmp_path: Path) -> Iterator[Path]:
    """A directory to be; what a failed test leaves running in it is ended."""
    chosen = tmp_path / "supportbot"
    yield chosen
    for process in server_processes(chosen) if chosen.exists() else ():
        process.kill()


@pytest.fixture
def directory(empty_directory: Path, made_data: Path) -> Path:
    empty_directory.mkdir()
    subprocess.run(["cp", "-a", made_data, empty_directory], check=True)
    return empty_directory
