"""A training that takes too much of its machine ends with a sentence."""

import subprocess
import sys

TAKES = """
import os, sys, time
from bot.limits import Limits, keep_within
keep_within(Limits(int(sys.argv[1]), int(sys.argv[2])))
print(os.getpriority(os.PRIO_PROCESS, 0), os.environ.get("OMP_NUM_THREADS"),
      len(os.sched_getaffinity(0)) if sys.platform == "linux" else int(sys.argv[1]), flush=True)
taken = []
for _ in range(int(sys.argv[3])):
    taken.append(b"x" * 10_000_000)
    time.sleep(0.01)
time.sleep(1)
"""


def run(threads: int, memory_mb: int, tens_of_megabytes: int) -> "subprocess.CompletedProcess[str]":
    numbers = [str(number) for number in (threads, memory_mb, tens_of_megabytes)]
    command = [sys.executable, "-c", TAKES, *numbers]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_more_memory_than_allowed_ends_it_with_a_sentence_and_status_1() -> None:
    done = run(0, 300, 100)
    assert done.returncode == 1
    assert done.stderr.startswith("The retraining needed more than 300 MB of memory")
    assert "raise memory_mb of [retraining]" in done.stderr


def test_within_its_limits_it_runs_at_a_low_priority_on_so_many_processors() -> None:
    done = run(1, 4096, 1)
    assert (done.returncode, done.stderr) == (0, "")
    priority, threads, processors = done.stdout.split()
    assert int(priority) >= 10
    assert (threads, processors) == ("1", "1")
