"""The embedded PostgreSQL is back, with every row, after each kind of death."""

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import psutil
import psycopg
import pytest

from bot.errors import DatabaseError
from bot.storage import postmaster
from bot.storage.embedded import EmbeddedServer
from bot.storage.postmaster import Postmaster, State
from tests.storage.embedded_processes import (
    UserProcess,
    add_row,
    assert_stopped,
    count_rows,
    postmaster_pid,
    server_processes,
    wait_until,
    wait_until_dead,
)

BACK_SECONDS = 15
ROUNDS = 5


def test_a_killed_process_leaves_its_rows_and_no_claim_on_the_server(directory: Path) -> None:
    other = UserProcess(directory)
    url = other.read()
    pid = postmaster_pid(directory)
    add_row(url)
    other.kill()
    with EmbeddedServer(directory) as server:
        assert count_rows(server.start()) == 1
        assert postmaster_pid(directory) == pid
    assert_stopped(directory)


def test_a_killed_postmaster_is_back_and_no_row_is_lost(directory: Path) -> None:
    with EmbeddedServer(directory) as server:
        url = server.start()
        for round_ in range(ROUNDS):
            add_row(url)
            idle = psycopg.connect(url)
            pid = postmaster_pid(directory)
            os.kill(pid, signal.SIGKILL)
            wait_until_dead(pid)
            if round_ % 2:  # now or when its orphans are gone, too
                wait_until(lambda: server_processes(directory) == [])
            started = time.monotonic()
            assert server.start() == url
            assert time.monotonic() - started < BACK_SECONDS
            assert count_rows(url) == round_ + 1
            idle.close()
    assert_stopped(directory)


@pytest.mark.skipif(sys.platform != "linux", reason="needs PR_SET_CHILD_SUBREAPER")
def test_a_postmaster_that_nobody_reaps_is_back_and_no_row_is_lost(directory: Path) -> None:
    other = UserProcess(directory, "never reap")
    url = other.read()
    for round_ in range(ROUNDS):
        add_row(url)
        pid = postmaster_pid(directory)
        os.kill(pid, signal.SIGKILL)
        wait_until_dead(pid)
        started = time.monotonic()
        assert other.start_again() == url
        assert time.monotonic() - started < BACK_SECONDS
        assert psutil.Process(pid).status() == "zombie"
        assert count_rows(url) == round_ + 1
    assert other.finish() == ""
    assert_stopped(directory)


def test_a_busy_orphan_of_a_killed_postmaster_is_ended(directory: Path) -> None:
    with EmbeddedServer(directory) as server:
        connection = psycopg.connect(server.start())
        pid = postmaster_pid(directory)
        orphan = psutil.Process(connection.info.backend_pid)
        connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 100000000000)")
        wait_until(lambda: "SELECT" in "".join(orphan.cmdline()))
        os.kill(pid, signal.SIGKILL)
        started = time.monotonic()
        add_row(server.start())
        assert time.monotonic() - started < BACK_SECONDS
        wait_until_dead(orphan.pid)
        connection.close()


def test_a_stuck_server_is_replaced(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postmaster, "ANSWER_SECONDS", 2)
    with EmbeddedServer(directory) as server:
        url = server.start()
        add_row(url)
        stuck = postmaster_pid(directory)
        os.kill(stuck, signal.SIGSTOP)
        assert server.start() == url
        assert postmaster_pid(directory) != stuck
        assert count_rows(url) == 1


def test_a_server_that_is_merely_full_is_not_harmed(directory: Path) -> None:
    with EmbeddedServer(directory) as server:
        url = server.start()
        pid = postmaster_pid(directory)
        guests = [psycopg.connect(url) for _ in range(100)]
        with pytest.raises(DatabaseError, match="too many clients already"):
            EmbeddedServer(directory).start()
        assert guests[0].execute("SELECT 1").fetchone() == (1,)
        assert postmaster_pid(directory) == pid
        for guest in guests:
            guest.close()


def test_a_server_that_recovers_is_waited_for(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedServer(directory):
        for doing in ("starting up", "shutting down", "not yet accepting connections"):
            refusal = psycopg.OperationalError(f"FATAL:  the database system is {doing}")
            monkeypatch.setattr(psycopg, "connect", Mock(side_effect=refusal))
            assert Postmaster(directory).probe() is State.STARTING
            monkeypatch.undo()


def test_stop_ends_a_start_that_still_waits(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedServer(directory):
        server, errors = EmbeddedServer(directory), []
        asked = threading.Event()

        def never_ready(_self: Postmaster) -> State:
            asked.set()
            return State.STARTING

        def start() -> None:
            try:
                server.start()
            except DatabaseError as error:
                errors.append(str(error))

        with monkeypatch.context() as patch:
            patch.setattr(Postmaster, "probe", never_ready)
            starter = threading.Thread(target=start)
            starter.start()
            assert asked.wait(10)
            server.stop()
            starter.join(10)
        assert errors == ["supportbot was stopped while its database started."]
        assert server_processes(directory), "the other use is still there"


def test_a_stale_pid_file_that_names_a_living_stranger_does_not_matter(directory: Path) -> None:
    with EmbeddedServer(directory) as server:
        add_row(server.start())
        lines = (directory / "postgres/postmaster.pid").read_text().splitlines()
    stale = "\n".join((str(os.getpid()), *lines[1:])) + "\n"
    (directory / "postgres/postmaster.pid").write_text(stale)
    (directory / "postgres/.s.PGSQL.5432.lock").write_text(stale)
    with EmbeddedServer(directory) as server:
        assert count_rows(server.start()) == 1
    assert_stopped(directory)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["postgres.new/base", "postgres", "postgres/postmaster.pid"])
def test_a_first_start_that_was_cut_off_is_simply_repeated(
    empty_directory: Path, moment: str, sign: signal.Signals
) -> None:
    other = UserProcess(empty_directory)
    wait_until((empty_directory / moment).exists)
    other.process.send_signal(sign)
    complaints = other.finish()
    if sign is signal.SIGINT:
        assert "KeyboardInterrupt" in complaints
        wait_until(lambda: server_processes(empty_directory) == [])
    with EmbeddedServer(empty_directory) as server:
        add_row(server.start())
    assert_stopped(empty_directory)


def test_data_deleted_under_a_server_can_be_made_anew(directory: Path) -> None:
    first = EmbeddedServer(directory)
    first.start()
    old = postmaster_pid(directory)
    for path in directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    first.stop()
    with EmbeddedServer(directory) as server:
        wait_until_dead(old)
        add_row(server.start())
        new = postmaster_pid(directory)
        shutil.rmtree(directory)
    os.kill(new, signal.SIGKILL)  # it would end by itself, within a minute
