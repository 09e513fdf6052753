"""One process of the bot as an operator runs it, to be killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

STOP_SECONDS = 20


class Replica:
    """`supportbot run` in a folder; `starts` counts how often it was started."""

    def __init__(self, home: Path, name: str, *arguments: str) -> None:
        self.starts = 0
        self._home = home
        self._log = home / f"{name}.log"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, in a process group of its own."""
        environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bot", *self._arguments],
                cwd=self._home, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.starts += 1

    def kill(self) -> None:
        """Kill it at once, with what it started."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        return self._end(signal.SIGTERM)

    @property
    def is_running(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    def _end(self, number: int) -> int:
        process, self._process = self._process, None
        if process is None:
            return 0
        if process.poll() is None:
            os.killpg(process.pid, number)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
