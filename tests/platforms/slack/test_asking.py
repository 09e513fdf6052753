"""Questions beside a conversation: /ask, the shortcut on a message, and sharing the answer."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.platforms.slack.people import ALICE, BOB, BOT, CAROL, ELSEWHERE, GENERAL, SUPPORT
from tests.platforms.slack.running import REFUND, WEATHER
from tests.platforms.slack.test_handoffs import heard, request
from tests.platforms.slack.test_rating import whispered
from tests.platforms.slack.workspace import Message, Workspace


async def answered(slack: Workspace, question: str = REFUND, channel: str = GENERAL) -> Message:
    """What Alice alone sees as the answer to her /ask."""
    await slack.command(ALICE, channel, "/ask", question)

    async def found() -> Message | None:
        seen = await slack.whispers(channel, ALICE)
        return next((message for message in seen if "feedback" in str(message)), None)

    message: Message = await slack.wait_for(found)
    return message


async def turns(engine: AsyncEngine) -> list[Any]:
    """The stored turns."""
    async with engine.connect() as connection:
        return list((await connection.execute(text("SELECT * FROM turns ORDER BY id"))).all())


@pytest.mark.usefixtures("bot")
async def test_a_command_is_answered_to_its_asker_alone_who_may_rate_it(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack)
    assert "five working days" in answer["text"]
    await whispered(slack, GENERAL, ALICE, f"Looking in the documents for: {REFUND}")
    assert not await slack.final_messages(GENERAL)
    (turn,) = await turns(engine)
    assert turn.conversation == f"{GENERAL}:{ALICE}"
    await slack.press(ALICE, GENERAL, answer["ts"], "feedback", f"{turn.id}:1")
    await whispered(slack, GENERAL, ALICE, "👍 is noted")
    # What only Alice sees, Bob cannot press.
    await slack.press(BOB, GENERAL, answer["ts"], "feedback", f"{turn.id}:-1", "rating:1")
    await whispered(slack, GENERAL, BOB, "another conversation")


@pytest.mark.usefixtures("bot")
async def test_a_command_follows_on_the_one_before_it_and_says_how_it_is_used(
    slack: Workspace,
) -> None:
    delivery = await slack.command(ALICE, GENERAL, "/ask", "   ")
    assert "Write your question behind the command" in delivery.answer["text"]
    await answered(slack, "How do I connect with the VPN?")
    await slack.command(ALICE, GENERAL, "/ask", "and in a shell?")

    async def twice() -> bool:
        seen = await slack.whispers(GENERAL, ALICE)
        return sum("run vpn-connect in a shell" in message["text"] for message in seen) == 2

    await slack.wait_for(twice)


@pytest.mark.usefixtures("bot")
async def test_who_clicks_is_told_of_what_nobody_foresaw(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE turns SET citations = '[{}]'"))
    await slack.press(ALICE, GENERAL, answer["ts"], "why")
    await whispered(slack, GENERAL, ALICE, "Something went wrong")


@pytest.mark.usefixtures("bot")
async def test_a_command_is_answered_where_the_bot_is_no_member(slack: Workspace) -> None:
    answer = await answered(slack, channel=ELSEWHERE)
    assert "five working days" in answer["text"]
    await slack.press(ALICE, ELSEWHERE, answer["ts"], "share")

    async def shared() -> list[Message]:
        return await slack.final_messages(ELSEWHERE)

    (message,) = await slack.wait_for(shared)
    assert f"alice asked: {REFUND}" in str(message["blocks"])


@pytest.mark.usefixtures("bot")
async def test_a_command_is_told_when_the_database_is_away(
    slack: Workspace, engine: AsyncEngine
) -> None:
    for table in ("inbox", "deliveries"):
        async with engine.begin() as connection:
            await connection.execute(text(f"ALTER TABLE {table} RENAME TO lost"))
        delivery = await slack.command(ALICE, GENERAL, "/ask", REFUND)
        assert "database does not answer" in delivery.answer["text"]
        async with engine.begin() as connection:
            await connection.execute(text(f"ALTER TABLE lost RENAME TO {table}"))


@pytest.mark.usefixtures("bot")
async def test_a_shared_answer_is_posted_once_and_is_the_channels_from_then_on(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack, f"{REFUND} <!channel> *bold* http://evil.example")
    await asyncio.gather(
        *(slack.press(ALICE, GENERAL, answer["ts"], "share", "1", "forged") for _ in range(5))
    )

    async def shared() -> list[Message]:
        return await slack.final_messages(GENERAL)

    (message,) = await slack.wait_for(shared)
    assert "alice asked: How long" in str(message["blocks"])
    assert "five working days" in message["text"]
    assert "share" not in str(message["blocks"])
    assert "<!" not in message["text"]
    await whispered(slack, GENERAL, ALICE, "shared already")

    async def is_gone() -> bool:
        return all("feedback" not in str(m) for m in await slack.whispers(GENERAL, ALICE))

    await slack.wait_for(is_gone)
    (turn,) = await turns(engine)
    assert turn.conversation == f"{GENERAL}:{message['ts']}"
    await slack.press(BOB, GENERAL, message["ts"], "feedback", f"{turn.id}:1")
    await whispered(slack, GENERAL, BOB, "👍 is noted")


@pytest.mark.usefixtures("bot")
async def test_the_shortcut_answers_a_message_alone_and_shares_into_its_thread(
    slack: Workspace, engine: AsyncEngine
) -> None:
    ts = await slack.say(BOB, GENERAL, f"<@{CAROL}> {REFUND}")
    await slack.shortcut(ALICE, GENERAL, ts, "ask_about")
    answer = await whispered(slack, GENERAL, ALICE, "five working days")
    assert (await turns(engine))[0].conversation == f"{GENERAL}:{ts}:{ALICE}"
    await slack.press(ALICE, GENERAL, answer["ts"], "share")
    shared = await heard(slack, GENERAL, ts, "five working days")
    assert shared["thread_ts"] == ts


@pytest.mark.usefixtures("bot")
async def test_the_shortcut_on_a_message_without_text_says_so(slack: Workspace) -> None:
    ts = await slack.say(BOB, GENERAL, f"<@{BOT}>")
    await slack.shortcut(ALICE, GENERAL, ts, "ask_about")
    await whispered(slack, GENERAL, ALICE, "has no text that I could answer")


@pytest.mark.usefixtures("bot")
async def test_a_person_asked_for_below_a_private_answer_writes_to_its_asker(
    slack: Workspace,
) -> None:
    answer = await answered(slack, WEATHER)
    assert "share" not in str(answer["blocks"])
    await slack.press(ALICE, GENERAL, answer["ts"], "person")
    await whispered(slack, GENERAL, ALICE, "They will write to you")
    there = await request(slack)
    assert "alice asked me alone" in str(there["blocks"])
    await slack.press(CAROL, SUPPORT, there["ts"], "claim")

    async def told() -> bool:
        seen = await slack.final_messages(await slack.direct(ALICE))
        return any("carol has taken this and will write to you" in m["text"] for m in seen)

    await slack.wait_for(told)


@pytest.mark.usefixtures("bot")
async def test_a_hundred_deliveries_of_one_command_are_one_question(
    slack: Workspace, engine: AsyncEngine
) -> None:
    await answered(slack)
    delivery = slack.journal.deliveries_of("/ask")[0]
    for _ in range(20):
        await slack.strict.intake.bring_request("slash_commands", delivery.payload)
    assert len(await turns(engine)) == 1


@pytest.mark.parametrize("said", ["a\x00b", "half \ud83d of a pair"])
@pytest.mark.usefixtures("bot")
async def test_text_that_no_database_stores_is_answered_all_the_same(
    slack: Workspace, engine: AsyncEngine, said: str
) -> None:
    await slack.strict.intake.bring_request(
        "slash_commands",
        {
            "command": "/ask",
            "text": f"{REFUND} {said}",
            "channel_id": GENERAL,
            "user_id": ALICE,
            "trigger_id": "1.2.3",
            "response_url": f"{slack.strict.url}/nothing",
        },
    )
    await slack.wait_for(lambda: turns(engine))
