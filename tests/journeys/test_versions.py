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
from bot.intents import registry
from bot.intents.catalog import load_catalog
from bot.intents.dataset import TEST_SHARE, place
from bot.intents.registry import POLL_SECONDS
from bot.job_reports import retraining_summary
from bot.storage import audit, classifiers
from bot.versions import Serving, lineage, roll_back, story
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
    assert "the live version's 100.0%, on all tests (4 examples)" in report["refusal"]
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
    panels = await classifiers.panels(app.engine, refused.id)
    assert panels is not None
    assert struct.unpack(">II", panels[16:24]) == (1200, 900)
    failed = [count for count in refused.metrics["gate"] if count["problem"]]
    assert all(
        count["candidate"] < count["live"] for count in failed if count["name"] == "macro F1"
    )
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
    assert [v["parent_id"] for v in versions] == [first, None]
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


async def test_a_version_goes_out_as_a_folder_and_comes_in_through_the_gate(
    app: App, home: Path, version_folder: Path, tmp_path: Path
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        done = supportbot(home, *arguments)
        return done.returncode, done.stdout, done.stderr

    first = await stored(app, version_folder)
    target = tmp_path / "exported"
    code, said, error = await asyncio.to_thread(run, "export", str(first), str(target))
    assert (code, f"Version {first} is in" in said) == (0, True), error
    code, said, error = await asyncio.to_thread(run, "import", str(target))
    assert code == 0, error
    second = await classifiers.live_id(app.engine)
    assert second != first
    assert said.startswith(f"Version {second} is live: ")
    assert second is not None
    imported = await classifiers.find(app.engine, second)
    assert imported is not None
    assert (imported.promoted_by, imported.parent_id) == ("import by terminal", first)
    assert lineage(imported).startswith(f"imported, there version {first}, from {first}, data ")
    (target / "pytorch_model.bin").write_bytes(b"anything")
    code, _, error = await asyncio.to_thread(run, "import", str(target))
    assert (code, "can run code" in error) == (1, True)
    assert await classifiers.live_id(app.engine) == second
    code, said, _ = await asyncio.to_thread(
        run, "report", str(second), "--panels", str(tmp_path / "panels.png")
    )
    assert code == 0
    assert "By intent, with what the figure stands for at 95 %:" in said
    assert (tmp_path / "panels.png").read_bytes().startswith(b"\x89PNG")


async def test_a_thousand_predictions_across_swaps_have_no_error_and_one_version_each(
    app: App, version_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "POLL_SECONDS", 0.05)
    versions = [await stored(app, version_folder)]
    vector = await app.encoder.encode_question("good morning everybody")
    assert await app.live.current() is not None
    seen: list[int] = []

    async def predict() -> None:
        current = await app.live.current()
        assert current is not None
        prediction = await current.classify("good morning everybody", vector)
        assert prediction.intent == "greeting"
        seen.append(prediction.version)

    async def swap() -> None:
        for _ in range(4):
            versions.append(await stored(app, version_folder))
            while not seen or seen[-1] != versions[-1]:
                await asyncio.sleep(0.02)

    swapping = asyncio.ensure_future(swap())
    while len(seen) < 1000 or not swapping.done():
        await asyncio.gather(*(predict() for _ in range(8)))
    await swapping
    assert set(seen) == set(versions)
    cached = app.settings.data_directory / "classifiers" / str(versions[-1])
    assert not {path.name for path in cached.iterdir()} & set(classifiers.KEPT_BACK)
    app.live.close()


async def test_who_forces_a_refused_version_is_audited_and_what_was_overruled_is_kept(
    app: App, home: Path, version_folder: Path
) -> None:
    first = await stored(app, version_folder)
    files = {path.name: path.read_bytes() for path in version_folder.iterdir()}
    new = classifiers.NewVersion(app.encoder_id, first, app.catalog.names, {}, files)
    refused = await classifiers.add(app.engine, new)
    await classifiers.refuse(app.engine, refused, "It is worse.")
    done = await asyncio.to_thread(supportbot, home, "promote", str(refused))
    assert (done.returncode, "add --force" in done.stderr) == (1, True)
    done = await asyncio.to_thread(supportbot, home, "promote", str(refused), "--force")
    assert done.returncode == 0, done.stderr
    live, former = [await classifiers.find(app.engine, each) for each in (refused, first)]
    assert live is not None
    assert former is not None
    assert (live.state, live.overruled, live.is_rollback) == ("live", "It is worse.", False)
    assert former.rolled_back_at is None
    assert ", although: It is worse." in story(live)
    called = await audit.newest(app.engine, 2)
    assert [(each.command, each.arguments) for each in called] == [
        ("promote", f"{refused} --force"),
        ("promote", str(refused)),
    ]
