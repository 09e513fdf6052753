"""Versions come and go: refused by the gate, rolled back by hand, and not back by themselves."""

import asyncio
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bot import retraining
from bot.app import App
from bot.intents.catalog import load_catalog
from bot.intents.dataset import TEST_SHARE, place
from bot.intents.registry import POLL_SECONDS
from bot.job_reports import retraining_summary
from bot.storage import classifiers
from bot.versions import Serving, roll_back
from tests.intents.conftest import CATALOG, catalog, catalog_file, version_folder
from tests.journeys.test_intents import settings, stored
from tests.journeys.test_terminal import supportbot

__all__ = ["catalog", "catalog_file", "settings", "version_folder"]


def serving(app: App) -> Serving:
    return Serving(app.catalog.names, app.encoder_id)


def sabotaged(catalog: str) -> str:
    """The catalog with each utterance under the next intent, but for those that test."""
    content = yaml.safe_load(catalog)
    intents = content["intents"]
    names = list(intents)
    texts = {name: intents[name]["utterances"] for name in names}
    for before, name in zip([names[-1], *names], names, strict=False):
        honest = [text for text in texts[name] if place(text) < TEST_SHARE]
        wrong = [text for text in texts[before] if place(text) >= TEST_SHARE]
        assert honest
        intents[name]["utterances"] = honest + wrong
    return yaml.safe_dump(content)


async def test_a_worse_candidate_is_kept_but_not_promoted_and_not_trained_again(
    app: App, version_folder: Path, tmp_path: Path
) -> None:
    live = await stored(app, version_folder)
    shuffled = tmp_path / "shuffled.yaml"
    shuffled.write_text(sabotaged(CATALOG))
    app = replace(app, catalog=load_catalog(shuffled))
    (app.settings.data_directory / ".retraining-killed").mkdir()
    report = await retraining.retrain(app, lambda _share, _note: None)
    assert report["is_live"] is False
    assert "the live version's 100.0% on the same 4 test examples" in report["refusal"]
    assert await classifiers.live_id(app.engine) == live
    refused = await classifiers.find(app.engine, report["version"])
    assert refused is not None
    assert (refused.state, refused.refusal) == ("refused", report["refusal"])
    assert refused.metrics["test"]["cases"] == {"question": 1, "greeting": 2, "talk_to_a_person": 1}
    assert not list(app.settings.data_directory.glob(".retraining-*"))
    said = retraining_summary(report)
    assert said.startswith(f"Version {refused.id} stays out: The candidate's macro F1 is ")
    assert "100 → " in said
    picture = await classifiers.picture(app.engine, refused.id)
    assert picture is not None
    assert struct.unpack(">I", picture[16:20]) == (1000,)
    again = await retraining.retrain(app, lambda _share, _note: None)
    assert (again["version"], again["is_live"]) == (report["version"], False)
    assert "Nothing has changed" in again["skipped"]


async def test_a_process_that_serves_follows_a_rollback_within_its_interval(
    app: App, version_folder: Path
) -> None:
    first = await stored(app, version_folder)
    second = await stored(app, version_folder)
    cache = app.settings.data_directory / "classifiers"
    (cache / "99").mkdir(parents=True)  # of a version whose files are no longer kept
    current = await app.live.current()
    assert current is not None
    assert current.version == second
    await roll_back(app.engine, serving(app), "ann")
    async with asyncio.timeout(12 * POLL_SECONDS):
        while current.version == second:
            await asyncio.sleep(0.1)
            current = await app.live.current()
            assert current is not None
    assert current.version == first
    assert sorted(folder.name for folder in cache.iterdir()) == [str(first), str(second)]
    app.live.close()


async def test_what_was_rolled_back_does_not_come_back_by_a_retraining_of_the_same_data(
    app: App, version_folder: Path
) -> None:
    first = await stored(app, version_folder)
    report = await retraining.retrain(app, lambda _share, _note: None)
    assert report["is_live"] is True
    assert report["live_test"]["accuracy"] == 1.0
    await roll_back(app.engine, serving(app), "ann")
    again = await retraining.retrain(app, lambda _share, _note: None)
    assert (again["version"], again["is_live"]) == (report["version"], False)
    assert f"version {report['version']} was trained, which ann rolled back on" in again["skipped"]
    assert f"supportbot rollback {report['version']}" in again["skipped"]
    assert await classifiers.live_id(app.engine) == first
    assert [version.id for version in await classifiers.newest(app.engine, 9)] == [
        report["version"],
        first,
    ]


async def test_an_operator_lists_the_versions_and_rolls_back(
    app: App, home: Path, version_folder: Path
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        done = supportbot(home, *arguments)
        return done.returncode, done.stdout, done.stderr

    assert "supportbot retrain" in run("versions")[1]
    first = await stored(app, version_folder)
    second = await stored(app, version_folder)
    said = (0, f"Version {first} is live instead of version {second}. Running bots follow within "
            "5 seconds.\n")  # fmt: skip
    assert (await asyncio.to_thread(run, "rollback"))[:2] == said
    code, _, error = await asyncio.to_thread(run, "rollback")
    assert (code, "no version was live before it" in error) == (1, True)
    versions = json.loads((await asyncio.to_thread(run, "versions", "--json"))[1])
    assert [(v["id"], v["state"], v["promoted_by"], v["rolled_back_by"]) for v in versions] == [
        (second, "retired", "retraining", "terminal"),
        (first, "live", "terminal", None),
    ]
    table = (await asyncio.to_thread(run, "versions"))[1]
    assert "rolled back to by" in " ".join(table.split())
    await classifiers.promote(app.engine, second, instead_of=first)
    (home / "intents.yaml").write_text(CATALOG.replace("  greeting:", "  salutation:"))
    code, _, error = await asyncio.to_thread(run, "rollback")
    assert (code, "does not know `salutation`" in error) == (1, True)


@pytest.mark.parametrize("command", [["doctor"], ["ask", "Hello?"]])
def test_a_catalog_with_an_unknown_source_is_an_error_at_start_and_in_doctor(
    home: Path, command: list[str]
) -> None:
    (home / "intents.yaml").write_text(
        CATALOG.replace("    route: documents\n", "    route: documents\n    sources: [wiki]\n")
    )
    written = (home / "supportbot.toml").read_text()
    (home / "supportbot.toml").write_text(
        written.replace("[[sources]]", '[intents]\ncatalog = "intents.yaml"\n[[sources]]')
    )
    done = supportbot(home, *command)
    assert done.returncode in {1, 2}
    printed = " ".join((done.stdout + done.stderr).split())
    assert printed.count("line 6: `question` searches the source `wiki`") == 1
    assert "they have documents" in printed
