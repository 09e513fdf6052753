"""Conversations that go on: a follow-up means what came before it, a new topic does not."""

import asyncio
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.assistant import Assistant
from bot.messages import Conversation, Outcome, Question
from bot.platforms.terminal import question_of
from bot.rag.generative import Writer
from bot.rag.language_model import LanguageModel, ModelSpec
from ingest.__main__ import open_source
from ingest.parsing import Parser
from ingest.pipeline import Pipeline
from tests.journeys.test_terminal import supportbot
from tests.llm_server import LlmServer, Reply, llm_server

PAGES = {
    "refunds.md": "# Refunds\n\n## Paid by card\n\nRefunds to a card take five days.\n\n"
    "## Paid by invoice\n\nRefunds of an invoice take thirty days.\n",
    "vpn.md": "# VPN\n\n## VPN on Linux\n\nOn Linux run vpn-connect in a shell.\n\n"
    "## VPN on Windows\n\nOn Windows open the VPN app in the tray.\n",
    "holidays.md": "# Holidays\n\nEverybody has thirty days of holiday a year.\n",
}


@pytest.fixture
def team(home: Path) -> Path:
    """The home of a team whose three pages are indexed."""
    for name, page in PAGES.items():
        (home / "documents" / name).write_text(page)
    assert supportbot(home, "reindex").returncode == 0
    return home


@pytest.fixture
async def assistant(home: Path, app: App) -> Assistant:
    """The assistant on these pages, without a language model."""
    for name, page in PAGES.items():
        (home / "documents" / name).write_text(page)
    with Parser() as parser:
        pipeline = Pipeline(app.engine, app.encoder, app.encoder_id, parser)
        await pipeline.reindex(open_source(app.settings.sources[0]))
    return app.assistant()


def test_a_chat_follows_up_and_changes_the_topic(team: Path) -> None:
    said = "How do I connect to the VPN on Linux?\nand on Windows?\n" \
        "How many days of holiday do I have?\n"  # fmt: skip
    heard = supportbot(team, "chat", said=said).stdout
    linux, windows, holiday = (
        heard.find(words) for words in ("run vpn-connect", "open the VPN app", "thirty days of hol")
    )
    assert 0 <= linux < windows < holiday


def test_single_questions_and_other_chats_share_no_history(team: Path, database: str) -> None:
    supportbot(team, "chat", said="How long does a refund to a card take?\n")
    alone = supportbot(team, "ask", "and by invoice, how many days does that take?")
    assert "Paid by card" not in alone.stdout
    supportbot(team, "chat", said="what about those?\n")
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT question, conversation, outcome FROM turns ORDER BY id"
        ).fetchall()
    assert [row[0] for row in rows][-1] == "what about those?"
    assert rows[-1][2] == "abstained"
    assert len({row[1] for row in rows}) == 3


async def test_a_chain_of_follow_ups_keeps_its_topic_until_it_changes(
    assistant: Assistant,
) -> None:
    heard = [
        (await assistant.answer(question_of(text, "c1"))).answer
        for text in (
            "How do I connect to the VPN on Linux?",
            "and on Windows?",
            "and on Linux again?",
            "How long does a refund to a card take?",
            "What about an invoice?",
        )
    ]
    for answer, words in zip(
        heard,
        ("run vpn-connect", "the VPN app", "run vpn-connect", "take five days", "thirty days"),
        strict=True,
    ):
        assert words in answer.text.split("\n\n")[0]


@pytest.mark.parametrize("elsewhere", ["other-conversation", "other-platform"])
async def test_history_never_crosses_conversations(assistant: Assistant, elsewhere: str) -> None:
    secret = question_of("How do I connect to the VPN on Linux?", "c1")
    asked = question_of("and for those on this?", "c1")
    if elsewhere == "other-platform":
        secret = replace(secret, conversation=Conversation("slack", "c1"))
    else:
        secret = replace(secret, conversation=Conversation("terminal", "c2"))
    await assistant.answer(secret)
    turn = await assistant.answer(asked)
    assert turn.answer.outcome is Outcome.ABSTAINED
    assert "VPN" not in turn.answer.text.split("\n")[0]
    again = await assistant.answer(replace(asked, conversation=secret.conversation))
    assert again.answer.outcome is Outcome.ANSWERED


async def test_what_was_said_long_ago_is_another_talk(assistant: Assistant, database: str) -> None:
    await assistant.answer(question_of("How do I connect to the VPN on Linux?", "c1"))
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE turns SET asked_at = asked_at - interval '31 minutes'")
    turn = await assistant.answer(question_of("and for those on this?", "c1"))
    assert turn.answer.outcome is Outcome.ABSTAINED


async def test_the_stored_turn_keeps_what_was_asked(assistant: Assistant, database: str) -> None:
    await assistant.answer(question_of("How do I connect to the VPN on Linux?", "c1"))
    await assistant.answer(question_of("and on Windows?", "c1"))
    with psycopg.connect(database) as connection:
        [(asked,)] = connection.execute(
            "SELECT question FROM turns ORDER BY id DESC LIMIT 1"
        ).fetchall()
    assert asked == "and on Windows?"


