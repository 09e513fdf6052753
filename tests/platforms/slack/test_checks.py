"""The doctor says of Slack what is wrong and what to do, and never shows a token."""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bot.checks import Check
from bot.platforms.slack.access import Access
from bot.platforms.slack.checks import check_slack
from bot.platforms.slack.manifest import bot_scopes
from bot.platforms.slack.workspace import Options
from tests.platforms.slack.people import (
    ADA,
    APP_TOKEN,
    ARCHIVE,
    BOT_TOKEN,
    ELSEWHERE,
    GENERAL,
    GUEST,
    ROBOT,
    SUPPORT,
)  # fmt: skip
from tests.platforms.slack.workspace import Workspace as Slack


@pytest.fixture
def access(slack: Slack) -> Access:
    return Access(BOT_TOKEN, APP_TOKEN, None, slack.api_url, "127.0.0.1", None, 2)


async def checks(access: Access, options: Options | None = None) -> dict[str, Check]:
    found = {check.name: check for check in await check_slack(access, options or Options())}
    shown = str(found)
    for token in (access.bot_token, access.app_token, access.signing_secret):
        assert token is None or token not in shown
    assert all(check.advice for check in found.values() if not check.is_ok)
    return found


async def test_an_app_made_from_the_manifest_passes_every_check(
    slack: Slack, access: Access
) -> None:
    slack.rules.scopes = bot_scopes()
    options = Options(
        frozenset({ADA}), True, {GENERAL: "questions", SUPPORT: "all"}, SUPPORT, "S01HELPERS",
        GENERAL,
    )  # fmt: skip
    found = await checks(access, options)
    assert [check for check in found.values() if not check.is_ok] == []
    assert found["Slack bot token"].found.startswith("@")
    assert "5 processes" in found["Slack app token"].found
    assert found[f"Slack admin {ADA}"].found == "Ada"
    assert f"Slack channel {GENERAL} (`questions_in`)" in found
    assert f"Slack channel {SUPPORT} (`handoff_channel`)" in found


async def test_what_slack_does_not_tell_is_said_so(access: Access) -> None:
    events = (await checks(access))["Slack events and agent view"]
    assert events.found == "not told by Slack"
    assert "slack-manifest" in events.advice


async def test_a_wrong_bot_token_ends_the_checks_that_need_it(access: Access) -> None:
    found = await checks(replace(access, bot_token="xoxb-wrong-token"))
    assert set(found) == {"Slack bot token", "Slack app token"}
    assert not found["Slack bot token"].is_ok
    assert "OAuth & Permissions" in found["Slack bot token"].advice


async def test_a_wrong_app_token_is_told_apart(access: Access) -> None:
    found = await checks(replace(access, app_token=BOT_TOKEN + "-of-another-kind"))
    assert found["Slack bot token"].is_ok
    assert not found["Slack app token"].is_ok
    assert "connections:write" in found["Slack app token"].advice


async def test_each_missing_scope_is_named_with_the_page_to_add_it(
    slack: Slack, access: Access
) -> None:
    slack.rules.scopes = bot_scopes() - {"groups:history", "reactions:read"}
    scopes = (await checks(access))["Slack scopes"]
    assert not scopes.is_ok
    assert scopes.found == "missing: groups:history, reactions:read"
    assert "Reinstall" in scopes.advice


async def test_channels_that_take_no_answer_are_named_with_their_setting(access: Access) -> None:
    options = Options(modes={ELSEWHERE: "all"}, handoff_channel=ARCHIVE, admin_channel="C0NOWHERE")
    found = await checks(access, options)
    left = found[f"Slack channel {ELSEWHERE} (`all_in`)"]
    assert (left.is_ok, left.advice) == (False, "Write /invite @supportbot in #elsewhere.")
    archived = found[f"Slack channel {ARCHIVE} (`handoff_channel`)"]
    assert "archived" in archived.found
    unknown = found["Slack channel C0NOWHERE (`admin_channel`)"]
    assert "not found" in unknown.found


async def test_admins_and_groups_that_are_none_are_named(access: Access) -> None:
    options = Options(frozenset({ROBOT, "U0NOBODY", GUEST}), handoff_group="S0NONE")
    found = await checks(access, options)
    assert found[f"Slack admin {ROBOT}"].found == "is a bot"
    assert found[f"Slack admin {GUEST}"].found == "is a guest"
    assert not found["Slack admin U0NOBODY"].is_ok
    assert not found["Slack user group S0NONE (`handoff_group`)"].is_ok
    whole = replace(options, handoff_channel=SUPPORT)
    group = (await checks(access, whole))["Slack user group S0NONE (`handoff_group`)"]
    assert group.found == "not a group of this workspace"


async def test_with_a_port_the_signing_secret_is_looked_at_instead(access: Access) -> None:
    http = replace(access, app_token=None, port=3000, signing_secret="0123456789abcdef" * 2)
    assert (await checks(http))["Slack signing secret"].is_ok
    short = (await checks(replace(http, signing_secret="shortened")))["Slack signing secret"]
    assert not short.is_ok


async def test_slack_that_is_away_is_a_sentence(slack: Slack, access: Access) -> None:
    slack.rules.is_away = True
    found = await checks(access)
    assert "cannot be reached" in found["Slack bot token"].found


async def doctor(home: Path, *lines: str) -> tuple[int | None, str]:
    with (home / ".env").open("a") as env:
        env.write("".join(f"{line}\n" for line in lines))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "doctor", "--json", cwd=home, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        ((f"SLACK_BOT_TOKEN={BOT_TOKEN}",), "SLACK_APP_TOKEN"),
        ((f"SLACK_APP_TOKEN={APP_TOKEN}",), "SLACK_BOT_TOKEN"),
    ],
)
async def test_half_of_the_tokens_is_a_problem_that_names_the_other_half(
    home: Path, lines: tuple[str, ...], missing: str
) -> None:
    status, output = await doctor(home, *lines)
    assert status == 1
    (tokens,) = (check for check in json.loads(output) if check["name"] == "Slack tokens")
    assert f"{missing} is not" in tokens["advice"]


async def test_the_doctor_checks_slack_with_the_settings(slack: Slack, home: Path) -> None:
    toml = (home / "supportbot.toml").read_text()
    (home / "supportbot.toml").write_text(
        f'{toml}[slack]\napi_url = "{slack.api_url}"\nadmins = ["{ADA}"]\n'
    )
    slack.rules.scopes = bot_scopes()
    tokens = (f"SLACK_BOT_TOKEN={BOT_TOKEN}", f"SLACK_APP_TOKEN={APP_TOKEN}")
    status, output = await doctor(home, *tokens)
    found = {check["name"]: check for check in json.loads(output)}
    assert status == 0, [check for check in found.values() if not check["is_ok"]]
    assert found[f"Slack admin {ADA}"]["found"] == "Ada"
    assert BOT_TOKEN not in output
    assert APP_TOKEN not in output
