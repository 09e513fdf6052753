"""Turns: every question with its answer, why it was given and how long it took."""

import json
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Conversation, Exchange, ExplainedPassage, Explanation, Outcome, Turn

SAVE = text(
    "INSERT INTO turns (platform, conversation, person, question, outcome, answer, about, correct,"
    " intent, intent_confidence, alternatives, classifier_version_id, citations, passages,"
    " timings_ms, inbox_id) VALUES (:platform, :conversation, :person, :question, :outcome,"
    " :answer, :about, :correct, :intent, :intent_confidence, CAST(:alternatives AS jsonb),"
    " :version, CAST(:citations AS jsonb), CAST(:passages AS jsonb), CAST(:timings AS jsonb),"
    " :inbox)"
    # A question that is answered again, as the first answer was not delivered, is one turn.
    " ON CONFLICT (inbox_id) DO UPDATE SET question = excluded.question,"
    " outcome = excluded.outcome, answer = excluded.answer, about = excluded.about,"
    " correct = excluded.correct, intent = excluded.intent,"
    " intent_confidence = excluded.intent_confidence, alternatives = excluded.alternatives,"
    " classifier_version_id = excluded.classifier_version_id, citations = excluded.citations,"
    " passages = excluded.passages, timings_ms = excluded.timings_ms RETURNING id"
)

# What was asked longer ago than this, or before so many turns, is another talk.
RECENT_MINUTES = 30
RECENT_TURNS = 6

RECENT = text(
    "SELECT question, answer FROM turns WHERE platform = :platform AND conversation = :conversation"
    " AND asked_at > now() - make_interval(mins => :minutes) ORDER BY id DESC LIMIT :turns"
)

ONE = text(
    "SELECT id, question, outcome, intent, intent_confidence, alternatives, about, correct,"
    " classifier_version_id, citations, asked_at FROM turns WHERE id = :turn"
)
# The passages of a turn in their order, with what their documents are now.
FOUND = text(
    "SELECT found.passage, documents.title, documents.url, documents.indexed_at"
    " FROM turns CROSS JOIN LATERAL jsonb_array_elements(turns.passages)"
    " WITH ORDINALITY AS found (passage, at)"
    " LEFT JOIN documents ON documents.source = found.passage ->> 'source'"
    " AND documents.uri = found.passage ->> 'uri'"
    " WHERE turns.id = :turn ORDER BY found.at"
)


async def save(engine: AsyncEngine, turn: Turn) -> int:
    """Store a turn; its id."""
    question, answer, prediction = turn.question, turn.answer, turn.prediction
    confidence = answer.confidence
    cited = {(citation.url, citation.title, citation.headings) for citation in answer.citations}
    passages = [
        {"chunk": passage.chunk_id, "source": passage.source, "uri": passage.uri}
        | asdict(passage.scores)
        | {"cited": (passage.url, passage.title, passage.headings) in cited}
        for passage in answer.passages
    ]
    async with engine.begin() as connection:
        stored: int = await connection.scalar(
            SAVE,
            {
                "platform": question.conversation.platform,
                "conversation": question.conversation.id,
                "person": question.person.id,
                "question": question.text,
                "outcome": answer.outcome.value,
                "answer": answer.text,
                "about": confidence.about if confidence else None,
                "correct": confidence.right if confidence else None,
                "citations": json.dumps([asdict(citation) for citation in answer.citations]),
                "passages": json.dumps(passages),
                "timings": json.dumps(turn.timings_ms),
                "intent": prediction.intent if prediction else None,
                "intent_confidence": prediction.confidence if prediction else None,
                "alternatives": json.dumps(prediction.alternatives) if prediction else None,
                "version": prediction.version if prediction else None,
                "inbox": question.inbox_id,
            },
        )
    return stored


async def recent(engine: AsyncEngine, conversation: Conversation) -> list[Exchange]:
    """The last exchanges of this conversation and no other, oldest first."""
    values = {
        "platform": conversation.platform,
        "conversation": conversation.id,
        "minutes": RECENT_MINUTES,
        "turns": RECENT_TURNS,
    }
    async with engine.connect() as connection:
        rows = (await connection.execute(RECENT, values)).all()
    return [Exchange(row.question, row.answer) for row in reversed(rows)]


async def explain(engine: AsyncEngine, turn_id: int) -> Explanation | None:
    """Why a turn was answered as it was; None where there is no such turn."""
    async with engine.connect() as connection:
        turn = (await connection.execute(ONE, {"turn": turn_id})).one_or_none()
        if turn is None:
            return None
        found = (await connection.execute(FOUND, {"turn": turn_id})).all()
    urls = {citation["url"] for citation in turn.citations}
    return Explanation(
        turn_id=turn.id,
        question=turn.question,
        outcome=Outcome(turn.outcome),
        intent=turn.intent,
        intent_confidence=turn.intent_confidence,
        alternatives=tuple((name, confidence) for name, confidence in turn.alternatives or ()),
        classifier_version=turn.classifier_version_id,
        about=turn.about,
        right=turn.correct,
        asked_at=turn.asked_at,
        passages=tuple(_explained(row, urls) for row in found),
    )


def _explained(row: Row[Any], cited_urls: set[str]) -> ExplainedPassage:
    passage = row.passage
    return ExplainedPassage(
        source=passage["source"],
        uri=passage["uri"],
        title=row.title,
        url=row.url,
        cosine=passage["cosine"],
        bm25=passage["bm25"],
        coverage=passage["coverage"],
        fused=passage["fused"],
        changed_at=row.indexed_at,
        # Turns stored before this was noted know only the addresses of what they cite.
        is_cited=passage.get("cited", row.url in cited_urls),
    )


async def count(engine: AsyncEngine) -> dict[str, int]:
    """How many turns ended in each way."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT outcome, count(*) FROM turns GROUP BY outcome ORDER BY outcome")
        )
        return {row[0]: row[1] for row in rows}
