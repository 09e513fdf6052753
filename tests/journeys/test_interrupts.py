"""Ctrl-C at any moment, also in the first start: one word, no traceback, nothing broken."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize("seconds", [1.0, 2.0, 4.0])
def test_an_interrupted_first_start_ends_cleanly_and_the_next_one_works(
    tmp_path: Path, seconds: float
) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.md").write_text("# Tea\n\nTea is served at four o'clock.\n")
    (tmp_path / "supportbot.toml").write_text('[[sources]]\nname = "a"\nfolder = "documents"\n')
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    command = [sys.executable, "-m", "bot", "ask", "When is tea served?"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    # On a busy machine the signal may come before Python listens, and ends the process itself.
    assert process.returncode in {130, -signal.SIGINT}, errors
    assert "Traceback" not in errors
    again = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert "four o'clock" in again.stdout
