"""Answers that a language model writes: shown while they grow, and there once whatever happens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.assistant import Assistant
from bot.platforms.slack import streaming
from bot.platforms.slack.workspace import Options
from tests.llm_server import Reply, llm_server
from tests.platforms.slack.people import ALICE, BOT_TOKEN, GENERAL
from tests.platforms.slack.running import REFUND, serving, writing
from tests.platforms.slack.workspace import Message, Workspace

SENTENCES = tuple(f"Refund number {number} is paid within five days. [1]" for number in range(12))
PIECES = tuple(f"{sentence}\n\n" for sentence in SENTENCES)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send pieces more often than a workspace of many people could bear."""
    monkeypatch.setattr(streaming, "APPEND_SECONDS", 0.1)
    monkeypatch.setattr(streaming, "UPDATE_SECONDS", 0.1)


@asynccontextmanager
async def written(
    assistant: Assistant, slack: Workspace, *pieces: str, pause: float = 0.1
) -> AsyncIterator[Any]:
    """The bot with a language model that writes these pieces."""
    reply = Reply(pieces or PIECES, pause_seconds=pause)
    async with (
        llm_server(reply) as server,
        serving(writing(assistant, server), slack, Options()),
    ):
        yield server


def words_of(message: Message) -> str:
    """All that a message shows."""
    found: list[str] = []

    def look(part: Any) -> None:
        if isinstance(part, dict):
            found.extend(value for key, value in part.items() if key == "text" and value)
            for value in part.values():
                look(value)
        elif isinstance(part, list):
            for value in part:
                look(value)

    look(message["blocks"])
    return "\n".join(piece for piece in found if isinstance(piece, str))


async def is_there_once(slack: Workspace, ts: str, messages: int = 1) -> list[Message]:
    """The answer's messages, once the inbox has it ended; every sentence is in them once."""
    found = await slack.wait_for_answers(GENERAL, ts, seconds=40)

    async def is_closed() -> bool:
        seen = await slack.final_messages(GENERAL, ts)
        return bool(seen) and "feedback_buttons" in str(seen[-1]["blocks"])

    await slack.wait_for(is_closed, 40)
    await asyncio.sleep(0.5)
    found = await slack.final_messages(GENERAL, ts)
    shown = "\n".join(words_of(message) for message in found)
    for sentence in SENTENCES:
        assert shown.count(sentence.removesuffix(" [1]")) == 1, shown
    assert shown.count("Sources") == 1
    assert not any(message["is_streaming"] for message in found)
    assert len(found) == messages
    return found


async def test_an_answer_is_streamed_and_closed_with_its_sources(
    slack: Workspace, assistant: Assistant, engine: AsyncEngine
) -> None:
    async with written(assistant, slack):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        (answer,) = await is_there_once(slack, ts)
    assert slack.journal.count("chat.appendStream", "ok") >= 2
    assert slack.journal.count("chat.postMessage") == slack.journal.count("chat.update") == 0
    assert answer["metadata"]["event_payload"] == {"inbox_id": 1, "part": 0}
    assert slack.strict.state.statuses == {}
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT reply FROM inbox")) == answer["ts"]


FAULTS = [
    # (method, what goes wrong, how often): refused, ended, limited, taken without saying so.
    ("chat.startStream", "method_not_supported_for_channel_type", 1),
    ("chat.startStream", "missing_recipient_team_id", 1),
    ("chat.startStream", "server_error", 1),
    ("chat.startStream", "reset_after", 1),
    ("chat.appendStream", "message_not_in_streaming_state", 1),
    ("chat.appendStream", "reset_after", 1),
    ("chat.appendStream", "internal_error", 1),
    ("chat.stopStream", "reset_after", 1),
    ("chat.stopStream", "server_error", 2),
    ("chat.stopStream", "message_not_in_streaming_state", 1),
    ("assistant.threads.setStatus", "server_error", 9),
]


@pytest.mark.parametrize(("method", "kind", "times"), FAULTS)
async def test_the_text_arrives_once_whatever_goes_wrong_with_the_stream(
    slack: Workspace, assistant: Assistant, method: str, kind: str, times: int
) -> None:
    slack.strict.api.fail(method, kind, times=times)
    async with written(assistant, slack, pause=0.05):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        await is_there_once(slack, ts)


UNSTREAMED_FAULTS = [
    ("chat.postMessage", "reset_after", 1),
    ("chat.postMessage", "invalid_blocks", 1),
    ("chat.update", "reset_after", 1),
    ("chat.update", "edit_window_closed", 9),
    ("chat.update", "server_error", 1),
]


