"""Forgetting a person leaves nothing of them anywhere, and all of everybody else."""

import asyncio
import json
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import approving, forgetting
from bot.app import App
from bot.approving import Approval
from bot.intents import registry, snapshot
from bot.intents.dataset import Example, Origin, Split
from bot.messages import Arrival, Person, Rating, Reason, Way
from bot.storage import (
    artefacts,
    audit,
    classifiers,
    examples,
    handoffs,
    inbox,
    job_watchers,
    jobs,
    ratings,
    reviews,
    turns,
)
from bot.storage import forgetting as stored
from bot.storage.audit import Call
from bot.storage.classifiers import NewVersion
from bot.storage.conversations import Place, set_mode
from bot.storage.handoffs import Opening
from bot.storage.inbox import Flood, Reception
from bot.storage.job_watchers import Watcher
from bot.storage.reviews import ToReview
from tests.rated import ANN, BOB, asked, settle, up

GONE = Person("slack", "UCANARY")
WORDS = "zanzibar quagga"

# Tables with text or bytes in which nobody's are: what a new one holds is to be thought about here
# and, where people write or are named in it, in bot/storage/forgetting.py.
IMPERSONAL = {
    "alembic_version", "audiences", "chunks", "documents", "encoder_files", "encoders", "firings",
    "pieces", "procrastinate_events", "procrastinate_periodic_defers", "corpus",
    "reindex_runs", "terms", "to_review", "announcements", "announcement_posts",
    "evaluation_runs", "evaluation_results",
}  # fmt: skip
PERSONAL = {
    "artefacts", "audit", "barred_people", "channels", "classifier_files", "classifier_versions",
    "deliveries", "handoffs", "inbox", "job_watchers", "jobs", "procrastinate_jobs", "ratings",
    "settled", "turns", "version_people", "approved_answers", "passed_over",
}  # fmt: skip

