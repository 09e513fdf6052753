"""Forgets a person: in every table, in the snapshots of all versions, and for the next retraining.

What a version has learnt stays in its weights until the next one replaces it; the versions that
saw the person are named and marked, and the next retraining is not skipped.
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bot.errors import CommandError
from bot.intents import snapshot
from bot.intents.dataset import Origin
from bot.intents.masking import masked
from bot.messages import Person
from bot.storage import artefacts, examples, forgetting
from bot.storage.forgetting import Traces

# An answer that is being written when somebody is forgotten is waited for, then deleted.
ANSWER_SECONDS = 90.0
POLL_SECONDS = 0.2

MENTION = re.compile(r"<@!?(\w+)(?:\|[^>]*)?>")
PERSON = re.compile(r"(?:([a-z]+):)?([^\s<>]+)")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was forgotten: how many rows by kind, and how many examples in which versions."""

    counts: dict[str, int]
    versions: dict[int, int]

    @property
    def is_empty(self) -> bool:
        """Whether nothing was known of the person."""
        return not self.versions and not any(self.counts.values())

    def __str__(self) -> str:
        if self.is_empty:
            return (
                "I know nothing of that person, so there was nothing to forget. Give the id that "
                "the platform has for them, such as U0123ABC, and the platform in front: "
                "slack:U0123ABC."
            )
        said = (
            f"Forgotten: {_number(self.counts['questions'], 'question')} with their answers, "
            f"{_number(self.counts['ratings'], 'rating')} and "
            f"{_number(self.counts['messages'], 'message')} of the inbox."
        )
        if self.counts["bars"]:
            said += " They were barred; that is forgotten, too."
        return f"{said} {_of_versions(self.versions)}"


def person_of(written: str, platform: str) -> Person:
    """The person that an admin means: an id, a mention, or an id behind its platform and a colon.

    Raises:
        CommandError: it is none of these.
    """
    if mention := MENTION.fullmatch(written):
        return Person(platform, mention[1])
    found = PERSON.fullmatch(written)
    if found is None or found[2].startswith("@"):
        raise CommandError(
            "Give the id of a person, such as U0123ABC, not their name. With another platform in "
            "front it is slack:U0123ABC or terminal:alice."
        )
    return Person(found[1] or platform, found[2])


async def forget(engine: AsyncEngine, person: Person) -> Forgotten:
    """Forget a person: no table and no snapshot of a version holds their text or id afterwards."""
    inbox = await forgetting.empty_inbox(engine, person)
    deadline = time.monotonic() + ANSWER_SECONDS
    while inbox and await forgetting.is_being_answered(engine, person, inbox):
        if time.monotonic() > deadline:
            break
        await asyncio.sleep(POLL_SECONDS)
    async with engine.begin() as connection:
        await forgetting.take_lock(connection)
        own = await forgetting.traces(connection, person)
        saw = await forgetting.seen_by(connection, person)
        is_gone = _of_person(person, own)
        for version in await forgetting.snapshots(connection):
            dropped = await _rewrite(connection, version, is_gone)
            if dropped:
                saw[version] = max(dropped, saw.get(version, 0))
        await forgetting.mark(connection, saw)
        counts = await forgetting.delete(connection, person)
        await artefacts.delete_unreferenced(connection)
    return Forgotten(counts | {"messages": len(inbox)}, dict(sorted(saw.items())))


async def forget_vanished(engine: AsyncEngine, version: int) -> int:
    """Take out of a version's snapshot what was forgotten while it was trained; how many examples.

    To be called when a version has been stored.
    """
    async with engine.begin() as connection:
        await forgetting.take_lock(connection)
        await forgetting.unsee(connection, version)
        content = await forgetting.snapshot(connection, version)
        if content is None:
            return 0
        is_gone = await _of_vanished(connection, snapshot.read(content))
        dropped = await _rewrite(connection, version, is_gone)
        if dropped:
            await forgetting.mark(connection, {version: dropped})
            await artefacts.delete_unreferenced(connection)
    return dropped


async def bar(engine: AsyncEngine, person: Person, by: str) -> str:
    """Leave a person out of learning; what came of it as a sentence."""
    versions = await examples.bar(engine, person, by)
    return (
        f"Nothing that this person asks or rates is learnt from any more. {_of_versions(versions)}"
    )


async def unbar(engine: AsyncEngine, person: Person) -> str:
    """Learn from a person again; what came of it as a sentence."""
    if await examples.unbar(engine, person):
        return "What this person asks and rates is learnt from again, from the next retraining on."
    return "This person is not barred."


def _of_person(person: Person, own: Traces) -> Callable[[snapshot.Line], bool]:
    name = f"{person.platform}:{person.id}"
    texts = {masked(text) for text in own.texts}

    def is_gone(line: snapshot.Line) -> bool:
        is_linked = own.turns & set(line.get("turns", ())) or name in line.get("people", ())
        is_settled = line["part"] == snapshot.OUTSIDE or line.get("origin") == Origin.SETTLED
        return bool(is_linked) or (is_settled and line["text"] in texts)

    return is_gone


async def _of_vanished(
    connection: AsyncConnection, stored: snapshot.Snapshot
) -> Callable[[snapshot.Line], bool]:
    turns = sorted({turn for each in stored.examples for turn in each.turns})
    gone = await forgetting.gone_turns(connection, turns)
    there = await forgetting.raters(connection, turns)
    texts = set(map(masked, await forgetting.settled_texts(connection)))

    def is_gone(line: snapshot.Line) -> bool:
        is_unlinked = gone & set(line.get("turns", ())) or set(line.get("people", ())) - there
        is_settled = line["part"] == snapshot.OUTSIDE or line.get("origin") == Origin.SETTLED
        return bool(is_unlinked) or (is_settled and line["text"] not in texts)

    return is_gone


async def _rewrite(
    connection: AsyncConnection, version: int, is_gone: Callable[[snapshot.Line], bool]
) -> int:
    """Drop lines of a version's snapshot; how many."""
    content = await forgetting.snapshot(connection, version)
    assert content is not None
    kept, dropped = snapshot.without(content, is_gone)
    if dropped:
        await forgetting.replace_snapshot(connection, version, kept)
    return dropped


def _of_versions(versions: dict[int, int]) -> str:
    if not versions:
        return "No classifier version has learnt from them."
    names = [str(version) for version in versions]
    which = f"Version {names[0]} has" if len(names) == 1 else f"Versions {', '.join(names)} have"
    return (
        f"{which} learnt from them; the next retraining trains without them. To have it now, ask "
        "for a retraining."
    )


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
