"""Every mistake in the settings is told in words, with its key and its fix."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import SettingsError
from bot.settings import Settings, load_settings
from bot.settings_problems import known_keys
from bot.settings_schema import FileSettings
from tests.settings_files import load, problem, problems

CANARY = "caNary7-Zq3-tweet"


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        langauge = "german"
        [answers]
        min_confidence = 7
        max_quotes = "three"
        [[sources]]
        name = "wiki"
        folder = "nowhere"
        [[sources]]
        name = "wiki"
        folder = "."
        """,
        "SLACK_APP_TOKEN=wrong\nno assignment\n",
        DATABASE_URL="mysql://localhost/db",
    )
    assert len(found) == 8
    for told in (
        "`langauge`", "`answers.min_confidence` = 7", '`answers.max_quotes` = "three"',
        '`sources[0].folder` ("wiki") = "nowhere"', "2 sources have the `name`",
        "SLACK_APP_TOKEN", ".env: line 2", "DATABASE_URL",
    ):  # fmt: skip
        assert any(told in line for line in found), told


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("answers.min_confidence = 1.5", "= 1.5 is too large. Write a number from 0 to 1."),
        ("answers.min_confidence = nan", "= nan is too large. Write a number from 0 to 1."),
        ("answers.passages = 0", "= 0 is too small. Write a whole number from 1 to 20."),
        ("answers.passages = true", "= true is not a whole number."),
        ("answers.passages = 5.0", "= 5.0 is not a whole number."),
        ("encoder.threads = 65", "= 65 is too large. Write a whole number from 1 to 64."),
        (f"encoder.threads = 0x{'f' * 20_000}", "= a huge number is too large."),
        ('encoder.precision = "int4"', '= "int4" is not one of the choices. Write "int8" or '),
        ('encoder.model = "./nowhere"', "does not exist. Create the folder or correct the path"),
        ('encoder.model = ""', '= "" is empty.'),
        ("encoder = 3", "`encoder` = 3 is not a section. Write its keys below a line [encoder]."),
        ('language = "English; DROP"', "is not of the right form. Write a text-search config"),
        ("language = []", "`language` is not text in quotes."),
        ('llm = "gpt-5-mini"', "is not of the right form. Write a provider and a model, such as"),
        ('llm = "acme/gpt"', "is not of the right form. Write a provider and a model, such as"),
        ('llm_base_url = "http://127.0.0.1:1/v1"', "is of no use without a model. Write `llm` too"),
        ('llm = "openai/m"\nllm_base_url = "ftp://x"', "is not a web address that paths can foll"),
        ('llm = "openai/m"\nllm_base_url = "http://me:pw@x/"', "holds a user or password"),
        ("llm_timeout_seconds = 0", "is too small. Write a number of seconds from 1 to 600."),
        ('data_directory = "supportbot.toml"', "is not a folder."),
        (r'data_directory = "\u0000"', r'`data_directory` = "\u0000" holds a NUL'),
        ('data_directory = "~nobody-here/x"', "has a home folder that is unknown."),
        ("search.candidates = 9", "= 9 is too small. Write a whole number from 10 to 1000."),
        ("database.pool_size = 51", "= 51 is too large. Write a whole number from 1 to 50."),
        ("[sources]\nname = 'x'", "`sources` is not a list. Write the keys of each source below"),
        ("sources = ['docs']", '`sources[0]` (number 1) = "docs" is not a section.'),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_the_fix(
    tmp_path: Path, toml: str, told: str
) -> None:
    line = problem(tmp_path, toml)
    assert line.startswith("supportbot.toml: `")
    assert told in line


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("name = 'My Wiki'", 'name` ("My Wiki") = "My Wiki" is not of the right form.'),
        ("folder = 'supportbot.toml'", '= "supportbot.toml" is not a folder'),
        ("url = 'ftp://example.com'", "is not a web address that paths can follow."),
        ("url = 'https://example.com/?page='", "is not a web address that paths can follow."),
        ("url = 'https://example.com:port/'", "is not a web address that paths can follow."),
        ("url = 'https://[broken/'", "is not a web address that paths can follow."),
        (f"url = 'https://me:{CANARY}@example.com/'", "which readers would see."),
        ("audience = []", '`sources[0].audience` ("wiki") is empty. Write a list such as'),
        ("audience = 'everyone'", '= "everyone" is not a list.'),
        ("audience = ['everone']", '`sources[0].audience[0]` ("wiki") = "everone" is not of'),
        ("include = ['!']", 'include[0]` ("wiki") = "!" is not a pattern as in a .gitignore.'),
    ],
)
def test_a_wrong_value_of_a_source_is_told_with_the_source(
    tmp_path: Path, written: str, told: str
) -> None:
    source = {"name": "'wiki'", "folder": "'.'"}
    key, _, value = written.partition(" = ")
    source[key] = value
    toml = "[[sources]]\n" + "\n".join(f"{key} = {value}" for key, value in source.items())
    line = problem(tmp_path, toml)
    assert told in line
    assert CANARY not in line


