"""Answers that admins approve in Slack: from a question that failed to a citation."""

import asyncio
from dataclasses import asdict
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.assistant import Assistant
from bot.platforms.slack import announcements as posting
from bot.platforms.slack.workspace import Options
from bot.storage import announcements, approved, audit, claims, jobs
from tests.platforms.slack.people import ADA, ALICE, BOB, CAROL, GENERAL, SUPPORT
from tests.platforms.slack.running import WEATHER, serving
from tests.platforms.slack.test_handoffs import asked, heard, request
from tests.platforms.slack.test_rating import modal, whispered
from tests.platforms.slack.work import taken
from tests.platforms.slack.workspace import Message, Workspace
from tests.test_approving import reindexed

ANSWER = "Germany won the world cup in 1990, in Rome."


@pytest.fixture
def options() -> Options:
    """A team to hand over to, with Ada as its admin."""
    return Options(handoff_channel=SUPPORT, admin_channel=SUPPORT, admins=frozenset({ADA}))


async def pressable(slack: Workspace, action: str, channel: str, thread: str | None = None) -> Any:
    """The message in which an action can be pressed, once it is there."""

    async def found() -> Message | None:
        seen = await slack.messages(channel, thread)
        return next((each for each in seen if action in str(each.get("blocks"))), None)

    return await slack.wait_for(found)


async def resolved(slack: Workspace) -> Message:
    """The request to take over a question of Alice's, once Carol has answered it."""
    await asked(slack)
    there = await request(slack)
    await slack.press(CAROL, SUPPORT, there["ts"], "resolve")
    await modal(slack)
    await slack.submit(CAROL, {"resolution": ANSWER})
    message: Message = await pressable(slack, "draft_answer", SUPPORT)
    return message


async def audited(engine: AsyncEngine) -> list[tuple[str, str, bool]]:
    """What of answers was done or tried, newest first."""
    called = await audit.newest(engine, 20)
    return [(one.person, one.arguments, one.is_allowed) for one in called]


@pytest.mark.usefixtures("bot")
async def test_what_a_person_answered_becomes_an_answer_that_the_next_person_gets_cited(
    slack: Workspace, app: App
) -> None:
    there = await resolved(slack)
    await slack.press(ADA, SUPPORT, there["ts"], "draft_answer")
    view = await modal(slack)
    assert [block["element"].get("initial_value") for block in view["blocks"]] == [
        WEATHER, ANSWER, None,
    ]  # fmt: skip
    assert "initial_option" not in view["blocks"][2]["element"]  # nobody publishes by accident
    assert await slack.submit(ADA, {"audience": "everyone"}) == {}
    assert "is approved" in str((await modal(slack))["blocks"])
    (answer,) = await approved.published(app.engine)
    assert (answer.author, answer.author_name) == (f"slack:{ADA}", "ada")
    (job,) = await jobs.active(app.engine)
    assert job.name == "reindex approved-answers"

    # What a worker does, as none runs here; Ada is told when it is done.
    claim = await taken(app.engine)
    report = await reindexed(app)
    await claims.succeed(app.engine, claim, asdict(report))
    await heard(slack, await slack.direct(ADA), None, "approved-answers: 1 indexed")
    ts = await slack.ask(BOB, GENERAL, "who was the winner of the 1990 world cup?")
    (told,) = await slack.wait_for_answers(GENERAL, ts)
    assert "Germany won" in str(told["blocks"])
    assert "approved answer 1, ada" in str(told["blocks"])
    assert (ADA, f"approve turn {answer.turn_id}", True) in await audited(app.engine)


@pytest.mark.usefixtures("bot")
async def test_who_is_no_admin_drafts_approves_and_withdraws_nothing_and_is_audited(
    slack: Workspace, app: App
) -> None:
    there = await resolved(slack)
    await slack.press(CAROL, SUPPORT, there["ts"], "draft_answer")
    await whispered(slack, SUPPORT, CAROL, "Only admins may do that")
    assert await slack.views() == []
    # Ada has the modal open, and Carol sends it off.
    await slack.press(ADA, SUPPORT, there["ts"], "draft_answer")
    await modal(slack)
    await slack.submit(CAROL, {"audience": "everyone"})
    assert "Only admins" in str((await modal(slack))["blocks"])
    assert await approved.published(app.engine) == []
    for action in ("edit_answer", "renew_answer", "withdraw_answer"):
        await slack.press(BOB, SUPPORT, there["ts"], action, "1", "forged")
    await slack.wait_for(lambda: _is_refused(app.engine, BOB, 3))
    assert not any(allowed for person, _, allowed in await audited(app.engine) if person != ADA)


async def _is_refused(engine: AsyncEngine, person: str, count: int) -> bool:
    refused = [one for one in await audited(engine) if one[0] == person and not one[2]]
    return len(refused) == count


