"""Questions that people take over: asked for, claimed, resolved, and nothing lost in between."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.assistant import Assistant
from bot.platforms.slack.workspace import Options
from bot.settings import Settings, load_settings
from bot.storage import classifiers
from tests.intents.conftest import CATALOG, catalog, catalog_file, version_folder
from tests.platforms.slack.people import ADA, ALICE, ARCHIVE, BOB, BOT, CAROL, GENERAL, SUPPORT
from tests.platforms.slack.running import REFUND, WEATHER, serving
from tests.platforms.slack.test_rating import modal, whispered
from tests.platforms.slack.workspace import Message, Workspace

__all__ = ["catalog", "catalog_file", "version_folder"]


async def rows(engine: AsyncEngine) -> list[Any]:
    """The hand-offs as they are stored."""
    async with engine.connect() as connection:
        found = await connection.execute(text("SELECT * FROM handoffs ORDER BY id"))
        return list(found.all())


async def asked(slack: Workspace, question: str = WEATHER, place: str = GENERAL) -> Message:
    """The answer to a question of Alice's, below which she has asked for a person."""
    ts = await slack.ask(ALICE, place, question)
    answer = (await slack.wait_for_answers(place, ts))[0]
    await slack.press(ALICE, answer["channel"], answer["ts"], "person")
    return answer


async def request(slack: Workspace, channel: str = SUPPORT) -> Message:
    """The message that asks people to take over, once it is there and can be pressed."""

    async def found() -> Message | None:
        seen = await slack.final_messages(channel)
        return next((message for message in seen if "resolve" in str(message["blocks"])), None)

    message: Message = await slack.wait_for(found)
    return message


async def heard(slack: Workspace, channel: str, thread: str | None, words: str) -> Message:
    """The bot's message in a thread with these words, once it is there."""

    async def found() -> Message | None:
        seen = await slack.final_messages(channel, thread)
        return next((message for message in seen if words in message["text"]), None)

    message: Message = await slack.wait_for(found)
    return message


