"""Whole conversations in the terminal, as transcripts: what is said, and what is heard."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.app import App
from bot.messages import Outcome
from bot.platforms.terminal import question_of
from bot.storage import migrate, turns

PAGES = {
    "refunds.md": "# Refunds\n\nRefunds are paid within five working days.\n\n"
    "## How to ask for one\n\n"
    "Write to billing with the order number:\n\n- the order number\n- the reason\n",
    "vpn.md": "# VPN\n\n## Connect from home\n\nInstall the client, then run this:\n\n"
    "```sh\nvpn connect office\n```\n\nIt asks for your badge number.\n",
    "holidays.md": "# Holidays\n\nEverybody has thirty days of holiday a year. "
    "Unused days expire at the end of March.\n",
}


def supportbot(
    home: Path, *arguments: str, said: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does, in that folder."""
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=home, env=environment, input=said, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


@pytest.fixture
def indexed(home: Path) -> Path:
    """The home of a team whose three pages are indexed."""
    for name, page in PAGES.items():
        (home / "documents" / name).write_text(page)
    result = supportbot(home, "reindex")
    assert result.returncode == 0, result.stderr
    assert "3 documents: 3 indexed, 0 unchanged, 0 rejected" in result.stderr
    return home


def test_a_conversation_asks_is_answered_and_hears_when_the_bot_is_not_sure(indexed: Path) -> None:
    said = "How long does a refund take?\n\nHow do I connect to the VPN from home?\n" \
        "Who won the world cup in 1990?\nquit\nnever read\n"  # fmt: skip
    result = supportbot(indexed, "chat", said=said)
    assert result.returncode == 0, result.stderr
    assert "Refunds are paid within five working days. [1]" in result.stdout
    assert "[1] Refunds — refunds.md" in result.stdout
    assert "```sh\nvpn connect office\n```" in result.stdout
    assert "VPN › Connect from home — vpn.md" in result.stdout
    assert result.stdout.count("I am not sure") == 1


def test_a_script_asks_one_question_and_reads_the_exit_status(indexed: Path) -> None:
    answered = supportbot(indexed, "ask", "How many days of holiday do I have?")
    assert answered.returncode == 0
    assert "thirty days of holiday" in answered.stdout
    unsure = supportbot(indexed, "ask", "What is the capital of Mongolia?")
    assert unsure.returncode == 3
    assert "not sure" in unsure.stdout
    found = json.loads(supportbot(indexed, "ask", "--json", "When do holidays expire?").stdout)
    assert found["outcome"] == "answered"
    assert found["citations"][0]["url"] == "holidays.md"
    assert found["confidence"]["about"] > 0.5


def test_a_fresh_home_is_indexed_by_its_first_question(home: Path) -> None:
    (home / "documents" / "refunds.md").write_text(PAGES["refunds.md"])
    result = supportbot(home, "ask", "How long does a refund take?")
    assert result.returncode == 0, result.stderr
    assert "five working days" in result.stdout


def test_what_a_page_says_now_is_answered_after_a_refresh_and_what_is_gone_is_not(
    indexed: Path,
) -> None:
    (indexed / "documents" / "refunds.md").write_text("# Refunds\n\nRefunds take ten days.\n")
    result = supportbot(indexed, "ask", "--refresh", "How long does a refund take?")
    assert "Refunds take ten days." in result.stdout
    (indexed / "documents" / "refunds.md").unlink()
    assert supportbot(indexed, "reindex", "--allow-shrink").returncode == 0
    result = supportbot(indexed, "ask", "How long does a refund take?")
    assert "ten days" not in result.stdout
    assert result.returncode == 3


def test_wrong_settings_are_listed_and_nothing_starts(home: Path) -> None:
    (home / "supportbot.toml").write_text('[anwers]\nmin_confidence = 0.5\nlanguage = "english"\n')
    result = supportbot(home, "ask", "Anybody there?")
    assert result.returncode == 2
    assert "answers" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_database_that_is_away_is_a_sentence_without_the_password(home: Path) -> None:
    (home / ".env").write_text("DATABASE_URL=postgresql://me:canary-word@127.0.0.1:1/x\n")
    result = supportbot(home, "ask", "Anybody there?")
    assert result.returncode == 1
    assert "does not work" in result.stderr
    assert "canary-word" not in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    doctor = supportbot(home, "doctor")
    assert doctor.returncode == 1
    assert "does not work" in doctor.stdout
    assert "canary-word" not in doctor.stdout + doctor.stderr
    assert "Traceback" not in doctor.stderr


async def test_a_database_that_dies_in_a_conversation_ends_the_turn_with_an_error(
    app: App, engine: AsyncEngine, server: str, database: str
) -> None:
    assistant = app.assistant()
    assert (await assistant.answer(question_of("Hello?"))).answer.outcome is Outcome.ABSTAINED
    name = database.rsplit("/", 1)[1].split("?", maxsplit=1)[0]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
        failed = await assistant.answer(question_of("And now?"))
        assert failed.answer.outcome is Outcome.FAILED
        assert "ask again" in failed.answer.text
        assert failed.id is None
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert (await assistant.answer(question_of("Back?"))).answer.outcome is Outcome.ABSTAINED
    assert await turns.count(engine) == {"abstained": 2}


