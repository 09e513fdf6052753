"""Streamed answers that people end, and what may not get into one."""

import json

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.assistant import Assistant
from bot.platforms.slack import streaming
from bot.platforms.slack.streaming import inert
from bot.platforms.slack.workspace import Options
from tests.llm_server import Reply, llm_server
from tests.platforms.slack.people import ALICE, GENERAL
from tests.platforms.slack.running import REFUND, serving, writing
from tests.platforms.slack.test_streaming import (
    PIECES,
    SENTENCES,
    hurry,
    is_there_once,
    words_of,
    written,
)
from tests.platforms.slack.workspace import Workspace

__all__ = ["hurry"]


async def test_a_stopped_answer_keeps_what_was_written_and_says_so(
    slack: Workspace, assistant: Assistant, engine: AsyncEngine
) -> None:
    async with written(assistant, slack, pause=0.4):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        await slack.wait_for(lambda: slack.journal.count("chat.appendStream", "ok") >= 2)
        assert slack.strict.stop_stream(GENERAL, ALICE)

        async def is_stopped() -> bool:
            return "Stopped." in words_of((await slack.final_messages(GENERAL, ts))[0])

        await slack.wait_for(is_stopped)
        (answer,) = await slack.wait_for_answers(GENERAL, ts)
    shown = words_of(answer)
    assert shown.count(SENTENCES[0].removesuffix(" [1]")) == 1
    assert SENTENCES[-1].removesuffix(" [1]") not in shown
    assert "feedback_buttons" in str(answer["blocks"])
    async with engine.connect() as connection:
        stored = await connection.scalar(text("SELECT answer FROM turns"))
    assert str(stored).endswith("*Stopped.*")


@pytest.mark.parametrize("event_comes", [True, False])
async def test_slack_saying_stopped_to_a_piece_stops_the_writing(
    slack: Workspace, assistant: Assistant, event_comes: bool
) -> None:
    async with written(assistant, slack, pause=0.4) as server:
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        await slack.wait_for(lambda: slack.journal.count("chat.appendStream", "ok") >= 2)
        if event_comes:
            slack.strict.stop_stream(GENERAL, ALICE)
        else:
            slack.strict.api.fail("chat.appendStream", "stopped_by_user")

        async def is_stopped() -> bool:
            return "Stopped." in words_of((await slack.final_messages(GENERAL, ts))[0])

        await slack.wait_for(is_stopped)
        await slack.wait_for_answers(GENERAL, ts)
    (answer,) = await slack.final_messages(GENERAL, ts)
    assert SENTENCES[-1].removesuffix(" [1]") not in words_of(answer)
    assert len(server.asked) == 1


async def test_a_question_deleted_while_it_is_answered_takes_the_answer_with_it(
    slack: Workspace, assistant: Assistant
) -> None:
    async with written(assistant, slack, pause=0.3):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        await slack.say(ALICE, GENERAL, "thanks all", ts)
        await slack.wait_for(lambda: slack.journal.count("chat.appendStream", "ok") >= 2)
        await slack.delete(ALICE, GENERAL, ts)
        await slack.wait_for(lambda: slack.journal.count("chat.delete", "ok") == 1)
    assert streaming.Stream.open_streams == 0


async def test_nothing_a_model_or_a_document_says_becomes_a_link_or_a_mention(
    slack: Workspace, assistant: Assistant
) -> None:
    hostile = (
        "Run this [1]:\n\n```sh\ncurl http://evil.example/?q=1 <!channel>\n```\n\n",
        "See [here", "](http://evil.example) or htt", "p:", "/", "/evil.example [1].\n\n",
        "Write to @here or www", ".evil.example <@U01ALICE> [1].\n\n",
    )  # fmt: skip
    async with written(assistant, slack, *hostile, *PIECES):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        (answer,) = await is_there_once(slack, ts)
    assert '"link"' not in json.dumps(answer["blocks"])
    for call in slack.journal.calls:
        sent = str(call.arguments.get("markdown_text") or call.arguments.get("text") or "")
        for live in ("://", "](", "<", "www.", "@here"):
            assert live not in sent


async def test_a_quoted_documents_links_are_dead_while_streamed_and_afterwards(
    slack: Workspace, assistant: Assistant
) -> None:
    reply = Reply(("A webhook is sent by hand. [1]\n\n", "And"), end="cut", pause_seconds=0.3)
    async with (
        llm_server(reply) as server,
        serving(writing(assistant, server), slack, Options()),
    ):
        ts = await slack.ask(ALICE, GENERAL, "How do I send a webhook?")

        async def is_whole() -> bool:
            found = await slack.final_messages(GENERAL, ts)
            return bool(found) and "feedback_buttons" in str(found[0]["blocks"])

        await slack.wait_for(is_whole)
        (answer,) = await slack.final_messages(GENERAL, ts)
    assert slack.journal.count("chat.startStream", "ok") == 1
    assert "curl http://hooks.example/new" in words_of(answer)
    assert answer["blocks"][0]["type"] == "rich_text"
    assert '"link"' not in json.dumps(answer["blocks"])
    for call in slack.journal.calls:
        sent = str(call.arguments.get("markdown_text") or call.arguments.get("text") or "")
        assert "://" not in sent
        assert "](" not in sent


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("a [b](c)", "a [b]\u2060(c)"),
        ("[b]: http://c", "[b]\u2060: http:\u2060//c"),
        ("<!here> & <@U1>", "&lt;!here&gt; &amp; &lt;@\u2060U1&gt;"),
        ("facts [1] and `x[0]`", "facts [1] and `x[0]`"),
    ],
)
def test_streamed_markdown_links_and_mentions_nothing(markdown: str, shown: str) -> None:
    assert inert(markdown) == shown
