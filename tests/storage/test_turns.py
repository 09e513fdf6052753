"""Stored turns, and why they were answered as they were."""

from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import (
    Answer,
    Citation,
    Confidence,
    Conversation,
    Outcome,
    Person,
    Prediction,
    Question,
    Turn,
)  # fmt: skip
from bot.storage import classifiers, turns
from tests.rag.test_extractive import passage
from tests.storage.test_search import fill

QUESTION = Question("why?", Person("slack", "U1"), Conversation("slack", "C1"))
FIRST = replace(passage(1, ("s", "One.", 0.6)), source="s", uri="0", url="0", title="T")
SECOND = replace(FIRST, chunk_id=2, headings=("Other",))
GONE = replace(FIRST, chunk_id=3, uri="gone.md", url="gone", title="Was here")
CITED = Citation(1, "T", FIRST.headings, "0")
ANSWER = Answer(
    Outcome.ANSWERED, "One. [1]", (CITED,), Confidence(0.75, 0.5), (FIRST, SECOND, GONE)
)


async def test_an_explanation_holds_what_was_thought_and_what_was_found(
    engine: AsyncEngine,
) -> None:
    encoder = await fill(engine)
    new = classifiers.NewVersion(encoder, None, ("greeting", "question"), {}, {})
    version = await classifiers.add(engine, new)
    prediction = Prediction("greeting", 0.5, (("question", 0.25), ("other", 0.125)), version)
    turn_id = await turns.save(engine, Turn(None, QUESTION, ANSWER, {}, prediction))
    found = await turns.explain(engine, turn_id)
    assert found is not None
    assert (found.turn_id, found.question, found.outcome) == (turn_id, "why?", Outcome.ANSWERED)
    assert (found.intent, found.intent_confidence) == ("greeting", 0.5)
    assert found.alternatives == prediction.alternatives
    assert (found.classifier_version, found.about, found.right) == (version, 0.75, 0.5)
    first, second, gone = found.passages
    assert (first.source, first.uri, first.title, first.url) == ("s", "0", "T", "0")
    scores = FIRST.scores
    assert (first.cosine, first.bm25) == (scores.cosine, scores.bm25)
    assert (first.coverage, first.fused) == (scores.coverage, scores.fused)
    assert first.changed_at is not None
    assert first.changed_at <= found.asked_at
    assert [p.is_cited for p in found.passages] == [True, False, False]
    assert (gone.source, gone.uri) == ("s", "gone.md")
    assert (gone.title, gone.url, gone.changed_at) == (None, None, None)
    assert second.title == "T"


async def test_a_turn_without_classifier_or_search_is_explained_as_that(
    engine: AsyncEngine,
) -> None:
    turn_id = await turns.save(engine, Turn(None, QUESTION, Answer(Outcome.FAILED, "Sorry.")))
    found = await turns.explain(engine, turn_id)
    assert found is not None
    assert (found.intent, found.alternatives, found.about, found.passages) == (None, (), None, ())
    assert await turns.explain(engine, turn_id + 1) is None


async def test_turns_from_before_citations_were_noted_go_by_address(engine: AsyncEngine) -> None:
    await fill(engine)
    turn_id = await turns.save(engine, Turn(None, QUESTION, ANSWER))
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "UPDATE turns SET passages = (SELECT jsonb_agg(passage - 'cited' ORDER BY at)"
                " FROM jsonb_array_elements(passages) WITH ORDINALITY AS each (passage, at))"
            )
        )
    found = await turns.explain(engine, turn_id)
    assert found is not None
    assert [passage.is_cited for passage in found.passages] == [True, True, False]
