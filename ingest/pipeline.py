"""Brings the index in step with a source, at a cost that follows what changed."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from psycopg import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.encoder import Encoder
from bot.errors import DocumentRejectedError, SourceError
from bot.storage import document_writing, documents, runs, vector_index
from bot.storage.document_writing import ChunkRow, DocumentRow, PieceRow
from bot.storage.documents import Known
from bot.storage.runs import Counts
from ingest.nodes import HeadingNodeParser, chunks_of
from ingest.parsing import Parser
from ingest.sources import Item, Source

# Pieces encoded at a time: enough for batches of like length, few enough that memory stays flat.
WINDOW_PIECES = 512
MAX_SHRINK = 0.3
# From this share of changed documents on, the planner's statistics are refreshed at once: the
# first question would otherwise be planned for the old sizes. Smaller changes are autovacuum's.
ANALYZED_SHARE = 0.1

Progress = Callable[[int, int], None]


@dataclass(slots=True)
class Report:
    """What a reindex of a source did; `problems` are sentences for a person."""

    source: str
    counts: Counts = field(default_factory=Counts)
    problems: list[str] = field(default_factory=list)
    is_complete: bool = True

    def reject(self, uri: str, reason: str, old: Known | None) -> None:
        """Count a document that failed, with its reason."""
        self.counts.rejected += 1
        self.problems.append(f"{uri} {reason}{' (its old version stays)' if old else ''}")


@dataclass(frozen=True, slots=True)
class Changed:
    """A document to be written: its row and, by hash, what its pieces say."""

    row: DocumentRow
    embedded: dict[bytes, str]
    old: Known | None


_Encoded = tuple[list[Changed], dict[bytes, object]]


class Pipeline:
    """Reindexes sources into one database with one encoder."""

    def __init__(
        self, engine: AsyncEngine, encoder: Encoder, encoder_id: int, parser: Parser
    ) -> None:
        self._engine = engine
        self._encoder = encoder
        self._encoder_id = encoder_id
        self._parser = parser
        self._nodes: HeadingNodeParser | None = None

    async def reindex(
        self, source: Source, *, allow_shrink: bool = False, progress: Progress | None = None
    ) -> Report:
        """List the source, index what changed and remove what is gone.

        A document that fails keeps its old version and is reported. What is gone is removed only
        after a complete listing that did not shrink by more than 30 %, unless `allow_shrink`.

        Raises:
            SourceBusyError: the source is being reindexed already.
        """
        async with runs.only_one(self._engine, source.name):
            return await self._reindex(source, allow_shrink, progress)

    async def _reindex(
        self, source: Source, allow_shrink: bool, progress: Progress | None
    ) -> Report:
        report = Report(source.name)
        run = await runs.start(self._engine, source.name)
        known = await documents.known_documents(self._engine, source.name)
        try:
            items = await asyncio.to_thread(lambda: list(source.list()))
        except SourceError as error:
            report.problems.append(str(error))
            report.is_complete = False
            items = []
        changes = self._changes(source, items, known, report, progress)
        await self._write(changes, report)
        if report.is_complete:
            await self._remove(items, known, report, allow_shrink)
        changed = report.counts.indexed + report.counts.removed
        if changed and changed >= ANALYZED_SHARE * len(items):
            await vector_index.settle(self._engine)
        await runs.finish(
            self._engine, run, report.counts, report.problems, is_complete=report.is_complete
        )
        return report

    async def _changes(
        self,
        source: Source,
        items: list[Item],
        known: dict[str, Known],
        report: Report,
        progress: Progress | None,
    ) -> AsyncIterator[Changed]:
        """Documents that must be written; the others are counted and passed over."""
        audiences: dict[frozenset[str], int] = {}
        touched: dict[int, str | None] = {}
        for number, item in enumerate(items):
            if progress:
                progress(number, len(items))
            old = known.get(item.uri)
            principals = item.audience or source.audience
            if principals not in audiences:
                audiences[principals] = await documents.audience_id(self._engine, principals)
            audience = audiences[principals]
            wanted = (audience, self._encoder_id, item.url)
            is_current = old and (old.audience_id, old.encoder_id, old.url) == wanted
            if is_current and old and item.version_tag and item.version_tag == old.version_tag:
                report.counts.unchanged += 1
                continue
            try:
                content = await asyncio.to_thread(source.read, item)
                content_hash = hashlib.sha256(content).digest()
                if is_current and old and content_hash == old.content_hash:
                    report.counts.unchanged += 1
                    if item.version_tag != old.version_tag:
                        touched[old.id] = item.version_tag
                    continue
                row = DocumentRow(
                    source.name, item.uri, item.url, "", item.version_tag, content_hash,
                    audience, self._encoder_id, (),
                )  # fmt: skip
                yield await asyncio.to_thread(self._parse, row, content, old)
            except DocumentRejectedError as error:
                report.reject(item.uri, str(error), old)
        if touched:
            await documents.note_version_tags(self._engine, touched)
        if progress:
            progress(len(items), len(items))

    def _parse(self, row: DocumentRow, content: bytes, old: Known | None) -> Changed:
        parsed = self._parser.parse(row.uri, content)
        if self._nodes is None:
            self._nodes = HeadingNodeParser(self._encoder.count_tokens)
        chunks = chunks_of(self._nodes, parsed.title, parsed.markdown)
        if not chunks:
            raise DocumentRejectedError("holds no text")
        embedded: dict[bytes, str] = {}
        rows = []
        for chunk in chunks:
            pieces = []
            for piece in chunk.pieces:
                name = hashlib.blake2b(piece.embedded.encode(), digest_size=16).digest()
                embedded[name] = piece.embedded
                pieces.append(PieceRow(piece.bounds, piece.kinds, name))
            rows.append(ChunkRow(chunk.headings, chunk.context, chunk.text, tuple(pieces)))
        return Changed(replace(row, title=parsed.title, chunks=tuple(rows)), embedded, old)

    async def _write(self, changes: AsyncIterator[Changed], report: Report) -> None:
        """Encode and store, a window of documents at a time: while one is encoded, the one before
        is stored and the next one read."""
        windows: asyncio.Queue[list[Changed] | None] = asyncio.Queue(maxsize=1)
        encoded: asyncio.Queue[_Encoded | None] = asyncio.Queue(maxsize=1)

        async def read() -> None:
            async for window in _windows(changes):
                await windows.put(window)
            await windows.put(None)

        async def encode() -> None:
            while window := await windows.get():
                await encoded.put((window, await self._vectors(window)))
            await encoded.put(None)

        async def store() -> None:
            while work := await encoded.get():
                await self._store(*work, report)

        try:
            async with asyncio.TaskGroup() as tasks:
                for step in (read(), encode(), store()):
                    tasks.create_task(step)
        except ExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _vectors(self, window: list[Changed]) -> dict[bytes, object]:
        """A vector for each piece of the window: the stored one where its text did not change."""
        vectors: dict[bytes, object] = {}
        missing: dict[bytes, str] = {}
        for change in window:
            if change.old:
                vectors |= await documents.vectors_of(self._engine, change.old.id, self._encoder_id)
            missing |= change.embedded
        missing = {name: text for name, text in missing.items() if name not in vectors}
        if missing:
            encoded = await self._encoder.encode(list(missing.values()))
            vectors |= zip(missing, map(document_writing.to_halfvec, encoded), strict=True)
        return vectors

    async def _store(
        self, window: list[Changed], vectors: dict[bytes, object], report: Report
    ) -> None:
        for change in window:
            pieces = [piece for chunk in change.row.chunks for piece in chunk.pieces]
            try:
                await document_writing.replace(
                    self._engine, change.row, [vectors[piece.hash] for piece in pieces]
                )
            except (DataError, IntegrityError) as error:
                report.reject(change.row.uri, f"cannot be stored: {error}", change.old)
            else:
                report.counts.indexed += 1

    async def _remove(
        self, items: list[Item], known: dict[str, Known], report: Report, allow_shrink: bool
    ) -> None:
        gone = known.keys() - {item.uri for item in items}
        if not gone:
            return
        if len(gone) > MAX_SHRINK * len(known) and not allow_shrink:
            report.problems.append(
                f"{len(gone)} of {len(known)} documents are gone from the source, more than 30 %. "
                "None was removed, as a folder may be missing. If they are meant to be gone, "
                f"run: supportbot reindex {report.source} --allow-shrink"
            )
            return
        await documents.remove(self._engine, [known[uri].id for uri in gone])
        report.counts.removed = len(gone)


async def _windows(changes: AsyncIterator[Changed]) -> AsyncIterator[list[Changed]]:
    window: list[Changed] = []
    pieces = 0
    async for change in changes:
        window.append(change)
        pieces += len(change.embedded)
        if pieces >= WINDOW_PIECES:
            yield window
            window, pieces = [], 0
    if window:
        yield window
