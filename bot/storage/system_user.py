"""Run PostgreSQL in another user's name where supportbot runs as root, which it refuses."""

import os
import pwd
import stat
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from bot.errors import DatabaseError

NAME = "pgserver"
MAKE_USER = ("useradd", "--system", "--shell", "/usr/sbin/nologin", NAME)


def server_user(data: Path) -> tuple[int, int]:
    """The user and group ids PostgreSQL runs with: the data's owner; for new data root's choice.

    Raises:
        DatabaseError: we are root, and the system user cannot be made.
    """
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid, data.stat().st_gid
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _make_user()
    return entry.pw_uid, entry.pw_gid


def _make_user() -> pwd.struct_passwd:
    reason = "useradd is missing"
    with suppress(FileNotFoundError):
        made = subprocess.run(MAKE_USER, capture_output=True, text=True, check=False)
        reason = made.stderr.strip()
    try:
        return pwd.getpwnam(NAME)  # another process may have been faster
    except KeyError:
        raise DatabaseError(
            f"PostgreSQL does not run as root, and the user {NAME} could not be made for it: "
            f"{reason}. Make it ({' '.join(MAKE_USER)}), or run supportbot as an ordinary user."
        ) from None


def run_as(data: Path, programs: Path) -> dict[str, Any]:
    """The arguments of `subprocess.run` for the server's user, who can reach programs and data."""
    if os.geteuid() != 0:
        return {}
    user, group = server_user(data)
    _let_through(programs / "postgres", user)
    _let_through(data, user)
    if not (programs / "postgres").stat().st_mode & stat.S_IXOTH:  # installed with a strict umask
        for path in programs.parent.rglob("*"):
            mode = path.stat().st_mode
            path.chmod(mode | (0o055 if mode & stat.S_IXUSR else 0o044))
    return {"user": user, "group": group, "extra_groups": []}


def lend(path: Path, data: Path) -> None:
    """Give a new folder to the server's user."""
    user, group = server_user(data)
    os.chown(path, user, group, follow_symlinks=False)
    if os.geteuid() == 0:
        _let_through(path, user)


def _let_through(path: Path, user: int) -> None:
    """Let the user pass the folders above `path`, without letting anybody list them."""
    for folder in path.parents:
        found = folder.stat()
        if not found.st_mode & stat.S_IXOTH and found.st_uid != user:
            folder.chmod(found.st_mode | stat.S_IXOTH)