async def test_a_restart_of_the_server_between_two_questions_is_not_noticed(
    app: App, server: str, database: str
) -> None:
    assistant = app.assistant()
    await asyncio.gather(*(assistant.answer(question_of(f"Hello {n}?")) for n in range(5)))
    name = database.rsplit("/", 1)[1].split("?", maxsplit=1)[0]
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
        )
    turn = await assistant.answer(question_of("Still there?"))
    assert turn.answer.outcome is Outcome.ABSTAINED
    assert turn.id is not None


async def test_a_question_that_cannot_be_one_is_told_so(app: App) -> None:
    assistant = app.assistant()
    for text, heard in (
        ("\0 \n", "Ask me something"),
        ("why " * 2001, "8,003 characters"),
        ("half a pair: \ud800 and \0?", "not sure"),
    ):
        turn = await assistant.answer(question_of(text))
        assert turn.answer.outcome is Outcome.ABSTAINED
        assert turn.id is not None
        assert heard in turn.answer.text


def test_status_and_doctor_tell_what_there_is(indexed: Path) -> None:
    supportbot(indexed, "ask", "How long does a refund take?")
    status = json.loads(supportbot(indexed, "status", "--json").stdout)
    [source] = status["sources"]
    assert (source["name"], source["documents"]) == ("documents", 3)
    assert source["last_run"]["is_complete"]
    assert status["questions"] == {"answered": 1}
    assert re.search(r"documents +3 +\d", supportbot(indexed, "status").stdout)
    doctor = supportbot(indexed, "doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "FAIL" not in doctor.stdout
    (indexed / ".env").write_text("SLACK_BOT_TOKEN=nonsense\n")
    doctor = supportbot(indexed, "doctor")
    assert doctor.returncode == 1
    assert "SLACK_BOT_TOKEN" in doctor.stdout
    assert "nonsense" not in doctor.stdout


def test_a_source_no_longer_set_is_named_and_can_be_forgotten(indexed: Path) -> None:
    toml = (indexed / "supportbot.toml").read_text().replace('"documents"\nf', '"pages"\nf')
    (indexed / "supportbot.toml").write_text(toml)
    assert "'documents' is still indexed" in supportbot(indexed, "status").stdout
    assert supportbot(indexed, "reindex", "--forget", "pages").returncode == 1
    assert supportbot(indexed, "reindex", "--forget", "documents").returncode == 0
    assert "still indexed" not in supportbot(indexed, "status").stdout


def test_a_team_measures_its_own_questions(indexed: Path) -> None:
    (indexed / "asked.jsonl").write_text(
        '{"question": "How long does a refund take?", "uri": "refunds.md"}\n'
        '{"question": "Who painted the Mona Lisa?", "uri": null}\n'
    )
    report = json.loads(supportbot(indexed, "evaluate", "asked.jsonl", "--json").stdout)
    assert (report["recall_at_1"], report["refused"], report["missed"]) == (1.0, 1.0, [])
    (indexed / "asked.jsonl").write_text('{"question": "x"}\n')
    result = supportbot(indexed, "evaluate", "asked.jsonl")
    assert result.returncode == 2
    assert "line 1" in result.stderr


def test_init_writes_settings_once_and_never_over_others(tmp_path: Path) -> None:
    assert supportbot(tmp_path, "init").returncode == 0
    before = (tmp_path / "supportbot.toml").read_text()
    result = supportbot(tmp_path, "init")
    assert result.returncode == 2
    assert (tmp_path / "supportbot.toml").read_text() == before


def test_the_database_command_shows_and_changes_the_revision(home: Path) -> None:
    newest = migrate.head()
    assert f"{newest} (newest: {newest})" in supportbot(home, "db", "current").stdout
    assert "0003" in supportbot(home, "db", "downgrade", "0003", "--yes").stdout
    assert newest in supportbot(home, "db", "upgrade").stdout
    assert supportbot(home, "db", "downgrade", "nowhere", "--yes").returncode == 1


def test_the_handbook_leaves_when_a_team_sets_its_own_folder(home: Path) -> None:
    toml = (home / "supportbot.toml").read_text()
    (home / "supportbot.toml").write_text('data_directory = "data"\n')
    assert supportbot(home, "ask", "How do I add my own documents?").returncode == 0
    (home / "supportbot.toml").write_text(toml)
    (home / "documents" / "refunds.md").write_text(PAGES["refunds.md"])
    result = supportbot(home, "reindex")
    assert "handbook is no longer answered from" in result.stderr
    assert supportbot(home, "ask", "How do I add my own documents?").returncode == 3
    assert supportbot(home, "ask", "How long does a refund take?").returncode == 0
