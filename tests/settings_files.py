"""Writes the two files that hold settings, and reads them."""

from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import Settings, load_settings


def load(folder: Path, toml: str = "", env: str = "", **environment: str) -> Settings:
    """The settings of a folder with these two files and no environment but this."""
    (folder / "supportbot.toml").write_text(toml, "utf-8")
    (folder / ".env").write_text(env, "utf-8")
    return load_settings(folder, environment)


def problems(folder: Path, toml: str = "", env: str = "", **environment: str) -> list[str]:
    """What is wrong with them, a line each."""
    with pytest.raises(SettingsError) as caught:
        load(folder, toml, env, **environment)
    return [line.removeprefix("- ") for line in str(caught.value).split("\n")[1:]]


def problem(folder: Path, toml: str = "", env: str = "", **environment: str) -> str:
    """The one thing that is wrong with them."""
    (only,) = problems(folder, toml, env, **environment)
    return only
