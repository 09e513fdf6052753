"""The reading process: documents come in by stdin, their Markdown goes out by stdout."""

import json
import os
import struct
import sys
from typing import IO, Any

from bot.errors import DocumentRejectedError
from ingest.markup import convert, limits


def main(memory_mb: int, seconds: int) -> None:
    """Serve until stdin ends, which it also does when the parent dies."""
    source = sys.stdin.buffer
    target = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    limits.confine(memory_mb * 1024 * 1024)
    _write(target, {})
    while header := _read(source):
        data = source.read(header["size"])
        limits.allow_seconds(2 * seconds)
        try:
            title, markdown = convert(header["name"], header["form"], data)
            _write(target, {"title": title}, markdown.encode())
        except DocumentRejectedError as error:
            _write(target, {"rejected": str(error)})
        except MemoryError:
            # What is left of the memory is in pieces: the next document gets a fresh process.
            _write(target, {"out_of_memory": True})
            return
        except Exception as error:  # noqa: BLE001 - whatever a document sets off, it is rejected
            _write(target, {"rejected": _reason(error)})


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    return f"cannot be read ({type(error).__name__}: {error})"[:300]


def _read(source: IO[bytes]) -> dict[str, Any] | None:
    length = source.read(4)
    if len(length) < 4:
        return None
    header: dict[str, Any] = json.loads(source.read(struct.unpack(">I", length)[0]))
    return header


def _write(target: IO[bytes], header: dict[str, Any], body: bytes = b"") -> None:
    encoded = json.dumps({**header, "size": len(body)}).encode()
    target.write(struct.pack(">I", len(encoded)) + encoded)
    target.write(body)
    target.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
