"""Settings: read once, typed, with a default for each."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot import encoder
from bot.errors import SettingsError
from bot.packaged import packaged
from bot.settings import load_settings
from bot.settings_secrets import Secrets
from tests.settings_files import load


def test_an_empty_folder_gives_the_defaults(tmp_path: Path) -> None:
    found = load_settings(tmp_path, {})
    assert found.data_directory == tmp_path / ".supportbot"
    assert found.language == "english"
    assert found.encoder.model == encoder.DEFAULT_MODEL
    assert found.encoder.precision == "int8"
    assert 1 <= found.encoder.threads <= 64
    assert (found.answers.min_confidence, found.answers.max_quotes) == (0.5, 3)
    assert (found.answers.passages, found.database.pool_size) == (5, 5)
    assert (found.search.exact_up_to, found.search.candidates) == (5_000, 40)
    assert (found.llm, found.llm_base_url, found.llm_timeout_seconds) == (None, None, 60.0)
    assert found.secrets.database_url is None


def test_without_sources_the_bot_knows_its_handbook(tmp_path: Path) -> None:
    (source,) = load(tmp_path).sources
    assert (source.name, source.folder) == ("handbook", packaged("docs"))
    assert (source.include, source.exclude, source.url) == ((), (), None)
    assert source.audience == {"everyone"}


def test_what_the_file_says_is_used_and_paths_are_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "wiki").mkdir()
    found = load(
        tmp_path,
        """
        data_directory = "data"
        language = "pg_catalog.german"
        encoder.model = "./wiki"
        answers = { min_confidence = 1 }
        [[sources]]
        name = "wiki"
        folder = "wiki"
        include = ["*.md"]
        url = "https://wiki.example.com/handbook"
        audience = ["slack:C0123", "team:support"]
        """,
    )
    assert found.data_directory == tmp_path / "data"
    assert found.language == "pg_catalog.german"
    assert found.encoder.model == str(tmp_path / "wiki")
    assert found.answers.min_confidence == 1.0
    (source,) = found.sources
    assert (source.folder, source.include) == (tmp_path / "wiki", ("*.md",))
    assert source.url == "https://wiki.example.com/handbook"
    assert source.audience == {"slack:C0123", "team:support"}


def test_the_current_folder_and_environment_are_used_unless_others_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISCORD_TOKEN", "from-the-process")
    found = load_settings()
    assert found.directory == tmp_path
    assert found.secrets == Secrets(discord_token=SecretStr("from-the-process"))


def test_settings_do_not_change(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        load(tmp_path).language = "german"  # type: ignore[misc]


def test_a_file_saved_by_a_windows_editor_is_read(tmp_path: Path) -> None:
    (tmp_path / "supportbot.toml").write_bytes(b'\xef\xbb\xbflanguage = "simple"\r\n')
    (tmp_path / ".env").write_bytes(b"\xef\xbb\xbfDISCORD_TOKEN=abc\r\n")
    found = load_settings(tmp_path, {})
    assert found.language == "simple"
    assert found.secrets == Secrets(discord_token=SecretStr("abc"))


def test_a_folder_that_does_not_exist_is_no_place_for_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not a folder"):
        load_settings(tmp_path / "nowhere", {})


def test_reading_settings_imports_neither_torch_nor_the_database() -> None:
    script = (
        "import sys, bot.settings; bot.settings.load_settings(); "
        "print({'torch', 'numpy', 'sqlalchemy', 'pathspec', 'typer'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
