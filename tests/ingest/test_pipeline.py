"""Reindexing: the index equals the source, at the cost of what changed, whatever fails."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.encoder import Encoder, Vectors
from bot.errors import DocumentRejectedError, SourceError
from bot.storage import documents, encoders
from ingest.parsing import Parser
from ingest.pipeline import Pipeline, Report
from ingest.sources import Item, folder
from ingest.sources.folder import FolderSource

STATE = "SELECT uri, d.xmin::text, c.xmin::text FROM documents AS d JOIN chunks AS c ON" \
    " c.document_id = d.id ORDER BY c.id"  # fmt: skip


@pytest.fixture
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


class CountingEncoder(Encoder):
    """The real encoder, counting the texts it was given."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.texts: list[str] = []

    async def encode(self, texts: list[str]) -> Vectors:  # type: ignore[override]
        self.texts += texts
        return await super().encode(texts)


@pytest.fixture
def counting(encoder_folder: Path) -> Iterator[CountingEncoder]:
    encoder = CountingEncoder(encoder_folder)
    yield encoder
    encoder.close()


def folder_source(home: Path, audience: str = "everyone") -> FolderSource:
    return FolderSource("documents", home / "documents", audience=frozenset({audience}))


def write(home: Path, name: str, content: str, *, age: float = 60) -> Path:
    """A file that was last changed a while ago, so that its time stamp can be trusted."""
    path = home / "documents" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


async def reindex(app: App, parser: Parser, home: Path, **options: bool) -> Report:
    pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
    return await pipeline.reindex(folder_source(home), **options)