async def test_only_a_question_that_may_follow_up_costs_a_look_at_the_history(
    assistant: Assistant, engine: AsyncEngine
) -> None:
    statements: list[str] = []

    @event.listens_for(engine.sync_engine, "before_cursor_execute")
    def note(_c: object, _u: object, statement: str, *_: object) -> None:
        statements.append(statement)

    await assistant.answer(question_of("How long does a refund to a card take?", "c1"))
    assert not any("FROM turns" in statement for statement in statements)
    await assistant.answer(question_of("and by invoice?", "c1"))
    assert sum("FROM turns" in statement for statement in statements) == 1


def with_model(assistant: Assistant, server: LlmServer) -> Assistant:
    model = LanguageModel(ModelSpec("openai/scripted", server.url, "sk-canary-key", 20.0))
    return replace(assistant, writer=Writer(model, 20.0))


async def test_the_model_writes_the_follow_up_out_from_its_own_conversation(
    assistant: Assistant,
) -> None:
    await assistant.answer(question_of("How long does a refund to a card take?", "other"))
    await assistant.answer(question_of("How do I connect to the VPN on Linux?", "c1"))
    async with llm_server(
        Reply(("How do I connect to the VPN", " on Windows?")), Reply(("Open the VPN app. [1]",))
    ) as server:
        turn = await with_model(assistant, server).answer(question_of("and on Windows?", "c1"))
        first, second = server.asked
    condensed = first["messages"][-1]["content"]
    assert "How do I connect to the VPN on Linux?" in condensed
    assert "refund" not in condensed
    assert condensed.endswith("Last question: and on Windows?")
    assert second["messages"][-1]["content"].endswith(
        "Question: How do I connect to the VPN on Windows?"
    )
    assert turn.answer.text == "Open the VPN app. [1]"
    assert turn.question.text == "and on Windows?"


@pytest.mark.parametrize("failed", [Reply(status=500), Reply(), Reply(("x" * 5000,))])
async def test_where_the_model_cannot_write_it_out_the_rule_does(
    assistant: Assistant, failed: Reply
) -> None:
    await assistant.answer(question_of("How do I connect to the VPN on Linux?", "c1"))
    async with llm_server(failed, Reply(("Open the VPN app. [1]",))) as server:
        turn = await with_model(assistant, server).answer(question_of("and on Windows?", "c1"))
        said = server.said
    assert said.endswith("Question: How do I connect to the VPN on? and on Windows?")
    assert turn.answer.text == "Open the VPN app. [1]"


async def test_the_model_is_asked_nothing_where_the_documents_hold_nothing(
    assistant: Assistant,
) -> None:
    async with llm_server(Reply(("Ulaanbaatar. [1]",))) as server:
        turn = await with_model(assistant, server).answer(
            question_of("What is the capital of Mongolia?")
        )
    assert turn.answer.outcome is Outcome.ABSTAINED
    assert not server.asked


async def test_the_command_line_answers_with_the_model_of_the_settings_once(team: Path) -> None:
    async with llm_server(Reply(("A card takes five days. [1] Not said.",))) as server:
        settings = (team / "supportbot.toml").read_text()
        model = f'llm = "openai/scripted"\nllm_base_url = "{server.url}"\n'
        (team / "supportbot.toml").write_text(model + settings)
        process = await _ask(team, "--json")
        found = json.loads(process.stdout)
        plain = await _ask(team)
    assert found["text"] == "A card takes five days. [1]"
    assert found["citations"][0]["url"] == "refunds.md"
    assert plain.stdout.count("A card takes five days. [1]") == 1
    assert "[1] Refunds" in plain.stdout


async def _ask(team: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(
        supportbot, team, "ask", *options, "How long does a refund to a card take?"
    )


def test_a_missing_key_is_a_sentence_at_start_and_in_doctor(team: Path) -> None:
    settings = (team / "supportbot.toml").read_text()
    (team / "supportbot.toml").write_text('llm = "openai/gpt-5-mini"\n' + settings)
    for command in (["ask", "Hello?"], ["doctor"]):
        result = supportbot(team, *command)
        assert result.returncode == 1
        assert "Write OPENAI_API_KEY=… into" in result.stdout + result.stderr
        assert "Traceback" not in result.stderr
    (team / ".env").write_text((team / ".env").read_text() + "OPENAI_API_KEY=sk-canary-1234567\n")
    doctor = supportbot(team, "doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "language model: openai/gpt-5-mini" in doctor.stdout
    assert "canary" not in doctor.stdout + doctor.stderr


def test_serving_with_a_model_imports_no_torch(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from bot.rag.language_model import ModelSpec, open_llm\n"
        "for spec in ('openai/gpt-5-mini', 'anthropic/claude', 'ollama/llama3'):\n"
        "    open_llm(ModelSpec(spec, None, 'sk-canary'))\n"
        "print({'torch', 'transformers'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "set()"


def test_a_missing_package_is_a_sentence_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from bot.errors import LanguageModelError
    from bot.rag import language_model

    gone = language_model.PROVIDERS["ollama"]._replace(module="llama_index.llms.not_there")
    monkeypatch.setitem(language_model.PROVIDERS, "ollama", gone)
    with pytest.raises(LanguageModelError, match=r"pip install '\.\[ollama\]'"):
        ModelSpec("ollama/llama3").check()


def test_a_question_of_nobody_is_asked_alone() -> None:
    first, second = question_of("and on Discord?"), question_of("and on Discord?")
    assert isinstance(first, Question)
    assert first.conversation != second.conversation
