"""People ask in every place of Slack, and hear an answer once."""

import asyncio

from sqlalchemy import text

from tests.journeys.slack.team import Team
from tests.platforms.slack.people import ALICE, BOB, GENERAL, PRIVATE


async def test_a_mention_is_answered_in_its_thread(team: Team) -> None:
    question = await team.slack.ask(ALICE, GENERAL, "How long does a refund take?")
    assert "paid within five working days" in await team.hears(GENERAL, question)
    (answer,) = await team.slack.final_messages(GENERAL, question)
    assert answer["thread_ts"] == question


async def test_a_direct_message_needs_no_mention(team: Team) -> None:
    channel = await team.slack.direct(BOB)
    assert "thirty days" in await team.says(BOB, channel, "How many days of holiday do I have?")


async def test_what_the_documents_do_not_hold_is_said(team: Team) -> None:
    assert "not sure" in await team.asks(ALICE, GENERAL, "Who won the world cup in 1990?")


async def test_a_follow_up_needs_no_mention(team: Team) -> None:
    question = await team.slack.ask(ALICE, GENERAL, "How long does a refund take?")
    await team.hears(GENERAL, question)
    answer = await team.says(ALICE, GENERAL, "And how do I ask for one?", question)
    assert "order number" in answer


async def test_people_who_talk_to_each_other_are_left_alone(team: Team) -> None:
    question = await team.slack.ask(ALICE, GENERAL, "How long does a refund take?")
    await team.hears(GENERAL, question)
    await team.slack.say(BOB, GENERAL, f"<@{ALICE}> how is the holiday?", question)
    await team.slack.say(BOB, GENERAL, "How many days of holiday do I have?")
    await asyncio.sleep(1.5)
    assert len(await team.slack.final_messages(GENERAL)) == 1


async def test_twins_and_redeliveries_are_answered_once(team: Team) -> None:
    team.slack.rules.redeliver_share = 1.0
    team.slack.rules.first_twin = "random"
    questions = [
        await team.slack.ask(ALICE, channel, "How long does a refund take?")
        for channel in (GENERAL, PRIVATE) * 3
    ]
    for question, channel in zip(questions, (GENERAL, PRIVATE) * 3, strict=True):
        await team.hears(channel, question)
    await team.slack.strict.deliveries.settle()
    await asyncio.sleep(1)
    for question, channel in zip(questions, (GENERAL, PRIVATE) * 3, strict=True):
        assert len(await team.slack.final_messages(channel, question)) == 1


async def test_the_turn_is_stored_with_who_asked_and_where(team: Team) -> None:
    question = await team.slack.ask(ALICE, GENERAL, "How long does a refund take?")
    await team.hears(GENERAL, question)
    async with team.app.engine.connect() as connection:
        statement = text("SELECT platform, conversation, person, question, outcome FROM turns")
        assert (await connection.execute(statement)).one() == (
            "slack", f"{GENERAL}:{question}", ALICE, "How long does a refund take?", "answered",
        )  # fmt: skip
