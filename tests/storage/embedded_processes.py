"""Other processes that use the embedded server, and a look at the server's own."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg

from bot.storage.postmaster import Postmaster

# Starts, again for every line it reads, and gives up its use at the end of its input. It is a bad
# init, too: orphans become its children, and it never reaps them.
USER_PROCESS = """
import ctypes, os, sys
from pathlib import Path
from bot.storage.embedded import EmbeddedServer
if "never reap" in sys.argv:
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)
server = EmbeddedServer(Path(sys.argv[1]))
print("starting", flush=True)
try:
    print(server.start(), flush=True)
    for _line in sys.stdin:
        print(server.start(), flush=True)
finally:
    server.stop()
"""


class UserProcess:
    """Another process that uses the server."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER_PROCESS, str(directory), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"SLACK_BOT_TOKEN": "canary"},
        )
        assert self.read() == "starting"

    def read(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def start_again(self) -> str:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def finish(self) -> str:
        """End its input; what it wrote to stderr."""
        _, complaints = self.process.communicate(timeout=60)
        return complaints

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def server_processes(directory: Path) -> list[psutil.Process]:
    return list(Postmaster(directory)._processes())


def postmaster_pid(directory: Path) -> int:
    return int((directory / "postgres/postmaster.pid").read_text().splitlines()[0])


def add_row(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS rows (written timestamptz DEFAULT now())")
        connection.execute("INSERT INTO rows DEFAULT VALUES")


def count_rows(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM rows").fetchone()
        assert row
        return int(row[0])


def wait_until(condition: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)


def assert_stopped(directory: Path) -> None:
    assert server_processes(directory) == []
    assert not (directory / "postgres/postmaster.pid").exists()


def wait_until_dead(pid: int) -> None:
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")
