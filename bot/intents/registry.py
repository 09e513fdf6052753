"""Versions of the classifier between Postgres, the disk and the process that serves."""

import asyncio
import logging
import os
import shutil
import time
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.encoder import Encoder, sha256_of
from bot.errors import SupportbotError, TrainingError
from bot.intents.catalog import Catalog
from bot.intents.classifier import Classifier
from bot.intents.model import read_model
from bot.storage import classifiers
from bot.storage.database import read_again_after_restart

# How long a process may go on with a version after another went live.
POLL_SECONDS = 5.0

log = logging.getLogger(__name__)


async def fetch(engine: AsyncEngine, version: int, cache: Path, *, is_whole: bool = False) -> Path:
    """The folder with a version's files: on disk already, else from the database.

    Every file is checked against the SHA-256 it was stored with before it is opened. Those that
    serving does not need are left out unless `is_whole`.
    """
    hashes = await classifiers.file_hashes(engine, version, is_whole=is_whole)
    folder = cache / str(version)
    if folder.is_dir() and await asyncio.to_thread(_holds, folder, hashes):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    scratch = cache / f".{version}-{os.getpid()}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        for name, sha256 in hashes.items():
            (scratch / name).write_bytes(await classifiers.file_content(engine, sha256))
        if not hashes or not _holds(scratch, hashes):
            raise TrainingError(f"The files of classifier version {version} are damaged.")
        scratch.rename(folder)
    except OSError:
        if not folder.is_dir():  # else another process was faster
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def forget(cache: Path, kept: set[int]) -> None:
    """Delete the copies of other versions than those `kept` in the database."""
    for folder in cache.iterdir():
        if folder.name.isdecimal() and int(folder.name) not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def _holds(folder: Path, hashes: dict[str, str]) -> bool:
    return all(
        (folder / name).is_file() and sha256_of(folder / name) == sha256
        for name, sha256 in hashes.items()
    )


def load(version: int, folder: Path) -> Classifier:
    """A version from its files.

    Raises:
        TrainingError, EncoderError: the files cannot be used.
    """
    return Classifier(version, read_model(folder), Encoder(folder, threads=1))


class LiveClassifier:
    """The live version in this process; it follows promotions within POLL_SECONDS."""

    def __init__(
        self, engine: AsyncEngine, cache: Path, catalog: Catalog, fingerprint: str
    ) -> None:
        """Versions for other intents than the catalog's, or made with another retrieval encoder
        than that of `fingerprint`, are not used."""
        self._engine = engine
        self._cache = cache
        self._names = set(catalog.names)
        self._fingerprint = fingerprint
        self._current: Classifier | None = None
        self._version: int | None = None
        self._looked_at = float("-inf")
        self._looking = asyncio.Lock()
        self.problem = "no classifier has been trained yet"

    async def current(self) -> Classifier | None:
        """The live version; None, and `problem` says why, where there is none that can be used.

        One asker at a time looks for a new version, the others go on with the one at hand.
        """
        if time.monotonic() - self._looked_at > POLL_SECONDS and not self._looking.locked():
            async with self._looking:
                await self._look()
        return self._current

    def close(self) -> None:
        """Let go of the version at hand."""
        if self._current is not None:
            self._current.close()
            self._current = None

    async def _look(self) -> None:
        try:
            live = await read_again_after_restart(lambda: classifiers.live_id(self._engine))
            if live is not None and live != self._version:
                await self._load(live)
        except (SupportbotError, SQLAlchemyError, OSError) as error:
            log.warning("the live classifier cannot be loaded: %s", error)
            if self._current is None:
                self.problem = f"the live classifier cannot be loaded: {error}"
        self._looked_at = time.monotonic()

    async def _load(self, version: int) -> None:
        folder = await fetch(self._engine, version, self._cache)
        loaded = await asyncio.to_thread(load, version, folder)
        self._version = version
        self.problem = ""
        if set(loaded.names) != self._names:
            self.problem = f"version {version} was trained for other intents than the catalog's"
        elif loaded.fingerprint != self._fingerprint:
            self.problem = f"version {version} was trained with another encoder"
        # The former version is not closed: questions may be on its thread, which ends with it.
        self._current = None if self.problem else loaded
        kept = await classifiers.with_files(self._engine)
        await asyncio.to_thread(forget, self._cache, kept)
