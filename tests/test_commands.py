"""Admin commands, whatever the platform: what they say, what they do, and that all is audited."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import commands
from bot.app import App
from bot.calling import Administration, Caller, Done
from bot.commands import COMMANDS
from bot.messages import Answer, Conversation, Outcome, Person, Question, Rating, Reason, Turn
from bot.overviews import ago, literal
from bot.reviewing import Reviews
from bot.storage import audit, classifiers, conversations, jobs, ratings, runs, turns
from bot.versions import Serving

INTENTS = ("a", "b")


@pytest.fixture
def administration(app: App) -> Administration:
    serving = Serving(INTENTS, app.encoder_id)
    reviews = Reviews(app.engine, app.catalog, 0.5)
    return Administration(app.engine, ("documents", "wiki"), serving, {"C2": "all"}, reviews)


def caller(*, is_admin: bool = True, channel: str | None = "C1") -> Caller:
    return Caller("slack", "T1", "U1", channel, is_admin)


async def call(administration: Administration, words: str) -> str:
    return (await commands.call(administration, caller(), words)).text


async def asked(engine: AsyncEngine, question: str, outcome: Outcome, number: int = 1) -> list[int]:
    """Turns that ended so."""
    place = Conversation("slack", "C1:1")
    turn = Turn(None, Question(question, Person("slack", "U2"), place), Answer(outcome, "…"))
    return [await turns.save(engine, turn) for _ in range(number)]


async def add_version(app: App) -> int:
    """A version with files, that was the better one."""
    metrics = {"test": {"accuracy": 0.9, "macro_f1": 0.8}}
    new = classifiers.NewVersion(app.encoder_id, None, INTENTS, metrics, {"model.onnx": b"x"})
    version = await classifiers.add(app.engine, new)
    live = await classifiers.live_id(app.engine)
    assert await classifiers.promote(app.engine, version, instead_of=live)
    return version


def test_every_command_is_explained_and_named_as_it_is_written() -> None:
    for name, command in COMMANDS.items():
        assert command.usage.split()[0] == name
        assert command.purpose


@pytest.mark.parametrize("words", [*COMMANDS, "nonsense", "", "reindex x y", "rollback x", "  "])
async def test_each_call_is_audited_once_allowed_or_not(
    administration: Administration, engine: AsyncEngine, words: str
) -> None:
    for is_admin in (True, False):
        done = await commands.call(administration, caller(is_admin=is_admin), words)
        called = await audit.newest(engine, 9)
        assert len(called) == (1 if is_admin else 2)
        name, _, arguments = words.strip().partition(" ")
        assert (called[0].command, called[0].arguments) == (name or "help", arguments)
        is_open = is_admin or (name or "help") == "help"
        assert called[0].is_allowed is done.is_allowed is is_open


async def test_a_call_is_audited_even_if_it_holds_what_no_database_stores(
    administration: Administration, engine: AsyncEngine
) -> None:
    await call(administration, "reindex \0wi\ud800ki\n" + "x" * 5000)
    (called,) = await audit.newest(engine, 9)
    assert called.arguments.startswith("wiki xxx")
    assert len(called.arguments) <= commands.MAX_ARGUMENTS


async def test_nothing_is_done_that_could_not_be_audited(
    administration: Administration, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE audit RENAME TO audit_elsewhere"))
    with pytest.raises(Exception, match="audit"):
        await call(administration, "retrain")
    assert await jobs.active(engine) == []


async def test_an_unknown_source_is_answered_with_the_known_ones(
    administration: Administration, engine: AsyncEngine
) -> None:
    said = await call(administration, "reindex wikki")
    assert "no source “wikki”" in said
    assert "Did you mean `wiki`?" in said
    assert "`documents`, `wiki`" in said
    assert await jobs.active(engine) == []


async def test_a_repeated_request_names_the_same_job(administration: Administration) -> None:
    first = await commands.call(administration, caller(), "retrain")
    second = await commands.call(administration, caller(), "/retrain")
    assert first.job_ids == second.job_ids
    assert f"job {first.job_ids[0]} waits to run" in second.text
    assert "No worker is alive" in second.text


async def test_status_tells_jobs_versions_sources_and_people(
    administration: Administration, app: App
) -> None:
    version = await add_version(app)
    run = await runs.start(app.engine, "wiki")
    counts = runs.Counts(indexed=3, rejected=1)
    await runs.finish(app.engine, run, counts, ["a_b.pdf: *broken*"], is_complete=True)
    await jobs.request(app.engine, "reindex", "wiki", "test")
    said = await call(administration, "status")
    assert "reindex wiki" in said
    assert "waits to run" in said
    assert f"Version {version} of the classifier is live, accuracy 90.0 %" in said
    assert "updated just now (3 indexed" in said
    assert r"a\_b\.pdf" in said
    assert "**documents**: 0 documents, never indexed" in said
    assert "0 questions were asked" in said


async def test_the_mode_of_a_channel_is_shown_and_set(administration: Administration) -> None:
    assert "(`mention`)" in await call(administration, "channel")
    assert "There are: `mention`" in await call(administration, "channel everything")
    assert "(`all`)" in await call(administration, "channel ALL")
    assert "(`all`)" in await call(administration, "channel")
    (known,) = await conversations.channels(administration.engine, "slack", "T1")
    assert (known.id, known.mode) == ("C1", "all")


async def test_a_mode_of_the_settings_is_shown_and_a_direct_message_has_none(
    administration: Administration,
) -> None:
    done = await commands.call(administration, caller(channel="C2"), "channel")
    assert "(`all`)" in done.text
    done = await commands.call(administration, caller(channel=None), "channel all")
    assert "This is no channel" in done.text
    assert await conversations.channels(administration.engine, "slack", "T1") == []


async def test_a_rollback_is_noted_with_its_caller(
    administration: Administration, app: App
) -> None:
    first, second = await add_version(app), await add_version(app)
    assert f"Version {first} is live instead of version {second}" in await call(
        administration, "rollback"
    )
    listed = await call(administration, "versions")
    assert "rolled back to by slack" in listed
    assert "is live already" in await call(administration, f"rollback {first}")
    assert "no version 99" in await call(administration, "rollback 99")
    assert "number of a version" in await call(administration, "rollback 1 2")
    assert "number of a version" in await call(administration, "rollback ²")


async def test_gaps_are_what_failed_most_often_first(
    administration: Administration, engine: AsyncEngine
) -> None:
    await asked(engine, "How do I reset my password?", Outcome.ABSTAINED)
    await asked(engine, "how do i  RESET my password", Outcome.ABSTAINED)
    await asked(engine, "a human please", Outcome.HANDED_OVER)
    (wrong, fine, off_topic) = await asked(engine, "What does it cost?", Outcome.ANSWERED, 3)
    person = Person("slack", "U2")
    await ratings.save(engine, Rating(wrong, person, -1, Reason.WRONG_OR_OUTDATED))
    await ratings.save(engine, Rating(fine, person, 1))
    await ratings.save(engine, Rating(off_topic, person, -1, Reason.WRONG_TOPIC))
    (old,) = await asked(engine, "long ago", Outcome.ABSTAINED)
    async with engine.begin() as connection:
        await connection.execute(
            text("UPDATE turns SET asked_at = now() - interval '31 days' WHERE id = :id"),
            {"id": old},
        )
    lines = [
        line for line in (await call(administration, "gaps")).splitlines() if line[:1].isdigit()
    ]
    assert lines[0] == "1. how do i RESET my password (2 × not sure)"
    assert any(
        line.endswith("What does it cost? (1 × rated wrong or incomplete)") for line in lines
    )
    assert not any("long ago" in line for line in lines)
    assert len([line for line in lines if " × " in line]) == 3


async def test_at_most_twenty_gaps_are_shown(
    administration: Administration, engine: AsyncEngine
) -> None:
    for number in range(25):
        await asked(engine, f"question {number}", Outcome.ABSTAINED)
    assert (await call(administration, "gaps")).count("not sure") == 20


async def test_help_shows_each_what_they_may(administration: Administration) -> None:
    for is_admin, shown in ((True, set(COMMANDS)), (False, {"help"})):
        done: Done = await commands.call(administration, caller(is_admin=is_admin), "help")
        named = {line.split("`")[1].split()[0] for line in done.text.splitlines() if "- `" in line}
        assert named == shown


def test_times_are_told_roughly() -> None:
    now = datetime(2026, 8, 1, tzinfo=UTC)
    for seconds, words in (
        (10, "just now"), (90, "a minute ago"), (600, "10 minutes ago"), (3700, "an hour ago"),
        (11_000, "3 hours ago"), (200_000, "2 days ago"),
    ):  # fmt: skip
        assert ago(now - timedelta(seconds=seconds), now) == words


def test_text_of_people_has_no_markup() -> None:
    assert literal("*a*\n_b_ [c](d)") == r"\*a\* \_b\_ \[c\](d)"
    assert len(literal("x" * 500)) == 150


async def test_a_refused_version_is_promoted_by_force_alone(
    administration: Administration, app: App
) -> None:
    first = await add_version(app)
    new = classifiers.NewVersion(app.encoder_id, first, INTENTS, {}, {"model.onnx": b"x"})
    refused = await classifiers.add(app.engine, new)
    await classifiers.refuse(app.engine, refused, "It is worse.")
    assert "Say which version" in await call(administration, "promote --force")
    assert "add --force" in await call(administration, f"promote {refused}")
    assert await classifiers.live_id(app.engine) == first
    said = await call(administration, f"promote {refused} --force")
    assert said.startswith(f"Version {refused} is live instead of version {first}.")
    assert "although: It is worse" in (await call(administration, "versions")).replace("\\", "")
