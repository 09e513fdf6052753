"""What a process that trains may take of its machine: processors, priority, memory."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

import psutil

from bot.child import report_failure
from bot.errors import TrainingError

NICENESS = 10
LOOK_SECONDS = 0.25
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """How many processors at once, 0 for all, and how many MB of memory."""

    threads: int
    memory_mb: int


def keep_within(limits: Limits) -> None:
    """Keep this process and those it starts within the limits from now on.

    To be called before torch is imported, which reads then how many threads it may start. Where
    the memory is exceeded the process ends with a sentence and status 1. A limit on addresses
    would not do: torch reserves many times what it uses.
    """
    priority = os.getpriority(os.PRIO_PROCESS, 0)
    if priority < NICENESS:
        os.nice(NICENESS - priority)
    if limits.threads:
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[variable] = str(limits.threads)
        if sys.platform == "linux":  # holds for those too that have read it already
            usable = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, usable[-limits.threads :])
    watch_memory(limits.memory_mb, _end)


def watch_memory(megabytes: int, end: Callable[[TrainingError], None]) -> None:
    """Call `end` once this process and those it started hold more memory than that."""
    process = psutil.Process()

    def watch() -> None:
        while _held(process) <= megabytes * MIB:
            time.sleep(LOOK_SECONDS)
        end(
            TrainingError(
                f"The retraining needed more than {megabytes} MB of memory and was stopped; the "
                "live version stays. Where the machine has more, raise memory_mb of [retraining] "
                "in supportbot.toml."
            )
        )

    Thread(target=watch, name="memory", daemon=True).start()


def _held(process: psutil.Process) -> int:
    """Resident bytes."""
    total: int = process.memory_info().rss
    for child in process.children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.Error:  # it has ended
            continue
    return total


def _end(error: TrainingError) -> None:
    report_failure(error)
    os._exit(error.exit_code)
