"""Whether this process hears what people say in Slack, and whether it ever stopped to."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Hearing:
    """The connections that hear, and how often there was none since the first.

    `notices_breaks` is False where nothing tells that Slack cannot reach us, as with HTTP events.
    """

    breaks: int = 0
    notices_breaks: bool = True
    is_heard: asyncio.Event = field(default_factory=asyncio.Event)
    _connections: int = 0

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Something is heard until the end of the block."""
        self._connections += 1
        self.is_heard.set()
        try:
            yield
        finally:
            self._connections -= 1
            if self._connections == 0:
                self.breaks += 1
                self.is_heard.clear()
