"""What examples are made of: rated turns, what was settled, who is barred, what versions saw."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.messages import Outcome, Person, Reason

# The newest ratings that are read: what a hundred thousand do not teach, older ones will not.
MAX_RATINGS = 100_000
# Of more, a question cannot be an example; only so much of it is read.
MAX_CHARACTERS = 4000

# Only the replies of intents are given without a search: of those no confidence is stored.
FACTS = text(
    "SELECT turn.id AS turn_id, left(turn.question, :characters) AS question,"
    " turn.platform || ':' || turn.person AS asker, turn.platform, turn.outcome, turn.intent,"
    " turn.about IS NULL AND turn.outcome <> 'failed' AS is_canned,"
    " turn.intent_confidence AS confidence, turn.classifier_version_id AS version,"
    " coalesce(earlier.asked_at > turn.asked_at - make_interval(mins => :minutes), false)"
    "  AS is_follow_up,"
    " rating.platform || ':' || rating.person AS rater, rating.value, rating.reason,"
    " rating.intent AS corrected, rating.rated_at"
    " FROM (SELECT * FROM ratings ORDER BY rated_at DESC LIMIT :most) AS rating"
    " JOIN turns AS turn ON turn.id = rating.turn_id"
    " LEFT JOIN LATERAL (SELECT asked_at FROM turns AS earlier"
    "  WHERE earlier.platform = turn.platform AND earlier.conversation = turn.conversation"
    "  AND earlier.id < turn.id ORDER BY earlier.id DESC LIMIT 1) AS earlier ON true"
    " WHERE NOT EXISTS (SELECT FROM barred_people AS barred WHERE (barred.platform, barred.person)"
    "  IN ((rating.platform, rating.person), (turn.platform, turn.person)))"
    " ORDER BY rating.rated_at, turn.id, rating.platform, rating.person"
)
# An earlier question that is not older than this is what a follow-up leans on.
FOLLOW_UP_MINUTES = 30

SETTLED = text(
    "SELECT settled.turn_id, settled.text, intent, is_paraphrase, asker_platform AS platform,"
    " asker_platform || ':' || asker AS asker FROM settled"
    " WHERE NOT EXISTS (SELECT FROM barred_people AS barred"
    "  WHERE barred.platform = asker_platform AND barred.person = asker)"
    " ORDER BY settled_at DESC, settled.id DESC"
)
BAR = text(
    "INSERT INTO barred_people (platform, person, barred_by) VALUES (:platform, :person, :by)"
    " ON CONFLICT DO NOTHING"
)
UNBAR = text("DELETE FROM barred_people WHERE platform = :platform AND person = :person")
BARRED = text(
    "SELECT platform, person, barred_by, barred_at FROM barred_people ORDER BY barred_at DESC"
)
SAW = text(
    "INSERT INTO version_people (version_id, platform, person, examples)"
    " VALUES (:version, :platform, :person, :examples) ON CONFLICT (version_id, platform, person)"
    " DO UPDATE SET examples = excluded.examples"
)
VERSIONS = text(
    "SELECT version_id, examples FROM version_people WHERE platform = :platform"
    " AND person = :person ORDER BY version_id"
)
MARK = text(
    "UPDATE classifier_versions AS version SET"
    " forgotten_examples = forgotten_examples + seen.examples FROM version_people AS seen"
    " WHERE seen.version_id = version.id AND platform = :platform AND person = :person"
)
FORGOTTEN = text("SELECT forgotten_examples FROM classifier_versions WHERE id = :version")


@dataclass(frozen=True, slots=True)
class Fact:
    """A rating with the turn that it is on; people are "platform:person".

    `is_follow_up` where another question was asked in the conversation shortly before,
    `is_canned` where the answer was the reply of an intent and nothing was searched for.
    """

    turn_id: int
    question: str
    asker: str
    platform: str
    is_follow_up: bool
    outcome: Outcome
    is_canned: bool
    intent: str | None
    confidence: float | None
    version: int | None
    rater: str
    value: int
    reason: Reason | None
    corrected: str | None
    rated_at: datetime


@dataclass(frozen=True, slots=True)
class SettledText:
    """What an admin settled; of no intent of ours where `intent` is None."""

    turn_id: int | None
    text: str
    intent: str | None
    is_paraphrase: bool
    platform: str
    asker: str


@dataclass(frozen=True, slots=True)
class Barred:
    """A person whose questions and ratings are not learnt from, and who decided that."""

    person: Person
    barred_by: str
    barred_at: datetime


async def facts(engine: AsyncEngine, most: int = MAX_RATINGS) -> list[Fact]:
    """The newest ratings with their turns, earliest first; without those of barred people, be it
    that they rated or that they asked."""
    values = {"most": most, "characters": MAX_CHARACTERS, "minutes": FOLLOW_UP_MINUTES}
    async with engine.connect() as connection:
        return [_fact(row) for row in await connection.execute(FACTS, values)]


async def settled(engine: AsyncEngine) -> list[SettledText]:
    """Everything settled, newest first; without the questions of barred people."""
    async with engine.connect() as connection:
        return [
            SettledText(
                row.turn_id, row.text, row.intent, row.is_paraphrase, row.platform, row.asker
            )
            for row in await connection.execute(SETTLED)
        ]


async def bar(engine: AsyncEngine, person: Person, by: str) -> dict[int, int]:
    """Leave a person out of learning from now on; the versions that saw them, with how many
    examples. These are marked, so that the next retraining is not skipped."""
    values = {"platform": person.platform, "person": person.id}
    async with engine.begin() as connection:
        if (await connection.execute(BAR, values | {"by": by})).rowcount:
            await connection.execute(MARK, values)
        return await versions_of(connection, person)


async def unbar(engine: AsyncEngine, person: Person) -> bool:
    """Learn from a person again; False where they were not barred."""
    values = {"platform": person.platform, "person": person.id}
    async with engine.begin() as connection:
        return bool((await connection.execute(UNBAR, values)).rowcount)


async def barred(engine: AsyncEngine) -> list[Barred]:
    """Those who are barred, the last one first."""
    async with engine.connect() as connection:
        return [
            Barred(Person(row.platform, row.person), row.barred_by, row.barred_at)
            for row in await connection.execute(BARRED)
        ]


async def note_people(engine: AsyncEngine, version: int, people: Mapping[str, int]) -> None:
    """Note whom a version has seen: "platform:person" with the number of their examples."""
    rows = [
        {"version": version, "platform": platform, "person": person, "examples": count}
        for platform, person, count in _parted(people)
    ]
    if rows:
        async with engine.begin() as connection:
            await connection.execute(SAW, rows)


async def versions_of(connection: AsyncConnection, person: Person) -> dict[int, int]:
    """The versions that saw a person, with how many of their examples."""
    values = {"platform": person.platform, "person": person.id}
    rows = await connection.execute(VERSIONS, values)
    return {row.version_id: row.examples for row in rows}


async def forgotten_examples(engine: AsyncEngine, version: int) -> int:
    """How many examples a version has learnt of people who were since removed."""
    async with engine.connect() as connection:
        return int(await connection.scalar(FORGOTTEN, {"version": version}) or 0)


def _parted(people: Mapping[str, int]) -> Iterable[tuple[str, str, int]]:
    for name, count in people.items():
        platform, _, person = name.partition(":")
        yield platform, person, count


def _fact(row: Row[Any]) -> Fact:
    return Fact(
        row.turn_id, row.question, row.asker, row.platform, row.is_follow_up,
        Outcome(row.outcome), row.is_canned, row.intent, row.confidence, row.version, row.rater,
        row.value, Reason(row.reason) if row.reason else None, row.corrected, row.rated_at,
    )  # fmt: skip
