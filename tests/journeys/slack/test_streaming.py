"""Answers that a language model writes: streamed, stopped, whole where Slack streams nothing."""

import asyncio
from dataclasses import replace

import pytest

from bot.app import App
from bot.assistant import Assistant
from bot.platforms.slack.workspace import Options
from bot.rag.generative import Writer
from bot.rag.language_model import LanguageModel, ModelSpec
from tests.journeys.slack.conftest import serving
from tests.journeys.slack.team import reading
from tests.llm_server import LlmServer, Reply, llm_server
from tests.platforms.slack.people import ALICE, GENERAL
from tests.platforms.slack.workspace import Workspace

SENTENCES = tuple(f"Refunds take {number} steps [1]. " for number in range(1, 13))
SLOW = Reply(SENTENCES, pause_seconds=0.25)
WHOLE = "".join(SENTENCES).strip()

pytestmark = pytest.mark.parametrize("slack_mode", ["socket"])


def writing(app: App, server: LlmServer) -> Assistant:
    """The assistant with a language model that says what the server gives."""
    spec = ModelSpec("openai/scripted", server.url, "key", 20.0)
    return replace(app.assistant(), writer=Writer(LanguageModel(spec), 20.0))


async def test_an_answer_grows_in_its_thread_and_ends_with_its_sources(
    indexed: App, slack: Workspace, slack_mode: str, options: Options
) -> None:
    async with llm_server(SLOW) as server:
        assistant = writing(indexed, server)
        async with serving(indexed, slack, slack_mode, options, assistant):
            question = await slack.ask(ALICE, GENERAL, "How long does a refund take?")
            await slack.wait_for(lambda: slack.journal.count("chat.appendStream", "ok") >= 2)
            (growing,) = await slack.final_messages(GENERAL, question)
            assert growing["is_streaming"]
            (answer,) = await slack.wait_for_answers(GENERAL, question, seconds=20)
    assert read_once(reading(answer)) == len(SENTENCES)
    assert "refunds.md" in reading(answer) or "Refunds" in reading(answer)


def read_once(text: str) -> int:
    """How many of the sentences stand there, each once."""
    counts = [text.count(f"Refunds take {number} steps") for number in range(1, 13)]
    assert set(counts) <= {0, 1}, text
    return sum(counts)


@pytest.mark.parametrize(
    ("method", "kind", "times"),
    [
        ("chat.startStream", "not_allowed", 99),
        ("chat.appendStream", "message_not_in_streaming_state", 99),
        ("chat.stopStream", "message_not_in_streaming_state", 1),
        ("chat.stopStream", "server_error_after", 1),
        ("chat.appendStream", "reset_after", 1),
    ],
)
async def test_the_text_arrives_once_whatever_slack_refuses(
    indexed: App, slack: Workspace, slack_mode: str, options: Options, method: str, kind: str,
    times: int,
) -> None:  # fmt: skip
    async with llm_server(replace(SLOW, pause_seconds=0.1)) as server:
        assistant = writing(indexed, server)
        slack.strict.api.fail(method, kind, times=times)
        async with serving(indexed, slack, slack_mode, options, assistant):
            question = await slack.ask(ALICE, GENERAL, "How long does a refund take?")

            async def is_whole() -> bool:
                found = await slack.final_messages(GENERAL, question)
                text = "\n".join(map(reading, found))
                is_done = bool(found) and not any(each["is_streaming"] for each in found)
                return is_done and all(text.count(s.split(" [")[0]) == 1 for s in SENTENCES)

            await slack.wait_for(is_whole, 30)
            await asyncio.sleep(1)
            assert await is_whole()


async def test_the_stop_button_keeps_what_is_there(
    indexed: App, slack: Workspace, slack_mode: str, options: Options
) -> None:
    async with llm_server(replace(SLOW, pause_seconds=0.4)) as server:
        assistant = writing(indexed, server)
        async with serving(indexed, slack, slack_mode, options, assistant):
            question = await slack.ask(ALICE, GENERAL, "How long does a refund take?")
            await slack.wait_for(lambda: slack.journal.count("chat.appendStream", "ok") >= 1)
            slack.strict.stop_stream(GENERAL, ALICE)

            async def is_told() -> bool:
                found = await slack.final_messages(GENERAL, question)
                return "Stopped" in reading(found[0])

            await slack.wait_for(is_told, 20)
            (answer,) = await slack.final_messages(GENERAL, question)
    assert 0 < read_once(reading(answer)) < len(SENTENCES)
