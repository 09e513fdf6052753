"""The streaming methods, carried by ordinary messages of the peer."""

import time
from typing import Any

from tests.platforms.slack.content import (
    POSTED_CHARACTERS,
    check_blocks,
    check_markdown,
    check_metadata,
    with_ids,
)
from tests.platforms.slack.posting import put_message
from tests.platforms.slack.state import Answer, Arguments, RefusedError, State, Stream

CHUNKS = {"markdown_text", "task_update", "plan_update", "blocks"}


async def start(state: State, arguments: Arguments) -> Answer:
    """chat.startStream."""
    channel = await state.writable(arguments.get("channel"))
    thread_ts = arguments.get("thread_ts")
    if thread_ts is None:
        raise RefusedError("invalid_arguments")
    await state.check_thread(channel, thread_ts)
    if not state.is_direct(channel):
        for recipient in ("recipient_team_id", "recipient_user_id"):
            if not arguments.get(recipient):
                raise RefusedError(f"missing_{recipient}")
    stream = Stream(channel, "", str(thread_ts), time.monotonic())
    _take(state, stream, arguments)
    answer = await put_message(
        state, {"channel": channel, "thread_ts": thread_ts, **_shown(stream)}
    )
    stream.ts = answer["ts"]
    state.streams[channel, stream.ts] = stream
    state.statuses.pop((channel, stream.thread_ts), None)
    state.bring_message(answer["message"])
    return {"ok": True, "channel": channel, "ts": stream.ts}


async def append(state: State, arguments: Arguments) -> Answer:
    """chat.appendStream."""
    stream = await _running(state, arguments)
    if arguments.get("markdown_text") is None and not arguments.get("chunks"):
        raise RefusedError("invalid_arguments")
    _take(state, stream, arguments)
    await _show(state, stream)
    return {"ok": True, "channel": stream.channel, "ts": stream.ts}


async def stop(state: State, arguments: Arguments) -> Answer:
    """chat.stopStream."""
    stream = await _running(state, arguments)
    blocks = arguments.get("blocks")
    if blocks is not None:
        check_blocks(blocks, state.rules.check_blocks)
    check_metadata(arguments.get("metadata"))
    _take(state, stream, arguments)
    stream.blocks += with_ids(blocks) or []
    before = await state.find(stream.channel, stream.ts)
    answer = await _show(state, stream)
    del state.streams[stream.channel, stream.ts]
    if arguments.get("metadata") is not None:
        extras = state.extras.setdefault((stream.channel, stream.ts), {})
        extras["metadata"] = arguments["metadata"]
    state.bring_message(before or answer["message"], answer["message"])
    return {
        "ok": True,
        "channel": stream.channel,
        "ts": stream.ts,
        "message": answer["message"],
    }


async def _running(state: State, arguments: Arguments) -> Stream:
    channel = await state.writable(arguments.get("channel"))
    ts = arguments.get("ts")
    stream = state.stream(channel, ts)
    if stream is None:
        await state.own_message(channel, ts, "message_not_owned_by_app")
        raise RefusedError("message_not_in_streaming_state")
    if stream.is_stopped_by_person:
        del state.streams[channel, stream.ts]
        raise RefusedError("stopped_by_user")
    return stream


def _take(state: State, stream: Stream, arguments: Arguments) -> None:
    """Add what a call brings to its stream, all of it or, if Slack refuses some, nothing."""
    if arguments.get("markdown_text") is not None and arguments.get("chunks"):
        raise RefusedError("invalid_arguments")
    markdown = stream.markdown + check_markdown(arguments.get("markdown_text"))
    blocks = list(stream.blocks)
    for chunk in arguments.get("chunks") or ():
        if not isinstance(chunk, dict) or chunk.get("type") not in CHUNKS:
            raise RefusedError("invalid_chunks")
        if chunk["type"] == "markdown_text":
            markdown += check_markdown(chunk.get("text"))
        if chunk["type"] == "blocks":
            check_blocks(chunk.get("blocks"), state.rules.check_blocks)
            blocks += with_ids(chunk["blocks"]) or []
    if len(markdown) > POSTED_CHARACTERS:
        raise RefusedError("msg_too_long")
    stream.markdown, stream.blocks = markdown, blocks


def _shown(stream: Stream) -> dict[str, Any]:
    written = [{"type": "markdown", "text": stream.markdown}] if stream.markdown else []
    return {"text": stream.markdown, "blocks": with_ids([*written, *stream.blocks])}


async def _show(state: State, stream: Stream) -> Answer:
    asked = {"channel": stream.channel, "ts": stream.ts, **_shown(stream)}
    return await state.ask("chat.update", asked)


METHODS = {"chat.appendStream": append, "chat.startStream": start, "chat.stopStream": stop}
