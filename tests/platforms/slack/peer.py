"""local-slack, a Slack work-alike in one binary from the npm package of that name, on loopback."""

import base64
import hashlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

import yaml

from tests.platforms.slack.people import workspace

VERSION = "0.1.8"
PACKAGE = f"local-slack-linux-x64@{VERSION}"
INTEGRITY = (
    "2BCTKxKajjZNWCSCj66Jq5VDScUDNpGZ1lA3281I8RvpDE4/ULCwC26TlcW6/4sPbSTs02Q3KjTiltJp3ZBEvg=="
)
INSTALL_SECONDS = 120
START_SECONDS = 60

# The peer would listen to the whole network, and would outlive a test run that is killed: the pipe
# of its input closes with whoever started it.
PRELOAD = """\
const serve = Bun.serve;
(Bun as any).serve = (options: any) => serve({ ...options, hostname: "127.0.0.1" });
(async () => { for await (const _ of Bun.stdin.stream()); process.exit(0); })();
"""


class UnavailableError(Exception):
    """The Slack to test against cannot be had here."""


def cache_directory() -> Path:
    """Where the binary is kept from one run to the next."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "supportbot-tests" / f"local-slack-{VERSION}"


def install(directory: Path) -> Path:
    """The path of the binary, fetched with npm unless it is already in `directory`.

    Only the binary is unpacked, from a package of the known hash: no install script runs.
    Raises `UnavailableError` with one line of why.
    """
    binary = directory / "local-slack"
    if binary.exists():
        return binary
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise UnavailableError("local-slack is built for Linux on x86-64 only")
    npm = shutil.which("npm")
    if npm is None:
        raise UnavailableError("local-slack needs npm, which is not installed")
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        unpacked = _unpack(_fetch(npm, Path(folder)), Path(folder))
        unpacked.chmod(0o755)
        unpacked.replace(binary)
    return binary


def _fetch(npm: str, folder: Path) -> Path:
    try:
        packed = subprocess.run(
            [npm, "pack", PACKAGE, "--json", "--fetch-retries=1"],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
        archive = folder / json.loads(packed.stdout)[0]["filename"]
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if not line.startswith("npm warn")]
        reason = lines[0] if lines else "npm gave no reason"
        raise UnavailableError(f"npm could not fetch {PACKAGE}: {reason}") from error
    except (subprocess.TimeoutExpired, OSError, ValueError, LookupError) as error:
        raise UnavailableError(f"npm could not fetch {PACKAGE}: {error}") from error
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != INTEGRITY:
        raise UnavailableError(f"{PACKAGE} is not the package these tests know (hash {digest})")
    return archive


def _unpack(archive: Path, folder: Path) -> Path:
    with tarfile.open(archive) as package:
        member = package.extractfile("package/bin/local-slack")
        assert member is not None
        with (folder / "binary").open("wb") as binary:
            shutil.copyfileobj(member, binary)
    return folder / "binary"


def free_port() -> int:
    """A port of loopback nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Peer:
    """A running local-slack: `url` is its address.

    `mode` says how it brings events: "socket", over connections opened to it, or "events", posted
    to `hook_port` of loopback, which whoever wants them listens on.
    """

    def __init__(self, binary: Path, folder: Path, mode: str = "socket") -> None:
        self.mode = mode
        self.hook_port = free_port() if mode == "events" else None
        self.url = f"http://127.0.0.1:{free_port()}"
        self._binary = binary
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        hook = f"http://127.0.0.1:{self.hook_port}/from-peer" if self.hook_port else None
        (self._folder / "workspace.yaml").write_text(yaml.safe_dump(workspace(self.mode, hook)))
        (self._folder / "preload.ts").write_text(PRELOAD)
        port = self.url.rpartition(":")[2]
        with (self._folder / "peer.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(self._binary, "--config", "workspace.yaml", "--port", port),
                    *("--base-host", "127.0.0.1", "--files-dir", "files"),
                ],
                cwd=self._folder,
                env={**os.environ, "BUN_OPTIONS": "--preload ./preload.ts"},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None

    def _wait(self) -> None:
        assert self._process is not None
        until = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.url}/_control/state", timeout=1):
                    return
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                time.sleep(0.02)
        said = (self._folder / "peer.log").read_text(errors="replace").strip()
        raise UnavailableError(f"local-slack did not start: {said or 'it said nothing'}")
