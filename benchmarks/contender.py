"""A contender runs in its own process and is spoken to in JSON lines: its costs are its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

Handler = Callable[..., dict[str, Any] | None]


class ContenderError(Exception):
    """A contender failed or died; the text is what it said."""


class Contender:
    """A child process answering commands; leaving the context ends it."""

    def __init__(self, argv: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.started = time.perf_counter()
        self.name, self.log = " ".join(argv[1:3]), log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, **(env or {})},
            )

    def __enter__(self) -> "Contender":
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError):
            self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def call(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one command, wait for its reply."""
        try:
            print(json.dumps({"do": do, **arguments}), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()  # type: ignore[union-attr]
        except BrokenPipeError:
            line = ""
        reply = json.loads(line) if line else {"error": f"it died, see {self.log}"}
        if "error" in reply:
            raise ContenderError(f"{self.name}: {do}: {reply['error']}")
        return reply

    def seconds_to_first(self, do: str, **arguments: Any) -> float:
        """From the start of the process to its first reply: what a command takes."""
        self.call(do, **arguments)
        return time.perf_counter() - self.started

    def first_answer_seconds(self, text: str) -> float:
        """A cold start: from the start of the process to its first answer."""
        return self.seconds_to_first("question", text=text)

    def rss_mib(self) -> float:
        """Resident memory of the process and its children, Postgres left out."""
        from benchmarks.measure import rss_mib

        return rss_mib(self.process.pid)


def serve(handlers: dict[str, Handler]) -> None:
    """The child's side: answer commands from stdin until it closes; prints go to stderr."""
    replies = _take_stdout()
    for line in sys.stdin:
        command = json.loads(line)
        started = time.perf_counter()
        try:
            reply = handlers[command.pop("do")](**command) or {}
        except Exception as error:  # noqa: BLE001 the parent is told, and decides
            reply = {"error": f"{type(error).__name__}: {error}"}
        reply.setdefault("seconds", time.perf_counter() - started)
        print(json.dumps(reply), file=replies, flush=True)


def _take_stdout() -> TextIO:
    """Keep stdout for replies alone: whatever libraries print ends up in stderr."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies
