"""Fixtures of a Slack to test against; a conftest imports those it needs."""

import asyncio
import gc
import os
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.platforms.slack.peer import Peer, UnavailableError, cache_directory, install
from tests.platforms.slack.rules import Rules, official_checks
from tests.platforms.slack.strict import StrictSlack
from tests.platforms.slack.workspace import Workspace


class Peers:
    """The peers of a test run, one for each mode, started when first needed."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._running: dict[str, Peer] = {}

    def of(self, mode: str) -> Peer:
        """The peer of a mode, "socket" or "events"."""
        if mode not in self._running:
            peer = Peer(install(cache_directory()), self._folder / mode, mode)
            self._running[mode] = self._stack.enter_context(peer)
        return self._running[mode]


@pytest.fixture(scope="session")
def slack_peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    """The peers behind the proxy. Without them the tests are skipped, in CI they fail."""
    with ExitStack() as stack:
        peers = Peers(tmp_path_factory.mktemp("slack"), stack)
        try:
            peers.of("socket")
        except UnavailableError as error:
            if os.environ.get("CI"):
                pytest.fail(f"no Slack to test against: {error}", pytrace=False)
            pytest.skip(f"no Slack to test against: {error}")
        yield peers


@pytest.fixture
def slack_mode() -> str:
    """How the bot is brought events; `parametrize` it to test "events" as well as "socket"."""
    return "socket"


@pytest.fixture
def slack_rules() -> Rules:
    """The rules of the test's Slack, to set before or while it runs."""
    return Rules(*official_checks())


async def end_listeners() -> None:
    """End the listeners of Bolt's that still run, so that each gives its connection back."""
    running = [
        task
        for task in asyncio.all_tasks()
        if "run_ack_function" in getattr(task.get_coro(), "__qualname__", "")
    ]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@pytest.fixture
async def slack(slack_peer: Peers, slack_mode: str, slack_rules: Rules) -> AsyncIterator[Workspace]:
    """A fresh workspace behind a strict proxy."""
    async with StrictSlack(slack_peer.of(slack_mode), slack_rules, slack_mode) as strict:
        yield Workspace(strict)
        await end_listeners()
    # A connection that a test broke off is closed when it is collected, which warns; left to
    # chance, that would be during some other test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
