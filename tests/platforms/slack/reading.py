"""The methods that read: messages, channels, people, groups; in pages, as Slack gives them."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from tests.platforms.slack.people import BOT, FLAGS, TEAM
from tests.platforms.slack.state import POSTING_REFUSALS, Answer, Arguments, RefusedError, State


async def auth_test(state: State, arguments: Arguments) -> Answer:
    """auth.test."""
    answer = await state.ask("auth.test", arguments)
    return {**answer, "url": "https://test.slack.com/"}


async def history(state: State, arguments: Arguments) -> Answer:
    """conversations.history: the newest first, replies left out."""
    channel = await state.readable(arguments.get("channel"))
    answer = await state.ask("conversations.history", {"channel": channel})
    messages = _between(answer["messages"], arguments)
    page = _page(messages, arguments, 100, state.rules.page_limit)
    return _messages(state, channel, arguments, *page)


async def replies(state: State, arguments: Arguments) -> Answer:
    """conversations.replies: the thread's first message, then its replies, the oldest first."""
    channel = await state.readable(arguments.get("channel"))
    ts = arguments.get("ts")
    answer = await state.ask("conversations.replies", {"channel": channel, "ts": str(ts)})
    if not answer["messages"]:
        raise RefusedError("thread_not_found")
    messages = _between(answer["messages"], arguments, ts)
    page = _page(messages, arguments, 1000, state.rules.page_limit)
    return _messages(state, channel, arguments, *page)


async def channel_info(state: State, arguments: Arguments) -> Answer:
    """conversations.info."""
    channel = await state.resolve(arguments.get("channel"))
    if state.rules.refused.get(channel) == "channel_not_found":
        raise RefusedError("channel_not_found")
    answer = await state.ask("conversations.info", {"channel": channel})
    return {"ok": True, "channel": _described(state, answer["channel"])}


async def channel_members(state: State, arguments: Arguments) -> Answer:
    """conversations.members."""
    channel = await state.readable(arguments.get("channel"))
    members = state.channels[channel]["members"]
    some, cursor = _page(members, arguments, 100, state.rules.page_limit)
    return {"ok": True, "members": some, "response_metadata": {"next_cursor": cursor}}


async def channel_list(state: State, arguments: Arguments) -> Answer:
    """conversations.list."""
    return await _channels(state, arguments, "conversations.list")


async def own_channels(state: State, arguments: Arguments) -> Answer:
    """users.conversations."""
    return await _channels(state, arguments, "users.conversations")


async def _channels(state: State, arguments: Arguments, method: str) -> Answer:
    await state.refresh_channels()
    answer = await state.ask(method, {"types": "public_channel,private_channel,im"})
    kinds = str(arguments.get("types") or "public_channel").split(",")
    found = [
        _described(state, channel) for channel in answer["channels"] if _kind(channel) in kinds
    ]
    if str(arguments.get("exclude_archived")).lower() in {"true", "1"}:
        found = [channel for channel in found if not channel["is_archived"]]
    some, cursor = _page(found, arguments, 100, state.rules.page_limit)
    return {"ok": True, "channels": some, "response_metadata": {"next_cursor": cursor}}


async def person(state: State, arguments: Arguments) -> Answer:
    """users.info."""
    answer = await state.ask("users.info", {"user": arguments.get("user")})
    return {"ok": True, "user": _flagged(answer["user"])}


async def people(state: State, arguments: Arguments) -> Answer:
    """users.list."""
    answer = await state.ask("users.list", {})
    members = [_flagged(member) for member in answer["members"]]
    some, cursor = _page(members, arguments, 1000, state.rules.page_limit)
    return {"ok": True, "members": some, "response_metadata": {"next_cursor": cursor}}


async def group_members(state: State, arguments: Arguments) -> Answer:
    """usergroups.users.list."""
    members = state.rules.groups.get(str(arguments.get("usergroup")))
    if members is None:
        raise RefusedError("no_such_subteam")
    return {"ok": True, "users": members}


async def groups(state: State, _: Arguments) -> Answer:
    """usergroups.list."""
    found = [
        {"id": name, "team_id": TEAM, "handle": name.lower(), "user_count": len(members)}
        for name, members in state.rules.groups.items()
    ]
    return {"ok": True, "usergroups": found}


def _flagged(user: dict[str, Any]) -> dict[str, Any]:
    usual = {"is_owner": False, "is_restricted": False, "is_ultra_restricted": False}
    return {**usual, **user, **FLAGS.get(user["id"], {})}


def _kind(channel: dict[str, Any]) -> str:
    if channel["is_im"]:
        return "im"
    return "private_channel" if channel["is_private"] else "public_channel"


def _described(state: State, channel: dict[str, Any]) -> dict[str, Any]:
    members = state.channels.get(channel["id"], {}).get("members", ())
    described = {
        **channel,
        "is_member": BOT in members and not channel["is_im"],
        "is_archived": state.rules.refused.get(channel["id"]) in POSTING_REFUSALS,
        "is_ext_shared": False,
    }
    if channel["is_im"]:
        described["user"] = next((name for name in members if name != BOT), None)
    return described


def _between(
    messages: list[dict[str, Any]], arguments: Arguments, parent: str | None = None
) -> list[dict[str, Any]]:
    oldest = float(arguments.get("oldest") or 0)
    latest = float(arguments.get("latest") or "inf")
    is_inclusive = str(arguments.get("inclusive")).lower() in {"true", "1"}
    kept = []
    for message in messages:
        ts = float(message["ts"])
        is_inside = oldest < ts < latest or (is_inclusive and ts in {oldest, latest})
        if message.get("subtype") != "ephemeral" and (is_inside or message["ts"] == parent):
            kept.append(message)
    return kept


def _page(
    items: Sequence[Any], arguments: Arguments, usual: int, most: int
) -> tuple[list[Any], str]:
    """The items of the page asked for, and the cursor of the next ("" after the last)."""
    limit = min(int(arguments.get("limit") or usual), most)
    first = 0
    if arguments.get("cursor"):
        try:
            first = int(
                base64.b64decode(arguments["cursor"], validate=True).decode()[len("next:") :]
            )
        except (ValueError, binascii.Error) as error:
            raise RefusedError("invalid_cursor") from error
    cursor = ""
    if first + limit < len(items):
        cursor = base64.b64encode(f"next:{first + limit}".encode()).decode()
    return list(items[first : first + limit]), cursor


def _messages(
    state: State, channel: str, arguments: Arguments, some: list[dict[str, Any]], cursor: str
) -> Answer:
    has_metadata = str(arguments.get("include_all_metadata")).lower() in {"true", "1"}
    messages = []
    for message in some:
        kept = state.extras.get((channel, message["ts"]), {})
        known = {name: value for name, value in kept.items() if name != "metadata" or has_metadata}
        messages.append({**message, "team": TEAM, **known})
    return {
        "ok": True,
        "messages": messages,
        "has_more": bool(cursor),
        "response_metadata": {"next_cursor": cursor},
    }


METHODS = {
    "auth.test": auth_test,
    "conversations.history": history,
    "conversations.info": channel_info,
    "conversations.list": channel_list,
    "conversations.members": channel_members,
    "conversations.replies": replies,
    "usergroups.list": groups,
    "usergroups.users.list": group_members,
    "users.conversations": own_channels,
    "users.info": person,
    "users.list": people,
}
