"""Admins and operators forget, bar and unbar people."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import commands, forgetting
from bot.app import App
from bot.calling import Administration, Caller
from bot.errors import CommandError
from bot.messages import Person
from bot.reviewing import Reviews
from bot.storage import examples, turns
from bot.versions import Serving
from tests.journeys.test_terminal import supportbot
from tests.rated import asked, up, wrong_topic
from tests.test_forgetting import GONE, found

Call = Callable[..., Awaitable[str]]


@pytest.mark.parametrize(
    ("written", "person"),
    [
        ("U0123ABC", Person("slack", "U0123ABC")),
        ("<@U0123ABC>", Person("slack", "U0123ABC")),
        ("<@U0123ABC|ann>", Person("slack", "U0123ABC")),
        ("terminal:alice", Person("terminal", "alice")),
        ("discord:99", Person("discord", "99")),
    ],
)
def test_a_person_is_named_by_id_or_mention(written: str, person: Person) -> None:
    assert forgetting.person_of(written, "slack") == person


@pytest.mark.parametrize("written", ["@ann", "", "ann smith", "slack:@ann", "<ann>"])
def test_a_person_is_not_named_by_name(written: str) -> None:
    with pytest.raises(CommandError, match="Give the id"):
        forgetting.person_of(written, "slack")


@pytest.fixture
def call(app: App) -> Call:
    serving = Serving(app.catalog.names, app.encoder_id)
    reviews = Reviews(app.engine, app.catalog, 0.5)
    administration = Administration(app.engine, ("documents",), serving, {}, reviews)
    admin = Caller("slack", "T1", "UADMIN", "C1", True)

    async def said(words: str, caller: Caller = admin) -> str:
        return (await commands.call(administration, caller, words)).text

    return said


async def test_admins_forget_and_bar_people_in_chat(app: App, call: Call) -> None:
    turn = await asked(app.engine, "where is my invoice", "a")
    await up(app.engine, turn, GONE)
    assert "Nobody is barred" in await call("bar")
    said = await call("bar <@UCANARY>")
    assert said == (
        "Nothing that this person asks or rates is learnt from any more. No classifier version has "
        "learnt from them."
    )
    assert "UCANARY, by slack:UADMIN" in (await call("bar")).replace("\\", "")
    assert await examples.facts(app.engine) == []
    assert "is learnt from again" in await call("unbar UCANARY")
    assert "is not barred" in await call("unbar UCANARY")
    nobody = Caller("slack", "T1", "UANN", "C1", False)
    assert await call("forget UCANARY", nobody) == "Only admins may do that."
    assert "Give the id" in await call("forget @ann")
    said = await call("forget UCANARY")
    assert said.startswith("Forgotten: 0 questions with their answers, 1 rating and 0 messages")
    assert await found(app.engine, "UCANARY") == []
    assert "I know nothing of that person" in await call("forget UCANARY")


async def test_the_operator_forgets_and_bars_people(
    home: Path, engine: AsyncEngine, app: App
) -> None:
    def run(*arguments: str) -> str:
        done = supportbot(home, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    turn = await asked(engine, "where is my invoice", "a", person=Person("terminal", "alice"))
    await wrong_topic(engine, turn, GONE)
    said = await asyncio.to_thread(run, "bar", "slack", "UCANARY")
    assert said.startswith("Nothing that this person asks or rates")
    said = await asyncio.to_thread(run, "barred")
    assert said.startswith("slack UCANARY, by terminal on ")
    assert "learnt from again" in await asyncio.to_thread(run, "unbar", "slack", "UCANARY")
    assert await asyncio.to_thread(run, "barred") == "Nobody is barred.\n"
    said = await asyncio.to_thread(run, "forget-me", "terminal", "alice")
    assert said.startswith("Forgotten: 1 question with their answers, 0 ratings")
    assert await turns.count(engine) == {}