@pytest.mark.usefixtures("bot")
async def test_a_question_is_handed_over_claimed_answered_and_its_answer_kept(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await asked(slack)
    thread = answer["thread_ts"]
    await whispered(slack, GENERAL, ALICE, "passed this on to the team")
    there = await request(slack)
    shown = str(there["blocks"])
    assert {"type": "usergroup", "usergroup_id": "S01HELPERS"} in there["blocks"][0]["elements"][0][
        "elements"
    ]
    link = next(e for e in there["blocks"][0]["elements"][0]["elements"] if e["type"] == "link")
    assert f"/archives/{GENERAL}/p{thread.replace('.', '')}" in link["url"]
    assert WEATHER in shown
    assert "alice wants a person in" in shown
    assert "I was not sure enough" in shown
    assert "Refunds" in shown or "Holidays" in shown
    assert "%" in shown

    await slack.press(CAROL, SUPPORT, there["ts"], "claim")
    assert "carol" in (await heard(slack, GENERAL, thread, "has taken this"))["text"]
    await whispered(slack, SUPPORT, CAROL, "It is yours")
    assert "Taken by carol" in str((await slack.message(SUPPORT, there["ts"]))["blocks"])

    await slack.say(CAROL, GENERAL, "Germany did, against <!here> Argentina", thread)
    # While people talk the bot keeps quiet, though it took part in the thread.
    await slack.say(ALICE, GENERAL, REFUND, thread)
    await slack.press(CAROL, SUPPORT, there["ts"], "resolve")
    view = await modal(slack)
    assert view["blocks"][0]["element"]["initial_value"] == "Germany did, against @here Argentina"
    assert await slack.submit(CAROL) == {}
    await heard(slack, GENERAL, thread, "carol has marked this as resolved")
    done = await slack.message(SUPPORT, there["ts"])
    await slack.wait_for(lambda: rows(engine))
    assert (await rows(engine))[0].resolution == "Germany did, against @here Argentina"

    async def is_shown() -> bool:
        return "Resolved by carol" in str((await slack.message(SUPPORT, done["ts"]))["blocks"])

    await slack.wait_for(is_shown)
    assert len(await slack.final_messages(GENERAL, thread)) == 3
    await slack.say(ALICE, GENERAL, REFUND, thread)
    await heard(slack, GENERAL, thread, "five working days")


@pytest.mark.usefixtures("bot")
async def test_many_presses_are_one_handoff_and_two_claims_have_one_winner(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await asked(slack)
    await asyncio.gather(
        *(slack.press(who, GENERAL, answer["ts"], "person") for who in (ALICE, BOB) * 10)
    )
    there = await request(slack)
    await asyncio.gather(*(slack.press(who, SUPPORT, there["ts"], "claim") for who in (CAROL, ADA)))
    await heard(slack, GENERAL, answer["thread_ts"], "has taken this")
    (row,) = await rows(engine)
    loser, winner = (ADA, "carol") if row.claimed_by == CAROL else (CAROL, "ada")
    await whispered(slack, SUPPORT, loser, f"{winner} has taken this already")
    await slack.press(ALICE, GENERAL, answer["ts"], "person")
    await whispered(slack, GENERAL, ALICE, f"{winner} has taken this already")
    assert len(await slack.final_messages(SUPPORT)) == 1
    assert len(await slack.final_messages(GENERAL, answer["thread_ts"])) == 2


@pytest.mark.usefixtures("bot")
async def test_an_unclaimed_question_is_claimed_by_who_resolves_it_and_its_answer_is_told(
    slack: Workspace, engine: AsyncEngine
) -> None:
    answer = await asked(slack)
    there = await request(slack)
    await slack.press(ADA, SUPPORT, there["ts"], "resolve")
    await modal(slack)
    await slack.submit(ADA, {"resolution": "West Germany <@U01ALICE> http://evil.example"})
    told = await heard(slack, GENERAL, answer["thread_ts"], "West Germany")
    assert "<@" not in told["text"]
    assert "http://" not in told["text"]
    (row,) = await rows(engine)
    assert (row.state, row.claimed_by, row.resolved_by) == ("resolved", ADA, ADA)
    # Carol had the modal open, too.
    await slack.press(CAROL, SUPPORT, there["ts"], "resolve", str(row.id), "forged")
    await whispered(slack, SUPPORT, CAROL, "ada has marked this as resolved already")


@pytest.mark.usefixtures("bot")
async def test_forged_clicks_on_handoffs_do_nothing(slack: Workspace, engine: AsyncEngine) -> None:
    answer = await asked(slack)
    await request(slack)
    (row,) = await rows(engine)
    await slack.press(BOB, GENERAL, answer["ts"], "claim", str(row.id), "forged")
    await whispered(slack, GENERAL, BOB, "handed to other people")
    await slack.press(BOB, GENERAL, answer["ts"], "resolve", "99", "forged")
    await whispered(slack, GENERAL, BOB, "no longer stored")
    assert (await rows(engine))[0].state == "open"
    assert not await slack.views()


async def test_what_is_asked_of_the_bot_alone_is_answered_alone(
    slack: Workspace, engine: AsyncEngine, bot: None
) -> None:
    direct = await slack.direct(ALICE)
    answer = await asked(slack, place=direct)
    there = await request(slack)
    assert "asked me alone" in str(there["blocks"])
    assert "link" not in {e["type"] for e in there["blocks"][0]["elements"][0]["elements"]}
    await slack.press(CAROL, SUPPORT, there["ts"], "claim")
    await heard(slack, direct, answer["thread_ts"], "will write to you")
    await slack.press(CAROL, SUPPORT, there["ts"], "resolve")
    await modal(slack)
    await slack.submit(CAROL, {"resolution": "Germany"})
    await heard(slack, direct, answer["thread_ts"], "Germany")


async def test_a_crash_between_row_and_message_or_message_and_record_is_mended(
    slack: Workspace, assistant: Assistant, options: Options, engine: AsyncEngine
) -> None:
    async with serving(assistant, slack, options):
        await asked(slack)
        await request(slack)
        async with engine.begin() as connection:
            # The process died before it could record the message; then before it could post one.
            await connection.execute(
                text("UPDATE handoffs SET message = NULL, tried_at = now() - interval '1 hour'")
            )
        await slack.wait_for(lambda: _is_posted(engine))
        assert len(await slack.final_messages(SUPPORT)) == 1
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM handoffs"))
        await connection.execute(
            text(
                "INSERT INTO handoffs (turn_id, platform, workspace, asked_in, asked_thread,"
                " asked_by) SELECT id, 'slack', 'T01TEST', 'C01GENERAL', '1.1', 'U01ALICE'"
                " FROM turns"
            )
        )
    async with serving(assistant, slack, options), serving(assistant, slack, options):
        await slack.wait_for(lambda: _is_posted(engine))
        assert len(await slack.final_messages(SUPPORT)) == 2


async def _is_posted(engine: AsyncEngine) -> bool:
    return all(row.message for row in await rows(engine))


async def test_a_post_that_slack_took_without_saying_so_is_not_repeated(
    slack: Workspace, assistant: Assistant, options: Options, engine: AsyncEngine
) -> None:
    async with serving(assistant, slack, options):
        slack.strict.api.fail("chat.postMessage", "reset_after", channel=SUPPORT)
        await asked(slack)
        await request(slack)
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE handoffs SET tried_at = tried_at - interval '1h'")
            )
        await slack.wait_for(lambda: _is_posted(engine))
        assert len(await slack.final_messages(SUPPORT)) == 1


async def test_a_channel_that_refuses_is_told_to_the_admins_and_the_question_is_kept(
    slack: Workspace, assistant: Assistant, engine: AsyncEngine
) -> None:
    options = Options(handoff_channel=ARCHIVE, admin_channel=SUPPORT)
    async with serving(assistant, slack, options):
        await asked(slack)
        await slack.wait_for(lambda: slack.final_messages(SUPPORT))
        (told,) = await slack.final_messages(SUPPORT)
        assert "is_archived" in told["text"]
        slack.rules.refused.clear()
        async with engine.begin() as connection:
            await connection.execute(
                text("UPDATE handoffs SET tried_at = tried_at - interval '1h'")
            )
        await request(slack, ARCHIVE)


async def test_without_a_team_the_asker_is_told_and_the_question_waits_for_one(
    slack: Workspace, assistant: Assistant, options: Options, engine: AsyncEngine
) -> None:
    async with serving(assistant, slack, Options()):
        answer = await asked(slack)
        await whispered(slack, GENERAL, ALICE, "No team is set up")
        # Nobody was asked, so the bot goes on in this thread.
        await slack.say(ALICE, GENERAL, REFUND, answer["thread_ts"])
        await heard(slack, GENERAL, answer["thread_ts"], "five working days")
    async with serving(assistant, slack, options):
        await request(slack)
    assert len(await rows(engine)) == 1


async def test_without_a_team_the_admins_are_asked(slack: Workspace, assistant: Assistant) -> None:
    async with serving(assistant, slack, Options(admin_channel=SUPPORT)):
        await asked(slack)
        await whispered(slack, GENERAL, ALICE, "shown yours to the admins")
        await request(slack)


@pytest.fixture
def settings(home: Any) -> Settings:
    """The settings of a team with the small catalog."""
    (home / "intents.yaml").write_text(CATALOG)
    file = home / "supportbot.toml"
    file.write_text(
        file.read_text().replace("[[sources]]", '[intents]\ncatalog = "intents.yaml"\n[[sources]]')
    )
    return load_settings(home, {})


async def test_the_intent_to_talk_to_a_person_hands_over_once_it_was_answered(
    slack: Workspace, assistant: Assistant, app: App, options: Options, version_folder: Any
) -> None:
    files = {path.name: path.read_bytes() for path in version_folder.iterdir()}
    new = classifiers.NewVersion(app.encoder_id, None, app.catalog.names, {}, files)
    version = await classifiers.add(app.engine, new)
    assert await classifiers.promote(app.engine, version, instead_of=None)
    async with serving(assistant, slack, options):
        ts = await slack.ask(ALICE, GENERAL, "let me speak to a human please")
        await heard(slack, GENERAL, ts, "noted your message for the team")
        there = await request(slack)
        assert "It is something for a person" in str(there["blocks"])
        assert "talk to a person" in str(there["blocks"])
    async with serving(assistant, slack, Options()):
        await slack.ask(BOB, GENERAL, "connect me to an agent please")
        await whispered(slack, GENERAL, BOB, "No team is set up")
    assert BOT not in {row.asked_by for row in await rows(app.engine)}