def test_a_source_needs_a_name_and_a_folder(tmp_path: Path) -> None:
    first, second = problems(tmp_path, "[[sources]]")
    assert "`sources[0].name` (number 1) is missing. Write a short name" in first
    assert "`sources[0].folder` (number 1) is missing. Write the path" in second


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("anwers.min_confidence = 1", "`anwers.min_confidence` – did you mean `answers.min_con"),
        ("answers.min_confidense = 1", "`answers.min_confidense` – did you mean `answers.min_c"),
        ("max_quotes = 1", "`max_quotes` – did you mean `answers.max_quotes`?"),
        ("[anwers]", "`anwers` – did you mean `answers`?"),
        ("[[source]]", "`source` – did you mean `sources`?"),
        ("[encoder]\nlanguage = 'x'", "`language` above the first [section]?"),
        ("[[sources]]\nname = 'x'\nfolder = '.'\nulr = ''", "did you mean `sources[0].url`?"),
        ("answers.frobnicate = 1", "Delete it, or write one of: min_confidence, max_quotes, pass"),
        ("frobnicate = 1", "Delete it, or write one of: data_directory, language, llm, "),
    ],
)
def test_an_unknown_key_is_told_with_the_one_that_was_meant(
    tmp_path: Path, toml: str, told: str
) -> None:
    line = problem(tmp_path, toml)
    assert "unknown key `" in line
    assert told in line


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("language = english", "line 1 is not TOML (Invalid value): language = english – Text "),
        ("\n[answers\n", "line 2 is not TOML"),
        ("language = 'a'\nlanguage = 'b'\n", "line 2 is not TOML (Cannot overwrite a value)"),
        ("language = 'a'\n\x1c", "line 2 is not TOML (Invalid statement)"),
        (f"a = {'[' * 5000}", "nested too deep"),
        (f"a = {'9' * 5000}", "is not TOML (Exceeds the limit"),
    ],
)
def test_broken_toml_is_told_with_its_line(tmp_path: Path, toml: str, told: str) -> None:
    assert told in problem(tmp_path, toml)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "supportbot.toml").mkdir()
    (tmp_path / ".env").write_bytes(b"A=1\nDISCORD_TOKEN=\xff\xfe\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {})
    assert "supportbot.toml: cannot be read (Is a directory)" in str(caught.value)
    assert ".env: line 2 is not text in UTF-8" in str(caught.value)


def test_what_a_file_holds_cannot_break_the_lines_of_the_message(tmp_path: Path) -> None:
    assert "\\x1b" in problem(tmp_path, r'"a\nb\u001b[31m" = 1')
    assert "\\u202e" in problem(tmp_path, r'language = "\u202e\u001b[31m\n"')


KEYS = st.sampled_from([key.rpartition(".")[2] for key in known_keys(FileSettings)]) | st.text(
    max_size=8
)
VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(max_size=12)
    | st.dates()
    | st.times()
    | st.datetimes()
    | st.sampled_from([".", "wiki", "everyone", "slack:C1", "int8", "https://example.com", 1]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)} = {as_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def settings_or_problems(function: Callable[..., Settings], *arguments: Any) -> str:
    try:
        return repr(function(*arguments))
    except SettingsError as error:
        return str(error)


@given(document=st.dictionaries(KEYS, VALUES, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_the_file_holds_gives_settings_or_the_problems(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    toml = "\n".join(f"{quoted(key)} = {as_toml(value)}" for key, value in document.items())
    found = settings_or_problems(load, tmp_path, toml)
    assert "is not TOML" not in found
    assert all(line.startswith("- ") for line in found.split("\n")[1:])


@given(content=st.binary(max_size=60), other=st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_bytes_the_files_hold_give_settings_or_the_problems(
    tmp_path: Path, content: bytes, other: bytes
) -> None:
    (tmp_path / "supportbot.toml").write_bytes(content)
    (tmp_path / ".env").write_bytes(other)
    assert settings_or_problems(load_settings, tmp_path, {})
