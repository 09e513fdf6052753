"""Settling questions, whatever the platform: what is shown, what is decided, what is told."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import commands, reviewing
from bot.calling import Administration, Caller
from bot.errors import ReviewError
from bot.intents.catalog import load_catalog
from bot.messages import Person, Rating, Reason
from bot.reviewing import Choice, Decided, Reviews, Verdict
from bot.storage import ratings, reviews
from bot.storage.reviews import ToReview
from bot.versions import Serving
from tests.storage.test_reviews import ADA, BOB, asked, live

__all__ = ["live"]


@pytest.fixture
def desk(engine: AsyncEngine) -> Reviews:
    return Reviews(engine, load_catalog(), 0.5)


async def test_a_question_is_shown_with_why_who_disagrees_and_the_likeliest_intents(
    desk: Reviews, live: int
) -> None:
    near = [("how_to", 0.25), ("problem_report", 0.2), ("out_of_scope", 0.1)]
    turn = await asked(desk.engine, "Mail me at bob@example.com?", live, alternatives=near)
    await asked(desk.engine, "mail me at bob@example.com", live, alternatives=near)
    for person, intent in (("U1", None), ("U2", None), ("U3", "account_access")):
        reason = Reason.WRONG_TOPIC if intent else None
        value = -1 if intent else 1
        rating = Rating(turn, Person("slack", person), value, reason, intent)
        await ratings.save(desk.engine, rating)
    await reviews.note(desk.engine, [ToReview(turn, "conflicting", 1.0)])
    page = await reviewing.following(desk, ADA)
    assert page.waiting == 1
    assert page.shown is not None
    assert page.shown.question == "Mail me at <email>?"
    assert page.shown.reasons == (
        "People's ratings contradict each other, so it trains nothing.",
        "2 people say question; 1 person says account access; the classifier said question (40%).",
        "It was asked 2 times in these words.",
    )
    assert page.shown.choices == (
        Choice("question", 0.4), Choice("how_to", 0.25), Choice("account_access", None),
    )  # fmt: skip
    assert [choice.label for choice in page.shown.choices][1:] == ["how to (25%)", "account access"]


async def test_a_decision_is_stored_masked_and_the_next_question_follows(
    desk: Reviews, live: int
) -> None:
    turn = await asked(desk.engine, "Call +49 30 1234567, how?", live)
    said = await reviewing.decide(desk, ADA, Decided(turn, Verdict.INTENT, "how_to"))
    assert said == "Noted as how to."
    (settled,) = await reviews.settled(desk.engine)
    assert (settled.text, settled.intent) == ("Call <phone>, how?", "how_to")
    assert not settled.is_paraphrase
    page = await reviewing.following(desk, ADA)
    assert (page.shown, page.waiting) == (None, 0)


async def test_a_paraphrase_is_kept_in_place_of_the_question_and_masked_too(
    desk: Reviews, live: int
) -> None:
    turn = await asked(desk.engine, "it's the thing of Bob's again", live)
    written = " how do I reset\n the thing of bob@example.com?\0 \ud800"
    decided = Decided(turn, Verdict.INTENT, "How To", written)
    assert await reviewing.decide(desk, ADA, decided) == "Noted as how to, in your words."
    (settled,) = await reviews.settled(desk.engine)
    assert settled.text == "how do I reset the thing of <email>?"
    assert settled.is_paraphrase
    with pytest.raises(ReviewError, match="at most 1,000"):
        await reviewing.decide(desk, ADA, Decided(turn, Verdict.INTENT, "how_to", "x" * 1001))


@pytest.mark.parametrize(
    "decided", [(Verdict.NONE, None), (Verdict.NONE, "how_to"), (Verdict.INTENT, "out_of_scope")]
)
async def test_none_of_these_is_settled_as_no_intent(
    desk: Reviews, live: int, decided: tuple[Verdict, str | None]
) -> None:
    turn = await asked(desk.engine, "Where?", live)
    assert await reviewing.decide(desk, ADA, Decided(turn, *decided)) == "Noted as none of these."
    assert [settled.intent for settled in await reviews.settled(desk.engine)] == [None]


async def test_what_is_skipped_or_left_out_is_not_settled(desk: Reviews, live: int) -> None:
    first, second = await asked(desk.engine, "one", live), await asked(desk.engine, "two", live)
    assert "Skipped" in await reviewing.decide(desk, ADA, Decided(first, Verdict.SKIP))
    assert "Left out" in await reviewing.decide(desk, ADA, Decided(second, Verdict.LEAVE_OUT))
    assert await reviews.settled(desk.engine) == []
    assert (await reviewing.following(desk, ADA)).waiting == 0
    assert (await reviewing.following(desk, BOB)).waiting == 1


async def test_who_decides_after_somebody_else_is_told_and_counts(desk: Reviews, live: int) -> None:
    turn = await asked(desk.engine, "Where?", live)

    async def decide(person: Person, intent: str) -> str:
        return await reviewing.decide(desk, person, Decided(turn, Verdict.INTENT, intent))

    assert await decide(ADA, "how_to") == "Noted as how to."
    assert await decide(ADA, "how_to") == "Noted as how to."
    assert await decide(BOB, "how_to") == "Noted as how to. So had somebody else just now."
    said = await decide(ADA, "question")
    assert said == "Noted as question. It was how to by somebody else just now; this counts now."
    assert [settled.intent for settled in await reviews.settled(desk.engine)] == ["question"]


async def test_what_cannot_be_decided_is_told_and_nothing_is_stored(
    desk: Reviews, live: int
) -> None:
    turn = await asked(desk.engine, "Where?", live)
    for decided, words in (
        (Decided(turn, Verdict.INTENT, "how_too"), "Did you mean how to"),
        (Decided(turn, Verdict.INTENT), "which intent"),
        (Decided(turn, Verdict.INTENT, ""), "no intent"),
        *((Decided(777, verdict, "how_to"), "no longer stored") for verdict in Verdict),
    ):
        with pytest.raises(ReviewError, match=words):
            await reviewing.decide(desk, ADA, decided)
    assert await reviews.settled(desk.engine) == []
    assert (await reviewing.following(desk, ADA)).waiting == 1


async def test_the_command_shows_the_question_where_nothing_can_be_pressed(
    desk: Reviews, live: int
) -> None:
    serving = Serving(desk.catalog.names, 1)
    administration = Administration(desk.engine, (), serving, {}, desk)
    caller = Caller("slack", "T1", "U1", None, is_admin=True)
    assert "Nothing waits" in (await commands.call(administration, caller, "review")).text
    await asked(desk.engine, "Where *is* it?", live)
    done = await commands.call(administration, caller, "review")
    assert r"> Where \*is\* it?" in done.text
    assert "1 question waits" in done.text
    assert done.page is not None
