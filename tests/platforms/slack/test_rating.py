"""👍, 👎 and why: what people press under answers, and what comes of it."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.assistant import Assistant
from bot.intents.catalog import load_catalog
from bot.messages import NOT_FOR_THE_BOT, Person, Prediction, Rating
from bot.platforms.slack.rating import likeliest
from bot.platforms.slack.workspace import Options
from bot.storage import ratings
from tests.platforms.slack.people import ALICE, BOB, BOT, GENERAL, PRIVATE, ROBOT
from tests.platforms.slack.running import REFUND, serving
from tests.platforms.slack.workspace import Message, Workspace


async def stored(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    """The ratings: who, what, why."""
    async with engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT person, value, reason, intent, comment FROM ratings ORDER BY person")
        )
        return [tuple(row) for row in rows]


async def answered(slack: Workspace, channel: str = GENERAL) -> Message:
    """The answer to a question of Alice's."""
    ts = await slack.ask(ALICE, channel, REFUND)
    return (await slack.wait_for_answers(channel, ts))[0]


def turn_of(answer: Message) -> str:
    """The id of the turn that an answer's buttons carry."""
    block = next(block for block in answer["blocks"] if block["type"] == "context_actions")
    value: str = block["elements"][0]["positive_button"]["value"]
    return value.partition(":")[0]


async def press(slack: Workspace, person: str, answer: Message, value: int) -> None:
    """Press 👍 or 👎 under an answer."""
    written = f"{turn_of(answer)}:{value}"
    await slack.press(person, answer["channel"], answer["ts"], "feedback", written)


async def whispered(slack: Workspace, channel: str, person: str, words: str) -> Message:
    """The ephemeral message with these words, once it is there."""

    async def found() -> Message | None:
        seen = await slack.whispers(channel, person)
        return next((message for message in seen if words in message["text"]), None)

    message: Message = await slack.wait_for(found)
    return message


async def modal(slack: Workspace) -> Message:
    """The modal that is open, once it is."""
    views: list[Message] = await slack.wait_for(slack.views)
    return views[-1]


@pytest.mark.usefixtures("bot")
async def test_a_thumbs_up_is_stored_and_thanked_for_to_who_gave_it(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack)
    await press(slack, BOB, answer, 1)
    thanks = await whispered(slack, GENERAL, BOB, "👍 is noted")
    assert thanks["thread_ts"] == answer["thread_ts"]
    assert await stored(engine) == [(BOB, 1, None, None, None)]
    assert not await slack.whispers(GENERAL, ALICE)


@pytest.mark.usefixtures("bot")
async def test_a_thumbs_down_counts_though_its_modal_is_dismissed_and_takes_a_reason(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack)
    await press(slack, ALICE, answer, -1)
    await modal(slack)
    await slack.close_view(ALICE)
    assert await stored(engine) == [(ALICE, -1, None, None, None)]
    await press(slack, ALICE, answer, -1)
    await modal(slack)
    filled = {"reason": "wrong_topic", "intent": "problem_report", "comment": "It is <!here> lost"}
    assert await slack.submit(ALICE, filled) == {}
    said = (ALICE, -1, "wrong_topic", "problem_report", "It is <!here> lost")
    assert await stored(engine) == [said]
    thanks = await modal(slack)
    assert "that is noted" in str(thanks["blocks"])
    await slack.close_view(ALICE)
    # Another press alone takes nothing of that back; a 👍 does.
    await press(slack, ALICE, answer, -1)
    assert await stored(engine) == [said]
    await modal(slack)
    await press(slack, ALICE, answer, 1)
    await whispered(slack, GENERAL, ALICE, "👍")
    assert await stored(engine) == [(ALICE, 1, None, None, None)]


@pytest.mark.usefixtures("bot")
async def test_a_person_can_be_asked_for_in_the_view_below_a_thumbs_down(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack)
    await press(slack, ALICE, answer, -1)
    await modal(slack)
    await slack.submit(ALICE, {"reason": "incomplete"})
    await slack.press_view(ALICE, await modal(slack), "person")

    async def is_told() -> bool:
        return "passed this on to the team" in str((await slack.views())[-1]["blocks"])

    await slack.wait_for(is_told)
    async with engine.connect() as connection:
        row = (await connection.execute(text("SELECT asked_in, asked_by FROM handoffs"))).one()
    assert tuple(row) == (GENERAL, ALICE)


@pytest.mark.usefixtures("bot")
async def test_a_hundred_clicks_at_once_are_one_rating(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack)
    await asyncio.gather(*(press(slack, ALICE, answer, 1) for _ in range(100)))
    assert await stored(engine) == [(ALICE, 1, None, None, None)]


async def test_buttons_work_after_a_restart_and_on_messages_of_any_age(
    slack: Workspace, assistant: Assistant, options: Options, engine: AsyncEngine
) -> None:
    async with serving(assistant, slack, options):
        answer = await answered(slack)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM inbox"))
        await connection.execute(text("UPDATE turns SET asked_at = now() - interval '3 years'"))
    async with serving(assistant, slack, options):
        await press(slack, ALICE, answer, 1)
        await whispered(slack, GENERAL, ALICE, "👍")
        await slack.press(ALICE, GENERAL, answer["ts"], "why")
        assert "Why this answer?" in str(await modal(slack))
    assert await stored(engine) == [(ALICE, 1, None, None, None)]


