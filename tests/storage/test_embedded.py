"""The embedded PostgreSQL: one for all processes, and a sentence where it cannot be."""

import os
from pathlib import Path

import psutil
import psycopg
import pytest

from bot.errors import DatabaseError
from bot.storage.embedded import EmbeddedServer
from bot.storage.postmaster import Postmaster
from tests.storage.embedded_processes import (
    UserProcess,
    add_row,
    assert_stopped,
    count_rows,
    postmaster_pid,
    server_processes,
)


def test_the_first_start_makes_a_durable_database_without_a_tcp_port(empty_directory: Path) -> None:
    with EmbeddedServer(empty_directory) as server, psycopg.connect(server.start()) as connection:

        def show(name: str) -> object:
            row = connection.execute(f"SHOW {name}").fetchone()
            return row and row[0]

        assert connection.info.dbname == "supportbot"
        assert show("listen_addresses") == ""
        assert (show("fsync"), show("synchronous_commit"), show("full_page_writes")) == (
            *("on", "on", "on"),
        )
        assert show("jit") == "off"
        assert show("shared_buffers") == "128MB"
        assert show("wal_compression") == "pglz"
        assert (empty_directory / "postgres").stat().st_mode & 0o077 == 0
        assert (empty_directory / "postgres.log").stat().st_mode & 0o077 == 0
    assert_stopped(empty_directory)


def test_words_fold_in_every_language_whatever_the_environment(
    empty_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.nonsense")
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nowhere")
    with EmbeddedServer(empty_directory) as server, psycopg.connect(server.start()) as connection:
        found = connection.execute("SELECT lower('ÄRGER'), to_tsvector('simple', 'ÉCOLE')::text")
        assert found.fetchone() == ("ärger", "'école':1")


def test_uses_in_one_process_are_counted_apart(directory: Path) -> None:
    first, second = EmbeddedServer(directory), EmbeddedServer(directory)
    assert first.start() == second.start() == first.start()
    first.stop()
    first.stop()
    add_row(second.start())
    second.stop()
    assert_stopped(directory)
    assert count_rows(first.start()) == 1
    first.stop()
    assert_stopped(directory)


def test_the_last_process_out_stops_the_server(directory: Path) -> None:
    other = UserProcess(directory)
    url = other.read()
    pid = postmaster_pid(directory)
    with EmbeddedServer(directory) as server:
        assert server.start() == url
        assert other.finish() == ""
        add_row(url)
        assert postmaster_pid(directory) == pid
    assert_stopped(directory)


def test_the_server_outlives_its_starter_and_gets_no_signal_or_secret_of_it(
    directory: Path,
) -> None:
    other = UserProcess(directory)
    other.read()
    pid = postmaster_pid(directory)
    assert os.getsid(pid) != os.getsid(other.process.pid)
    assert os.getpgid(pid) != os.getpgid(other.process.pid)
    environment = psutil.Process(pid).environ()
    assert "canary" not in environment.values()
    assert "SLACK_BOT_TOKEN" not in environment
    assert other.finish() == ""


def test_five_processes_may_start_first_at_once(empty_directory: Path) -> None:
    others = [UserProcess(empty_directory) for _ in range(5)]
    assert len({other.read() for other in others}) == 1
    assert len([it for it in server_processes(empty_directory) if "-D" in it.cmdline()]) == 1
    for other in others[1:]:
        assert other.finish() == ""
    assert server_processes(empty_directory)
    assert others[0].finish() == ""
    assert_stopped(empty_directory)


@pytest.mark.parametrize("name", ["d" * 120, "a 'b' \"c\", $(d) `e` ?f&g%20 ü"])
def test_long_and_odd_directories_work(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    with EmbeddedServer(directory) as server:
        add_row(server.start())
    assert_stopped(directory)
    with EmbeddedServer(directory) as server:
        assert count_rows(server.start()) == 1
        socket_directory = Path(Postmaster(directory).socket_directory())
        assert socket_directory.stat().st_mode & 0o077 == 0
    assert not list(socket_directory.glob(".s.PGSQL*"))


def test_a_socket_directory_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trap = tmp_path / Postmaster(directory)._name
    trap.mkdir(mode=0o777)
    trap.chmod(0o777)
    with pytest.raises(DatabaseError, match="made by somebody else"):
        EmbeddedServer(directory).start()


@pytest.mark.parametrize("version", ["16\n", "", "rubbish\n", None])
def test_data_of_another_version_is_refused_in_a_sentence(
    empty_directory: Path, version: str | None
) -> None:
    (empty_directory / "postgres").mkdir(parents=True)
    (empty_directory / "postgres/base").touch()
    if os.geteuid() == 0:
        os.chown(empty_directory / "postgres", 1, 1)
    if version is not None:
        (empty_directory / "postgres/PG_VERSION").write_text(version)
    with pytest.raises(DatabaseError, match=r"is of PostgreSQL .*, and supportbot brings .* 18"):
        EmbeddedServer(empty_directory).start()
    assert (empty_directory / "postgres/base").exists()


def test_data_of_another_user_is_refused_in_a_sentence(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedServer(directory):
        pass
    owner = (directory / "postgres").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(DatabaseError, match=f"belongs to user {owner}"):
        EmbeddedServer(directory).start()


def test_an_unusable_directory_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatabaseError, match=r"cannot use .* Mend that, or give supportbot another"):
        EmbeddedServer(tmp_path / "file" / "directory").start()


def test_a_server_that_cannot_start_names_its_log_and_shows_its_end(directory: Path) -> None:
    with EmbeddedServer(directory):
        pass
    with (directory / "postgres/postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = 'much'\n")
    with pytest.raises(DatabaseError, match=r"does not start(.|\n)*postgres\.log(.|\n)*much"):
        EmbeddedServer(directory).start()


def test_a_second_host_is_refused_until_the_first_is_surely_dead(directory: Path) -> None:
    record = directory / "postgres.host"
    pid_file = directory / "postgres/postmaster.pid"
    with EmbeddedServer(directory) as server:
        add_row(server.start())
        written = record.read_text()
        _host, boot = written.split("\n")
        for elsewhere in ("elsewhere\nanother boot", f"elsewhere\n{boot}"):
            record.write_text(elsewhere)
            with pytest.raises(DatabaseError, match=r"host elsewhere.*delete .*postmaster\.pid"):
                EmbeddedServer(directory).start()
        stale = pid_file.read_text()
    pid_file.write_text(stale)
    record.write_text("elsewhere\nanother boot")
    with pytest.raises(DatabaseError, match="host elsewhere"):
        EmbeddedServer(directory).start()
    if boot:  # a container that was replaced after a crash
        record.write_text(f"elsewhere\n{boot}")
        with EmbeddedServer(directory) as server:
            assert count_rows(server.start()) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends PostgreSQL another user")
def test_root_opens_a_private_home_no_further_than_needed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with EmbeddedServer(home / ".supportbot") as server:
        add_row(server.start())
    assert home.stat().st_mode & 0o777 == 0o701
