"""What people take back, correct or pile up, and channels that take no answer."""

import asyncio
from functools import partial

import pytest
from sqlalchemy import text

from bot.app import App
from bot.platforms.slack.workspace import Options
from bot.storage.inbox import Flood
from tests.journeys.slack.conftest import serving
from tests.journeys.slack.team import Team, reading
from tests.platforms.slack.people import ALICE, ARCHIVE, BOB, BOT, GENERAL
from tests.platforms.slack.workspace import Workspace

STATUS = "assistant.threads.setStatus"


async def test_an_edit_of_an_unanswered_question_is_what_is_answered(team: Team) -> None:
    team.slack.strict.api.fail(STATUS, "slow", seconds=1.0)
    question = await team.slack.ask(ALICE, GENERAL, "How long does a refund take?")
    await asyncio.sleep(0.4)
    edited = f"<@{BOT}> How many days of holiday do I have?"
    await team.slack.edit(ALICE, GENERAL, question, edited)
    assert "thirty days" in await team.hears(GENERAL, question)
    assert len(await team.slack.final_messages(GENERAL, question)) == 1


async def test_a_deleted_question_is_not_answered(team: Team) -> None:
    team.slack.strict.api.fail(STATUS, "slow", seconds=1.0)
    question = await team.slack.ask(ALICE, GENERAL, "How long does a refund take?")
    await asyncio.sleep(0.4)
    await team.slack.delete(ALICE, GENERAL, question)
    await asyncio.sleep(1.5)
    assert await team.slack.final_messages(GENERAL) == []
    assert await states(team.app) == ["withdrawn"]


async def test_an_edit_after_the_answer_changes_nothing(team: Team) -> None:
    question = await team.slack.ask(ALICE, GENERAL, "How long does a refund take?")
    await team.hears(GENERAL, question)
    await team.slack.edit(ALICE, GENERAL, question, f"<@{BOT}> How many days of holiday?")
    await asyncio.sleep(1)
    assert len(await team.slack.final_messages(GENERAL, question)) == 1


async def test_a_channel_that_refuses_is_noted_and_the_next_one_is_answered(team: Team) -> None:
    await team.slack.ask(ALICE, ARCHIVE, "How long does a refund take?")
    await team.slack.wait_for(lambda: _refusal(team.app))
    assert await _refusal(team.app) == "is_archived"
    assert await states(team.app) == ["undeliverable"]
    assert "five working days" in await team.asks(BOB, GENERAL, "How long does a refund take?")
    team.slack.rules.refused.clear()
    await team.asks(BOB, ARCHIVE, "How long does a refund take?")
    await team.slack.wait_for(partial(_is_settled, team.app, 3))
    assert await _refusal(team.app) is None


async def test_an_answer_that_slack_took_without_saying_so_is_not_sent_again(team: Team) -> None:
    for number, kind in enumerate(("reset_after", "server_error_after"), 1):
        team.slack.strict.api.fail("chat.postMessage", kind)
        question = await team.slack.ask(ALICE, GENERAL, "How long does a refund take?")
        await team.slack.wait_for(partial(_is_settled, team.app, number), 20)
        assert len(await team.slack.final_messages(GENERAL, question)) == 1


async def test_an_outage_of_slack_delays_the_answer(team: Team) -> None:
    team.slack.strict.api.fail("chat.postMessage", "server_error", times=2)
    question = await team.slack.ask(ALICE, GENERAL, "How long does a refund take?")
    await team.slack.wait_for(partial(_is_settled, team.app, 1), 30)
    assert len(await team.slack.final_messages(GENERAL, question)) == 1


@pytest.mark.parametrize("slack_mode", ["socket"])
async def test_who_asks_too_much_is_told_once_and_others_go_on(
    indexed: App, slack: Workspace, slack_mode: str, options: Options
) -> None:
    flood = Flood(per_person=3, per_channel=100, at_once=100)
    async with serving(indexed, slack, slack_mode, options, flood=flood):
        for number in range(1, 9):
            await slack.ask(ALICE, GENERAL, "How long does a refund take?")
            await slack.wait_for(partial(_are_stored, indexed, number))
        question = await slack.ask(BOB, GENERAL, "How long does a refund take?")
        await slack.wait_for_answers(GENERAL, question)
        (notice,) = await slack.wait_for(lambda: slack.whispers(GENERAL, ALICE))
        assert "more than I can take" in reading(notice)
        await slack.wait_for(partial(_is_settled, indexed, 9))
        assert len(await slack.final_messages(GENERAL)) == 4


async def states(app: App) -> list[str]:
    async with app.engine.connect() as connection:
        found = await connection.execute(text("SELECT state FROM inbox ORDER BY id"))
        return list(found.scalars())


async def _is_settled(app: App, number: int) -> bool:
    found = await states(app)
    return len(found) == number and "waiting" not in found


async def _are_stored(app: App, number: int) -> bool:
    return len(await states(app)) == number


async def _refusal(app: App) -> str | None:
    async with app.engine.connect() as connection:
        refusal: str | None = await connection.scalar(
            text("SELECT refusal FROM channels WHERE refusal IS NOT NULL")
        )
        return refusal