@pytest.mark.usefixtures("bot")
async def test_forged_ratings_are_refused_with_a_sentence(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack)
    forged = ["7777:1", "1:5", "", "-1:1", f"{10**30}:1", "1; DROP TABLE x:1"]
    for value in forged:
        await slack.press(ALICE, GENERAL, answer["ts"], "feedback", value, "rating:1")

    async def told() -> bool:
        return len(await slack.whispers(GENERAL, ALICE)) == len(forged)

    await slack.wait_for(told)
    for message in await slack.whispers(GENERAL, ALICE):
        assert "no longer stored" in message["text"]
    assert await stored(engine) == []


@pytest.mark.usefixtures("bot")
async def test_the_answer_of_another_channel_is_neither_rated_nor_explained(
    slack: Workspace, engine: AsyncEngine
) -> None:
    theirs, own = await answered(slack, PRIVATE), await answered(slack)
    turn = turn_of(theirs)
    await slack.press(BOB, GENERAL, own["ts"], "feedback", f"{turn}:1", "rating:1")
    await whispered(slack, GENERAL, BOB, "another conversation")
    await slack.press(BOB, GENERAL, own["ts"], "why", turn, "forged")
    await slack.press(BOB, GENERAL, own["ts"], "person", turn, "forged")

    async def told() -> bool:
        seen = await slack.whispers(GENERAL, BOB)
        return sum("another conversation" in message["text"] for message in seen) == 3

    await slack.wait_for(told)
    assert await stored(engine) == []
    assert not await slack.views()


@pytest.mark.usefixtures("bot")
async def test_a_gone_answer_is_told_of(slack: Workspace, engine: AsyncEngine) -> None:
    answer = await answered(slack)
    await press(slack, ALICE, answer, -1)
    await modal(slack)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM turns"))
    await slack.submit(ALICE, {"reason": "other"})
    assert "no longer stored" in str((await modal(slack))["blocks"])
    await slack.press(ALICE, GENERAL, answer["ts"], "why")
    await whispered(slack, GENERAL, ALICE, "no longer stored")


@pytest.mark.usefixtures("bot")
async def test_a_press_while_the_database_is_away_is_told_of(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE turns RENAME TO lost"))
    await press(slack, ALICE, answer, 1)
    await whispered(slack, GENERAL, ALICE, "database does not answer")
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE lost RENAME TO turns"))
        await connection.execute(text("ALTER TABLE deliveries RENAME TO gone"))
    await press(slack, BOB, answer, 1)
    await whispered(slack, GENERAL, BOB, "database does not answer")
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE gone RENAME TO deliveries"))


@pytest.mark.usefixtures("bot")
async def test_reactions_on_answers_count_until_they_are_taken_away(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack)

    async def are(*expected: tuple[str, int]) -> None:
        async def seen() -> bool:
            return [row[:2] for row in await stored(engine)] == sorted(expected)

        await slack.wait_for(seen)

    await slack.react(ALICE, GENERAL, answer["ts"], "+1::skin-tone-3")
    await are((ALICE, 1))
    await slack.react(BOB, GENERAL, answer["ts"], "thumbsdown")
    await are((ALICE, 1), (BOB, -1))
    said = await whispered(slack, GENERAL, BOB, "what went wrong")
    assert "feedback" in str(said["blocks"])
    await slack.react(BOB, GENERAL, answer["ts"], "thumbsdown", is_there=False)
    await are((ALICE, 1))
    # What the button said stays when the reaction that repeats it goes.
    await press(slack, BOB, answer, 1)
    await are((ALICE, 1), (BOB, 1))
    await slack.react(BOB, GENERAL, answer["ts"], "+1")
    await slack.react(BOB, GENERAL, answer["ts"], "+1", is_there=False)
    await slack.react(ALICE, GENERAL, answer["ts"], "+1::skin-tone-3", is_there=False)
    await are((BOB, 1))


@pytest.mark.usefixtures("bot")
async def test_reactions_of_bots_on_questions_and_of_other_kinds_do_not_count(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await answered(slack)
    await slack.react(ROBOT, GENERAL, answer["ts"], "+1")
    await slack.react(BOT, GENERAL, answer["ts"], "+1")
    await slack.react(BOB, GENERAL, answer["thread_ts"], "+1")
    await slack.react(BOB, GENERAL, answer["ts"], "tada")
    await slack.react(ALICE, GENERAL, answer["ts"], "-1")
    await slack.wait_for(lambda: stored(engine))
    assert [row[:2] for row in await stored(engine)] == [(ALICE, -1)]


def test_the_likeliest_intents_come_first_and_what_was_wrong_not_at_all() -> None:
    alternatives = ((NOT_FOR_THE_BOT, 0.3), ("how_to", 0.2), ("thanks", 0.1), ("gone", 0.1))
    prediction = Prediction("question", 0.4, alternatives, 1)
    names = [name for name, _ in likeliest(prediction, load_catalog())]
    assert names[:2] == ["how_to", "thanks"]
    assert names[-1] == NOT_FOR_THE_BOT
    assert not {"question", "gone"} & set(names)
    assert len(names) == len(set(names)) == len(load_catalog().names) - 1
    assert ("how_to", "how to") in likeliest(None, load_catalog())


async def test_a_rating_by_reaction_is_taken_back_only_by_its_own_reaction(
    assistant: Assistant, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        turn = await connection.scalar(
            text(
                "INSERT INTO turns (platform, conversation, person, question, outcome, answer,"
                " citations, passages, timings_ms) VALUES ('slack', 'C:1', 'U', 'q', 'answered',"
                " 'a', '[]', '[]', '{}') RETURNING id"
            )
        )
    person = Person("slack", ALICE)
    up = Rating(turn, person, 1, is_by_reaction=True)
    await assistant.rate(up)
    assert not await ratings.take_back(engine, Rating(turn, person, -1, is_by_reaction=True))
    assert await ratings.take_back(engine, up)
    assert not await ratings.take_back(engine, up)
