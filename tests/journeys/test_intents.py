"""Conversations that every intent takes its own way, and processes that follow a promotion."""

import asyncio
import json
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.intents import registry
from bot.messages import OUT_OF_SCOPE, Outcome
from bot.platforms.terminal import question_of
from bot.settings import Settings, load_settings
from bot.storage import classifiers
from tests.intents.conftest import CATALOG, catalog, catalog_file, version_folder
from tests.journeys.test_terminal import PAGES, supportbot

__all__ = ["catalog", "catalog_file", "version_folder"]


@pytest.fixture
def team(home: Path) -> Path:
    """The home of a team with three pages and its own, small catalog."""
    for name, page in PAGES.items():
        (home / "documents" / name).write_text(page)
    (home / "intents.yaml").write_text(CATALOG)
    settings = home / "supportbot.toml"
    settings.write_text(
        settings.read_text().replace(
            "[[sources]]", '[intents]\ncatalog = "intents.yaml"\n[[sources]]'
        )
    )
    assert supportbot(home, "reindex").returncode == 0
    return home


def retrained(home: Path) -> dict[str, object]:
    """Retrain as an operator does; the job's result."""
    result = supportbot(home, "retrain", "--json")
    assert result.returncode == 0, result.stderr
    found: dict[str, object] = json.loads(result.stdout)["result"]
    return found


def test_each_message_takes_the_way_of_its_intent_once_the_classifier_is_trained(
    team: Path, database: str
) -> None:
    said = "hello everybody\nHow long does a refund take?\nlet me speak to a human please\n"
    before = supportbot(team, "chat", said=said)
    assert "Hello! What can I help you with?" not in before.stdout
    assert "five working days" in before.stdout
    result = retrained(team)
    assert result["is_live"] is True
    after = supportbot(
        team, "chat", said=said + "sing a lullaby about the seventh moon of jupiter\n"
    )
    assert "Hello! What can I help you with?" in after.stdout
    assert "Refunds are paid within five working days. [1]" in after.stdout
    assert "I have noted your message for the team." in after.stdout
    assert after.stdout.count("I am not sure") == 1
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT outcome, intent, intent_confidence, alternatives, classifier_version_id"
            " FROM turns ORDER BY id"
        ).fetchall()
    assert [row[1:] for row in rows[:3]] == [(None, None, None, None)] * 3
    assert [row[0] for row in rows[3:]] == ["answered", "answered", "handed_over", "abstained"]
    assert [row[1] for row in rows[3:6]] == ["greeting", "question", "talk_to_a_person"]
    assert rows[6][1] == OUT_OF_SCOPE
    assert all(0 < row[2] <= 1 and len(row[3]) >= 2 for row in rows[3:])
    assert {row[4] for row in rows[3:]} == {result["version"]}
    nothing = f"Nothing has changed since version {result['version']} was trained.\n"
    assert supportbot(team, "retrain").stdout == nothing
    status = supportbot(team, "status").stdout
    assert f"Classifier version {result['version']}" in status
    assert "live, macro F1" in status
    assert "supportbot retrain" not in status
    (team / "intents.yaml").write_text(CATALOG.replace("  greeting:", "  salutation:"))
    changed = supportbot(team, "status").stdout
    assert "other intents than the catalog's" in changed
    assert "Run: supportbot retrain" in changed


def test_ratings_are_kept_with_reason_and_right_intent_and_the_last_one_counts(
    team: Path, database: str
) -> None:
    said = (
        "+\n"  # no answer yet: a question
        "How long does a refund take?\n+\n-\n1\ntalk to a person\nmeant the manager\n"
        "When do holidays expire?\n-\n7\n2\n\n"
        "What does the VPN ask for?\n-\n\n"
    )
    result = supportbot(team, "chat", said=said)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("Noted, thank you.") == 4
    assert "Type a number from 1 to 4." in result.stdout
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT t.question, r.value, r.reason, r.intent, r.comment, r.platform"
            " FROM ratings AS r JOIN turns AS t ON t.id = r.turn_id ORDER BY t.id"
        ).fetchall()
    assert rows == [
        ("How long does a refund take?", -1, "wrong_topic", "talk_to_a_person",
         "meant the manager", "terminal"),
        ("When do holidays expire?", -1, "wrong_or_outdated", None, None, "terminal"),
        ("What does the VPN ask for?", -1, None, None, None, "terminal"),
    ]  # fmt: skip


