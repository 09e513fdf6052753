"""A folder of Markdown, reStructuredText, text and HTML files as a source."""

import errno
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from pathspec import GitIgnoreSpec

from bot.errors import DocumentRejectedError, SourceError
from ingest.parsing import EXTENSIONS, MAX_BYTES
from ingest.sources import Item

# A file changed this recently may change again without its time stamp showing it (file systems
# keep time in steps), so its tag promises nothing yet; git calls such an entry racy.
RACY_SECONDS = 2.0


class FolderSource:
    """Files below `root`, never one outside it: no link is followed, nothing but files opened.

    `include` and `exclude` are patterns as in a .gitignore.
    """

    def __init__(
        self,
        name: str,
        root: Path,
        *,
        include: tuple[str, ...] = (),
        exclude: tuple[str, ...] = (),
        url: str | None = None,
        audience: frozenset[str],
    ) -> None:
        self.name = name
        self.audience = audience
        self._root = root
        self._include = GitIgnoreSpec.from_lines(include or ("*",))
        self._exclude = GitIgnoreSpec.from_lines(exclude)
        self._url = url

    def list(self) -> Iterator[Item]:
        """Every file with a known extension, in order of its path; hidden ones are left out.

        Raises:
            SourceError: a folder cannot be listed.
        """
        if not self._root.is_dir():
            raise SourceError(f"The folder {self._root} does not exist. Check sources.folder.")
        now = time.time()
        for folder, subfolders, files, descriptor in os.fwalk(self._root, onerror=_refuse):
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            relative = Path(folder).relative_to(self._root)
            for name in sorted(files):
                path = PurePosixPath((relative / name).as_posix())
                if self._is_wanted(path):
                    item = self._item(path, descriptor, now)
                    if item:
                        yield item

    def read(self, item: Item) -> bytes:
        """The file's bytes.

        Raises:
            DocumentRejectedError: it vanished, may not be read, is no file or is too large.
        """
        try:
            descriptor = self._open(PurePosixPath(item.uri))
        except OSError as error:
            raise DocumentRejectedError(_reason(error, item.uri)) from error
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DocumentRejectedError("is not a regular file")
            if status.st_size > MAX_BYTES:
                raise DocumentRejectedError(
                    f"is too large: {status.st_size / 1e6:.0f} MB, the limit is "
                    f"{MAX_BYTES / 1e6:.0f} MB"
                )
            return file.read(MAX_BYTES + 1)

    def _is_wanted(self, path: PurePosixPath) -> bool:
        if path.name.startswith(".") or path.suffix.lower() not in EXTENSIONS:
            return False
        return self._include.match_file(path) and not self._exclude.match_file(path)

    def _item(self, path: PurePosixPath, folder: int, now: float) -> Item | None:
        try:
            status = os.stat(path.name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        changed = max(status.st_mtime, status.st_ctime)
        is_racy = abs(now - changed) < RACY_SECONDS
        tag = f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"
        uri = os.fsencode(str(path)).decode("utf-8", "backslashreplace")
        return Item(uri, self._link(uri), None if is_racy else tag)

    def _link(self, uri: str) -> str:
        return f"{self._url.rstrip('/')}/{quote(uri)}" if self._url else uri

    def _open(self, path: PurePosixPath) -> int:
        """A descriptor of the file, every step of its path opened without following links."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for step in path.parts[:-1]:
                below = os.open(step, flags | os.O_DIRECTORY, dir_fd=folder)
                os.close(folder)
                folder = below
            return os.open(path.name, flags, dir_fd=folder)
        finally:
            os.close(folder)


def _refuse(error: OSError) -> None:
    raise SourceError(
        f"The folder {error.filename} cannot be listed: {error.strerror}. Give supportbot the "
        "right to read it; until then nothing of this source is removed from the index."
    ) from error


def _reason(error: OSError, uri: str) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "is a link, which is never followed"
    if isinstance(error, FileNotFoundError):
        if "\\x" in uri:
            return "has a name that is not UTF-8; rename it"
        return "vanished while the folder was read"
    return f"cannot be read: {error.strerror}"
