"""Brings events, commands and clicks to the bot, as often as Slack would."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from tests.platforms.slack.journal import Attempt, Delivery
from tests.platforms.slack.state import State

EVENTS = "events_api"


class Way(Protocol):
    """A way to the bot: Socket Mode, or posts to its address."""

    async def push(self, delivery: Delivery, attempt: Attempt) -> tuple[bool, Any]:
        """Try once: whether the bot took it, and what it said; notes the failure if not."""


class Deliveries:
    """The deliveries under way. Only events are tried again: a command or a click is lost."""

    def __init__(self, state: State, way: Way) -> None:
        self.way = way
        self._state = state
        self._running: set[asyncio.Task[None]] = set()

    def bring(self, kind: str, payload: dict[str, Any]) -> Delivery:
        """Start to bring something; the delivery tells how it goes."""
        delivery = Delivery(kind, payload)
        self._state.journal.deliveries.append(delivery)
        self._state.journal.delivered += 1
        self._start(self._try_until_taken(delivery))
        return delivery

    async def bring_now(self, kind: str, payload: dict[str, Any]) -> Delivery:
        """Bring something and wait for the end of it."""
        delivery = Delivery(kind, payload)
        self._state.journal.deliveries.append(delivery)
        self._state.journal.delivered += 1
        await self._try_until_taken(delivery)
        return delivery

    @property
    def pending(self) -> int:
        """How many are not over, those that will come a second time included."""
        return len(self._running)

    async def settle(self, seconds: float = 30.0) -> None:
        """Wait until nothing is under way."""
        until = time.monotonic() + seconds
        while self._running:
            if time.monotonic() > until:
                raise AssertionError(f"{self.pending} deliveries are not over in {seconds} s")
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """Give up what is under way."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def later(self, seconds: float, bring: Callable[[], Awaitable[Any]]) -> None:
        """Do something in a while, unless stopped before."""

        async def wait() -> None:
            await asyncio.sleep(seconds)
            await bring()

        self._start(wait())

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _try_until_taken(self, delivery: Delivery) -> None:
        waits = self._state.rules.retry_seconds if delivery.kind == EVENTS else ()
        reason: str | None = None
        for number, wait in enumerate((0.0, *waits)):
            if wait:
                await asyncio.sleep(wait)
            if number:
                self._state.journal.retries += 1
            is_taken, reason = await self._try(delivery, number, reason)
            if is_taken or reason == "no_retry":
                break
        delivery.is_over = True
        if not delivery.is_acked:
            self._state.journal.lost += 1
        rules = self._state.rules
        comes_again = rules.chance.random() < rules.redeliver_share
        if delivery.kind == EVENTS and delivery.is_acked and comes_again:
            wait = rules.chance.random() * rules.redeliver_seconds
            self.later(wait, lambda: self._try(delivery, 1, "timeout"))

    async def _try(
        self, delivery: Delivery, number: int, reason: str | None
    ) -> tuple[bool, str | None]:
        attempt = Attempt(str(uuid.uuid4()), number, reason, time.monotonic())
        delivery.attempts.append(attempt)
        is_taken, answer = await self.way.push(delivery, attempt)
        if is_taken:
            delivery.answer = answer
            self._state.journal.note_ack(attempt)
            return True, None
        self._state.journal.unacked += 1
        return False, attempt.failure
