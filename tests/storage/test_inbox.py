"""A message is taken in once, with the job to answer it; whoever floods is told once."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.messages import Arrival, Way
from bot.storage import inbox
from bot.storage.inbox import Flood, Reception, Spot

MENTION = Arrival(
    "slack", "T1", "C1", "100.1", "C1:100.1", "U1", "How do I reset it?", Way.MENTION,
    "client-1", {"thread": "100.1"},
)  # fmt: skip
PATIENT = Flood(1000, 1000, 1000)


async def values(engine: AsyncEngine, statement: str) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(text(statement))).scalars())


async def test_a_message_and_its_job_are_stored_together(engine: AsyncEngine) -> None:
    assert await inbox.accept(engine, MENTION, PATIENT) is Reception.NEW
    assert await values(
        engine,
        "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'questions of slack'"
        " AND lock = 'slack:C1:100.1' AND (args ->> 'inbox_id')::bigint ="
        " (SELECT id FROM inbox)",
    ) == [1]


async def test_twins_and_redeliveries_at_the_same_time_are_one(engine: AsyncEngine) -> None:
    twins = [replace(MENTION, way=way) for way in (Way.MENTION, Way.DIRECT)] * 10
    receptions = await asyncio.gather(*(inbox.accept(engine, t, PATIENT) for t in twins))
    assert receptions.count(Reception.NEW) == 1
    assert set(receptions) == {Reception.NEW, Reception.KNOWN}
    assert await values(engine, "SELECT count(*) FROM procrastinate_jobs") == [1]


async def test_the_same_client_message_with_another_id_is_one(engine: AsyncEngine) -> None:
    await inbox.accept(engine, MENTION, PATIENT)
    again = replace(MENTION, message="100.2", conversation="C1:100.2")
    assert await inbox.accept(engine, again, PATIENT) is Reception.KNOWN


async def test_the_same_id_in_another_channel_is_another_message(engine: AsyncEngine) -> None:
    await inbox.accept(engine, MENTION, PATIENT)
    other = replace(MENTION, channel="C2", conversation="C2:100.1", client_message=None)
    assert await inbox.accept(engine, other, PATIENT) is Reception.NEW


async def test_a_follow_up_is_taken_only_where_the_bot_takes_part(engine: AsyncEngine) -> None:
    follow_up = replace(MENTION, message="100.5", client_message="c5", way=Way.FOLLOW_UP)
    assert await inbox.accept(engine, follow_up, PATIENT) is Reception.KNOWN
    await inbox.accept(engine, MENTION, PATIENT)
    assert await inbox.accept(engine, follow_up, PATIENT) is Reception.NEW


async def test_who_floods_is_refused_and_told_once(engine: AsyncEngine) -> None:
    flood = Flood(per_person=3, per_channel=100, at_once=100)
    asked = [await inbox.accept(engine, _numbered(number), flood) for number in range(6)]
    assert asked == [Reception.NEW] * 3 + [Reception.REFUSED] + [Reception.REFUSED_AGAIN] * 2
    other = replace(_numbered(7), person="U2")
    assert await inbox.accept(engine, other, flood) is Reception.NEW


@pytest.mark.parametrize("flood", [Flood(100, 2, 100), Flood(100, 100, 2)])
async def test_a_full_channel_and_a_full_inbox_refuse(engine: AsyncEngine, flood: Flood) -> None:
    asked = [
        await inbox.accept(engine, replace(_numbered(n), person=f"U{n}"), flood) for n in range(3)
    ]
    assert asked == [Reception.NEW, Reception.NEW, Reception.REFUSED]


async def test_a_database_that_is_slow_is_not_waited_for(engine: AsyncEngine) -> None:
    async with engine.begin() as blocking:
        await blocking.execute(text("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises((DBAPIError, TimeoutError)):
            await asyncio.wait_for(inbox.accept(engine, MENTION, PATIENT), 20)
    assert await values(engine, "SELECT count(*) FROM inbox") == [0]


async def test_an_edit_counts_until_the_answer_and_for_a_minute(engine: AsyncEngine) -> None:
    await inbox.accept(engine, MENTION, PATIENT)
    spot = Spot("slack", "T1", "C1", "100.1")
    assert await inbox.edit(engine, spot, "How do I reset my password?")
    assert await values(engine, "SELECT text FROM inbox") == ["How do I reset my password?"]
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE inbox SET received_at = now() - interval '61 s'"))
    assert not await inbox.edit(engine, spot, "too late")


async def test_a_deleted_question_waits_no_longer(engine: AsyncEngine) -> None:
    await inbox.accept(engine, MENTION, PATIENT)
    spot = Spot("slack", "T1", "C1", "100.1")
    assert await inbox.withdraw(engine, spot)
    assert await values(engine, "SELECT state FROM inbox") == ["withdrawn"]
    assert not await inbox.withdraw(engine, spot)
    assert await inbox.accept(engine, MENTION, PATIENT) is Reception.KNOWN


async def test_a_click_is_seen_for_the_first_time_once(engine: AsyncEngine) -> None:
    seen = await asyncio.gather(*(inbox.is_first(engine, "slack", "trigger") for _ in range(20)))
    assert seen.count(True) == 1
    assert await inbox.is_first(engine, "slack", "another")


async def test_old_entries_go_and_waiting_ones_stay(engine: AsyncEngine) -> None:
    for number in range(2):
        await inbox.accept(engine, _numbered(number), PATIENT)
    await inbox.withdraw(engine, Spot("slack", "T1", "C1", "200.0"))
    await inbox.is_first(engine, "slack", "trigger")
    async with engine.begin() as connection:
        past = "now() - interval '60 days'"
        await connection.execute(
            text(f"UPDATE inbox SET received_at = {past}, ended_at = ended_at - interval '60 days'")
        )
        await connection.execute(text(f"UPDATE deliveries SET received_at = {past}"))
    await inbox.forget_old(engine)
    assert await values(engine, "SELECT message FROM inbox") == ["200.1"]
    assert await values(engine, "SELECT count(*) FROM deliveries") == [0]


def _numbered(number: int) -> Arrival:
    message = f"200.{number}"
    return replace(
        MENTION, message=message, conversation=f"C1:{message}", client_message=f"client-{message}"
    )
