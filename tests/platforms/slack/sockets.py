"""Socket Mode between the proxy and the bot: connections, and what can go wrong with them."""

import asyncio
import json
import socket
import struct
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSCloseCode, WSMsgType, web

from tests.platforms.slack.deliveries import EVENTS
from tests.platforms.slack.journal import Attempt, Delivery
from tests.platforms.slack.people import APP
from tests.platforms.slack.state import State

# Slack closes a connection a moment after it said that it would.
CLOSE_SECONDS = 0.05
MAX_BYTES = 16 * 2**20


@dataclass(slots=True, eq=False)
class Line:
    """One open connection."""

    ws: web.WebSocketResponse
    request: web.Request
    deaf_until: float = 0.0
    waiting: dict[str, "asyncio.Future[Any]"] = field(default_factory=dict)

    @property
    def is_deaf(self) -> bool:
        """Whether nothing passes at present."""
        return time.monotonic() < self.deaf_until


class Sockets:
    """The bot's open connections. What is brought goes to exactly one of them, by chance."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._tickets: set[str] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self.lines: list[Line] = []
        self.opened = 0

    def ticket(self, base_url: str) -> str:
        """An address to connect to, good once."""
        ticket = uuid.uuid4().hex
        self._tickets.add(ticket)
        return f"{base_url.replace('http', 'ws', 1)}/socket/{ticket}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, from its opening to its end."""
        ticket = request.match_info["ticket"]
        if ticket not in self._tickets or self._state.rules.is_away:
            return web.Response(status=404)
        self._tickets.discard(ticket)
        # Pings are answered here, as a deaf connection must not.
        ws = web.WebSocketResponse(autoping=False, max_msg_size=MAX_BYTES)
        await ws.prepare(request)
        line = Line(ws, request)
        if len(self.lines) >= self._state.rules.max_sockets:
            await ws.send_str(_disconnect("too_many_websockets"))
            await ws.close()
            return ws
        self.lines.append(line)
        self.opened += 1
        try:
            await ws.send_str(_hello(len(self.lines)))
            async for message in ws:
                await self._hear(line, message.type, message.data)
        except ConnectionError:
            pass
        finally:
            self._forget(line)
        return ws

    async def push(self, delivery: Delivery, attempt: Attempt) -> tuple[bool, Any]:
        """Send to one of the connections and wait for its ack."""
        if not self.lines or self._state.rules.is_away:
            attempt.failure = "no_socket"
            return False, None
        line = self._state.rules.chance.choice(self.lines)
        return await self._push(line, delivery, attempt)

    async def _push(self, line: Line, delivery: Delivery, attempt: Attempt) -> tuple[bool, Any]:
        acked = asyncio.get_running_loop().create_future()
        line.waiting[attempt.envelope_id] = acked
        try:
            async with asyncio.timeout(self._state.rules.ack_seconds):
                if not line.is_deaf:
                    await line.ws.send_str(_envelope(delivery, attempt))
                return True, await acked
        except TimeoutError:
            attempt.failure = "timeout"
        except ConnectionError:
            attempt.failure = "connection_closed"
        finally:
            line.waiting.pop(attempt.envelope_id, None)
            if acked.done() and not acked.cancelled():
                acked.exception()
        return False, None

    async def send(self, text: str) -> None:
        """Send a frame of any text over every connection."""
        for line in list(self.lines):
            await line.ws.send_str(text)

    async def disconnect(self, reason: str = "refresh_requested", lines: int | None = None) -> None:
        """Tell connections, all or so many, that they will be closed, and close them."""
        for line in list(self.lines)[:lines]:
            self._forget_later(line)
            await line.ws.send_str(_disconnect(reason))

    async def too_many(self) -> None:
        """Close every connection as one too many."""
        await self.disconnect("too_many_websockets")

    def blackhole(self, seconds: float, lines: int | None = None) -> None:
        """Let nothing pass over the open connections for a while: no events, acks or pongs."""
        for line in self.lines[:lines]:
            line.deaf_until = time.monotonic() + seconds

    def reset(self, lines: int | None = None) -> None:
        """Break connections with a TCP reset."""
        for line in list(self.lines)[:lines]:
            reset_connection(line.request)

    async def stop(self) -> None:
        """Close everything."""
        for line in list(self.lines):
            await line.ws.close(code=WSCloseCode.GOING_AWAY)
        for task in list(self._closing):
            task.cancel()

    async def _hear(self, line: Line, kind: WSMsgType, data: Any) -> None:
        if line.is_deaf:
            return
        if kind == WSMsgType.PING:
            await line.ws.pong(data)
        elif kind == WSMsgType.TEXT:
            try:
                said = json.loads(data)
            except ValueError:
                return
            acked = line.waiting.get(str(said.get("envelope_id")))
            if acked is not None and not acked.done():
                acked.set_result(said.get("payload"))

    def _forget_later(self, line: Line) -> None:
        """Give the connection nothing more, and close it soon."""
        if line in self.lines:
            self.lines.remove(line)

        async def close() -> None:
            await asyncio.sleep(CLOSE_SECONDS)
            await line.ws.close()

        task = asyncio.get_running_loop().create_task(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _forget(self, line: Line) -> None:
        if line in self.lines:
            self.lines.remove(line)
        for acked in line.waiting.values():
            if not acked.done():
                acked.set_exception(ConnectionResetError())


def reset_connection(request: web.Request) -> None:
    """Break the connection of a request with a TCP reset."""
    transport = request.transport
    if transport is None:
        return
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def _hello(number: int) -> str:
    debug = {"host": "applink-test", "build_number": 1, "approximate_connection_time": 18060}
    return json.dumps(
        {
            "type": "hello",
            "num_connections": number,
            "connection_info": {"app_id": APP},
            "debug_info": debug,
        }
    )


def _disconnect(reason: str) -> str:
    return json.dumps(
        {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-test"}}
    )


def _envelope(delivery: Delivery, attempt: Attempt) -> str:
    envelope: dict[str, Any] = {
        "envelope_id": attempt.envelope_id,
        "type": delivery.kind,
        "payload": delivery.payload,
        "accepts_response_payload": delivery.kind != EVENTS,
    }
    if delivery.kind == EVENTS:
        envelope |= {"retry_attempt": attempt.number, "retry_reason": attempt.reason or ""}
    return json.dumps(envelope)
