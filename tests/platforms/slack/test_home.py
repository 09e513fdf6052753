"""App Home and the agent pane: for everyone what the bot can do, for admins how it is."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.app import reindex as run_reindex
from bot.commands import COMMANDS
from bot.messages import Answer, Arrival, Conversation, Outcome, Person, Question, Rating, Turn, Way
from bot.overviews import literal
from bot.platforms.slack import home, home_view, job_messages
from bot.platforms.slack.commands import written
from bot.platforms.slack.titles import name_thread
from bot.storage import audit, jobs, ratings, turns
from tests.hostile import hostile_texts
from tests.platforms.slack.block_kit import links, mentions, problems, texts
from tests.platforms.slack.office import ADA, BOB, TEAM, Office, open_office, until

FAQ = """# Refunds and returns

## How long does a refund take?

A refund takes 14 days.
"""
BUTTONS = {
    "admin:reindex", "admin:retrain", "admin:status", "admin:versions", "admin:gaps",
    "admin:review",
}  # fmt: skip


@pytest.fixture
async def office(app: App) -> AsyncIterator[Office]:
    async with open_office(app) as office:
        yield office


def actions(view: object) -> set[str]:
    """The action ids anywhere in a view."""
    if isinstance(view, dict):
        own = {view["action_id"]} if "action_id" in view else set()
        return own.union(*(actions(value) for value in view.values()))
    return set().union(*(actions(value) for value in view)) if isinstance(view, list) else set()


async def published(office: Office, person: str) -> dict[str, object]:
    """The Home that somebody sees on opening it."""
    before = len(office.slack.of("views.publish"))
    await office.open_home(person)
    await until(lambda: len(office.slack.of("views.publish")) > before)
    call = office.slack.of("views.publish")[-1]
    assert call["user_id"] == person
    view: dict[str, object] = call["view"]
    return view


async def index(app: App, home: Path, text: str) -> None:
    """Index one page."""
    (home / "documents" / "refunds.md").write_text(text)
    assert await run_reindex(app.settings, "--quiet") == 0


async def test_everyone_sees_skills_sources_and_freshness(
    office: Office, app: App, home: Path
) -> None:
    await index(app, home, FAQ)
    view = await published(office, BOB)
    said = " ".join(texts(view))
    assert "How to" in said
    assert "Talk to a person" in said
    assert "Out of scope" not in said
    assert "1 document, updated just now" in said
    assert actions(view) == set()


async def test_an_empty_index_is_said_to_be_empty(office: Office) -> None:
    assert "No documents have been read yet." in " ".join(texts(await published(office, BOB)))


async def test_what_not_everyone_may_read_is_not_shown_to_everyone(
    office: Office, app: App, home: Path
) -> None:
    settings = (home / "supportbot.toml").read_text()
    (home / "supportbot.toml").write_text(settings + 'audience = ["slack:C01BOARD"]\n')
    await index(app, home, FAQ)
    assert "No documents have been read yet." in " ".join(texts(await published(office, BOB)))
    assert await home_prompts(office) == []


async def test_admins_see_jobs_ratings_handoffs_the_live_version_and_buttons(
    office: Office, engine: AsyncEngine
) -> None:
    job = await jobs.request(engine, "reindex", "documents", "test")
    question = Question("why?", Person("slack", BOB), Conversation("slack", "C01GEN:1"))
    turn = await turns.save(engine, Turn(None, question, Answer(Outcome.ANSWERED, "so")))
    await ratings.save(engine, Rating(turn, Person("slack", BOB), -1))
    view = await published(office, ADA)
    said = " ".join(texts(view))
    assert f"reindex documents (job {job.job_id}) waits to run" in said
    assert "👍 0 and 👎 1" in said
    assert "0 hand-offs are open" in said
    assert "No classifier has been trained yet" in said
    assert actions(view) == BUTTONS


@pytest.mark.parametrize("button", sorted(BUTTONS))
async def test_a_button_runs_the_command_and_shows_its_answer(
    office: Office, engine: AsyncEngine, button: str
) -> None:
    await office.press(ADA, button)
    await until(lambda: bool(office.slack.of("views.publish")))
    (opened,) = office.slack.of("views.open")
    (shown,) = office.slack.of("views.update")
    assert "One moment" in " ".join(texts(opened["view"]))
    assert shown["view"]["title"]["text"] == button.removeprefix("admin:").capitalize()
    (called,) = await audit.newest(engine, 9)
    assert (called.person, called.is_allowed) == (ADA, True)
    assert called.command == button.removeprefix("admin:")


async def test_a_job_asked_for_by_a_button_is_told_of_in_a_direct_message(
    office: Office, engine: AsyncEngine
) -> None:
    await office.press(ADA, "admin:retrain")
    await until(lambda: bool(office.slack.of("views.publish")))
    telling = asyncio.create_task(job_messages.tell_of_jobs(office.workspace))
    await until(lambda: bool(office.slack.channels[f"D{ADA}"]))
    telling.cancel()
    await asyncio.wait([telling])
    (job,) = await jobs.active(engine)
    assert f"retrain (job {job.id}) waits to run" in office.slack.channels[f"D{ADA}"][0]["text"]


async def test_a_forged_press_does_nothing_and_is_audited(
    office: Office, engine: AsyncEngine
) -> None:
    for button in sorted(BUTTONS):
        await office.press(BOB, button)
    await office.press(ADA, "admin:rollback 1 --force", team="T99OTHER")
    await until(lambda: len(office.slack.of("views.update")) == len(BUTTONS) + 1)
    assert await jobs.active(engine) == []
    assert [call.is_allowed for call in await audit.newest(engine, 9)] == [False] * (
        len(BUTTONS) + 1
    )
    for call in office.slack.of("views.update"):
        assert "Only admins may do that" in " ".join(texts(call["view"]))


async def test_where_no_modal_opens_the_answer_comes_as_a_message(office: Office) -> None:
    office.slack.answers["views.open"] = {"ok": False, "error": "expired_trigger_id"}
    await office.press(ADA, "admin:status")
    await until(lambda: bool(office.slack.channels[ADA]))
    assert "No job is running" in office.slack.channels[ADA][0]["text"]


def test_every_button_is_a_command() -> None:
    assert set(home_view.BUTTONS) <= set(COMMANDS)


async def home_prompts(office: Office) -> list[str]:
    return [prompt["message"] for prompt in await home.suggested_prompts(office.workspace)]


async def test_the_pane_suggests_questions_that_the_documents_answer(
    office: Office, app: App, home: Path
) -> None:
    await index(app, home, FAQ)
    (home / "documents" / "plans.md").write_text("# Plans and prices\n\nThere are two plans.\n")
    await index(app, home, FAQ)
    await office.open_home(BOB, "messages")
    await until(lambda: bool(office.slack.of("chat.postMessage")))
    (suggested,) = office.slack.of("assistant.threads.setSuggestedPrompts")
    assert suggested["channel_id"] == f"D{BOB}"
    assert [prompt["message"] for prompt in suggested["prompts"]] == [
        "How long does a refund take?",
        "What does “Plans and prices” say?",
    ]


async def test_the_prompts_of_the_settings_come_first(app: App) -> None:
    async with open_office(app, suggested_prompts=("x" * 200, "Who are you?")) as office:
        prompts = await home.suggested_prompts(office.workspace)
    assert [prompt["message"] for prompt in prompts] == ["x" * 200, "Who are you?"]
    assert len(prompts[0]["title"]) <= home.TITLE_CHARACTERS


async def test_a_person_is_greeted_once_however_often_the_pane_opens(office: Office) -> None:
    for _ in range(5):
        await office.open_home(BOB, "messages")
    await office.open_home(ADA, "messages")
    await until(lambda: bool(office.slack.channels[f"D{ADA}"]))
    await until(lambda: bool(office.slack.channels[f"D{BOB}"]))
    assert len(office.slack.of("chat.postMessage")) == 2


async def test_who_has_talked_to_the_bot_before_is_not_greeted(office: Office) -> None:
    office.slack.channels[f"D{BOB}"].append({"user": BOB, "ts": "1.0", "text": "hello"})
    await office.open_home(BOB, "messages")
    await until(lambda: bool(office.slack.of("conversations.history")))
    await office.open_home(ADA, "messages")
    await until(lambda: bool(office.slack.channels[f"D{ADA}"]))
    assert len(office.slack.of("chat.postMessage")) == 1


async def test_hostile_questions_and_titles_stay_text_in_every_view(
    office: Office, app: App, home: Path
) -> None:
    for number, text in enumerate(hostile_texts()):
        asked = text.encode("utf-8", "ignore").decode().replace("\0", "") or "?"
        place = Conversation("slack", f"C01GEN:{number}")
        question = Question(asked, Person("slack", BOB), place)
        await turns.save(app.engine, Turn(None, question, Answer(Outcome.ABSTAINED, "not sure")))
    await index(
        app, home, "# <!channel> <@U01ADA> https://evil.example\n\n## <!here> is it?\n\nNo."
    )
    await office.press(ADA, "admin:gaps")
    await until(lambda: bool(office.slack.of("views.publish")))
    await office.open_home(BOB, "messages")
    await until(lambda: bool(office.slack.of("chat.postMessage")))
    views = [call["view"] for name, call in office.slack.calls if "view" in call]
    assert "not sure" in " ".join(texts(views))
    assert mentions(views) == []
    assert links(views) == []


def test_hostile_text_in_the_answer_to_a_command_is_shown_as_it_is() -> None:
    for text in hostile_texts():
        line = literal(text, 1000)
        (message,) = written(f"1. {line} (3 × not sure)")
        assert problems(message.blocks) == []
        assert mentions(message.blocks) == links(message.blocks) == []
        assert "(3 × not sure)" in " ".join(texts(message.blocks))


async def test_a_thread_of_the_pane_gets_the_question_as_its_title(office: Office) -> None:
    def asked(text: str, thread: str) -> Arrival:
        return Arrival(
            "slack", TEAM, f"D{BOB}", "5.0", f"D{BOB}:{thread}", BOB, text, Way.DIRECT, None,
            {"thread": thread},
        )  # fmt: skip

    await name_thread(office.workspace.calls, asked("How long\ndoes a refund take?", "5.0"))
    await name_thread(office.workspace.calls, asked("And returns?", "1.0"))
    office.slack.answers["assistant.threads.setTitle"] = {"ok": False, "error": "not_allowed"}
    await name_thread(office.workspace.calls, asked("x" * 500, "5.0"))
    titles = [call["title"] for call in office.slack.of("assistant.threads.setTitle")]
    assert titles == ["How long does a refund take?", "x" * 74 + "…"]