async def stored(app: App, folder: Path) -> int:
    """A version of these files, promoted."""
    live = await classifiers.live_id(app.engine)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    new = classifiers.NewVersion(app.encoder_id, live, app.catalog.names, {}, files)
    version = await classifiers.add(app.engine, new)
    assert await classifiers.promote(app.engine, version, instead_of=live)
    return version


@pytest.fixture
def settings(home: Path) -> Settings:
    """The settings of a team with the small catalog."""
    (home / "intents.yaml").write_text(CATALOG)
    written = (home / "supportbot.toml").read_text()
    (home / "supportbot.toml").write_text(
        written.replace("[[sources]]", '[intents]\ncatalog = "intents.yaml"\n[[sources]]')
    )
    return load_settings(home, {})


async def test_a_process_that_serves_follows_a_promotion_without_an_error(
    app: App, version_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "POLL_SECONDS", 0.05)
    assistant = app.assistant()
    first = await stored(app, version_folder)
    versions: list[int] = []

    async def keep_asking() -> None:
        while len(versions) < 50 or versions[-1] == first:
            turn = await assistant.answer(question_of("good morning everybody"))
            assert turn.answer.outcome is Outcome.ANSWERED, turn.answer.text
            assert turn.prediction is not None
            versions.append(turn.prediction.version)

    await assistant.answer(question_of("hello"))
    asking = [asyncio.ensure_future(keep_asking()) for _ in range(4)]
    while len(versions) < 20:
        await asyncio.sleep(0.01)
    second = await stored(app, version_folder)
    async with asyncio.timeout(60):
        await asyncio.gather(*asking)
    assert set(versions) == {first, second}
    app.live.close()


async def test_a_version_for_other_intents_is_not_used_and_the_documents_answer(
    app: App, version_folder: Path, engine: AsyncEngine
) -> None:
    files = {path.name: path.read_bytes() for path in version_folder.iterdir()}
    settings = json.loads(files["classifier.json"])
    settings["names"][1] = "salutation"
    files["classifier.json"] = json.dumps(settings).encode()
    new = classifiers.NewVersion(app.encoder_id, None, settings["names"], {}, files)
    version = await classifiers.add(engine, new)
    assert await classifiers.promote(engine, version, instead_of=None)
    turn = await app.assistant().answer(question_of("hello"))
    assert turn.prediction is None
    assert turn.answer.outcome is Outcome.ABSTAINED
    assert "other intents" in app.live.problem


async def test_a_damaged_cache_is_fetched_again_and_a_second_promotion_loses(
    app: App, version_folder: Path, engine: AsyncEngine
) -> None:
    version = await stored(app, version_folder)
    assert not await classifiers.promote(engine, version, instead_of=None)
    cache = app.settings.data_directory / "classifiers"
    folder = await registry.fetch(engine, version, cache)
    (folder / "model.onnx").write_bytes(b"flipped")
    assert await registry.fetch(engine, version, cache) == folder
    assert (folder / "model.onnx").read_bytes() == (version_folder / "model.onnx").read_bytes()


async def test_what_goes_on_from_a_question_gets_no_canned_reply_but_may_ask_for_a_person(
    app: App, version_folder: Path
) -> None:
    await stored(app, version_folder)
    assistant = app.assistant()
    heard = {}
    for text in (
        "When do unused holidays expire?",
        "what about good morning everybody",
        "and let me talk to a human",
        "good morning everybody",
    ):
        turn = await assistant.answer(question_of(text, "one"))
        assert turn.prediction is not None
        heard[text] = (turn.prediction.intent, turn.answer.outcome)
    assert list(heard.values()) == [
        ("question", Outcome.ABSTAINED),
        ("greeting", Outcome.ABSTAINED),
        ("talk_to_a_person", Outcome.HANDED_OVER),
        ("greeting", Outcome.ANSWERED),
    ]
    app.live.close()
