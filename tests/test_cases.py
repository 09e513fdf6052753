"""Questions whose answers were rated down, asked again."""

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import announcing, approving, cases
from bot.app import App
from bot.approving import Approval
from bot.evaluation import ask_cases
from bot.messages import (
    EVERYONE,
    Answer,
    Citation,
    Conversation,
    Outcome,
    Passage,
    Person,
    Question,
    Rating,
    Reason,
    Scores,
)
from bot.storage import announcements, ratings
from bot.storage import cases as stored
from bot.storage.cases import Case, Result
from ingest.__main__ import _reindex
from ingest.parsing import Parser
from ingest.pipeline import Pipeline

QUESTION = "How long does a refund take?"
WRONG = "Refunds are paid within five working days. [1]"


def case(approved_id: int | None = None, *, is_unchanged: bool = True) -> Case:
    return Case(1, QUESTION, WRONG, "slack", "C1:1.1", None, frozenset({"documents/refunds.md"}),
                is_unchanged, approved_id)  # fmt: skip


def answer(words: str, source: str = "documents", uri: str = "refunds.md") -> Answer:
    passage = Passage(1, source, uri, uri, "Refunds", (), words, Scores(1, 1, 1, 1))
    return Answer(
        Outcome.ANSWERED, words, (Citation(1, "Refunds", (), uri),), None, (passage,)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "is_passed", "finding"),
    [
        (WRONG, False, "repeated"),
        ("“Refunds are paid within five working days.” [2]", False, "repeated"),
        ("Refunds take ten days since May. [1]", True, "changed"),
    ],
)
def test_an_answer_that_was_rated_down_must_not_come_again(
    words: str, is_passed: bool, finding: str
) -> None:
    assert cases.judge(case(), answer(words)) == Result(1, is_passed, finding)


def test_not_to_answer_is_better_than_a_wrong_answer() -> None:
    unsure = Answer(Outcome.ABSTAINED, "I am not sure.")
    assert cases.judge(case(), unsure) == Result(1, True, "unsure")


def test_what_a_model_words_anew_from_the_same_unchanged_page_is_the_same() -> None:
    anew = answer("It will be with you in at most five days of work. [1]")
    assert cases.judge(case(), anew, is_written=True).finding == "repeated"
    changed = case(is_unchanged=False)
    assert cases.judge(changed, anew, is_written=True).finding == "changed"


def test_once_an_answer_is_approved_it_must_be_cited() -> None:
    assert cases.judge(case(7), answer("Ten days.", "approved-answers", "7.md")).is_passed
    assert cases.judge(case(7), answer("Ten days.")) == Result(1, False, "uncited")


def test_what_got_better_and_worse_is_told_of_known_cases_alone() -> None:
    before = {1: Result(1, False, "repeated"), 2: Result(2, True, "changed")}
    now = [Result(1, True, "changed"), Result(2, False, "repeated"), Result(3, False, "repeated")]
    assert cases.compare(before, now) == cases.Comparison((now[0],), (now[1],))


async def reindexed(app: App) -> None:
    with Parser() as parser:
        pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
        for source in (*app.settings.sources, None):
            await _reindex(pipeline, app.engine, source, False, lambda done, total: None)


async def rated_down(app: App, reason: Reason = Reason.WRONG_OR_OUTDATED) -> int:
    question = Question(QUESTION, Person("slack", "U1"), Conversation("slack", "C1:1.1"))
    turn = await app.assistant().answer(question)
    assert turn.id is not None
    assert turn.answer.outcome is Outcome.ANSWERED
    await ratings.save(app.engine, Rating(turn.id, Person("slack", "U1"), -1, reason))
    return turn.id


async def told(engine: AsyncEngine) -> announcements.Announcement | None:
    return await announcements.take(engine, "slack", "T1")


async def test_a_case_fails_until_the_page_or_an_approved_answer_mends_it_and_that_is_told_once(
    app: App, home: Path
) -> None:
    page = home / "documents" / "refunds.md"
    page.write_text("# Refunds\n\nRefunds are paid within five working days.\n")
    await reindexed(app)
    turn_id = await rated_down(app)
    await rated_down(app, Reason.WRONG_TOPIC)
    first = await announcing.evaluate(app, lambda share, note: None)
    assert (first["cases"], first["passed"]) == (1, 0)
    assert "Nothing has changed" in (await announcing.evaluate(app, lambda s, n: None))["said"]
    assert await told(app.engine) is None

    page.write_text("# Refunds\n\nA refund takes ten days, and is then on your account.\n")
    await reindexed(app)
    second = await announcing.evaluate(app, lambda share, note: None)
    assert second["better"] == [[turn_id, "changed"]]
    assert second["because"] == ["index"]
    announcement = await told(app.engine)
    assert announcement is not None
    assert await told(app.engine) is None

    approval = Approval(
        QUESTION, "A refund takes ten days by bank transfer.",
        frozenset({EVERYONE}), "slack:U9", "Ada",
    )  # fmt: skip
    await approving.approve(app.engine, approval, turn_id)
    third = await announcing.evaluate(app, lambda share, note: None)
    assert third["worse"] == [[turn_id, "uncited"]]  # it is not in the index yet
    await reindexed(app)
    report = await ask_cases(app)
    assert report["missed"] == []
    assert [one["finding"] for one in report["better"]] == ["cites the approved answer"]


async def test_what_leans_on_an_earlier_question_is_not_asked_alone() -> None:
    leaning = Case(1, "And for teams?", WRONG, "slack", "C1", None, frozenset(), True, None)
    assert cases.can_be_asked(case())
    assert not cases.can_be_asked(leaning)


async def test_a_case_is_asked_with_the_documents_of_its_channel() -> None:
    direct = Case(1, QUESTION, WRONG, "slack", "D1:1.1", "U1", frozenset(), True, None)
    principals = cases.question_of(direct).conversation.principals
    assert principals == {EVERYONE, "slack:D1", "slack:U1"}
    terminal = Case(1, QUESTION, WRONG, "terminal", "x", None, frozenset(), True, None)
    assert cases.question_of(terminal).conversation.principals == {EVERYONE}


async def test_a_deleted_turn_takes_its_case_and_results_along(app: App, home: Path) -> None:
    (home / "documents" / "refunds.md").write_text(
        "# Refunds\n\nRefunds are paid within five days.\n"
    )
    await reindexed(app)
    turn_id = await rated_down(app)
    await announcing.evaluate(app, lambda share, note: None)
    async with app.engine.begin() as connection:
        await connection.execute(text("DELETE FROM turns WHERE id = :id"), {"id": turn_id})
    assert await stored.find(app.engine) == []
    run = await stored.last_run(app.engine)
    assert run is not None
    assert run.results == {}