@pytest.mark.parametrize(("method", "kind", "times"), UNSTREAMED_FAULTS)
async def test_the_text_arrives_once_where_slack_does_not_stream(
    slack: Workspace, assistant: Assistant, method: str, kind: str, times: int
) -> None:
    slack.strict.api.fail("chat.startStream", "not_allowed", times=99)
    slack.strict.api.fail(method, kind, times=times)
    async with written(assistant, slack, pause=0.05):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        await is_there_once(slack, ts)
    assert slack.journal.count("chat.appendStream") == 0


async def test_a_stream_that_expires_midway_goes_on_as_an_updated_message(
    slack: Workspace, assistant: Assistant
) -> None:
    slack.rules.stream_seconds = 0.4
    async with written(assistant, slack, pause=0.15):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        await is_there_once(slack, ts)
    assert slack.journal.count("chat.startStream") == 1
    assert slack.journal.count("chat.update", "ok") >= 2


async def test_a_stream_is_rotated_before_slack_ends_it(
    slack: Workspace, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "ROTATE_SECONDS", 0.4)
    async with written(assistant, slack, pause=0.15):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        await is_there_once(slack, ts)
    assert slack.journal.count("chat.startStream", "ok") >= 2


async def test_an_exhausted_tier_is_not_waited_for(slack: Workspace, assistant: Assistant) -> None:
    async with written(assistant, slack):
        slack.rules.is_tiered = True
        slack.rules.minute_seconds = 600
        client = AsyncWebClient(BOT_TOKEN, base_url=slack.api_url)
        for _ in range(20):
            with pytest.raises(SlackApiError):
                await client.chat_startStream(channel="C0", thread_ts="1.1")
        async with asyncio.timeout(120):
            ts = await slack.ask(ALICE, GENERAL, REFUND)
            await is_there_once(slack, ts)
    assert slack.journal.count("chat.startStream", "429") == 1
    assert slack.journal.count("chat.update", "ok") >= 2
    assert not slack.journal.early_calls


async def test_the_text_arrives_once_while_a_third_of_the_calls_is_limited(
    slack: Workspace, assistant: Assistant
) -> None:
    slack.rules.rate_limited_share = 0.3
    async with written(assistant, slack):
        threads = [await slack.ask(ALICE, GENERAL, REFUND) for _ in range(4)]
        for ts in threads:
            await is_there_once(slack, ts)
    assert not slack.journal.early_calls


async def test_a_bot_that_dies_while_it_writes_goes_on_in_the_same_message(
    slack: Workspace, assistant: Assistant
) -> None:
    async with written(assistant, slack, pause=0.4):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        await slack.wait_for(lambda: slack.journal.count("chat.appendStream", "ok") >= 2)
    (begun,) = await slack.final_messages(GENERAL, ts)
    assert begun["is_streaming"]
    async with written(assistant, slack, pause=0):
        (answer,) = await is_there_once(slack, ts)
    assert answer["ts"] == begun["ts"]


async def test_a_bot_that_dies_before_it_notes_its_stream_finds_it_again(
    slack: Workspace, assistant: Assistant, engine: AsyncEngine
) -> None:
    async with written(assistant, slack, pause=0.4):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        await slack.wait_for(lambda: slack.journal.count("chat.startStream", "ok") >= 1)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE inbox SET reply = NULL"))
    async with written(assistant, slack, pause=0):
        await is_there_once(slack, ts)


async def test_an_answer_sent_and_not_recorded_is_not_sent_again(
    slack: Workspace, assistant: Assistant, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE 'no'; END $$"
            )
        )
        await connection.execute(
            text(
                "CREATE TRIGGER refuse BEFORE UPDATE ON inbox FOR EACH ROW"
                " WHEN (new.state = 'answered' AND old.reply IS NULL) EXECUTE FUNCTION refuse()"
            )
        )
    async with serving(assistant, slack, Options()):
        ts = await slack.ask(ALICE, GENERAL, REFUND)
        await slack.wait_for_answers(GENERAL, ts)
        async with engine.begin() as connection:
            await connection.execute(text("DROP TRIGGER refuse ON inbox"))

        async def is_recorded() -> bool:
            async with engine.connect() as connection:
                return await connection.scalar(text("SELECT state FROM inbox")) == "answered"

        await slack.wait_for(is_recorded, 60)
    assert len(await slack.final_messages(GENERAL, ts)) == 1
