"""What the reading process may do: little memory, time and nothing outside itself."""

import contextlib
import resource
import signal
import sys

OPEN_FILES = 32
# Its imports are all that it opens; a document cannot be one of these by name and do harm.
IMPORTED = (".py", ".pyc")
FORBIDDEN = ("socket.", "subprocess.", "os.", "ctypes.", "shutil.", "urllib.", "webbrowser.")
HARMLESS = {"os.listdir", "os.scandir"}


def confine(memory_bytes: int) -> None:
    """Limit this process for good: memory, files, and what Python may reach."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    sys.dont_write_bytecode = True
    sys.addaudithook(_refuse)


def allow_seconds(seconds: int) -> None:
    """Let this process run so long from now on; it ends itself when nobody else does."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    with contextlib.suppress(ValueError):
        until = int(used.ru_utime + used.ru_stime) + seconds + 1
        resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def _limit(kind: int, value: int) -> None:
    # macOS knows RLIMIT_AS but refuses it.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, value))


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        path = arguments[0]
        if not isinstance(path, int) and not str(path).endswith(IMPORTED):
            raise PermissionError("a document may open no file")
    elif event.startswith(FORBIDDEN) and event not in HARMLESS:
        raise PermissionError(f"a document may not reach outside: {event}")
