"""Reviewing in Slack: who may, one click a question, and what two admins see at once."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from bot.assistant import Assistant
from bot.intents.catalog import Catalog, Intent, Route
from bot.platforms.slack.review_messages import (
    Spot,
    decided_by,
    other_modal,
    read_other,
    review_message,
)
from bot.platforms.slack.workspace import Options
from bot.reviewing import Choice, Page, Shown
from bot.storage import audit, reviews
from bot.storage.reviews import ToReview, Why
from tests.hostile import hostile_texts
from tests.platforms.slack.block_kit import links, mentions, problems, texts, view_problems
from tests.platforms.slack.forms import elements
from tests.platforms.slack.people import ADA, BOB, GENERAL
from tests.platforms.slack.workspace import Message, Workspace
from tests.storage.test_reviews import asked, live

__all__ = ["live"]

EVE = "U01EVE"


@pytest.fixture
def options() -> Options:
    """Ada and Bob are admins."""
    return Options(admins=frozenset({ADA, BOB}))


async def whisper(slack: Workspace, person: str, words: str) -> Message:
    """The ephemeral message with these words, once it is there."""

    async def found() -> Message | None:
        seen = await slack.whispers(GENERAL, person)
        return next((each for each in reversed(seen) if words in " ".join(texts(each))), None)

    message: Message = await slack.wait_for(found)
    return message


async def reviewed(slack: Workspace, person: str, words: str) -> Message:
    """What the command shows."""
    await slack.command(person, GENERAL, "/supportbot", "review")
    return await whisper(slack, person, words)


async def click(slack: Workspace, person: str, shown: Message, action: str) -> None:
    await slack.press(person, GENERAL, shown["ts"], f"review:{action}")


async def two_questions(assistant: Assistant, live: int) -> tuple[int, int]:
    first = await asked(assistant.engine, "Mail bob@example.com?", live)
    second = await asked(assistant.engine, "Where is it?", live)
    noted = [ToReview(first, "conflicting", 2.0), ToReview(second, "quarantined", 1.0)]
    await reviews.note(assistant.engine, noted)
    return first, second


@pytest.mark.usefixtures("bot")
async def test_each_click_settles_a_question_and_shows_the_next_in_its_place(
    slack: Workspace, assistant: Assistant, live: int
) -> None:
    first, second = await two_questions(assistant, live)
    shown = await reviewed(slack, ADA, "Mail <email>?")
    said = " ".join(texts(shown))
    assert "2 questions wait" in said
    assert "contradict each other" in said
    assert "how to (35%)" in said
    await click(slack, ADA, shown, "intent:1")
    shown = await whisper(slack, ADA, "Where is it?")
    assert "Noted as how to." in " ".join(texts(shown))
    assert len(await slack.whispers(GENERAL, ADA)) == 1
    await click(slack, ADA, shown, "none")
    shown = await whisper(slack, ADA, "Nothing waits for review")
    assert list(elements(shown["blocks"])) == []
    settled = await reviews.settled(assistant.engine)
    assert [(each.turn_id, each.intent, each.text) for each in settled] == [
        (first, "how_to", "Mail <email>?"), (second, None, "Where is it?"),
    ]  # fmt: skip
    calls = await audit.newest(assistant.engine, 9)
    assert [(call.person, call.command, call.is_allowed) for call in calls] == [
        (ADA, "review", True)
    ] * 3
    assert [call.arguments for call in calls] == [
        f"none {second}", f"intent:1 {first}:how_to", "",
    ]  # fmt: skip


@pytest.mark.usefixtures("bot")
async def test_another_intent_is_picked_and_the_question_said_in_other_words(
    slack: Workspace, assistant: Assistant, live: int
) -> None:
    first, _ = await two_questions(assistant, live)
    shown = await reviewed(slack, ADA, "Mail <email>?")
    await click(slack, ADA, shown, "other")
    await slack.wait_for(slack.views)
    values = {"review_intent": "account_access", "review_paraphrase": "How do I log in?"}
    assert await slack.submit(ADA, values) == {}
    shown = await whisper(slack, ADA, "Where is it?")
    assert "Noted as account access, in your words." in " ".join(texts(shown))
    (settled,) = await reviews.settled(assistant.engine)
    assert (settled.turn_id, settled.intent, settled.text, settled.is_paraphrase) == (
        first, "account_access", "How do I log in?", True,
    )  # fmt: skip
    assert (await audit.newest(assistant.engine, 1))[0].arguments == f"{first} account_access"


@pytest.mark.usefixtures("bot")
async def test_two_admins_at_once_settle_a_question_once_and_the_second_is_told(
    slack: Workspace, assistant: Assistant, live: int
) -> None:
    first, _ = await two_questions(assistant, live)
    of_ada = await reviewed(slack, ADA, "Mail <email>?")
    of_bob = await reviewed(slack, BOB, "Mail <email>?")
    await click(slack, ADA, of_ada, "intent:0")
    await whisper(slack, ADA, "Noted as question.")
    await click(slack, BOB, of_bob, "intent:1")
    await whisper(slack, BOB, "It was question by somebody else just now; this counts now.")
    (settled,) = await reviews.settled(assistant.engine)
    assert (settled.turn_id, settled.intent, settled.settled_by) == (first, "how_to", BOB)


@pytest.mark.usefixtures("bot")
async def test_a_stale_button_says_so_and_shows_what_waits(
    slack: Workspace, assistant: Assistant, live: int
) -> None:
    first, _ = await two_questions(assistant, live)
    shown = await reviewed(slack, ADA, "Mail <email>?")
    async with assistant.engine.begin() as connection:
        await connection.execute(text("DELETE FROM turns WHERE id = :id"), {"id": first})
    await click(slack, ADA, shown, "other")
    shown = await whisper(slack, ADA, "no longer stored")
    assert "Where is it?" in " ".join(texts(shown))
    await click(slack, ADA, shown, "skip")
    await whisper(slack, ADA, "Skipped for today. Nothing waits")
    assert await reviews.settled(assistant.engine) == []


@pytest.mark.usefixtures("bot")
async def test_who_may_not_settles_nothing_and_every_click_is_audited(
    slack: Workspace, assistant: Assistant, live: int
) -> None:
    first, _ = await two_questions(assistant, live)
    assert "Only admins" in " ".join(texts(await reviewed(slack, EVE, "Only admins")))
    answer = await reviewed(slack, ADA, "Mail <email>?")
    for action in ("intent:0", "none", "leave_out", "skip", "other"):
        value = f"{first}:how_to"
        await slack.press(EVE, GENERAL, answer["ts"], f"review:{action}", value, "forged")

    async def refused() -> bool:
        seen = await slack.whispers(GENERAL, EVE)
        return sum("Only admins" in " ".join(texts(each)) for each in seen) == 6

    await slack.wait_for(refused)
    chosen = {"selected_option": {"value": "how_to"}}
    view = {
        "type": "modal", "callback_id": "review", "private_metadata": f'{{"turn_id": {first}}}',
        "state": {"values": {"review_intent": {"review_intent": chosen}}},
    }  # fmt: skip
    forged: dict[str, Any] = {"type": "view_submission", "user": {"id": EVE}, "view": view}
    slack.strict.inject("interactive", forged)

    async def audited() -> bool:
        calls = await audit.newest(assistant.engine, 20)
        return sum(not call.is_allowed for call in calls if call.person == EVE) == 7

    await slack.wait_for(audited)
    assert await reviews.settled(assistant.engine) == []
    assert await reviews.left_out(assistant.engine) == set()
    assert not await slack.views()


@pytest.mark.usefixtures("bot")
async def test_clicks_at_once_leave_one_row(
    slack: Workspace, assistant: Assistant, live: int
) -> None:
    await two_questions(assistant, live)
    shown = await reviewed(slack, ADA, "Mail <email>?")
    await asyncio.gather(*(click(slack, ADA, shown, f"intent:{at % 2}") for at in range(10)))

    async def audited() -> bool:
        return len(await audit.newest(assistant.engine, 99)) == 11

    await slack.wait_for(audited)
    await whisper(slack, ADA, "Where is it?")
    assert len(await reviews.settled(assistant.engine)) == 1


@pytest.mark.usefixtures("bot")
async def test_an_admin_reviews_from_app_home(
    slack: Workspace, assistant: Assistant, live: int
) -> None:
    first, _ = await two_questions(assistant, live)
    await slack.open_home(ADA)

    async def offered() -> Message | None:
        home = await slack.home(ADA)
        return home if home and "Review (2)" in " ".join(texts(home)) else None

    await slack.press_view(ADA, await slack.wait_for(offered), "admin:review")

    async def view(words: str) -> Message:
        async def shown() -> Message | None:
            views = await slack.views()
            return views[-1] if views and words in " ".join(texts(views[-1])) else None

        found: Message = await slack.wait_for(shown)
        return found

    await slack.press_view(ADA, await view("Mail <email>?"), "review:other")
    await view("In your own words")
    await slack.submit(ADA, {"review_intent": "out_of_scope"})
    seen = await view("Noted as none of these.")
    await slack.press_view(ADA, seen, "review:leave_out")
    await view("Nothing waits for review")
    (settled,) = await reviews.settled(assistant.engine)
    assert (settled.turn_id, settled.intent) == (first, None)


def shown(question: str, intents: tuple[str, ...] = ("how_to",)) -> Page:
    choices = tuple(Choice(intent, 0.5) for intent in intents)
    return Page(Shown(12, question, Why.UNCERTAIN, (question,) * 3, choices, 1), 3)


def test_hostile_questions_stay_text_and_every_message_is_valid() -> None:
    for question in [*hostile_texts(), "x" * 50_000]:
        message = review_message(shown(question, ("a" * 50, "b", "c")), "Noted.")
        assert problems(message.blocks) == []
        assert mentions(message.blocks) == links(message.blocks) == []
        view = other_modal(question, catalog(3), Spot(12, "C1", "https://x", "V1"))
        assert view_problems(view) == []
        assert mentions(view) == links(view) == []


def catalog(count: int) -> Catalog:
    return Catalog(
        tuple(Intent(f"intent_{at}", "", Route.DOCUMENTS, "", (), ()) for at in range(count))
    )


def test_a_catalog_of_any_size_can_be_chosen_from() -> None:
    for count in (99, 100, 150, 1000):
        assert view_problems(other_modal("Where?", catalog(count), Spot(1))) == []


def test_forged_values_decide_nothing() -> None:
    for action, value in (
        ("review:intent:0", "x:how_to"), ("review:intent:0", ""), ("review:settle", "1:how_to"),
        ("review:none", "-1"), ("review:none", "1" * 30), ("review:none", "²"),
    ):  # fmt: skip
        assert decided_by(action, value) is None
    for private in ("", "[]", "{}", '{"turn_id": "x"}', '{"turn_id": 1, "evil": 2}', "null"):
        assert read_other({"private_metadata": private}) is None
