"""Secrets are read from the environment or .env, and no text ever shows one."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.errors import SettingsError
from bot.settings_secrets import VARIABLES, Secrets
from tests.settings_files import load, problem, problems

CANARY = "caNary7-Zq3-tweet"
SECRETS = {
    "DATABASE_URL": f"postgresql://bot:{CANARY}@db.example.com:5432/supportbot",
    "SLACK_BOT_TOKEN": f"xoxb-{CANARY}",
    "SLACK_APP_TOKEN": f"xapp-{CANARY}",
    "SLACK_SIGNING_SECRET": f"signing{CANARY}",
    "DISCORD_TOKEN": f"discord{CANARY}",
    "OPENAI_API_KEY": f"sk-{CANARY}",
    "ANTHROPIC_API_KEY": f"sk-ant-{CANARY}",
}


def test_secrets_come_from_the_environment_and_from_the_env_file(tmp_path: Path) -> None:
    env = "\n".join(f"{name}={value}" for name, value in SECRETS.items())
    assert load(tmp_path, "", env).secrets == load(tmp_path, **SECRETS).secrets
    for field, value in load(tmp_path, "", env).secrets:
        assert value.get_secret_value() == SECRETS[VARIABLES[field]]


def test_the_environment_wins_and_an_empty_value_is_none(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "",
        "DISCORD_TOKEN=file\nOPENAI_API_KEY=file\nANTHROPIC_API_KEY=\nSLACK_BOT_TOKEN\n",
        DISCORD_TOKEN="environment",
        OPENAI_API_KEY="  ",
    ).secrets
    assert found == Secrets(
        discord_token=SecretStr("environment"), openai_api_key=SecretStr("file")
    )


def test_a_dollar_in_the_env_file_is_a_dollar(tmp_path: Path) -> None:
    found = load(tmp_path, "", "DISCORD_TOKEN=a${HOME}$b\n").secrets
    assert found == Secrets(discord_token=SecretStr("a${HOME}$b"))


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_database_address_is_accepted_in_its_usual_spellings(tmp_path: Path, scheme: str) -> None:
    found = load(tmp_path, DATABASE_URL=f"{scheme}://u:p%40@[::1]:6543/db?sslmode=require")
    assert found.secrets.database_url is not None
    address = found.secrets.database_url.get_secret_value()
    assert address == "postgresql://u:p%40@[::1]:6543/db?sslmode=require"


def test_a_database_may_be_behind_a_socket(tmp_path: Path) -> None:
    assert load(tmp_path, DATABASE_URL="postgresql:///db?host=/var/run/postgresql")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"mysql://u:{CANARY}@host/db", "does not start with postgresql://"),
        (CANARY, "does not start with postgresql://"),
        (f"postgresql://u:{CANARY}@/db", "names no host"),
        (f"postgresql://u:{CANARY}@host", "names no database"),
        (f"postgresql://u:{CANARY}@host:0/db", "has no proper host and port"),
        (f"postgresql://u:{CANARY}@host:port/db", "has no proper host and port"),
        (f"postgresql://u:{CANARY}@x@host/db", "has no proper host and port"),
        (f"postgresql://u:{CANARY}/x@host/db", "has no proper host and port"),
        (f"postgresql://u:12/{CANARY}@host/db", "has no proper host and port"),
        (f"postgresql://u:{CANARY}@[host/db", "has no proper host and port"),
        (f"postgresql://u:{CANARY}#x@host/db", "that is not encoded"),
        (f"postgresql://u:{CANARY} x@host/db", "that is not encoded"),
        (f"postgresql://u:{CANARY}%x@host/db", "that is not encoded"),
        (f"postgresql://host/db?password={CANARY}", "has its password behind the ?"),
    ],
)
def test_a_wrong_database_address_is_told_without_its_password(
    tmp_path: Path, url: str, told: str
) -> None:
    line = problem(tmp_path, DATABASE_URL=url)
    assert line.startswith("DATABASE_URL in the environment ")
    assert told in line
    assert CANARY not in line


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SLACK_BOT_TOKEN", f"xapp-{CANARY}", "does not start with xoxb-"),
        ("SLACK_APP_TOKEN", f"xoxb-{CANARY}", "does not start with xapp-"),
        ("SLACK_BOT_TOKEN", f"xoxb-{CANARY} x", "holds a space"),
        ("DISCORD_TOKEN", f"{CANARY}\u200b", "holds a space or a character that no token has"),
    ],
)
def test_a_wrong_token_is_told_by_its_variable_alone(
    tmp_path: Path, name: str, value: str, told: str
) -> None:
    line = problem(tmp_path, "", f"{name}='{value}'")
    assert line.startswith(f"{name} in .env ")
    assert told in line
    assert CANARY not in line


@pytest.mark.parametrize(
    ("toml", "variable"),
    [
        (f'slack_bot_token = "{CANARY}"', "SLACK_BOT_TOKEN"),
        (f'[slack]\nbot-token = "{CANARY}"', "SLACK_BOT_TOKEN"),
        (f'[database]\nurl = "{CANARY}"', "DATABASE_URL"),
        (f'[answers]\nOPENAI_API_KEY = "{CANARY}"', "OPENAI_API_KEY"),
        (f'password = "{CANARY}"', "ANTHROPIC_API_KEY"),
    ],
)
def test_a_secret_in_the_toml_file_is_sent_to_the_env_file(
    tmp_path: Path, toml: str, variable: str
) -> None:
    line = problem(tmp_path, toml)
    assert "is a secret. Delete it here and write" in line
    assert variable in line
    assert line.endswith("into .env.")
    assert CANARY not in line


@pytest.mark.parametrize(
    "toml",
    [
        "language = '{}'", "'{}' = 1", "[encoder]\n'{}' = 1", "x = {}", "slack_bot_token = {}",
        "'{}'", "language = 'a{}\n", "answers.passages = '{}'",
        "[[sources]]\nname = '{}'\nfolder = '{}'\nurl = '{}'\naudience = ['{}']",
        "[[sources]]\nname = '{}'\nfolder = '.'\n[[sources]]\nname = '{}'\nfolder = '.'",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", SECRETS)
def test_no_error_shows_a_secret_wherever_it_was_put(tmp_path: Path, toml: str, name: str) -> None:
    for line in problems(tmp_path, toml.replace("{}", SECRETS[name]), **SECRETS):
        assert CANARY not in line


def test_no_text_of_the_settings_shows_a_secret(tmp_path: Path) -> None:
    found = load(tmp_path, **SECRETS)
    for text in (repr(found), str(found), repr(found.secrets), found.model_dump_json()):
        assert CANARY not in text


def test_an_error_holds_no_other_error_that_knows_more(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, "language = 1", SLACK_BOT_TOKEN=CANARY)
    assert caught.value.__context__ is None
