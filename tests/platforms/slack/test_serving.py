"""`supportbot run` serves Slack where its tokens are set, and ends when it is told to."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import SettingsError
from bot.serving import slack_access
from tests.platforms.slack.people import ALICE, APP_TOKEN, BOT_TOKEN, GENERAL
from tests.platforms.slack.workspace import Workspace as Slack
from tests.settings_files import load

PAGE = (
    "# Refunds\n\n## How long does a refund take?\n\nRefunds are paid within five working days.\n"
)


@pytest.fixture
def slack_home(home: Path, slack: Slack) -> Path:
    """A folder whose settings and tokens are those of the test's Slack."""
    (home / "documents" / "refunds.md").write_text(PAGE)
    with (home / ".env").open("a") as env:
        env.write(f"SLACK_BOT_TOKEN={BOT_TOKEN}\nSLACK_APP_TOKEN={APP_TOKEN}\n")
    with (home / "supportbot.toml").open("a") as toml:
        toml.write(f'[slack]\napi_url = "{slack.api_url}"\n')
    return home


@asynccontextmanager
async def running(home: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run", *arguments, cwd=home, start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def until_connected(slack: Slack) -> None:
    await slack.wait_for(lambda: slack.strict.sockets.opened, seconds=60)


@pytest.mark.parametrize(
    ("number", "status", "arguments"),
    [
        (signal.SIGINT, 130, ("--no-worker",)),
        (signal.SIGTERM, 0, ("--no-worker",)),
        (signal.SIGTERM, 0, ()),
    ],
)
async def test_a_served_slack_is_answered_and_left_promptly(
    slack: Slack, slack_home: Path, number: signal.Signals, status: int, arguments: tuple[str, ...]
) -> None:
    async with running(slack_home, *arguments) as process:
        await until_connected(slack)
        asked = await slack.ask(ALICE, GENERAL, "How long does a refund take?")
        answers = await slack.wait_for_answers(GENERAL, asked, seconds=60)
        assert len(answers) == 1
        began = time.monotonic()
        os.kill(process.pid, number)
        _, errors = await process.communicate()
        assert time.monotonic() - began < 10
        assert process.returncode == status, errors.decode()
        assert "Traceback" not in errors.decode()
        assert "Answering in Test on Slack as @" in errors.decode()


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (("xoxb-of-nobody", APP_TOKEN), "SLACK_BOT_TOKEN"),
        ((BOT_TOKEN, "xapp-of-nobody"), "SLACK_APP_TOKEN"),
    ],
)
async def test_a_token_that_slack_refuses_ends_the_start_with_a_sentence(
    slack: Slack, slack_home: Path, database: str, tokens: tuple[str, str], told: str
) -> None:
    (slack_home / ".env").write_text(
        f"DATABASE_URL={database}\nSLACK_BOT_TOKEN={tokens[0]}\nSLACK_APP_TOKEN={tokens[1]}\n"
    )
    async with running(slack_home, "--no-worker") as process:
        async with asyncio.timeout(60):
            _, output = await process.communicate()
        errors = output.decode()
        assert process.returncode == 1, errors
        assert told in errors
        assert "Traceback" not in errors
        assert "of-nobody" not in errors


async def test_a_port_that_is_taken_ends_the_start_with_a_sentence(
    slack: Slack, slack_home: Path
) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with (slack_home / ".env").open("a") as env:
        env.write(f"SLACK_SIGNING_SECRET={'0' * 32}\n")
    with (slack_home / "supportbot.toml").open("a") as toml:
        toml.write(f"port = {port}\n")
    async with taken, running(slack_home, "--no-worker") as process:
        async with asyncio.timeout(60):
            _, output = await process.communicate()
    assert process.returncode == 1
    assert f"The port {port}" in output.decode()
    assert "Traceback" not in output.decode()


async def test_without_tokens_run_talks_in_the_terminal(home: Path) -> None:
    (home / "documents" / "refunds.md").write_text(PAGE)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "run", "--no-worker", cwd=home,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate(b"How long does a refund take?\n")
    assert process.returncode == 0, errors.decode()
    assert "five working days" in output.decode()


def test_half_of_what_slack_needs_is_a_sentence_that_names_the_rest(tmp_path: Path) -> None:
    for tokens, toml, named in (
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "", "SLACK_APP_TOKEN"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, "", "SLACK_BOT_TOKEN"),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "[slack]\nport = 3000\n", "SLACK_SIGNING_SECRET"),
    ):
        with pytest.raises(SettingsError, match=named):
            slack_access(load(tmp_path, toml, **tokens))
    assert slack_access(load(tmp_path)) is None


async def test_status_tells_what_waits_and_which_channels_refused(
    home: Path, engine: AsyncEngine
) -> None:
    async with engine.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO inbox (platform, workspace, channel, message, conversation, person,"
                " text, way, details, state) VALUES"
                " ('slack', 'T1', 'C1', '1.0', 'C1:1.0', 'U1', 'why?', 'mention', '{}', 'waiting')"
            )
        )
        await connection.execute(
            text(
                "INSERT INTO channels (platform, workspace, channel, refusal)"
                " VALUES ('slack', 'T1', 'C9', 'is_archived')"
            )
        )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "status", cwd=home, stdout=asyncio.subprocess.PIPE
    )
    output = (await process.communicate())[0].decode()
    assert "Inbox: 1 waiting for an answer, the oldest for" in output
    assert "C9 on slack last took no answer: is_archived" in output


async def test_what_is_asked_while_the_bot_is_off_is_answered_once_when_it_is_back(
    slack: Slack, slack_home: Path, engine: AsyncEngine
) -> None:
    async def has_caught_up() -> bool:
        async with engine.connect() as connection:
            known = await connection.scalar(
                text("SELECT count(*) FROM channels WHERE seen IS NOT NULL")
            )
        return bool(known)

    async with running(slack_home, "--no-worker") as process:
        await slack.wait_for(has_caught_up, seconds=60)
        process.terminate()
        assert await process.wait() == 0
    await asyncio.sleep(1)
    asked = [
        await slack.ask(ALICE, GENERAL, "How long does a refund take?"),
        await slack.say(ALICE, ALICE, "When are refunds paid?"),
    ]
    for _ in range(2):
        async with running(slack_home, "--no-worker") as process:
            for channel, ts in zip((GENERAL, ALICE), asked, strict=True):
                answers = await slack.wait_for_answers(channel, ts, seconds=60)
                assert len(answers) == 1
            process.terminate()
            await process.wait()
