"""What is indexed and how questions ended, for `supportbot status`."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from bot.app import open_app
from bot.settings import Settings
from bot.storage import documents, migrate, runs, turns
from bot.storage.encoders import full_name


async def collect(settings: Settings, say: Callable[[str], None]) -> dict[str, Any]:
    """The status as plain values, ready for JSON."""
    async with open_app(settings, say) as app:
        sizes = await documents.sizes(app.engine)
        last = await runs.last_runs(app.engine)
        sources = []
        for source in settings.sources:
            size = sizes.pop(source.name, documents.SourceSize(0, 0))
            run = last.get(source.name)
            sources.append(
                {"name": source.name, "folder": str(source.folder)}
                | asdict(size)
                | {"last_run": asdict(run) if run else None}
            )
        return {
            "revision": await migrate.current(app.engine),
            "encoder": full_name(app.encoder.manifest.model, app.encoder.manifest.precision),
            "documents_of_other_encoders": await app.stale_documents(),
            "sources": sources,
            "sources_no_longer_set": sorted(sizes),
            "questions": await turns.count(app.engine),
        }


def show_status(found: dict[str, Any], console: Console) -> None:
    """Print the status, with what to do where something is off."""
    table = Table("Source", "Documents", "Chunks", "Last reindex", box=None, padding=(0, 2, 0, 0))
    for source in found["sources"]:
        table.add_row(
            source["name"], str(source["documents"]), str(source["chunks"]),
            _run_line(source["last_run"]),
        )  # fmt: skip
    console.print(table)
    for source in found["sources"]:
        for problem in (source["last_run"] or {}).get("problems", ()):
            console.print(f"  {source['name']}: {problem}", markup=False, soft_wrap=True)
    asked = ", ".join(f"{number} {outcome}" for outcome, number in found["questions"].items())
    console.print(f"\nQuestions: {asked or 'none yet'}")
    console.print(f"Encoder: {found['encoder']}; database revision {found['revision']}")
    if found["documents_of_other_encoders"]:
        console.print(
            f"{found['documents_of_other_encoders']} documents were indexed with another encoder. "
            "Run: supportbot reindex"
        )
    for name in found["sources_no_longer_set"]:
        console.print(
            f"The source {name!r} is still indexed but no longer in supportbot.toml. To remove its "
            f"documents, run: supportbot reindex --forget {name}",
            markup=False,
        )


def _run_line(run: dict[str, Any] | None) -> str:
    if run is None:
        return "never; run: supportbot reindex"
    if run["finished_at"] is None:
        return f"{run['started_at']:%Y-%m-%d %H:%M}, not finished"
    counts = run["counts"]
    line = (
        f"{run['finished_at']:%Y-%m-%d %H:%M}: {counts['indexed']} indexed, "
        f"{counts['unchanged']} unchanged, {counts['rejected']} rejected, "
        f"{counts['removed']} removed"
    )
    return line if run["is_complete"] else f"{line} (incomplete)"
