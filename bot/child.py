"""How a child process and the worker that runs it talk: JSON lines, an end in common.

A child prints one JSON object a line on stdout, any number of
`{"progress": 0.42, "note": "fine-tuning, epoch 3 of 10", "seconds_left": 40}` and at last
`{"result": {...}}`. Where it fails it prints a sentence as the last line of stderr and exits with
1, or with `TRY_AGAIN` where the same may work later. Its stdin is a pipe that nothing is written
to: it closes when the parent is gone, however the parent died.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h


def end_group() -> None:
    """Kill this process and those it started, which share its process group."""
    os.killpg(0, signal.SIGKILL)


def end_with_parent(end: Callable[[], None] = end_group) -> None:
    """From now on call `end` when stdin closes; to be called first thing, by a group's leader."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        end()

    Thread(target=watch, name="end with parent", daemon=True).start()


def report(fraction: float | None, note: str = "", seconds_left: float | None = None) -> None:
    """Tell how far the work is: a fraction from 0 to 1, what is being done, a guess of the rest."""
    _print({"progress": fraction, "note": note, "seconds_left": seconds_left})


def report_result(result: Mapping[str, Any]) -> None:
    """Tell what came out of the work, the last thing before the end."""
    _print({"result": result})


def report_failure(error: Exception) -> None:
    """Tell on one line of stderr why the work failed."""
    print(" ".join(str(error).split()), file=sys.stderr, flush=True)  # noqa: T201


def _print(line: Mapping[str, Any]) -> None:
    print(json.dumps(line, default=str), flush=True)  # noqa: T201
