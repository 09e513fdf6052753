"""The example file tells of every key and changes nothing."""

import re
from pathlib import Path

import pytest

from bot.errors import SettingsError
from bot.settings import EXAMPLE, write_example
from bot.settings_problems import known_keys
from bot.settings_schema import FileSettings
from tests.settings_files import load


def test_the_example_as_it_is_gives_the_defaults(tmp_path: Path) -> None:
    defaults = load(tmp_path)
    assert load(tmp_path, EXAMPLE.read_text("utf-8")) == defaults


def test_the_example_with_every_default_line_taken_in_gives_the_defaults(tmp_path: Path) -> None:
    text, count = re.subn(r"(?m)^#(?=\w+ = )", "", EXAMPLE.read_text("utf-8"))
    assert count == len(_keys_with_a_fixed_default())
    assert load(tmp_path, text) == load(tmp_path)


def test_the_examples_source_can_be_taken_in(tmp_path: Path) -> None:
    (tmp_path / "wiki").mkdir()
    before, start, block = EXAMPLE.read_text("utf-8").partition("# [[sources]]\n")
    block = re.sub(r"(?m)^# ?", "", start + block)
    (source,) = load(tmp_path, before + block).sources
    assert (source.name, source.exclude) == ("wiki", ("drafts/",))


@pytest.mark.parametrize("key", known_keys(FileSettings))
def test_the_example_tells_of_every_key(key: str) -> None:
    section, _, name = key.rpartition(".")
    text = EXAMPLE.read_text("utf-8")
    heading = f"[{section}]" if "[]" not in section else f"[[{section.removesuffix('[]')}]]"
    assert heading in text or not section
    assert re.search(rf"(?m)^#? ?(\[+{name}\]+|{name} = )", text)


@pytest.mark.parametrize("key", known_keys(FileSettings))
def test_every_key_has_a_description_to_complete_the_fix(key: str) -> None:
    assert known_keys(FileSettings)[key]


def test_the_example_is_written_once(tmp_path: Path) -> None:
    target = write_example(tmp_path)
    assert target == tmp_path / "supportbot.toml"
    assert target.read_text() == EXAMPLE.read_text()
    target.write_text("mine")
    with pytest.raises(SettingsError, match="exists already"):
        write_example(tmp_path)
    assert target.read_text() == "mine"


def test_an_example_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be written"):
        write_example(tmp_path / "nowhere")


def _keys_with_a_fixed_default() -> list[str]:
    """Sections have none, sources have none without a source, threads that of the machine."""
    keys = known_keys(FileSettings)
    sections = {key.rpartition(".")[0].removesuffix("[]") for key in keys}
    unset = sections | {"encoder.threads", "intents.catalog", "llm", "llm_base_url"}
    unset |= {"slack.handoff_channel", "slack.handoff_group", "slack.admin_channel", "slack.port"}
    return [key for key in keys if key not in unset and "[]" not in key]
