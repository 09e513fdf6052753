"""How strict, how slow and how broken the Slack of a test is: a test sets these as it goes."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from tests.platforms.slack.people import ARCHIVE, GROUPS

Check = Callable[[Any], list[str]]


def find_nothing(_: Any) -> list[str]:
    """No problems."""
    return []


def official_checks() -> tuple[Check, Check]:
    """The checks of blocks and of views, where this checkout has them."""
    if find_spec("tests.platforms.slack.block_kit") is None:
        return find_nothing, find_nothing
    module = import_module("tests.platforms.slack.block_kit")
    return module.problems, module.view_problems


@dataclass(slots=True)
class Rules:
    """What a test may change. Times are in seconds, shares between 0 and 1."""

    check_blocks: Check = find_nothing
    check_view: Check = find_nothing

    # How events are brought. Slack waits 3 seconds for an ack, then tries again at once, after a
    # minute and after five; the waits before these three are shorter here.
    ack_seconds: float = 3.0
    retry_seconds: tuple[float, ...] = (0.05, 0.5, 1.5)
    redeliver_share: float = 0.0
    redeliver_seconds: float = 0.5
    # Which comes first of the two events a mention makes: "message", "app_mention" or "random".
    first_twin: str = "message"
    twin_seconds: float = 0.0
    # The app's own messages come back to it as events.
    brings_own_messages: bool = True
    # The names of events the app has subscribed to, such as "message.im"; None is all.
    events: frozenset[str] | None = None
    max_sockets: int = 10

    # Slack is away: connections break, nothing is answered or brought.
    is_away: bool = False

    # How calls are answered.
    is_tiered: bool = False
    minute_seconds: float = 60.0
    rate_limited_share: float = 0.0
    retry_after_seconds: int = 1
    # The scopes of the bot token; None is all.
    scopes: frozenset[str] | None = None
    # Channels that refuse, with Slack's word for it.
    refused: dict[str, str] = field(default_factory=lambda: {ARCHIVE: "is_archived"})
    groups: dict[str, list[str]] = field(default_factory=lambda: dict(GROUPS))
    stream_seconds: float = 300.0
    trigger_seconds: float = 3.0
    page_limit: int = 1000

    # Chances are drawn from here, so that a test can be repeated by its seed.
    chance: random.Random = field(default_factory=lambda: random.Random(7))


@dataclass(slots=True)
class Fault:
    """Something that goes wrong with calls of one method, `times` times.

    `kind` is "server_error" or "reset" (the call is not carried out), "server_error_after" or
    "reset_after" (it is, and the caller is not told), "slow" (it takes `seconds` longer) or one of
    Slack's words, such as "internal_error".
    """

    method: str
    kind: str
    times: int = 1
    share: float = 1.0
    seconds: float = 0.0
    channel: str | None = None

    def strikes(self, method: str, channel: str | None, chance: random.Random) -> bool:
        """Whether it hits this call; uses up one of its times if so."""
        if self.times <= 0 or self.method not in {method, "*"}:
            return False
        if self.channel not in {None, channel} or chance.random() >= self.share:
            return False
        self.times -= 1
        return True
