"""Answers in the terminal: a gap is seen, answered, found, renewed and withdrawn."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.journeys.test_terminal import indexed, supportbot

__all__ = ["indexed"]

QUESTION = "Who may sign a contract with a supplier?"


def test_a_gap_is_answered_in_the_terminal_and_the_next_question_is_answered(
    indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert supportbot(indexed, "ask", QUESTION).returncode == 3
    assert QUESTION in supportbot(indexed, "gaps").stdout
    (topic,) = json.loads(supportbot(indexed, "gaps", "--json").stdout)["topics"]
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "file.write_text(file.read_text() + 'Contracts with suppliers are signed by Carol.')\n"
    )
    monkeypatch.setenv("EDITOR", f"{sys.executable} {editor}")
    added = supportbot(
        indexed, "answers", "add", "--turn", str(topic["turn_id"]), "--audience", "everyone",
        "--author", "Ada",
    )  # fmt: skip
    assert "Answer 1 is approved" in added.stdout, added.stderr
    found = supportbot(indexed, "ask", QUESTION)
    assert "signed by Carol" in found.stdout
    assert "approved answer 1, Ada" in found.stdout
    assert "No question" in supportbot(indexed, "gaps").stdout


def test_an_approved_answer_is_listed_survives_reindexes_and_is_withdrawn(indexed: Path) -> None:
    said = ("--question", QUESTION, "--answer", "Contracts with suppliers are signed by Carol.")
    added = supportbot(indexed, "answers", "add", *said, "--audience", "everyone")
    assert "Answer 1 is approved" in added.stdout, added.stderr
    reindexed = " ".join(supportbot(indexed, "reindex").stderr.split())
    assert "approved-answers: 1 documents: 0 indexed, 1 unchanged" in reindexed
    assert "withdraw" in supportbot(indexed, "reindex", "--forget", "approved-answers").stderr
    status = supportbot(indexed, "status").stdout
    assert "approved-answers" in status
    assert "no longer in supportbot.toml" not in status
    assert QUESTION.rstrip("?") in supportbot(indexed, "answers", "list").stdout
    assert "is withdrawn" in supportbot(indexed, "answers", "withdraw", "1").stdout
    assert supportbot(indexed, "ask", QUESTION).returncode == 3


def test_what_cannot_be_approved_is_said_and_nothing_is_stored(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "true")
    unchanged = supportbot(indexed, "answers", "add", "--audience", "everyone")
    assert "Nothing was changed" in unchanged.stderr
    monkeypatch.setenv("EDITOR", "/no/such/editor")
    assert "Set EDITOR" in supportbot(indexed, "answers", "add", "--audience", "everyone").stderr
    both = ("--answer", "x", "--file", "y", "--question", "z", "--audience", "everyone")
    assert "not both" in supportbot(indexed, "answers", "add", *both).stderr
    assert "No answer is approved" in supportbot(indexed, "answers", "list").stdout
    assert supportbot(indexed, "evaluate").returncode == 2


async def test_the_digest_and_the_evaluation_are_done_as_jobs_do_them(
    indexed: Path, engine: AsyncEngine
) -> None:
    assert supportbot(indexed, "ask", QUESTION).returncode == 3
    assert supportbot(indexed, "ask", "How long do refunds take?").returncode == 0
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO ratings (turn_id, platform, person, value, reason)"
                " SELECT id, platform, person, -1, 'incomplete' FROM turns"
                " WHERE outcome = 'answered'"
            )
        )
    for what in ("digest", "digest", "evaluate"):
        done = announce(indexed, what)
        assert "said" in done, done
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT kind, content FROM announcements"))
        ((kind, content),) = rows.all()
    assert kind == "gaps"
    assert len(content["topics"]) == 2
    assert QUESTION not in json.dumps(content)  # what people wrote is not kept twice
    report = json.loads(supportbot(indexed, "evaluate", "--cases", "--json").stdout)
    assert [miss["finding"] for miss in report["missed"]] == [
        "is still answered as it was rated down"
    ]
    assert "still answered" in supportbot(indexed, "evaluate", "--cases").stdout


def announce(home: Path, what: str) -> dict[str, object]:
    """What a child of the worker says at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "bot.announcing", what], cwd=home, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stderr is not None
        lines = child.stdout.read().splitlines()
        assert child.wait() == 0, child.stderr.read()
    result: dict[str, object] = json.loads(lines[-1])["result"]
    return result
