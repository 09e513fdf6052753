"""Versions out of the database into a folder, and from a folder to the gate."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bot.app import App
from bot.candidates import Candidate, Tell, put_forward
from bot.errors import VersionError
from bot.gathering import gather
from bot.intents import registry
from bot.storage import classifiers

# Another name than a retraining's, which clears its own away when it begins.
SCRATCH = ".exchange-"


async def export_to(app: App, version: int, target: Path) -> None:
    """Write a version as a Hugging Face directory.

    Raises:
        SupportbotError: there is no such version, or it cannot be exported.
    """
    from bot.intents.sharing import Lineage, export_version

    found = await classifiers.find(app.engine, version)
    if found is None:
        raise VersionError(f"There is no version {version}. `supportbot versions` lists them.")
    if not found.has_files:
        raise VersionError(f"The files of version {version} are no longer kept.")
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=app.settings.data_directory) as scratch:
        folder = await registry.fetch(app.engine, version, Path(scratch), is_whole=True)
        export_version(folder, target, Lineage(version, found.data))


async def import_from(app: App, source: Path, by: str, tell: Tell) -> dict[str, Any]:
    """Judge the version in a folder beside the live one; what came of it, as a retraining tells it.

    Raises:
        SupportbotError: the folder is not whole, not safe or for something else; nothing is stored.
    """
    from bot.intents.importing import Wanted, read_shared, rebuild

    encoder = app.encoder
    wanted = Wanted(app.catalog.names, encoder.manifest.fingerprint, encoder.dimension)
    tell(0.1, "checking its files")
    shared = read_shared(source, wanted)
    live = await classifiers.live_id(app.engine)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=app.settings.data_directory) as scratch:
        folder = Path(scratch) / "version"
        tell(0.5, "building its files for serving")
        rebuild(shared, folder, app.settings.intents.model)
        said = json.dumps({"imported": shared.lineage, "fingerprint": shared.fingerprint})
        data = (said + "\n").encode()
        gathered = replace(await gather(app), refused={}, people={}, new=0)
        figures = {"imported": shared.lineage}
        candidate = Candidate(folder, live, gathered, data, f"import by {by}", figures)
        return await put_forward(app, candidate, tell)
