"""Takes a person out of every table: what they wrote is deleted, who they are is replaced."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.messages import Person
from bot.storage import approved, artefacts
from bot.storage.classifiers import SNAPSHOT

# Who forgets, and who stores a version, does so alone: else a version could be stored with what was
# forgotten while it was trained.
ALONE = text("SELECT pg_advisory_xact_lock(hashtext('supportbot forgetting'))")

# What stays of a message, so that the platform's delivering it again brings nothing back.
EMPTY_INBOX = text(
    "UPDATE inbox SET person = 'forgotten', text = '', details = '{}',"
    " conversation = CASE WHEN strpos(conversation, :person) > 0 THEN '' ELSE conversation END,"
    " state = CASE state WHEN 'waiting' THEN 'withdrawn' ELSE state END,"
    " ended_at = coalesce(ended_at, now()) WHERE platform = :platform AND person = :person"
    " RETURNING id"
)
DROP_JOBS = text(
    "DELETE FROM procrastinate_jobs WHERE status = 'todo'"
    " AND queue_name = 'questions of ' || :platform"
    " AND CAST(args ->> 'inbox_id' AS bigint) = ANY(:inbox)"
)
IS_BEING_ANSWERED = text(
    "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status = 'doing'"
    " AND queue_name = 'questions of ' || :platform"
    " AND CAST(args ->> 'inbox_id' AS bigint) = ANY(:inbox))"
)
TURNS = text("SELECT id FROM turns WHERE platform = :platform AND person = :person")
SETTLED = text("SELECT text FROM settled WHERE asker_platform = :platform AND asker = :person")

# What is counted for the answer, then what is not; turns take ratings, hand-offs and reviews along.
COUNTED = {
    "settled": "DELETE FROM settled WHERE asker_platform = :platform AND asker = :person",
    "questions": "DELETE FROM turns WHERE platform = :platform AND person = :person",
    "ratings": "DELETE FROM ratings WHERE platform = :platform AND person = :person",
    "bars": "DELETE FROM barred_people WHERE platform = :platform AND person = :person",
    "handoffs": "UPDATE handoffs SET resolution = NULL, resolved_by = 'forgotten'"
    " WHERE platform = :platform AND resolved_by = :person",
    "audited": "UPDATE audit SET person = 'forgotten', arguments = '', command ="
    " CASE WHEN is_allowed THEN command ELSE 'forgotten' END"
    " WHERE platform = :platform AND person = :person",
}
QUIETLY = (
    "UPDATE passed_over AS passed SET person = 'forgotten' WHERE platform = :platform"
    " AND person = :person AND is_left_out AND NOT EXISTS (SELECT FROM passed_over AS other"
    "  WHERE other.turn_id = passed.turn_id AND other.person = 'forgotten')",
    "DELETE FROM passed_over WHERE platform = :platform AND person = :person",
    "UPDATE handoffs SET asked_by = 'forgotten' WHERE platform = :platform AND asked_by = :person",
    "UPDATE handoffs SET claimed_by = 'forgotten'"
    " WHERE platform = :platform AND claimed_by = :person",
    "UPDATE audit SET arguments = 'forgotten'"
    " WHERE command IN ('forget', 'bar', 'unbar') AND strpos(arguments, :person) > 0",
    "DELETE FROM deliveries WHERE platform = :platform"
    " AND :person = ANY(string_to_array(key, ' '))",
    "DELETE FROM job_watchers WHERE platform = :platform AND channel = :person",
    "UPDATE job_watchers SET person = 'forgotten' WHERE platform = :platform AND person = :person",
    "DELETE FROM channels WHERE platform = :platform AND channel = :person",
    "UPDATE channels SET changed_by = 'forgotten'"
    " WHERE platform = :platform AND changed_by = :person",
    "UPDATE jobs SET requested_by = 'forgotten' WHERE requested_by = :name",
    "UPDATE barred_people SET barred_by = 'forgotten' WHERE barred_by = :name",
    "UPDATE settled SET settled_by = 'forgotten' WHERE settled_by = :name"
    " OR (settled_on = :platform AND settled_by = :person)",
    "UPDATE classifier_versions SET promoted_by = 'forgotten' WHERE promoted_by = :name",
    "UPDATE classifier_versions SET rolled_back_by = 'forgotten' WHERE rolled_back_by = :name",
    "DELETE FROM version_people WHERE platform = :platform AND person = :person",
)

SEEN_BY = text(
    "SELECT version_id, examples FROM version_people WHERE platform = :platform"
    " AND person = :person ORDER BY version_id"
)
SNAPSHOTS = text("SELECT version_id FROM classifier_files WHERE name = :name ORDER BY version_id")
CONTENT = text(
    "SELECT content FROM classifier_files JOIN artefacts USING (sha256)"
    " WHERE version_id = :version AND name = :name"
)
REPLACE = text(
    "UPDATE classifier_files SET sha256 = :sha256 WHERE version_id = :version AND name = :name"
)
# Its hash no longer says what it was trained with, so that a retraining never takes the rest of
# its data for the same.
MARK = text(
    "UPDATE classifier_versions SET data = NULL, forgotten_examples = forgotten_examples + :count"
    " WHERE id = :version"
)
GONE_TURNS = text(
    "SELECT id FROM unnest(CAST(:turns AS bigint[])) AS id"
    " WHERE NOT EXISTS (SELECT FROM turns WHERE turns.id = id.id)"
)
RATERS = text("SELECT DISTINCT platform || ':' || person FROM ratings WHERE turn_id = ANY(:turns)")
UNSEE = text(
    "DELETE FROM version_people AS seen WHERE version_id = :version"
    " AND NOT EXISTS (SELECT FROM turns"
    "  WHERE turns.platform = seen.platform AND turns.person = seen.person)"
    " AND NOT EXISTS (SELECT FROM ratings"
    "  WHERE ratings.platform = seen.platform AND ratings.person = seen.person)"
    " AND NOT EXISTS (SELECT FROM settled"
    "  WHERE asker_platform = seen.platform AND asker = seen.person)"
)
SETTLED_TEXTS = text("SELECT text FROM settled")


@dataclass(frozen=True, slots=True)
class Traces:
    """What of a person's own is stored: the ids of their turns, the settled texts of theirs."""

    turns: frozenset[int]
    texts: frozenset[str]


