"""The methods of what is not a message: views, the agent's pane, sessions, files."""

import time
from typing import Any

from tests.platforms.slack.content import check_blocks, check_view
from tests.platforms.slack.people import PEOPLE
from tests.platforms.slack.state import Answer, Arguments, RefusedError, State, Upload

SESSION_STATUSES = {"active", "processing", "suspended", "closed"}
MOST_PROMPTS, MOST_LOADING_MESSAGES, TITLE_CHARACTERS = 4, 10, 200


async def open_view(state: State, arguments: Arguments) -> Answer:
    """views.open."""
    return await _open(state, arguments, "views.open")


async def push_view(state: State, arguments: Arguments) -> Answer:
    """views.push."""
    return await _open(state, arguments, "views.push")


async def _open(state: State, arguments: Arguments, method: str) -> Answer:
    trigger_id = arguments.get("trigger_id")
    seen = state.triggers.get(str(trigger_id))
    if seen is None:
        raise RefusedError("invalid_trigger_id")
    if trigger_id in state.used_triggers:
        raise RefusedError("exchanged_trigger_id")
    if time.monotonic() - seen[0] > state.rules.trigger_seconds:
        raise RefusedError("expired_trigger_id")
    check_view(arguments.get("view"), state.rules.check_view)
    state.used_triggers.add(str(trigger_id))
    answer = await state.ask(method, arguments)
    state.view_ids[answer["view"]["id"]] = answer["view"]["id"]
    return _opened(state, answer, seen[1])


async def update_view(state: State, arguments: Arguments) -> Answer:
    """views.update: the view keeps its id."""
    check_view(arguments.get("view"), state.rules.check_view)
    wanted = arguments.get("view_id")
    if wanted is not None:
        current = next((mine for mine, seen in state.view_ids.items() if seen == wanted), wanted)
        if all(view["id"] != current for view in (await state.snapshot())["modalStack"]):
            raise RefusedError("not_found")
        state.view_ids.pop(current, None)
        arguments = {**arguments, "view_id": current}
    answer = await state.ask("views.update", arguments)
    state.view_ids[answer["view"]["id"]] = wanted or answer["view"]["id"]
    return _opened(state, answer, None)


def _opened(state: State, answer: Answer, person: str | None) -> Answer:
    view = answer["view"]
    seen = state.view_ids[view["id"]]
    shown = {**view, "id": seen}
    state.opened.append({**shown, "person": person})
    while len(state.view_ids) > 100:
        state.view_ids.pop(next(iter(state.view_ids)))
    return {"ok": True, "view": shown}


async def publish_home(state: State, arguments: Arguments) -> Answer:
    """views.publish."""
    if arguments.get("user_id") not in PEOPLE:
        raise RefusedError("invalid_arguments")
    check_view(arguments.get("view"), state.rules.check_view)
    return await state.ask("views.publish", arguments)


async def set_status(state: State, arguments: Arguments) -> Answer:
    """assistant.threads.setStatus."""
    channel, thread_ts = await _thread(state, arguments)
    if arguments.get("status") is None:
        raise RefusedError("invalid_arguments")
    if len(arguments.get("loading_messages") or ()) > MOST_LOADING_MESSAGES:
        raise RefusedError("invalid_arguments")
    state.statuses[channel, thread_ts] = arguments["status"]
    return {"ok": True}


async def set_prompts(state: State, arguments: Arguments) -> Answer:
    """assistant.threads.setSuggestedPrompts."""
    channel = await state.writable(arguments.get("channel_id"))
    await state.check_thread(channel, arguments.get("thread_ts"))
    prompts = arguments.get("prompts")
    if not isinstance(prompts, list) or not 1 <= len(prompts) <= MOST_PROMPTS:
        raise RefusedError("invalid_arguments")
    if not all(prompt.get("title") and prompt.get("message") for prompt in prompts):
        raise RefusedError("invalid_arguments")
    state.prompts[channel] = prompts
    return {"ok": True}


async def set_title(state: State, arguments: Arguments) -> Answer:
    """assistant.threads.setTitle."""
    channel, thread_ts = await _thread(state, arguments)
    _set_title(state, channel, thread_ts, arguments.get("title"))
    return {"ok": True}


async def set_session_status(state: State, arguments: Arguments) -> Answer:
    """agents.sessions.setStatus: the same place as the thread's status."""
    channel, thread_ts = await _session(state, arguments)
    if arguments.get("status") not in SESSION_STATUSES:
        raise RefusedError("invalid_arguments")
    if arguments.get("title") is not None:
        _set_title(state, channel, thread_ts, arguments["title"])
    state.statuses[channel, thread_ts] = arguments["status"]
    return {"ok": True}


async def rename_session(state: State, arguments: Arguments) -> Answer:
    """agents.sessions.rename."""
    channel, thread_ts = await _session(state, arguments)
    _set_title(state, channel, thread_ts, arguments.get("title"))
    return {"ok": True}


def _set_title(state: State, channel: str, thread_ts: str, title: Any) -> None:
    if not isinstance(title, str) or not 0 < len(title) <= TITLE_CHARACTERS:
        raise RefusedError("invalid_arguments")
    state.titles[channel, thread_ts] = title


async def _thread(state: State, arguments: Arguments) -> tuple[str, str]:
    if arguments.get("thread_ts") is None:
        raise RefusedError("invalid_thread_ts")
    return await _session(state, arguments)


async def _session(state: State, arguments: Arguments) -> tuple[str, str]:
    """The channel and thread of an agent's session; without a thread it is the channel's."""
    channel = await state.writable(arguments.get("channel_id"))
    await state.check_thread(channel, arguments.get("thread_ts"))
    return channel, str(arguments.get("thread_ts") or "")


async def upload_url(state: State, arguments: Arguments) -> Answer:
    """files.getUploadURLExternal; the address is the proxy's, put there by the server."""
    answer = await state.ask("files.getUploadURLExternal", arguments)
    state.uploads[answer["file_id"]] = Upload(str(arguments.get("filename")))
    while len(state.uploads) > 200:
        state.uploads.pop(next(iter(state.uploads)))
    return answer


async def complete_upload(state: State, arguments: Arguments) -> Answer:
    """files.completeUploadExternal."""
    channel = arguments.get("channel_id")
    if channel is not None:
        channel = await state.writable(channel)
        await state.check_thread(channel, arguments.get("thread_ts"))
    if arguments.get("blocks"):
        check_blocks(arguments["blocks"], state.rules.check_blocks)
    answer = await state.ask("files.completeUploadExternal", {**arguments, "channel_id": channel})
    for file in answer["files"]:
        upload = state.uploads.setdefault(file["id"], Upload(file["name"]))
        upload.channel, upload.thread_ts = channel, arguments.get("thread_ts")
        upload.comment = arguments.get("initial_comment")
    return answer


METHODS = {
    "agents.sessions.rename": rename_session,
    "agents.sessions.setStatus": set_session_status,
    "assistant.threads.setStatus": set_status,
    "assistant.threads.setSuggestedPrompts": set_prompts,
    "assistant.threads.setTitle": set_title,
    "files.completeUploadExternal": complete_upload,
    "files.getUploadURLExternal": upload_url,
    "views.open": open_view,
    "views.publish": publish_home,
    "views.push": push_view,
    "views.update": update_view,
}
