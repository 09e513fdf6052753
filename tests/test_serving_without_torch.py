"""Serving needs neither torch nor what only training and ingestion use."""

import subprocess
import sys
from pathlib import Path

SERVE = """
import asyncio, sys
from pathlib import Path

class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "sentence_transformers", "onnx"}:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Forbidden())
from bot.app import open_app
from bot.platforms.terminal import question_of
from bot.settings import load_settings

async def main():
    async with open_app(load_settings(Path(sys.argv[1]), {})) as app:
        turn = await app.assistant().answer(question_of("Is anybody there?"))
        print(turn.answer.outcome)

asyncio.run(main())
loaded = {"torch", "transformers", "docutils", "lxml", "llama_index"} & set(sys.modules)
assert not loaded, loaded
"""


def test_the_assistant_starts_and_answers_where_torch_cannot_be_imported(home: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", SERVE, str(home)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "abstained"


def test_an_encoder_that_another_process_stored_is_fetched_not_built(home: Path) -> None:
    first = subprocess.run(
        [sys.executable, "-c", SERVE, str(home)], capture_output=True, text=True, check=False
    )
    assert first.returncode == 0, first.stderr
    (home / "data" / "encoders" / "all-MiniLM-L6-v2-int8").unlink()
    second = subprocess.run(
        [sys.executable, "-c", SERVE, str(home)], capture_output=True, text=True, check=False
    )
    assert second.returncode == 0, second.stderr
    assert (home / "data" / "encoders" / "all-MiniLM-L6-v2-int8" / "model.onnx").is_file()
