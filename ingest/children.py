"""Runs a job's work in a child process, which never outlives its worker or its deadline."""

import asyncio
import contextlib
import json
import os
import signal
from asyncio import StreamReader
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.child import TRY_AGAIN

NICENESS = 10
# The longest line, which is a result with many problems in it.
LINE_BYTES = 16 * 2**20
RETRY_SECONDS = 10.0
EXIT_SECONDS = 0.2

Line = dict[str, Any]
Hear = Callable[[Line], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Done:
    """The work was done."""

    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """The work cannot be done; trying again would not help."""

    reason: str


@dataclass(frozen=True, slots=True)
class Died:
    """The work ended without an end and may succeed when it is run again, after a while."""

    reason: str
    delay_seconds: float = RETRY_SECONDS


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The work was stopped, by no fault of its own."""


Ending = Done | Failed | Died | Interrupted


async def run_child(
    command: Sequence[str], directory: Path, deadline_seconds: float, hear: Hear
) -> Ending:
    """Run `command`, which speaks as `bot.child` says, and hand its lines of progress to `hear`.

    Cancelling this ends the child, and what it started.
    """
    process = await asyncio.create_subprocess_exec(
        *command, cwd=directory, start_new_session=True, limit=LINE_BYTES,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    assert process.stderr
    with contextlib.suppress(ProcessLookupError):  # it may have ended already
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    pipes = asyncio.gather(_listen(process.stdout, hear), _last_line(process.stderr))
    try:
        async with asyncio.timeout(deadline_seconds):
            # What it started may hold its pipes open when it has ended itself.
            while process.returncode is None and not pipes.done():
                await asyncio.wait([pipes], timeout=EXIT_SECONDS)
            if process.returncode is not None:
                _kill_group(process.pid)
            result, complaint = await pipes
            status = await process.wait()
    except TimeoutError:
        return Failed(
            f"It did not end within {deadline_seconds / 60:.0f} minutes and was stopped. Where it "
            "needs longer, raise deadline_minutes of [jobs] in supportbot.toml."
        )
    finally:
        _kill_group(process.pid)
        pipes.cancel()
        await asyncio.gather(pipes, return_exceptions=True)
        await process.wait()
    return _ending(status, result, complaint)


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # there is nobody left in it
        os.killpg(leader, signal.SIGKILL)


def _ending(status: int, result: dict[str, Any] | None, complaint: str) -> Ending:
    if status == 0 and result is not None:
        return Done(result)
    if status < 0:
        return Died(f"Its process was ended by {signal.Signals(-status).name}.", delay_seconds=0)
    reason = complaint or f"Its process ended with status {status} and gave no reason."
    return Died(reason) if status == TRY_AGAIN else Failed(reason)


async def _listen(stdout: StreamReader, hear: Hear) -> dict[str, Any] | None:
    """The result, if there was one; what is no JSON object is some library's chatter."""
    result = None
    async for line in stdout:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and isinstance(value.get("result"), dict):
            result = value["result"]
        elif isinstance(value, dict) and "progress" in value:
            await hear(value)
    return result


async def _last_line(stderr: StreamReader) -> str:
    last = b""
    while line := await stderr.readline():
        last = line.strip() or last
    return last.decode(errors="replace").replace("\0", "")
