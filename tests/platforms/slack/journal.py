"""What happened between bot and Slack: calls, deliveries, acks. Bounded, the counts are whole."""

import time
from array import array
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

KEPT_CALLS = 20_000
KEPT_DELIVERIES = 20_000


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the Web API: `answer` is what Slack said (even where the caller never heard it),
    `status` what the caller got: an HTTP status, or 0 for a broken connection. `at` is seconds of
    the monotonic clock."""

    method: str
    arguments: dict[str, Any]
    answer: dict[str, Any]
    status: int
    at: float


@dataclass(slots=True)
class Attempt:
    """One try to bring something to the bot. Times are of the monotonic clock, in seconds."""

    envelope_id: str
    number: int
    reason: str | None
    sent_at: float
    acked_at: float | None = None
    failure: str | None = None


@dataclass(slots=True)
class Delivery:
    """Something to bring to the bot: an event, a command, a click; with every try to bring it.

    `kind` is "events_api", "slash_commands" or "interactive"; `answer` what came with the ack.
    """

    kind: str
    payload: dict[str, Any]
    attempts: list[Attempt] = field(default_factory=list)
    answer: Any = None
    is_over: bool = False

    @property
    def is_acked(self) -> bool:
        """Whether the bot took it."""
        return any(attempt.acked_at is not None for attempt in self.attempts)

    @property
    def name(self) -> str:
        """The event's type, the command, or the kind of interaction."""
        said = self.payload.get("event") if self.kind == "events_api" else self.payload
        return str(said.get("command") or said.get("type")) if isinstance(said, dict) else "none"


class Journal:
    """The last calls and deliveries, and counts of all."""

    def __init__(self) -> None:
        self.calls: deque[Call] = deque(maxlen=KEPT_CALLS)
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT_DELIVERIES)
        # (method, "ok" | Slack's word | "429" | "500" | "reset")
        self.counts: Counter[tuple[str, str]] = Counter()
        # Calls made before the time a 429 had asked to wait for.
        self.early_calls: list[tuple[str, str]] = []
        # What the bot sent as a response to a command or view that Slack would not show.
        self.refused_responses: deque[tuple[str, list[str]]] = deque(maxlen=1000)
        self.ack_seconds = array("d")
        self.delivered = self.unacked = self.retries = self.lost = 0

    def note_call(
        self, method: str, arguments: dict[str, Any], answer: dict[str, Any], status: int
    ) -> None:
        """Keep a call."""
        self.calls.append(Call(method, arguments, answer, status, time.monotonic()))
        self.counts[method, _outcome(answer, status)] += 1

    def note_ack(self, attempt: Attempt) -> None:
        """Keep how long an ack took."""
        attempt.acked_at = time.monotonic()
        self.ack_seconds.append(attempt.acked_at - attempt.sent_at)

    def calls_of(self, method: str) -> list[Call]:
        """The kept calls of a method, oldest first."""
        return [call for call in self.calls if call.method == method]

    def count(self, method: str, outcome: str | None = None) -> int:
        """How many calls of a method there were, all or with one outcome."""
        return sum(
            number
            for (name, ended), number in self.counts.items()
            if name == method and outcome in {None, ended}
        )

    def deliveries_of(self, name: str) -> list[Delivery]:
        """The kept deliveries of an event type, a command or a kind of interaction."""
        return [delivery for delivery in self.deliveries if delivery.name == name]

    def ack_percentile(self, percent: float) -> float:
        """Seconds within which this share of the acks came."""
        if not self.ack_seconds:
            raise AssertionError("Nothing has been acked.")
        ordered = sorted(self.ack_seconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def _outcome(answer: dict[str, Any], status: int) -> str:
    if status == 0:
        return "reset"
    if status != 200:
        return str(status)
    return "ok" if answer.get("ok") else str(answer.get("error"))
