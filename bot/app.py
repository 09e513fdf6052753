"""Builds everything from the settings; the only module that knows all others."""

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.assistant import Assistant
from bot.encoder import DEFAULT_MODEL, Encoder, read_manifest
from bot.errors import EncoderError
from bot.intents.catalog import Catalog, load_catalog
from bot.intents.registry import LiveClassifier
from bot.intents.routing import Router
from bot.messages import APPROVED_ANSWERS
from bot.packaged import packaged
from bot.rag.generative import Writer
from bot.rag.language_model import LanguageModel, ModelSpec
from bot.rag.retriever import Limits, Retriever
from bot.settings import Settings
from bot.storage import documents, encoders, migrate, runs
from bot.storage.database import check, explain, open_database, open_setup_engine
from bot.storage.embedded import EmbeddedServer

Say = Callable[[str], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class App:
    """What a process works with; made by `open_app`."""

    settings: Settings
    engine: AsyncEngine
    encoder: Encoder
    encoder_id: int
    catalog: Catalog
    live: LiveClassifier

    def assistant(self) -> Assistant:
        """The assistant as the settings want it."""
        answers, search = self.settings.answers, self.settings.search
        limits = Limits(search.exact_up_to, search.candidates, answers.passages)
        return Assistant(
            self.engine,
            Retriever(self.engine, self.encoder, self.encoder_id, limits),
            Router(self.catalog, self.live, self.settings.intents.min_confidence),
            answers.min_confidence,
            answers.max_quotes,
            self.writer(),
        )

    def writer(self) -> Writer | None:
        """What writes answers with the language model of the settings; None without one."""
        spec = model_spec(self.settings)
        if spec is None:
            return None
        return Writer(LanguageModel(spec), spec.timeout_seconds, self.settings.answers.max_quotes)

    async def unindexed_sources(self) -> list[str]:
        """Sources that were never completely indexed."""
        completed = await runs.completed_sources(self.engine)
        return [s.name for s in self.settings.sources if s.name not in completed]

    async def stale_documents(self) -> int:
        """How many documents were indexed with another encoder than this one."""
        return await documents.count_of_other_encoders(self.engine, self.encoder_id)


def model_spec(settings: Settings) -> ModelSpec | None:
    """The language model of the settings; None without one."""
    if settings.llm is None:
        return None
    secrets = settings.secrets
    keys = {"openai": secrets.openai_api_key, "anthropic": secrets.anthropic_api_key}
    key = keys.get(settings.llm.partition("/")[0])
    return ModelSpec(
        settings.llm,
        settings.llm_base_url,
        key.get_secret_value() if key else None,
        settings.llm_timeout_seconds,
    )


def catalog_of(settings: Settings) -> Catalog:
    """The catalog of intents of the settings.

    Raises:
        CatalogError: it is wrong, or names a source that the settings do not have.
    """
    sources = [*(source.name for source in settings.sources), APPROVED_ANSWERS]
    return load_catalog(settings.intents.catalog, sources)


@asynccontextmanager
async def open_app(settings: Settings, say: Say = log.info) -> AsyncIterator[App]:
    """The app, its database migrated and its encoder loaded; closed again at the end.

    `say` is told what a first start waits for.

    Raises:
        SupportbotError: the database, the encoder or the language model cannot be used; the
            message says why.
    """
    if spec := model_spec(settings):
        spec.check()
    catalog = catalog_of(settings)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(settings, say))
        folder = await encoder_folder(settings, engine, say)
        encoder = await asyncio.to_thread(Encoder, folder, settings.encoder.threads)
        stack.callback(encoder.close)
        encoder_id = await encoders.register(engine, encoder.manifest, folder)
        live = LiveClassifier(
            engine, settings.data_directory / "classifiers", catalog, encoder.manifest.fingerprint
        )
        stack.callback(live.close)
        yield App(settings, engine, encoder, encoder_id, catalog, live)


@asynccontextmanager
async def open_engine(settings: Settings, say: Say = log.info) -> AsyncIterator[AsyncEngine]:
    """The migrated database alone: the one of DATABASE_URL, else the embedded server's."""
    async with database_url(settings, say) as url:
        engine = await open_database(url, settings.database.pool_size)
        try:
            yield engine
        except (DBAPIError, psycopg.Error) as error:
            raise explain(error, url) from error
        finally:
            await engine.dispose()


@asynccontextmanager
async def database_url(settings: Settings, say: Say = log.info) -> AsyncIterator[str]:
    """Where the database is: DATABASE_URL, else the embedded server, started for as long."""
    if settings.secrets.database_url is not None:
        yield settings.secrets.database_url.get_secret_value()
        return
    server = EmbeddedServer(settings.data_directory)
    if not (settings.data_directory / "postgres").exists():
        say("Setting up the embedded Postgres (once) …")
    starting = asyncio.ensure_future(asyncio.to_thread(server.start))
    try:
        # A start that Ctrl-C interrupts is let end, so that what stops it meets a whole server.
        yield await asyncio.shield(starting)
    finally:
        await asyncio.wait([starting])
        await asyncio.to_thread(server.stop)


async def migrate_database(settings: Settings, down_to: str | None = None) -> str | None:
    """Migrate to the newest revision, or down to `down_to`; the revision it is at then."""
    async with database_url(settings) as url:
        engine = open_setup_engine(url)
        try:
            await check(engine)
            if down_to is None:
                await migrate.upgrade(engine)
            else:
                await migrate.downgrade(engine, down_to)
            return await migrate.current(engine)
        except DBAPIError as error:
            raise explain(error, url) from None
        finally:
            await engine.dispose()


async def database_revision(settings: Settings) -> str:
    """The revision of the database and the one that this code expects."""
    async with database_url(settings) as url:
        engine = open_setup_engine(url)
        try:
            return f"{await migrate.current(engine) or 'none'} (newest: {migrate.head()})"
        except DBAPIError as error:
            raise explain(error, url) from None
        finally:
            await engine.dispose()


async def encoder_folder(settings: Settings, engine: AsyncEngine, say: Say) -> Path:
    """The folder of the exported encoder: cached, else from the database, else exported now.

    Raises:
        EncoderError: it is damaged, or cannot be exported here.
    """
    model, precision = settings.encoder.model, settings.encoder.precision
    bundled = packaged("encoders") / f"{Path(model).name}-{precision}"  # an image brings its own
    if model == DEFAULT_MODEL and bundled.is_dir():
        return bundled
    cache = settings.data_directory / "encoders"
    folder = cache / f"{Path(model).name}-{precision}"
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    scratch = cache / f".{folder.name}-{os.getpid()}"
    try:
        files = await encoders.fetch(engine, model, precision)
        if files:
            scratch.mkdir()
            for name, content in files.items():
                (scratch / name).write_bytes(content)
        else:
            say(f"Building the encoder {model} (once) …")
            await _export(model, precision, scratch)
        read_manifest(scratch)
        scratch.rename(folder)
    except OSError:
        if not folder.exists():  # else another process was faster
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


async def _export(model: str, precision: str, target: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.encoder_export", model, precision, str(target),
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        reason = errors.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise EncoderError(f"The encoder {model} cannot be built: {reason[-1]}")


async def reindex(settings: Settings, *arguments: str) -> int:
    """Run `python -m ingest` beside this process, which stays free of what parsing needs.

    Its exit status: 0 done, 1 with problems.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ingest", *arguments, cwd=settings.directory
    )
    try:
        return await process.wait()
    except asyncio.CancelledError:
        await process.wait()  # it got the same Ctrl-C and ends by itself
        raise
