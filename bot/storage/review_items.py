"""What people are asked about next: doubtful turns, most informative first, each wording once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Person
from bot.storage.reviews import Why

DAYS = 30
SKIPPED_HOURS = 20
# Of so many turns, the newest, the doubtful are looked for, however much is asked.
WINDOW = 5_000
# The likeliest intent is in doubt where the next one is as near as this.
MARGIN = 0.2
# What another version was unsure of, the live one may know.
OTHER_VERSION = 0.5

# Questions that differ by case, spaces and punctuation alone have one wording; there is an index.
WORDING = "md5(lower(btrim(regexp_replace(question, '[[:space:][:punct:]]+', ' ', 'g'))))"


def _worded(statement: str) -> TextClause:
    """A statement with the expression of the wording put in."""
    return text(statement.replace("{WORDING}", WORDING))


# Of a text that no intent was near enough for, the first alternative is the likeliest intent: where
# that one is likely too, the text is as doubtful as one between two intents.
NEXT = _worded(
    "WITH recent AS MATERIALIZED (SELECT id, intent, intent_confidence, alternatives,"
    "  classifier_version_id, {WORDING} AS wording FROM turns"
    "  WHERE intent IS NOT NULL AND asked_at > now() - make_interval(days => :days)"
    "  ORDER BY asked_at DESC LIMIT :window),"
    " predicted AS (SELECT *, coalesce(CAST(alternatives -> 0 ->> 1 AS real), 0) AS next,"
    "  coalesce(alternatives -> 0 ->> 0, intent) AS next_intent FROM recent),"
    " found AS (SELECT id, wording, 1 AS place, :uncertain AS why,"
    "   (1 - greatest(0, intent_confidence - next))"
    "   * CASE WHEN classifier_version_id = :live THEN 1 ELSE :other END AS information"
    "  FROM predicted"
    "  WHERE (intent_confidence < :least OR intent_confidence - next < :margin)"
    "  AND NOT ARRAY[intent, next_intent] <@ CAST(:canned AS text[])"
    "  UNION ALL (SELECT id, {WORDING}, 0, why, information"
    "  FROM to_review JOIN turns ON id = turn_id ORDER BY information DESC LIMIT :window)),"
    " worded AS (SELECT DISTINCT ON (wording) * FROM found WHERE wording <> md5('')"
    "  ORDER BY wording, place, information DESC, id DESC),"
    " alike AS (SELECT wording, count(*) AS number FROM recent GROUP BY wording),"
    " done AS (SELECT {WORDING} AS wording FROM settled"
    "  JOIN turns ON turns.id = turn_id"
    "  UNION ALL SELECT {WORDING} FROM passed_over"
    "  JOIN turns ON turns.id = turn_id WHERE is_left_out OR (passed_over.platform = :platform"
    "   AND passed_over.person = :person AND passed_at > now() - make_interval(hours => :hours))),"
    " waiting AS (SELECT worded.*, coalesce(number, 1) AS alike FROM worded"
    "  LEFT JOIN alike USING (wording)"
    "  WHERE NOT EXISTS (SELECT FROM done WHERE done.wording = worded.wording))"
    " SELECT waiting.*, count(*) OVER () AS waiting, question, turns.intent, intent_confidence,"
    " alternatives, asked_at FROM waiting JOIN turns USING (id)"
    " ORDER BY place, information * alike DESC, id DESC LIMIT :count"
)
# What the ratings say of every turn with that wording; a 👎 for another reason says nothing here.
VOICES = _worded(
    "SELECT {WORDING} AS wording, coalesce(ratings.intent, turns.intent)"
    " AS intent, value < 0 AND ratings.intent IS NULL AS is_denied,"
    " count(DISTINCT (ratings.platform, ratings.person)) AS people"
    " FROM turns JOIN ratings ON turn_id = turns.id"
    " WHERE {WORDING} = ANY(CAST(:wordings AS text[]))"
    " AND coalesce(ratings.intent, turns.intent) IS NOT NULL"
    " AND (value > 0 OR reason = 'wrong_topic')"
    " GROUP BY 1, 2, 3 ORDER BY people DESC, intent, is_denied"
)


@dataclass(frozen=True, slots=True)
class Doubts:
    """What counts as doubtful: below `min_confidence`, of the `live` version above others.

    Between two of the `canned` intents, which get the same kind of reply, nothing is doubtful.
    """

    live: int | None
    min_confidence: float
    canned: Collection[str] = ()
    days: int = DAYS


@dataclass(frozen=True, slots=True)
class Voice:
    """So many people say that a question is of an intent, or, where it is denied, is not."""

    intent: str
    is_denied: bool
    people: int


@dataclass(frozen=True, slots=True)
class Item:
    """A question to be settled: why, what it was taken for, what people said, and how many
    turns of the last days have its wording."""

    turn_id: int
    question: str
    why: Why
    information: float
    alike: int
    asked_at: datetime
    intent: str | None
    confidence: float | None
    alternatives: tuple[tuple[str, float], ...]
    voices: tuple[Voice, ...] = ()


async def next_items(
    engine: AsyncEngine, doubts: Doubts, person: Person, count: int
) -> tuple[list[Item], int]:
    """The first `count` questions that a person may settle, and how many there are in all."""
    values = {
        "days": doubts.days, "window": WINDOW, "live": doubts.live, "other": OTHER_VERSION,
        "least": doubts.min_confidence, "margin": MARGIN, "canned": list(doubts.canned),
        "uncertain": Why.UNCERTAIN.value, "platform": person.platform, "person": person.id,
        "hours": SKIPPED_HOURS, "count": count,
    }  # fmt: skip
    async with engine.connect() as connection:
        rows = (await connection.execute(NEXT, values)).all()
        wordings = [row.wording for row in rows]
        said = (await connection.execute(VOICES, {"wordings": wordings})).all() if rows else []
    return [_item(row, said) for row in rows], rows[0].waiting if rows else 0


def _item(row: Row[Any], said: Sequence[Row[Any]]) -> Item:
    voices = tuple(
        Voice(voice.intent, voice.is_denied, voice.people)
        for voice in said
        if voice.wording == row.wording
    )
    alternatives = tuple((name, share) for name, share in row.alternatives or ())
    return Item(
        row.id, row.question, Why(row.why), row.information, row.alike, row.asked_at, row.intent,
        row.intent_confidence, alternatives, voices,
    )  # fmt: skip
