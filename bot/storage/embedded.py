"""The PostgreSQL that comes with supportbot, shared by every process that uses its directory.

`postgres.lock` is held while somebody starts or stops the server; `postgres.users` is shared by
the processes that use it, and the one that gets it alone was the last.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg

from bot.errors import DatabaseError
from bot.storage import locks, system_user
from bot.storage.postmaster import PORT, VERSION, Postmaster, State

READY_SECONDS = 120
TURN_SECONDS = 300


class EmbeddedServer:
    """One use of the server of `directory`; several processes, or parts of one, may have one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        self._server = Postmaster(self._directory)
        self._lock = self._directory / "postgres.lock"
        self._users: int | None = None
        self._turn = threading.Lock()
        self._is_given_up = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> str:
        """The libpq URL of the running server; started when needed, so call it again after a crash.

        Raises:
            DatabaseError: it does not start, or its data cannot be used; the message says why.
        """
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with self._turn, locks.locked(self._lock, TURN_SECONDS):
                try:
                    folder = self._ensure_running()
                    if self._users is None:
                        self._users = locks.open_lock(self._users_file)
                    locks.share(self._users)
                except DatabaseError:
                    raise
                except BaseException:  # Ctrl-C, say: nobody else may need what was begun
                    self._leave()
                    raise
        except OSError as error:
            raise DatabaseError(
                f"The embedded PostgreSQL cannot use {self._directory}: {error}. Mend that, or "
                "give supportbot another directory."
            ) from error
        return f"postgresql://postgres@/supportbot?host={quote(folder)}&port={PORT}"

    def stop(self) -> None:
        """Give up this use of the server; the last use of all processes stops it."""
        self._is_given_up.set()
        with self._turn:
            self._is_given_up.clear()
            if self._users is None:
                return
            try:
                with locks.locked(self._lock, TURN_SECONDS):
                    self._leave()
            except FileNotFoundError:  # the directory was deleted; the server ends within a minute
                os.close(self._users)
                self._users = None

    @property
    def _users_file(self) -> Path:
        return self._directory / "postgres.users"

    def _leave(self) -> None:
        users = locks.open_lock(self._users_file) if self._users is None else self._users
        self._users = None
        try:
            if locks.try_lock(users):
                self._server.stop()
        finally:
            os.close(users)

    def _ensure_running(self) -> str:
        """The folder of the socket of a server that answers and has our database."""
        server = self._server
        if server.has_data():
            self._check_owner()
            self._check_version()
            self._check_host()
        attempts = 0
        while not self._wait_until_ready():
            if attempts == 2:
                raise DatabaseError(server.explain("The embedded PostgreSQL does not start."))
            attempts += 1
            with server.end() as running:
                if not server.has_data():
                    server.create_data(running)
                self._host_file.write_text(f"{socket.gethostname()}\n{_boot()}")
                server.launch(running)
        self._ensure_database()
        return server.socket_directory()

    def _ensure_database(self) -> None:
        try:
            with self._server.connect() as connection:
                found = connection.execute("SELECT FROM pg_database WHERE datname = 'supportbot'")
                if found.rowcount == 0:
                    connection.execute("CREATE DATABASE supportbot")
        except psycopg.Error as error:
            sentence = f"The embedded PostgreSQL has no database for supportbot: {error}"
            raise DatabaseError(self._server.explain(sentence)) from error

    def _wait_until_ready(self) -> bool:
        """Whether the server answers in the end; False when it has to be started."""
        deadline = time.monotonic() + READY_SECONDS
        mute_answers = 0
        while time.monotonic() < deadline:
            state = self._server.probe()
            if state is State.READY:
                return True
            mute_answers = mute_answers + 1 if state is State.MUTE else 0
            if state is State.GONE or mute_answers == 2:
                return False
            if self._is_given_up.wait(0.03):
                self._leave()
                raise DatabaseError("supportbot was stopped while its database started.")
        raise DatabaseError(
            self._server.explain(
                f"The embedded PostgreSQL was not ready within {READY_SECONDS} s; it may still "
                "recover from a crash. Wait a little and try again."
            )
        )

    def _check_owner(self) -> None:
        data, user = self._server.data, os.geteuid()
        owner = data.stat().st_uid
        if owner == 0 or user not in {owner, 0}:
            name = system_user.NAME if user == 0 else user
            raise DatabaseError(
                f"{data} belongs to user {owner}, and PostgreSQL would run as user {name}. Run "
                f"supportbot as the owner, or give the data away: chown -R {name} {data}"
            )

    def _check_version(self) -> None:
        data = self._server.data
        try:
            version = (data / "PG_VERSION").read_text(errors="replace").strip()
        except FileNotFoundError:
            version = ""
        if version != str(VERSION):
            raise DatabaseError(
                f"The data in {data} is of PostgreSQL {version or 'no version'}, and supportbot "
                f"brings PostgreSQL {VERSION}. Restore it from a backup, or move it away to start "
                "empty."
            )

    @property
    def _host_file(self) -> Path:
        return self._directory / "postgres.host"

    def _check_host(self) -> None:
        """Two hosts on one data directory destroy it, and neither sees the other's processes."""
        host, boot = "", ""
        with suppress(FileNotFoundError):
            host, _, boot = self._host_file.read_text().partition("\n")
        if host in {"", socket.gethostname()} or not self._server.pid_file.exists():
            return
        if boot and boot == _boot() and not self._server.has_processes():
            return  # another container of this machine, and it is dead
        raise DatabaseError(
            f"The data in {self._server.data} is in use by supportbot on the host {host}. Stop it "
            "there, or use another directory here. If that host is gone for good, delete "
            f"{self._server.pid_file}"
        )


def _boot() -> str:
    """What names the running kernel, the same in all of its containers; empty where unknown."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""
