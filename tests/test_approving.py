"""Answers that admins approve: real documents, found by the next question, gone when withdrawn."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from bot import approving, commands
from bot.app import App
from bot.approving import Approval
from bot.calling import Administration, Caller
from bot.errors import AnswerError
from bot.messages import (
    APPROVED_ANSWERS,
    EVERYONE,
    Conversation,
    Outcome,
    Person,
    Question,
    Turn,
)
from bot.reviewing import Reviews
from bot.storage import approved, documents, jobs, runs
from bot.versions import Serving
from ingest.__main__ import _reindex
from ingest.parsing import Parser
from ingest.pipeline import Pipeline, Report

QUESTION = "Who may sign a contract with a supplier?"
ANSWER = "Contracts with suppliers are signed by Carol of the legal team."


def approval(question: str = QUESTION, answer: str = ANSWER, audience: str = EVERYONE) -> Approval:
    return Approval(question, answer, frozenset(audience.split()), "slack:U9", "Ada Lovelace")


async def reindexed(app: App) -> Report:
    """Reindex the approved answers as their job does."""
    with Parser() as parser:
        pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
        return await _reindex(pipeline, app.engine, None, False, lambda done, total: None)


async def asked(app: App, words: str = QUESTION, *principals: str) -> Turn:
    """The turn of a question in a new conversation."""
    place = Conversation("slack", "C1:2.2", frozenset({EVERYONE, *principals}))
    return await app.assistant().answer(Question(words, Person("slack", "U1"), place))


async def test_an_approved_answer_is_cited_with_its_author_and_date_by_the_next_question(
    app: App,
) -> None:
    first = await asked(app, "Who may sign contracts with suppliers?")
    assert first.answer.outcome is Outcome.ABSTAINED
    assert first.id is not None
    _, job = await approving.approve(app.engine, approval(), first.id)
    assert (await jobs.read(app.engine, job.job_id)).name == f"reindex {APPROVED_ANSWERS}"
    await reindexed(app)
    turn = await asked(app, "Who can sign the contract with our supplier?")
    assert "signed by Carol" in turn.answer.text
    (citation,) = turn.answer.citations
    today = datetime.now(UTC)
    assert citation.title == QUESTION
    assert citation.url == f"approved answer 1, Ada Lovelace, {today.day} {today:%B %Y}"


async def test_a_reindex_of_other_sources_and_of_this_one_never_removes_it(
    app: App, home: Path
) -> None:
    await approving.approve(app.engine, approval())
    await reindexed(app)
    (home / "documents" / "a.md").write_text("# Refunds\n\nRefunds take five days.\n")
    with Parser() as parser:
        pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
        await _reindex(pipeline, app.engine, app.settings.sources[0], True, lambda d, t: None)
    report = await reindexed(app)
    assert (report.counts.unchanged, report.counts.removed) == (1, 0)
    assert "Carol" in (await asked(app)).answer.text


async def test_a_withdrawn_answer_is_gone_at_once_and_no_reindex_brings_it_back(app: App) -> None:
    number, _ = await approving.approve(app.engine, approval())
    await reindexed(app)
    await approving.withdraw(app.engine, number, "slack:U9")
    assert APPROVED_ANSWERS not in await documents.sizes(app.engine)
    await reindexed(app)
    assert (await asked(app)).answer.outcome is Outcome.ABSTAINED
    with pytest.raises(AnswerError, match="withdrawn"):
        await approving.renew(app.engine, number, "slack:U9")


async def test_a_changed_answer_replaces_the_former_one(app: App) -> None:
    number, _ = await approving.approve(app.engine, approval())
    await reindexed(app)
    changed = approval(answer="Contracts with suppliers are signed by Grace.")
    await approving.change(app.engine, number, changed)
    assert "Carol" in (await asked(app)).answer.text  # until the new one is complete
    await reindexed(app)
    said = (await asked(app)).answer.text
    assert "Grace" in said
    assert "Carol" not in said


async def test_an_answer_for_one_channel_is_found_there_alone_and_a_narrower_one_leaves_at_once(
    app: App,
) -> None:
    number, _ = await approving.approve(app.engine, approval())
    await reindexed(app)
    await approving.change(app.engine, number, approval(audience="slack:C1"))
    assert (await asked(app)).answer.outcome is Outcome.ABSTAINED
    await reindexed(app)
    assert (await asked(app, QUESTION, "slack:C2")).answer.outcome is Outcome.ABSTAINED
    assert "Carol" in (await asked(app, QUESTION, "slack:C1")).answer.text


async def test_an_intent_with_sources_of_its_own_finds_approved_answers_too(app: App) -> None:
    await approving.approve(app.engine, approval())
    await reindexed(app)
    retriever = app.assistant().retriever
    vector = await retriever.encode(QUESTION)
    sources = ("documents", APPROVED_ANSWERS)
    assert await retriever.search(QUESTION, vector, frozenset({EVERYONE}), sources)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (approval(question=" \0 "), "question is empty"),
        (approval(answer="\n"), "answer is empty"),
        (approval(question="x" * 201), "at most 200"),
        (approval(answer="x" * 3001), "at most 3,000"),
        (approval(audience=""), "who may get"),
        (approval(audience="all of us"), "who may get"),
    ],
)
async def test_what_cannot_be_published_is_refused_with_what_to_write(
    app: App, wrong: Approval, said: str
) -> None:
    with pytest.raises(AnswerError, match=f"(?i){said}"):
        await approving.approve(app.engine, wrong)
    assert await approved.published(app.engine) == []


async def test_markup_in_a_question_and_an_answer_stays_text(app: App) -> None:
    question = 'Is "--- title: x" <b>safe</b> \\ or {{not}}?'
    await approving.approve(app.engine, approval(question, "---\ntitle: evil\n---\n\nIt is safe."))
    assert (await reindexed(app)).problems == []
    async with app.engine.connect() as connection:
        title = await connection.scalar(text("SELECT title FROM documents"))
    assert title.startswith('Is "--- title: x"')


async def stored_turn(app: App, question: str = "who may sign contracts with suppliers") -> int:
    turn = await asked(app, question)
    assert turn.id is not None
    return turn.id


async def delete(app: App, turn_id: int) -> None:
    async with app.engine.begin() as connection:
        await connection.execute(text("DELETE FROM turns WHERE id = :id"), {"id": turn_id})


async def test_an_answer_worded_as_its_asker_did_goes_with_the_askers_turn(app: App) -> None:
    turn_id = await stored_turn(app)
    await approving.approve(
        app.engine, approval("Who may sign contracts with suppliers?"), turn_id
    )  # fmt: skip
    await reindexed(app)
    await delete(app, turn_id)
    assert await approved.published(app.engine) == []
    assert APPROVED_ANSWERS not in await documents.sizes(app.engine)


async def test_an_answer_in_an_admins_own_words_stays_when_the_asker_is_forgotten(
    app: App,
) -> None:
    turn_id = await stored_turn(app)
    await approving.approve(app.engine, approval("Contracts: whose signature?"), turn_id)
    await delete(app, turn_id)
    (answer,) = await approved.published(app.engine)
    assert answer.turn_id is None


async def test_a_forgotten_author_is_named_no_more(app: App) -> None:
    await approving.approve(app.engine, approval())
    await reindexed(app)
    async with app.engine.begin() as connection:
        await approved.forget_author(connection, "slack", "U9")
    await reindexed(app)
    (citation,) = (await asked(app)).answer.citations
    assert "Ada" not in citation.url
    assert "a former colleague" in citation.url


async def test_two_admins_who_answer_the_same_question_publish_one_answer(app: App) -> None:
    turn_id = await stored_turn(app)
    await approving.approve(app.engine, approval(), turn_id)
    with pytest.raises(AnswerError, match="meanwhile"):
        await approving.approve(app.engine, approval(), turn_id)
    assert (await approving.draft(app.engine, turn_id)).former is not None


async def test_answers_are_listed_those_due_for_renewal_first_and_renewed(app: App) -> None:
    old, _ = await approving.approve(app.engine, approval("Old?"))
    new, _ = await approving.approve(app.engine, approval("New?"))
    async with app.engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE approved_answers SET confirmed_at = now() - interval '181 d' WHERE id = :i"
            ),
            {"i": new},
        )
    reviews = Reviews(app.engine, app.catalog, 0.5)
    administration = Administration(app.engine, (), Serving((), app.encoder_id), {}, reviews)
    caller = Caller("slack", "T1", "U9", None, is_admin=True)

    async def say(words: str) -> str:
        return (await commands.call(administration, caller, words)).text

    said = await say("answers")
    assert "2, of which 1 is due" in said
    assert said.index("New?") < said.index("Old?")
    assert "due for renewal since" in said.partition("Old?")[0]
    assert "renewed for 180 days" in await say(f"answers renew {new}")
    assert "of which 0 are due" in await say("answers")
    assert "no question finds it" in await say(f"answers withdraw {old}")
    assert "There is no approved answer" in await say(f"answers withdraw {old}")
    assert "Write `answers`" in await say("answers burn 3")
    assert await approved.count_due(app.engine, 180) == 0


async def test_a_draft_begins_with_what_a_person_answered(app: App) -> None:
    turn_id = await stored_turn(app)
    async with app.engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO handoffs (turn_id, platform, workspace, asked_in, asked_thread,"
                " asked_by, state, claimed_by, resolved_by, resolution) VALUES (:turn, 'slack',"
                " 'T1', 'C1', '', 'U1', 'resolved', 'U2', 'U2', 'Carol does.')"
            ),
            {"turn": turn_id},
        )
    draft = await approving.draft(app.engine, turn_id)
    assert draft.answer == "Carol does."
    assert draft.place == "slack:C1"
    with pytest.raises(AnswerError, match="no longer stored"):
        await approving.draft(app.engine, 999)


async def test_a_run_of_the_source_is_noted_as_that_of_any_other(app: App) -> None:
    await approving.approve(app.engine, approval())
    await reindexed(app)
    run = (await runs.last_runs(app.engine))[APPROVED_ANSWERS]
    assert run.is_complete
    assert run.counts.indexed == 1
