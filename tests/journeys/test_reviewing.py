"""Reviewing in the terminal: doubtful questions are settled with keys, from a pipe as well."""

import json
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.storage import reviews
from bot.storage.reviews import ToReview
from tests.journeys.test_terminal import supportbot
from tests.storage.test_reviews import asked, live

__all__ = ["live"]

QUESTIONS = (
    "Mail bob@example.com?", "Where is the [bold]thing[/bold]?", "what about lunch", "Is it off?",
    "a private matter", "never reached",
)  # fmt: skip


async def test_questions_are_settled_with_keys_one_after_the_other(
    home: Path, engine: AsyncEngine, live: int
) -> None:
    turn = [await asked(engine, question, live) for question in QUESTIONS]
    noted = [ToReview(each, "conflicting", 9.0 - at) for at, each in enumerate(turn)]
    await reviews.note(engine, noted)
    listed = json.loads(supportbot(home, "review", "--json").stdout)
    assert listed["waiting"] == 6
    assert [each["turn_id"] for each in listed["questions"]] == turn
    assert listed["questions"][0]["question"] == "Mail <email>?"
    assert listed["questions"][0]["choices"][1] == {"intent": "how_to", "confidence": 0.35}
    keys = (
        "what", "2", "o", "no such", "account acess", "ACCOUNT access", "n", "p", "is it down?",
        "1", "x", "q", "1",
    )  # fmt: skip
    done = supportbot(home, "review", said="\n".join(keys))
    assert done.returncode == 0, done.stderr
    assert "“Mail <email>?”" in done.stdout
    assert "“Where is the [bold]thing[/bold]?”" in done.stdout
    assert "Type one of the numbers" in done.stdout
    assert "Did you mean account access?" in done.stdout
    settled = {each.turn_id: each for each in await reviews.settled(engine)}
    assert [settled[each].intent for each in turn[:4]] == [
        "how_to", "account_access", None, "question",
    ]  # fmt: skip
    assert (settled[turn[3]].text, settled[turn[3]].is_paraphrase) == ("is it down?", True)
    assert await reviews.left_out(engine) == {turn[4]}
    assert settled[turn[0]].settled_on == "terminal"


async def test_the_end_of_the_input_ends_the_review_and_what_is_skipped_is_not_settled(
    home: Path, engine: AsyncEngine, live: int
) -> None:
    nothing = supportbot(home, "review", said="")
    assert nothing.returncode == 0
    assert "Nothing waits for review" in nothing.stdout
    await asked(engine, "Is it off?", live)
    ended = supportbot(home, "review", said="")
    assert ended.returncode == 0
    assert "1 question waits" in ended.stdout
    skipped = supportbot(home, "review", said="s\n")
    assert "Skipped for today." in skipped.stdout
    assert "Nothing waits for review" in skipped.stdout
    assert await reviews.settled(engine) == []


def test_a_database_that_is_away_is_a_sentence(home: Path) -> None:
    (home / ".env").write_text("DATABASE_URL=postgresql://me:canary-word@127.0.0.1:1/x\n")
    result = supportbot(home, "review", said="1\n")
    assert result.returncode == 1
    assert "does not work" in result.stderr
    assert "Traceback" not in result.stderr
    assert "canary-word" not in result.stdout + result.stderr
