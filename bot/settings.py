"""Everything that can be set: secrets from the environment or .env, the rest in supportbot.toml."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bot.errors import SettingsError
from bot.settings_file import read_toml
from bot.settings_problems import Mask, describe, shown
from bot.settings_schema import FileSettings
from bot.settings_secrets import VARIABLES, Secrets, check_secrets, masking, read_variables

FILE = "supportbot.toml"
EXAMPLE = Path(__file__).with_name("supportbot.example.toml")


class Settings(FileSettings):
    """All settings; every path is absolute."""

    directory: Path
    secrets: Secrets = Secrets()


def load_settings(
    directory: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """The settings of the directory (the current one) and the environment (that of the process).

    Raises:
        SettingsError: something is wrong; the message lists all that is.
    """
    directory = (directory or Path.cwd()).absolute()
    if not directory.is_dir():
        raise SettingsError(f"{directory} is not a folder. Give the folder that holds {FILE}.")
    variables, env_problems = read_variables(
        directory, os.environ if environment is None else environment
    )
    secrets, secret_problems = check_secrets(variables)
    content, file_problems = _read_file(directory, masking(variables.values()))
    problems = [
        *(f".env: {problem}" for problem in env_problems),
        *secret_problems,
        *(f"{FILE}: {problem}" for problem in file_problems),
    ]
    if content is None or problems:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise SettingsError("\n- ".join([f"The settings in {directory} have {count}:", *problems]))
    return Settings.model_construct(directory=directory, secrets=secrets, **dict(content))


def write_example(directory: Path) -> Path:
    """Write supportbot.toml with every key, its default and what it does; the path of the file.

    Raises:
        SettingsError: there is one already, or it cannot be written.
    """
    target = directory / FILE
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(EXAMPLE.read_text("utf-8"))
    except FileExistsError:
        raise SettingsError(
            f"{target} exists already. Edit it, or move it away to get a new one."
        ) from None
    except OSError as error:
        raise SettingsError(
            f"{target} cannot be written ({error.strerror}). Run supportbot init in a folder where "
            "you may write."
        ) from error
    return target


def _read_file(directory: Path, mask: Mask) -> tuple[FileSettings | None, list[str]]:
    document, problem = read_toml(directory / FILE, mask)
    if problem:
        return None, [problem]
    repeated = _repeated_names(document, mask)
    try:
        content = FileSettings.model_validate(document, context={"directory": directory})
    except ValidationError as error:
        return None, describe(error, FileSettings, document, VARIABLES, mask) + repeated
    return content, repeated


def _repeated_names(document: Mapping[str, Any], mask: Mask) -> list[str]:
    sources = document.get("sources")
    elements = sources if isinstance(sources, list) else []
    names = Counter(
        element["name"]
        for element in elements
        if isinstance(element, dict) and isinstance(element.get("name"), str)
    )
    return [
        f"{count} sources have the `name` {shown(name, mask)}. Give each a name of its own."
        for name, count in names.items()
        if count > 1
    ]
