"""Questions that failed, put together by what they ask for."""

import subprocess
import sys

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import clustering, topics
from bot.answer_lists import UNGROUPED, gaps_listing
from bot.approving import Approval, approve
from bot.encoder import Encoder
from bot.messages import EVERYONE, Outcome
from tests.storage.test_gaps import asked

PASSWORD = ("How do I reset my password?", "I forgot my password", "reset password please")
PARENTAL = ("How long is parental leave?", "How many weeks of parental leave do I get?")


async def test_alike_questions_are_one_topic_with_counts_examples_and_trend(
    engine: AsyncEngine, encoder: Encoder
) -> None:
    for question in (*PASSWORD, *PARENTAL):
        await asked(engine, question)
    await asked(engine, "What is my password? I forgot it", days_ago=40)
    found = await topics.find(engine, encoder.encode)
    assert found.is_clustered
    first, second = found.topics
    assert {first.question, *first.examples} == set(PASSWORD)
    assert (first.asked, first.before, first.abstained) == (3, 1, 3)
    assert {second.question, *second.examples} == set(PARENTAL)
    assert (second.asked, second.before) == (2, 0)


async def test_a_topic_that_was_answered_since_is_no_gap_until_it_fails_again(
    engine: AsyncEngine, encoder: Encoder
) -> None:
    turn_ids = [await asked(engine, question) for question in PASSWORD]
    approval = Approval("Passwords", "Press forgotten.", frozenset({EVERYONE}), "slack:U9", "Ada")
    await approve(engine, approval, turn_ids[0])
    assert (await topics.find(engine, encoder.encode)).topics == ()
    await asked(engine, "password reset", Outcome.ABSTAINED, days_ago=-1)
    (topic,) = (await topics.find(engine, encoder.encode)).topics
    assert topic.asked == 4


async def test_what_failed_only_before_is_no_topic(engine: AsyncEngine, encoder: Encoder) -> None:
    await asked(engine, PASSWORD[0], days_ago=40)
    assert (await topics.find(engine, encoder.encode)).topics == ()
    assert "No question" in (await gaps_listing(engine, encoder.encode)).text


async def test_without_scikit_learn_equal_questions_alone_are_one_and_that_is_said(
    engine: AsyncEngine, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for question in (*PASSWORD, PASSWORD[0]):
        await asked(engine, question)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setattr(clustering, "find_spec", lambda name: None)
    found = await topics.find(engine, encoder.encode)
    assert [topic.asked for topic in found.topics] == [2, 1, 1]
    assert UNGROUPED in (await gaps_listing(engine, encoder.encode)).text


def test_whoever_answers_people_does_not_load_scikit_learn() -> None:
    loads = "import sys, bot.serving, bot.platforms.slack.service, bot.topics, bot.announcing;"
    assert not subprocess.run(
        [sys.executable, "-c", f"{loads} sys.exit('sklearn' in sys.modules)"], check=False
    ).returncode