@pytest.mark.usefixtures("bot")
async def test_an_answer_is_drafted_from_a_gap_listed_changed_renewed_and_withdrawn(
    slack: Workspace, app: App
) -> None:
    ts = await slack.ask(ALICE, GENERAL, WEATHER)
    await slack.wait_for_answers(GENERAL, ts)
    await slack.command(ADA, SUPPORT, "/supportbot", "gaps")
    gaps = await pressable(slack, "draft_answer", SUPPORT)
    assert WEATHER in str(gaps["blocks"])
    await slack.press(ADA, SUPPORT, gaps["ts"], "draft_answer")
    await modal(slack)
    assert "answer" in await slack.submit(
        ADA, {"question": "  ", "answer": ANSWER, "audience": "everyone"}
    )
    question = "Which country won in 1990?"
    await slack.submit(
        ADA, {"question": question, "answer": ANSWER, "audience": f"slack:{GENERAL}"}
    )
    (answer,) = await slack.wait_for(lambda: approved.published(app.engine))
    assert answer.audience == {f"slack:{GENERAL}"}
    await slack.close_view(ADA)

    await slack.command(ADA, SUPPORT, "/supportbot", "answers")
    listed = await pressable(slack, "edit_answer", SUPPORT)
    assert question in str(listed["blocks"])
    await slack.press(ADA, SUPPORT, listed["ts"], "edit_answer")
    assert (await modal(slack))["blocks"][2]["element"]["initial_option"]["value"] == (
        f"slack:{GENERAL}"
    )
    await slack.submit(ADA, {"answer": "West Germany did."})

    async def is_changed() -> bool:
        return (await approved.published(app.engine))[0].answer == "West Germany did."

    await slack.wait_for(is_changed)
    await slack.press(ADA, SUPPORT, listed["ts"], "renew_answer")
    await whispered(slack, SUPPORT, ADA, "renewed for 180 days")
    await slack.press(ADA, SUPPORT, listed["ts"], "withdraw_answer")
    await whispered(slack, SUPPORT, ADA, "no question finds it")
    assert await approved.published(app.engine) == []


async def announce(engine: AsyncEngine, key: str, turn_id: int) -> None:
    """Have the admins told of a topic."""
    topic = {
        "turn_id": turn_id, "asked": 3, "before": 1, "abstained": 3, "rated_down": 0,
        "handed_over": 0, "example_ids": [], "nearest": "Holidays",
    }  # fmt: skip
    content = {"days": 7, "topics": [topic], "more": 0, "due": 2}
    async with engine.begin() as connection:
        await announcements.add(connection, key, "gaps", content)


async def test_the_digest_is_posted_once_by_three_processes_and_can_be_answered_from(
    slack: Workspace,
    assistant: Assistant,
    options: Options,
    app: App,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(posting, "LOOK_SECONDS", 0.1)
    async with serving(assistant, slack, options):
        ts = await slack.ask(ALICE, GENERAL, WEATHER)
        await slack.wait_for_answers(GENERAL, ts)
    async with app.engine.connect() as connection:
        turn_id = await connection.scalar(text("SELECT id FROM turns"))
    await asyncio.gather(*(announce(app.engine, "gaps 1", turn_id) for _ in range(5)))
    async with (
        serving(assistant, slack, options),
        serving(assistant, slack, options),
        serving(assistant, slack, options),
    ):
        digest = await pressable(slack, "draft_answer", SUPPORT)
        await asyncio.sleep(1)
        assert len(await slack.final_messages(SUPPORT)) == 1
        shown = str(digest["blocks"])
        assert WEATHER in shown
        assert "2 approved answers are due for renewal" in shown
        assert "more than before (1 ×)" in shown
        assert "nearest document: Holidays" in shown
        await slack.press(ADA, SUPPORT, digest["ts"], "draft_answer")
        assert (await modal(slack))["blocks"][0]["element"]["initial_value"] == WEATHER


async def test_what_was_forgotten_before_it_was_posted_is_not_posted(
    slack: Workspace,
    assistant: Assistant,
    options: Options,
    app: App,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(posting, "LOOK_SECONDS", 0.1)
    await announce(app.engine, "gaps 1", turn_id=12345)
    async with serving(assistant, slack, options):
        told = await heard(slack, SUPPORT, None, "due for renewal")
        assert "Left without" not in str(told["blocks"])


async def test_a_post_that_was_not_noted_is_found_and_not_repeated(
    slack: Workspace,
    assistant: Assistant,
    options: Options,
    app: App,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(posting, "LOOK_SECONDS", 0.1)
    await announce(app.engine, "gaps 1", turn_id=12345)
    async with serving(assistant, slack, options):
        await heard(slack, SUPPORT, None, "due for renewal")
        async with app.engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE announcement_posts SET message = NULL,"
                    " tried_at = now() - interval '1 h'"
                )
            )
        await slack.wait_for(lambda: _is_noted(app.engine))
        assert len(await slack.final_messages(SUPPORT)) == 1


async def _is_noted(engine: AsyncEngine) -> bool:
    async with engine.connect() as connection:
        return bool(
            await connection.scalar(text("SELECT bool_and(message <> '') FROM announcement_posts"))
        )