async def empty_inbox(engine: AsyncEngine, person: Person) -> list[int]:
    """Empty a person's messages and have those that wait not answered; their ids in the inbox."""
    async with engine.begin() as connection:
        inbox = list((await connection.execute(EMPTY_INBOX, _values(person))).scalars())
        await connection.execute(DROP_JOBS, {"platform": person.platform, "inbox": inbox})
    return inbox


async def is_being_answered(engine: AsyncEngine, person: Person, inbox: list[int]) -> bool:
    """Whether a process is at one of these messages, and may store its turn."""
    async with engine.connect() as connection:
        values = {"platform": person.platform, "inbox": inbox}
        return bool(await connection.scalar(IS_BEING_ANSWERED, values))


async def take_lock(connection: AsyncConnection) -> None:
    """Have no one else forget or store a version until the end of the transaction."""
    await connection.execute(ALONE)


async def traces(connection: AsyncConnection, person: Person) -> Traces:
    """What of a person's own is stored now."""
    turns = (await connection.execute(TURNS, _values(person))).scalars()
    texts = (await connection.execute(SETTLED, _values(person))).scalars()
    return Traces(frozenset(turns), frozenset(texts))


async def delete(connection: AsyncConnection, person: Person) -> dict[str, int]:
    """Take a person out of every table; how many rows of each kind that touched."""
    values = _values(person)
    counts = {
        kind: (await connection.execute(text(statement), values)).rowcount
        for kind, statement in COUNTED.items()
    }
    for statement in QUIETLY:
        await connection.execute(text(statement), values)
    await approved.forget_author(connection, person.platform, person.id)
    return counts


async def seen_by(connection: AsyncConnection, person: Person) -> dict[int, int]:
    """The versions that saw a person, with how many of their examples."""
    rows = await connection.execute(SEEN_BY, _values(person))
    return {row.version_id: row.examples for row in rows}


async def snapshots(connection: AsyncConnection) -> list[int]:
    """The versions whose snapshot is kept."""
    return list((await connection.execute(SNAPSHOTS, {"name": SNAPSHOT})).scalars())


async def snapshot(connection: AsyncConnection, version: int) -> bytes | None:
    """The snapshot of a version; None where it is no longer kept."""
    values = {"version": version, "name": SNAPSHOT}
    content = await connection.scalar(CONTENT, values)
    return None if content is None else bytes(content)


async def replace_snapshot(connection: AsyncConnection, version: int, content: bytes) -> None:
    """Keep another snapshot of a version; the former is deleted with what nothing refers to."""
    sha256 = await artefacts.store(connection, content)
    values = {"version": version, "name": SNAPSHOT, "sha256": sha256}
    await connection.execute(REPLACE, values)


async def mark(connection: AsyncConnection, counts: Mapping[int, int]) -> None:
    """Note of versions how many examples of people who are gone they have learnt from."""
    rows = [{"version": version, "count": count} for version, count in counts.items()]
    if rows:
        await connection.execute(MARK, rows)


async def unsee(connection: AsyncConnection, version: int) -> None:
    """Have a version not name people of whom nothing is stored any more."""
    await connection.execute(UNSEE, {"version": version})


async def gone_turns(connection: AsyncConnection, turns: list[int]) -> set[int]:
    """Those of the turns that are no longer stored."""
    return set((await connection.execute(GONE_TURNS, {"turns": turns})).scalars())


async def raters(connection: AsyncConnection, turns: list[int]) -> set[str]:
    """Those who rated any of the turns, as "platform:person"."""
    return set((await connection.execute(RATERS, {"turns": turns})).scalars())


async def settled_texts(connection: AsyncConnection) -> set[str]:
    """Every settled text."""
    return set((await connection.execute(SETTLED_TEXTS)).scalars())


def _values(person: Person) -> dict[str, Any]:
    name = f"{person.platform}:{person.id}"
    return {"platform": person.platform, "person": person.id, "name": name}
