"""A small server on loopback that speaks OpenAI's streaming protocol from a script."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its status and headers, the pieces of its text, and how it ends.

    `end` is "whole", "cut" (the connection breaks), "closed" (it ends without saying so), "silent"
    (nothing more comes) or "garbage" (what comes is no JSON).
    """

    pieces: tuple[str, ...] = ()
    end: str = "whole"
    status: int = 200
    headers: tuple[str, ...] = ()
    pause_seconds: float = 0.0


@dataclass(slots=True)
class LlmServer:
    """Gives its replies in turn, the last one for ever; keeps what it was asked."""

    replies: list[Reply]
    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def said(self) -> str:
        """What the last request says to the model, its rules left out."""
        content: str = self.asked[-1]["messages"][-1]["content"]
        return content

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a request, give the next reply."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = {
                name.lower(): value
                for name, _, value in (line.partition(": ") for line in head.split("\r\n"))
            }
            self.asked.append(json.loads(await reader.readexactly(int(headers["content-length"]))))
            self.keys.append(headers.get("authorization", ""))
            reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            await self._give(reply, writer)
            if reply.end == "silent":
                await reader.read()
                self.left.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.left.set()
        finally:
            writer.close()

    async def _give(self, reply: Reply, writer: asyncio.StreamWriter) -> None:
        kind = "text/event-stream" if reply.status == 200 else "application/json"
        extra = "".join(f"{header}\r\n" for header in reply.headers)
        writer.write(
            f"HTTP/1.1 {reply.status} X\r\nContent-Type: {kind}\r\nConnection: close\r\n"
            f"Transfer-Encoding: chunked\r\n{extra}\r\n".encode()
        )
        if reply.status != 200:
            _chunk(writer, json.dumps({"error": {"message": "Wrong key sk-canary-1234567"}}))
        else:
            _event(writer, {"role": "assistant", "content": ""})
        for piece in reply.pieces:
            _event(writer, {"content": piece})
            await writer.drain()
            await asyncio.sleep(reply.pause_seconds)
        if reply.end == "garbage":
            _chunk(writer, "data: {not JSON at all\n\n")
        if reply.end == "whole" and reply.status == 200:
            _event(writer, {}, "stop")
            _chunk(writer, "data: [DONE]\n\n")
        if reply.end not in {"cut", "silent"}:
            writer.write(b"0\r\n\r\n")
        await writer.drain()


@asynccontextmanager
async def llm_server(*replies: Reply) -> AsyncIterator[LlmServer]:
    """The server with its replies, stopped at the end."""
    script = LlmServer(list(replies))
    server = await asyncio.start_server(script.answer, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield script
    finally:
        server.close()


def _event(writer: asyncio.StreamWriter, delta: dict[str, str], finish: str | None = None) -> None:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    _chunk(writer, f"data: {json.dumps(chunk | {'choices': [choice]})}\n\n")


def _chunk(writer: asyncio.StreamWriter, text: str) -> None:
    data = text.encode()
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
