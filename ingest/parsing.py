"""Bytes of a file to Markdown, read in a child process that can be killed and is short of all."""

import json
import math
import os
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self

from bot.errors import DocumentRejectedError, SupportbotError
from ingest.markup import EXTENSIONS

__all__ = ["EXTENSIONS", "MAX_BYTES", "Parsed", "Parser"]

MAX_BYTES = 10_000_000
# Tables repeat cells and links repeat their targets, but no honest page grows beyond this.
MAX_REPLY_BYTES = 4 * MAX_BYTES
START_SECONDS = 60.0
CHUNK = 65_536


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a document says: its title, never empty, and its text as Markdown."""

    title: str
    markdown: str


class Parser:
    """Reads documents one after another; one that harms its reader harms no other.

    The child starts with the first document and is replaced after one that took too long or too
    much. It ends with `close`, and when this process dies.
    """

    def __init__(self, *, seconds: float = 30.0, memory_mb: int = 512) -> None:
        self._seconds = seconds
        self._memory_mb = memory_mb
        self._child: _Child | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def parse(self, name: str, data: bytes) -> Parsed:
        """A file's title and Markdown; its name tells the format and is never opened.

        Raises:
            DocumentRejectedError: it cannot be read, with the reason.
            SupportbotError: the child does not start.
        """
        form = EXTENSIONS.get(PurePosixPath(name).suffix.lower())
        if form is None:
            raise DocumentRejectedError("has a format that is not known")
        if len(data) > MAX_BYTES:
            raise DocumentRejectedError(
                f"is too large: {len(data) / 1e6:.1f} MB, the limit is {MAX_BYTES / 1e6:.0f} MB"
            )
        if not data.strip():
            raise DocumentRejectedError("is empty")
        with self._lock:
            is_fresh = self._child is None
            try:
                return self._parse(name, form, data)
            except _SpentError as spent:
                if is_fresh:
                    raise DocumentRejectedError(spent.reason) from None
            # What earlier documents left behind in the child is no fault of this one.
            try:
                return self._parse(name, form, data)
            except _SpentError as spent:
                raise DocumentRejectedError(spent.reason) from None

    def close(self) -> None:
        """End the child; the next document would get another."""
        child, self._child = self._child, None
        if child:
            child.kill()

    def _parse(self, name: str, form: str, data: bytes) -> Parsed:
        self._child = self._child or _Child(self._memory_mb, math.ceil(self._seconds))
        try:
            reply, body = self._child.ask({"name": name, "form": form}, data, self._seconds)
        except TimeoutError:
            self.close()
            raise DocumentRejectedError(f"took longer than {self._seconds:g} s to read") from None
        except EOFError:
            status = self._child.kill()
            self._child = None
            raise _SpentError(_cause(status)) from None
        except BaseException:
            self.close()
            raise
        if "out_of_memory" in reply:
            self.close()
            raise _SpentError(f"needed more memory than {self._memory_mb} MB to read")
        if "rejected" in reply:
            raise DocumentRejectedError(reply["rejected"])
        return Parsed(reply["title"], body.decode())


class _SpentError(Exception):
    """The child ended over a document."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Child:
    """The process that reads, and the two pipes to it."""

    def __init__(self, memory_mb: int, seconds: int) -> None:
        root = str(Path(__file__).parents[1])
        # Secrets stay here: the child gets no environment but what an interpreter needs.
        kept = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ingest.markup", str(memory_mb), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**kept, "PYTHONPATH": root, "PYTHONUTF8": "1"},
            start_new_session=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        try:
            self._receive(time.monotonic() + START_SECONDS)
        except (EOFError, TimeoutError) as error:
            self.kill()
            raise SupportbotError(
                "The process that reads documents does not start. "
                f"Run `{sys.executable} -m ingest.markup 512 30` to see why."
            ) from error

    def ask(
        self, header: dict[str, Any], data: bytes, seconds: float
    ) -> tuple[dict[str, Any], bytes]:
        """The child's reply to a document, within its time.

        Raises:
            TimeoutError: there was none in time.
            EOFError: the child ended.
        """
        deadline = time.monotonic() + seconds
        encoded = json.dumps({**header, "size": len(data)}).encode()
        self._send(struct.pack(">I", len(encoded)) + encoded + data, deadline)
        return self._receive(deadline)

    def kill(self) -> int:
        """End and reap the process; its exit status."""
        self._process.kill()
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        return status

    def _send(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            _wait(self._in, select.POLLOUT, deadline)
            try:
                view = view[os.write(self._in, view[:CHUNK]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise EOFError from None

    def _receive(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        length = struct.unpack(">I", self._read(4, deadline))[0]
        header = json.loads(self._read(length, deadline))
        return header, self._read(header["size"], deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        if size > MAX_REPLY_BYTES:
            raise DocumentRejectedError("is far larger as text than as a file")
        data = bytearray()
        while len(data) < size:
            _wait(self._out, select.POLLIN, deadline)
            try:
                part = os.read(self._out, min(size - len(data), 16 * CHUNK))
            except BlockingIOError:
                continue
            if not part:
                raise EOFError
            data += part
        return bytes(data)


def _wait(descriptor: int, event: int, deadline: float) -> None:
    poll = select.poll()
    poll.register(descriptor, event)
    left = deadline - time.monotonic()
    if left <= 0 or not poll.poll(left * 1000):
        raise TimeoutError


def _cause(status: int) -> str:
    if status == -signal.SIGXCPU:
        return "took longer than its processor time to read"
    if status < 0:
        return f"broke the process that read it ({signal.Signals(-status).name})"
    return f"broke the process that read it (exit status {status})"