COLUMNS = text(
    "SELECT table_name, column_name, data_type FROM information_schema.columns"
    " JOIN information_schema.tables USING (table_schema, table_name)"
    " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    " AND data_type IN ('text', 'jsonb', 'json', 'bytea', 'ARRAY', 'character varying', 'name',"
    " 'USER-DEFINED')"
)


async def found(engine: AsyncEngine, *canaries: str) -> list[tuple[str, str, str]]:
    """Every column of every table that holds one of them."""
    hits = []
    async with engine.connect() as connection:
        for table, column, kind in (await connection.execute(COLUMNS)).all():
            for canary in canaries:
                where = (
                    f"position(convert_to(:canary, 'UTF8') IN \"{column}\") > 0"
                    if kind == "bytea"
                    else f'position(:canary IN CAST("{column}" AS text)) > 0'
                )
                count = await connection.scalar(
                    text(f'SELECT count(*) FROM "{table}" WHERE {where}'), {"canary": canary}
                )
                if count:
                    hits.append((table, column, canary))
    return hits


def arrival(message: str, person: Person = GONE) -> Arrival:
    return Arrival(
        "slack", "T1", "C1", message, f"C1:{person.id}", person.id, f"{WORDS} {message}",
        Way.COMMAND, details={"response_url": f"https://hooks.example.com/{person.id}"},
    )  # fmt: skip


async def version_with(app: App, data: Split, outside: tuple[str, ...] = ()) -> int:
    files = {
        "classifier.json": b"{}",
        classifiers.SNAPSHOT: snapshot.write({"seed": 0}, data, outside),
    }
    return await classifiers.add(
        app.engine, NewVersion(app.encoder_id, None, ["a", "b"], {}, files)
    )


def example(words: str, turn: int, *people: Person) -> Example:
    names = tuple(f"{person.platform}:{person.id}" for person in people)
    return Example(words, "a", Origin.CONFIRMED, 1.0, (turn,), names)


async def plant(app: App) -> tuple[int, int]:
    """Traces of the person in everything that is stored; a turn and a version of other people."""
    engine = app.engine
    for message in ("1", "2"):
        assert await inbox.accept(engine, arrival(message), Flood()) is Reception.NEW
    own = await asked(engine, f"{WORDS} asked", "a", person=GONE, talk="C1:UCANARY", inbox_id=1)
    other = await asked(engine, "where is my invoice", "a", person=BOB)
    third = await asked(engine, "where is the rest", "a", person=BOB)
    await up(engine, own, BOB)
    await up(engine, other, ANN)
    await ratings.save(engine, Rating(other, GONE, -1, Reason.OTHER, comment=f"{WORDS} said"))
    for turn, by in ((own, "UBOB"), (other, "UCANARY")):
        await handoffs.add(engine, Opening(turn, "slack", "T1", "C1", "1.2", by))
    handoff = await handoffs.of_turn(engine, other)
    assert handoff is not None
    await handoffs.claim(engine, handoff.id, GONE.id)
    await handoffs.resolve(engine, handoff.id, GONE.id, f"{WORDS} resolved")
    await inbox.is_first(engine, "slack", "greeting T1 UCANARY")
    await set_mode(engine, Place("slack", "T1", "C9"), "all", GONE.id)
    job = (await jobs.request(engine, "retrain", "", "slack:UCANARY")).job_id
    for channel in ("UCANARY", "C1"):
        await job_watchers.watch(engine, Watcher(job, "slack", "T1", channel, GONE.id))
    await audit.note(engine, Call("slack", "T1", GONE.id, "C1", "zanzibar", "quagga", False))
    await audit.note(engine, Call("slack", "T1", "UADMIN", "C1", "bar", "<@UCANARY>", True))
    await settle(engine, f"{WORDS} settled", "a", turn=own, asker=GONE)
    await settle(engine, f"{WORDS} in other words", None, asker=GONE, is_paraphrase=True)
    await settle(engine, "where is my invoice", "a", turn=other, asker=BOB, by="slack:UCANARY")
    await examples.bar(engine, ANN, "slack:UCANARY")
    approval = Approval("Where?", "There.", frozenset({"everyone"}), "slack:UCANARY", "Zoe")
    await approving.approve(engine, approval)
    await reviews.leave_out(engine, third, GONE)
    await reviews.skip(engine, other, GONE, 20)
    await reviews.note(engine, [ToReview(own, "quarantined", 1.0)])
    data = Split(
        (
            Example("an utterance", "a"),
            example(f"{WORDS} asked", own, BOB),
            example("where is my invoice", other, ANN, GONE),
            example("where is the other invoice", other, ANN),
        ),
        (Example(f"{WORDS} settled", "a", Origin.SETTLED, 2.0),),
    )
    version = await version_with(app, data, (f"{WORDS} in other words", "sing a song"))
    await examples.note_people(engine, version, {"slack:UCANARY": 4, "slack:UBOB": 2})
    assert await classifiers.promote(engine, version, None, "slack:UCANARY", is_rollback=True)
    return other, version


async def test_nothing_of_a_forgotten_person_is_left_and_all_of_the_others_is(app: App) -> None:
    engine = app.engine
    other, version = await plant(app)
    planted = {table for table, _, _ in await found(engine, "UCANARY", "zanzibar", "quagga")}
    assert planted == PERSONAL - {"classifier_files"}
    folder = await registry.fetch(engine, version, app.settings.data_directory / "classifiers")
    done = await forgetting.forget(engine, GONE)
    assert await found(engine, "UCANARY", "zanzibar", "quagga") == []
    assert done.versions == {version: 4}
    assert f"Version {version} has learnt from them" in str(done)
    assert (done.counts["questions"], done.counts["ratings"], done.counts["messages"]) == (1, 1, 2)
    # What is others' own stays, and so does every version as it serves.
    assert [fact.turn_id for fact in await examples.facts(engine)] == []  # Ann is barred
    assert await ratings.value_of(engine, other, ANN) == 1
    handoff = await handoffs.of_turn(engine, other)
    assert handoff is not None
    assert (handoff.state, handoff.claimed_by) == ("resolved", "forgotten")
    assert [each.text for each in await examples.settled(engine)] == ["where is my invoice"]
    hashes = await classifiers.file_hashes(engine, version, is_whole=True)
    content = await classifiers.file_content(engine, hashes[classifiers.SNAPSHOT])
    assert [each.text for each in snapshot.read(content).examples] == [
        "an utterance", "where is the other invoice",
    ]  # fmt: skip
    assert b"sing a song" in content
    assert await registry.fetch(engine, version, folder.parent) == folder
    assert await examples.forgotten_examples(engine, version) == 4
    for path in app.settings.data_directory.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"zanzibar" not in path.read_bytes(), path
    again = await forgetting.forget(engine, GONE)
    assert again.versions == {}


async def test_a_message_that_is_delivered_again_stays_forgotten(app: App) -> None:
    engine = app.engine
    await inbox.accept(engine, arrival("1"), Flood())
    await forgetting.forget(engine, GONE)
    assert await inbox.accept(engine, arrival("1"), Flood()) is Reception.KNOWN
    assert await found(engine, "UCANARY", "zanzibar") == []
    async with engine.connect() as connection:
        waiting = await connection.scalar(text("SELECT count(*) FROM procrastinate_jobs"))
    assert waiting == 0
    assert await inbox.accept(engine, arrival("2"), Flood()) is Reception.NEW  # they go on asking


async def test_an_answer_that_is_being_written_is_waited_for_and_deleted(
    engine: AsyncEngine,
) -> None:
    await inbox.accept(engine, arrival("1"), Flood())
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    forget = asyncio.ensure_future(forgetting.forget(engine, GONE))
    while not await stored.is_being_answered(engine, GONE, [1]):
        await asyncio.sleep(0.05)
    async with engine.connect() as connection:
        while await connection.scalar(text("SELECT state FROM inbox")) != "withdrawn":
            await asyncio.sleep(0.05)
            await connection.rollback()
    await asked(engine, f"{WORDS} late", "a", person=GONE, inbox_id=1)
    assert not forget.done()
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM procrastinate_jobs"))
    assert (await forget).counts["questions"] == 1
    assert await found(engine, "UCANARY", "zanzibar") == []
    assert await turns.count(engine) == {}


async def test_what_was_forgotten_while_a_version_was_trained_does_not_come_back_with_it(
    app: App,
) -> None:
    engine = app.engine
    own = await asked(engine, f"{WORDS} asked", "a", person=GONE)
    other = await asked(engine, "where is my invoice", "a", person=BOB)
    await up(engine, other, ANN)
    await up(engine, other, GONE)
    await settle(engine, f"{WORDS} settled", "a", asker=GONE)
    await settle(engine, "my own words", "a", asker=BOB)
    await forgetting.forget(engine, GONE)
    data = Split(
        (example(f"{WORDS} asked", own, BOB), example("where is my invoice", other, ANN, GONE)),
        (
            Example(f"{WORDS} settled", "a", Origin.SETTLED),
            Example("my own words", "a", Origin.SETTLED),
            example("where is the bill", other, ANN),
        ),
    )
    version = await version_with(app, data, (f"{WORDS} outside",))
    await examples.note_people(engine, version, {"slack:UCANARY": 4, "slack:UANN": 1})
    assert await forgetting.forget_vanished(engine, version) == 4
    assert await found(engine, "UCANARY", "zanzibar") == []
    assert await examples.forgotten_examples(engine, version) == 4
    assert await forgetting.forget_vanished(engine, version) == 0


async def test_a_version_without_files_is_marked_by_its_lineage(app: App) -> None:
    version = await version_with(app, Split((), ()))
    await examples.note_people(app.engine, version, {"slack:UCANARY": 3})
    async with app.engine.begin() as connection:
        await connection.execute(text("DELETE FROM classifier_files"))
        await artefacts.delete_unreferenced(connection)
    assert (await forgetting.forget(app.engine, GONE)).versions == {version: 3}
    assert await examples.forgotten_examples(app.engine, version) == 3


async def test_every_table_with_texts_is_known_to_forgetting(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        tables = {row.table_name for row in await connection.execute(COLUMNS)}
    assert tables == IMPERSONAL | PERSONAL


def test_a_snapshot_is_read_back_as_it_was_written_whatever_the_texts_hold() -> None:
    odd = 'a\u2028b\u0085c\n"d" é'
    data = Split(
        (Example(odd, "a"), replace(example(odd, 3, ANN), origin=Origin.EXCLUDED, versions=(1,))),
        (Example("t", "b", Origin.SETTLED, 2.0, (4,)),),
    )
    content = snapshot.write({"seed": 0}, data, (odd,))
    read = snapshot.read(content)
    assert read.examples == (*data.training, *data.test)
    assert read.plan == {"seed": 0}
    kept, dropped = snapshot.without(content, lambda line: line["part"] == snapshot.OUTSIDE)
    assert (dropped, snapshot.read(kept)) == (1, read)
    former = (
        json.dumps({"seed": 0})
        + "\n"
        + json.dumps({"part": "training", "text": "x", "intent": "a", "is_name": True})
    )
    assert snapshot.read(former.encode()).examples == (Example("x", "a"),)
