"""Locks between processes that cannot be left behind: the kernel frees them with their holder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def open_lock(path: Path) -> int:
    """A descriptor to lock `path` with; children inherit it, and the lock, only when told to."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int) -> bool:
    """Whether the exclusive lock could be had; a shared one held before is gone in any case."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def share(descriptor: int) -> None:
    """Hold the lock together with others; waits for an exclusive holder."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def take(path: Path, seconds: float) -> int | None:
    """The descriptor of the exclusive lock on `path`; None when others held it all the time."""
    descriptor = open_lock(path)
    deadline = time.monotonic() + seconds
    try:
        while not try_lock(descriptor):
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.02)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[int]:
    """Hold the exclusive lock on `path`; the value is its descriptor.

    Raises:
        TimeoutError: somebody else held it for all of `seconds`.
    """
    descriptor = take(path, seconds)
    if descriptor is None:
        raise TimeoutError(f"another process has held {path} for {seconds} s")
    try:
        yield descriptor
    finally:
        os.close(descriptor)  # never LOCK_UN: a child may have the lock from us


def is_locked(path: Path) -> bool:
    """Whether somebody holds a lock on `path` at this moment."""
    descriptor = open_lock(path)
    try:
        return not try_lock(descriptor)
    finally:
        os.close(descriptor)
