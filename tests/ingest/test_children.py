"""The child process of a job: heard, limited, and never left behind with what it started."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ingest.children import Done, Ending, Failed, Line, run_child
from ingest.jobs import command_of
from tests.ingest.worker_processes import STAND_IN, is_alive, runs, until


async def run(folder: Path, key: str, deadline_seconds: float = 30) -> tuple[Ending, list[Line]]:
    heard: list[Line] = []

    async def hear(line: Line) -> None:
        heard.append(line)

    command = [sys.executable, str(STAND_IN), key]
    return await run_child(command, folder, deadline_seconds, hear), heard


def family(folder: Path) -> list[int]:
    """The pids of the child and of what it has started."""
    (pid,) = runs(folder, "family") or [0]
    children = psutil.Process(pid).children() if pid else []
    return [pid, *(child.pid for child in children)]


async def test_progress_and_result_are_heard_and_chatter_is_not(tmp_path: Path) -> None:
    """Nor is the end waited for of what the child has left running."""
    (tmp_path / "go on").touch()
    ending, heard = await run(tmp_path, "family")
    assert isinstance(ending, Done)
    assert ending.result["key"] == "family"
    assert heard == [{"progress": 0.5, "note": "half of it", "seconds_left": 7}]


async def test_a_child_that_takes_too_long_is_stopped_and_the_setting_named(tmp_path: Path) -> None:
    ending, _ = await run(tmp_path, "slow", deadline_seconds=3)
    assert isinstance(ending, Failed)
    assert "did not end within" in ending.reason
    assert "deadline_minutes" in ending.reason
    assert not is_alive(runs(tmp_path, "slow")[0])


@pytest.mark.parametrize("end", [asyncio.Task.cancel, None])
async def test_a_child_takes_what_it_started_with_it(
    tmp_path: Path, end: Callable[[asyncio.Task[object]], bool] | None
) -> None:
    """Where its worker stops it, and where it sees that its worker is gone."""
    if end:
        running = asyncio.create_task(run(tmp_path, "family"))
    else:
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PARENT, sys.executable, str(STAND_IN), "family", cwd=tmp_path
        )
    await until(lambda: len(family(tmp_path)) == 2)
    pids = family(tmp_path)
    if end:
        end(running)
        await asyncio.wait([running])
    else:
        parent.kill()
        await parent.wait()
    await until(lambda: not any(is_alive(pid) for pid in pids), seconds=5)


async def test_a_command_that_says_nothing_fails_with_its_status(tmp_path: Path) -> None:
    async def hear(_line: Line) -> None:
        raise AssertionError

    ending = await run_child([sys.executable, "-c", "raise SystemExit(4)"], tmp_path, 30, hear)
    assert ending == Failed("Its process ended with status 4 and gave no reason.")


def test_a_reindex_is_told_its_switches() -> None:
    command = command_of("reindex", "wiki", frozenset({"allow_shrink"}))
    assert command[1:] == ["-m", "ingest", "--as-job", "--allow-shrink", "--", "wiki"]


PARENT = """
import subprocess, sys
subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True).wait()
"""
