"""Workers in processes of their own, quick to see that another one died; their work is played."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil

STAND_IN = Path(__file__).with_name("stand_in.py")
SILENT_SECONDS = 1.5
WORKER = """
import asyncio, os, signal, sys
from pathlib import Path
from bot.child import end_with_parent
from bot.settings import load_settings
from ingest import worker
from ingest.jobs import command_of

def stand_in(kind, key, switches):
    if key == "documents" or "--real" in sys.argv:
        return command_of(kind, key, switches)
    return [sys.executable, sys.argv[2], key, *sorted(switches)]

if "--child" in sys.argv:
    end_with_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
silent = float(sys.argv[3])
pace = worker.Pace(poll=0.1, heartbeat=0.3, silent=silent, sweep=0.3, restart=0.3)
asyncio.run(worker.work(load_settings(Path(sys.argv[1]), {}), pace, stand_in))
"""


def worker_command(home: Path) -> list[str]:
    """The command line of a worker of that folder."""
    return [sys.executable, "-c", WORKER, str(home), str(STAND_IN), str(SILENT_SECONDS)]


class WorkerProcess:
    """A worker; ended at the end of the block where it still runs."""

    def __init__(self, home: Path, *, is_real: bool = False) -> None:
        """Start it; its work is played, except on the folder "documents", unless `is_real`."""
        self.home = home
        command = [*worker_command(home), *(["--real"] if is_real else [])]
        self.process = subprocess.Popen(command, cwd=home, stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> "WorkerProcess":
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self, number: int) -> tuple[int, str]:
        """Send a signal and wait; the exit status and what was written to stderr."""
        self.process.send_signal(number)
        _, complaints = self.process.communicate(timeout=30)
        return self.process.returncode, complaints


def runs(home: Path, key: str) -> list[int]:
    """The pids of the stand-ins that ran for this key, the last one last."""
    path = home / "ran"
    lines = path.read_text().splitlines() if path.exists() else []
    return [int(line.split()[1]) for line in lines if line.split()[0] == key]


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def until(
    is_so: Callable[[], bool | Awaitable[bool]], seconds: float = 30, what: str = "it"
) -> float:
    """Wait until it is so; how many seconds that took."""
    started = time.monotonic()
    while True:
        found = is_so()
        if found if isinstance(found, bool) else await found:
            return time.monotonic() - started
        assert time.monotonic() - started < seconds, f"{what} took longer than {seconds} s"
        await asyncio.sleep(0.05)


def owner(pid: int) -> int:
    """The pid of the process that started this one."""
    return psutil.Process(pid).ppid()