async def indexed(engine: AsyncEngine) -> dict[str, str]:
    """What the index holds, by URI."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text(
                "SELECT uri, string_agg(c.text, ' ' ORDER BY c.ordinal) FROM documents AS d"
                " JOIN chunks AS c ON c.document_id = d.id GROUP BY uri"
            )
        )
        return {row[0]: row[1] for row in rows}


async def state(engine: AsyncEngine) -> list[tuple[str, str, str]]:
    """Which transaction wrote each row."""
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(STATE))]


async def test_a_folder_is_indexed_and_follows_its_changes(
    app: App, parser: Parser, home: Path
) -> None:
    write(home, "a.md", "# A\n\nFirst text.")
    write(home, "sub/b.txt", "Second text.")
    write(home, "c.rst", "C\n=\n\nThird text.")
    write(home, "d.html", "<h1>D</h1><p>Fourth text.</p>")
    report = await reindex(app, parser, home)
    assert (report.counts.indexed, report.problems) == (4, [])
    assert await indexed(app.engine) == {
        "a.md": "First text.",
        "sub/b.txt": "Second text.",
        "c.rst": "Third text.",
        "d.html": "Fourth text.",
    }
    write(home, "a.md", "# A\n\nNew text.", age=30)
    (home / "documents" / "c.rst").unlink()
    report = await reindex(app, parser, home)
    counts = report.counts
    assert (counts.indexed, counts.unchanged, counts.removed) == (1, 2, 1)
    assert sorted((await indexed(app.engine)).items()) == [
        ("a.md", "New text."),
        ("d.html", "Fourth text."),
        ("sub/b.txt", "Second text."),
    ]


async def test_unchanged_content_is_neither_encoded_nor_written(
    app: App, parser: Parser, home: Path, counting: CountingEncoder
) -> None:
    for number in range(5):
        write(home, f"{number}.md", f"# {number}\n\nText number {number}.")
    app = replace(app, encoder=counting)
    await reindex(app, parser, home)
    counting.texts.clear()
    before = await state(app.engine)
    report = await reindex(app, parser, home)
    assert report.counts.unchanged == 5
    os.utime(home / "documents" / "0.md")  # touched: read again, found the same
    report = await reindex(app, parser, home)
    assert report.counts.unchanged == 5
    assert counting.texts == []
    assert [row[2] for row in await state(app.engine)] == [row[2] for row in before]


async def test_an_unchanged_tag_spares_reading_the_file(
    app: App, parser: Parser, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "RACY_SECONDS", 0)
    write(home, "a.md", "Text.")
    await reindex(app, parser, home)
    read: list[str] = []
    monkeypatch.setattr(FolderSource, "read", lambda _, item: read.append(item.uri) or b"")
    assert (await reindex(app, parser, home)).counts.unchanged == 1
    assert read == []


async def test_a_changed_document_encodes_and_writes_only_its_changed_chunks(
    app: App, parser: Parser, home: Path, counting: CountingEncoder
) -> None:
    app = replace(app, encoder=counting)
    sections = [f"## Part {n}\n\nSentence one of {n}. Sentence two of {n}." for n in range(8)]
    write(home, "a.md", "# Title\n\n" + "\n\n".join(sections))
    await reindex(app, parser, home)
    assert len(counting.texts) == 8
    counting.texts.clear()
    before = await state(app.engine)
    sections[3] = "## Part 3\n\nQuite another sentence."
    write(home, "a.md", "# Title\n\n" + "\n\n".join(sections), age=30)
    await reindex(app, parser, home)
    assert counting.texts == ["Title › Part 3: Quite another sentence."]
    chunks_before = [chunk for _, _, chunk in before]
    chunks = [chunk for _, _, chunk in await state(app.engine)]
    assert [chunk for chunk in chunks if chunk in chunks_before] == chunks_before[:7]
    assert len(chunks) == 8
    sections.insert(0, "## Part 9\n\nThe first of all.")
    write(home, "a.md", "# Title\n\n" + "\n\n".join(sections), age=60)
    await reindex(app, parser, home)
    assert counting.texts[1:] == ["Title › Part 9: The first of all."]
    assert len(await state(app.engine)) == 9


async def test_a_document_that_fails_keeps_its_old_version_and_stops_no_other(
    app: App, parser: Parser, home: Path
) -> None:
    write(home, "a.md", "Good text.")
    write(home, "b.md", "Other text.")
    await reindex(app, parser, home)
    path = write(home, "a.md", "")
    path.write_bytes(b"\x7fELF\x02\x01\x01\0\0\0\0" * 50)
    os.utime(path, (1e9, 1e9))
    write(home, "b.md", "Changed text.", age=30)
    report = await reindex(app, parser, home)
    assert (report.counts.indexed, report.counts.rejected) == (1, 1)
    assert "a.md" in report.problems[0]
    assert "its old version stays" in report.problems[0]
    assert await indexed(app.engine) == {"a.md": "Good text.", "b.md": "Changed text."}


async def test_a_document_the_database_refuses_is_reported_and_stops_no_other(
    app: App, parser: Parser, home: Path
) -> None:
    async with app.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE chunks ADD CHECK (text NOT LIKE '%poison%')"))
    for name, content in (("a.md", "Good."), ("b.md", "This is poison."), ("c.md", "Fine.")):
        write(home, name, content)
    report = await reindex(app, parser, home)
    assert (report.counts.indexed, report.counts.rejected) == (2, 1)
    assert "b.md cannot be stored" in report.problems[0]
    assert sorted(await indexed(app.engine)) == ["a.md", "c.md"]


async def test_a_database_that_goes_away_ends_the_reindex_with_its_error(
    app: App, parser: Parser, home: Path
) -> None:
    write(home, "a.md", "Good.")
    async with app.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE chunks RENAME TO elsewhere"))
    with pytest.raises(psycopg.Error, match="chunks"):
        await reindex(app, parser, home)


async def test_a_changed_base_address_reaches_the_citations_without_encoding(
    app: App, parser: Parser, home: Path, counting: CountingEncoder
) -> None:
    app = replace(app, encoder=counting)
    write(home, "a.md", "Text.")
    await reindex(app, parser, home)
    counting.texts.clear()
    source = FolderSource(
        "documents", home / "documents", url="https://x.y/", audience=frozenset({"everyone"})
    )
    pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
    assert (await pipeline.reindex(source)).counts.indexed == 1
    known = await documents.known_documents(app.engine, "documents")
    assert known["a.md"].url == "https://x.y/a.md"
    assert counting.texts == []


async def test_a_listing_that_shrinks_by_more_than_a_third_removes_nothing(
    app: App, parser: Parser, home: Path
) -> None:
    for number in range(10):
        write(home, f"{number}.md", f"Text {number}.")
    await reindex(app, parser, home)
    for number in range(4):
        (home / "documents" / f"{number}.md").unlink()
    report = await reindex(app, parser, home)
    assert report.counts.removed == 0
    assert "--allow-shrink" in report.problems[0]
    assert len(await indexed(app.engine)) == 10
    assert (await reindex(app, parser, home, allow_shrink=True)).counts.removed == 4
    assert len(await indexed(app.engine)) == 6


async def test_a_listing_that_fails_removes_nothing(app: App, parser: Parser, home: Path) -> None:
    write(home, "a.md", "Text.")
    await reindex(app, parser, home)
    (home / "documents").rename(home / "elsewhere")
    report = await reindex(app, parser, home)
    assert not report.is_complete
    assert "does not exist" in report.problems[0]
    assert list(await indexed(app.engine)) == ["a.md"]


async def test_a_changed_audience_or_encoder_reindexes_the_document(
    app: App, parser: Parser, home: Path
) -> None:
    write(home, "a.md", "Text.")
    await reindex(app, parser, home)
    pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
    assert (await pipeline.reindex(folder_source(home, "slack:C1"))).counts.indexed == 1
    manifest = replace(app.encoder.manifest, fingerprint="f" * 64, files={})
    other = await encoders.register(
        app.engine, manifest, Path(home / "data/encoders/all-MiniLM-L6-v2-int8")
    )
    assert await documents.count_of_other_encoders(app.engine, other) == 1
    pipeline = Pipeline(app.engine, app.encoder, other, parser)
    assert (await pipeline.reindex(folder_source(home, "slack:C1"))).counts.indexed == 1
    assert await documents.count_of_other_encoders(app.engine, other) == 0


async def test_a_source_is_reindexed_once_at_a_time(app: App, parser: Parser, home: Path) -> None:
    for number in range(30):
        write(home, f"{number}.md", f"# {number}\n\n" + f"Sentence {number} of this page. " * 40)
    results = await asyncio.gather(
        *(reindex(app, parser, home) for _ in range(2)), return_exceptions=True
    )
    assert sum(isinstance(result, Report) for result in results) == 1
    assert sum(isinstance(result, SourceError) for result in results) == 1


class Unruly(FolderSource):
    """A folder whose files fail to be read now and then."""

    chance = random.Random(5)

    def read(self, item: Item) -> bytes:
        if self.chance.random() < 0.2:
            raise DocumentRejectedError("could not be read this time")
        return super().read(item)


async def test_a_random_history_with_failures_ends_as_the_folder(
    app: App, parser: Parser, home: Path
) -> None:
    chance = random.Random(11)
    truth: dict[str, str] = {}
    for step in range(120):
        name = f"{chance.randint(0, 7)}.md"
        if chance.random() < 0.25 and name in truth:
            (home / "documents" / name).unlink()
            del truth[name]
        else:
            truth[name] = f"Text {chance.choice(['same', str(step)])}."
            write(home, name, truth[name], age=10_000 - step)
        source = Unruly("documents", home / "documents", audience=frozenset({"everyone"}))
        pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
        report = await pipeline.reindex(source, allow_shrink=True)
        counts = report.counts
        assert counts.indexed + counts.unchanged + counts.rejected == len(truth)
        if not counts.rejected:
            assert await indexed(app.engine) == truth
    await reindex(app, parser, home, allow_shrink=True)
    assert await indexed(app.engine) == truth


def test_a_reindex_killed_at_random_moments_ends_as_the_folder(home: Path) -> None:
    for number in range(60):
        write(home, f"{number}.md", f"# Page {number}\n\n" + f"Sentence {number} of page. " * 60)
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    command = [sys.executable, "-m", "ingest", "--json", "--allow-shrink"]
    chance, killed = random.Random(3), 0
    for round_number in range(20):
        write(home, f"{round_number}.md", f"# Page\n\nChanged in round {round_number}. Again.")
        process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.8 + chance.random() * 1.7)
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
    assert killed >= 5
    last = subprocess.run(
        command, cwd=home, env=environment, capture_output=True, text=True, check=False
    )
    assert last.returncode == 0, last.stderr
    [report] = json.loads(last.stdout)
    assert sum(report["counts"][k] for k in ("indexed", "unchanged", "rejected")) == 60

    async def compare() -> None:
        from bot.settings import load_settings
        from bot.storage.database import open_engine

        url = load_settings(home, {}).secrets.database_url
        assert url is not None
        engine = open_engine(url.get_secret_value())
        found = await indexed(engine)
        for number in range(20):
            assert found[f"{number}.md"] == f"Changed in round {number}. Again."
        assert all(f"Sentence {n} of page." in found[f"{n}.md"] for n in range(20, 60))
        await engine.dispose()

    asyncio.run(compare())
