"""From thumbs to a retrained classifier, and what keeps it from learning what is wrong."""

import pytest
from sqlalchemy import text

from bot import forgetting, retraining
from bot.app import App
from bot.gathering import gather
from bot.intents import snapshot
from bot.intents.dataset import Origin, place
from bot.intents.labelling import Refusal
from bot.messages import Person
from bot.storage import classifiers, examples
from tests.intents.conftest import catalog, catalog_file, version_folder
from tests.journeys.test_intents import settings
from tests.rated import ANN, BOB, CID, asked, settle, up, wrong_topic

__all__ = ["catalog", "catalog_file", "settings", "version_folder"]

# What people ask, and neither trains nor is like what trains; some is held out, by its hash.
ASKED = [
    "how long do you keep deleted files", "which currencies can I pay in",
    "what is the price for students", "do seats expire at the end of the year",
    "is the phone app free of charge", "when is the next release planned",
    "what happens to my data afterwards", "can invoices be sent to two addresses",
    "how large may an attachment be", "which languages does the editor speak",
]  # fmt: skip


async def rated(app: App) -> None:
    """Ten questions, taken for a greeting and corrected by three people."""
    for number, question in enumerate(ASKED):
        turn = await asked(app.engine, question, "greeting", is_canned=True)
        await wrong_topic(app.engine, turn, (ANN, BOB, CID)[number % 3], "question")


async def test_corrections_of_several_people_become_examples_and_the_same_ones_each_time(
    app: App,
) -> None:
    await rated(app)
    found = await gather(app)
    learnt = [e for e in (*found.split.training, *found.split.test) if e.turns]
    assert sorted(e.text for e in learnt) == sorted(ASKED)
    assert {(e.intent, e.origin) for e in learnt} == {("question", Origin.CORRECTED)}
    held_out = {e.text for e in found.split.test if e.turns}
    assert held_out == {question for question in ASKED if place(question) < 0.1}
    assert found.new == len(ASKED)
    assert found.people == {"slack:UANN": 4, "slack:UBOB": 3, "slack:UCID": 3, "slack:UASKER": 10}
    assert await gather(app) == found


async def test_who_flips_many_ratings_alone_teaches_nothing(app: App) -> None:
    liar = Person("slack", "ULIAR")
    questions = [f"{greeting} {rest}" for greeting in ("hello there", "good morning", "hiya bot")
                 for rest in ("everybody", "my friends", "dear team", "to you all")]  # fmt: skip
    for day, question in enumerate(questions):
        turn = await asked(app.engine, question, "greeting", is_canned=True)
        await wrong_topic(app.engine, turn, liar, "question")
        async with app.engine.begin() as connection:
            await connection.execute(
                text("UPDATE ratings SET rated_at = now() - make_interval(days => :day)"
                     " WHERE turn_id = :turn"), {"day": day, "turn": turn},
            )  # fmt: skip
    found = await gather(app)
    assert [e.text for e in (*found.split.training, *found.split.test) if e.turns] == []
    assert (found.new, found.people) == (0, {})
    assert sum(found.refused.values()) == len(questions)


async def test_what_was_settled_trains_or_tests_and_no_rating_changes_it(app: App) -> None:
    texts = [f"{question} please" for question in ASKED]
    for number, question in enumerate(texts):
        await settle(app.engine, question, "question" if number % 3 else None)
    turn = await asked(app.engine, texts[1], "greeting", is_canned=True)
    await up(app.engine, turn)
    discord = Person("discord", "77")
    await settle(app.engine, "asked in a server of theirs", "question", asker=discord)
    await settle(app.engine, "what is the uptime", "question", asker=discord, is_paraphrase=True)
    found = await gather(app)
    settled = {e.text: e for e in (*found.split.training, *found.split.test)
               if e.origin is Origin.SETTLED}  # fmt: skip
    assert set(found.outside) == {texts[n] for n in range(0, 10, 3)}
    assert set(settled) == {*(t for n, t in enumerate(texts) if n % 3), "what is the uptime"}
    for name, side in (("test", found.split.test), ("training", found.split.training)):
        of_side = {e.text for e in side if e.origin is Origin.SETTLED}
        assert of_side == {t for t in settled if (place(t) < 0.5) is (name == "test")}, name
    assert found.refused == {Refusal.DISCORD.value: 1, Refusal.SETTLED.value: 1}
    assert all(e.weight > 1 for e in settled.values())


@pytest.mark.timeout(900)
async def test_a_retraining_learns_from_ratings_waits_for_more_and_forgets(
    app: App,
) -> None:
    engine = app.engine

    def tell(_share: float, _note: str) -> None: ...

    first = await retraining.retrain(app, tell, is_asked=False)  # none is live: no schedule waits
    assert first["is_live"]
    await rated(app)
    skipped = await retraining.retrain(app, tell, is_asked=False)
    assert skipped["skipped"] == (
        f"10 examples are new since version {first['version']} was trained; the schedule waits for "
        "20 (minimum_new below [learning]). To train at once, ask for a retraining."
    )
    report = await retraining.retrain(app, tell)
    version = report["version"]
    assert report["new"] == 10
    assert (await classifiers.file_hashes(engine, version, is_whole=True)).keys() >= {
        classifiers.SNAPSHOT
    }
    async with engine.connect() as connection:
        assert await examples.versions_of(connection, ANN) == {version: 4}
    hashes = await classifiers.file_hashes(engine, version, is_whole=True)
    content = await classifiers.file_content(engine, hashes[classifiers.SNAPSHOT])
    learnt = [e for e in snapshot.read(content).examples if e.turns]
    assert {e.text for e in learnt} == set(ASKED)
    if not report["is_live"]:
        await classifiers.promote(engine, version, first["version"])
    assert "Nothing has changed" in (await retraining.retrain(app, tell))["skipped"]
    await forgetting.forget(engine, ANN)
    assert await examples.forgotten_examples(engine, version) > 0
    found = await gather(app)
    texts = [e.text for e in (*found.split.training, *found.split.test) if e.turns]
    assert set(texts) <= {question for n, question in enumerate(ASKED) if n % 3}
    assert "slack:UANN" not in found.people
    # No schedule waits with what it has to forget, though little is new.
    assert await retraining._idle(app, version, found.new, snapshot.read(content)) is None
