"""The methods that write, change and remove messages, and the reactions to them."""

from tests.platforms.slack.content import (
    POSTED_CHARACTERS,
    UPDATED_CHARACTERS,
    check_message,
    shown,
)
from tests.platforms.slack.people import BOT
from tests.platforms.slack.state import Answer, Arguments, RefusedError, State


async def post_message(state: State, arguments: Arguments) -> Answer:
    """chat.postMessage."""
    channel = await state.writable(arguments.get("channel"))
    check_message(arguments, state.rules.check_blocks, POSTED_CHARACTERS)
    thread_ts = arguments.get("thread_ts")
    await state.check_thread(channel, thread_ts)
    answer = await put_message(state, {**arguments, "channel": channel})
    if thread_ts is not None:
        state.statuses.pop((channel, thread_ts), None)
    state.bring_message(answer["message"])
    return answer


async def put_message(state: State, arguments: Arguments) -> Answer:
    """Have the peer post a message that has been checked."""
    asked = {**arguments, **shown(arguments)}
    answer = await state.ask("chat.postMessage", asked)
    channel, ts = answer["channel"], answer["ts"]
    if arguments.get("metadata") is not None:
        state.extras.setdefault((channel, ts), {})["metadata"] = arguments["metadata"]
        answer["message"]["metadata"] = arguments["metadata"]
    if arguments.get("thread_ts") is None:
        state.threads.add((channel, ts))
    return answer


async def update(state: State, arguments: Arguments) -> Answer:
    """chat.update: what is not given stays as it is, as Slack has it."""
    channel = await state.writable(arguments.get("channel"))
    ts = arguments.get("ts")
    before = await state.own_message(channel, ts, "cant_update_message")
    if state.stream(channel, ts):
        raise RefusedError("streaming_state_conflict")
    check_message(arguments, state.rules.check_blocks, UPDATED_CHARACTERS)
    after = shown(arguments)
    if after["blocks"] is None:
        after["blocks"] = before.get("blocks")
    asked = {"channel": channel, "ts": ts, **after}
    answer = await state.ask("chat.update", asked)
    state.bring_message(before, answer["message"])
    if arguments.get("metadata") is not None:
        state.extras.setdefault((channel, str(ts)), {})["metadata"] = arguments["metadata"]
    return answer


async def delete(state: State, arguments: Arguments) -> Answer:
    """chat.delete."""
    channel = await state.writable(arguments.get("channel"))
    ts = str(arguments.get("ts"))
    await state.own_message(channel, ts, "cant_delete_message")
    state.threads.discard((channel, ts))
    state.extras.pop((channel, ts), None)
    return await state.ask("chat.delete", {"channel": channel, "ts": ts})


async def post_ephemeral(state: State, arguments: Arguments) -> Answer:
    """chat.postEphemeral."""
    channel = await state.writable(arguments.get("channel"))
    if arguments.get("user") not in state.channels[channel]["members"]:
        raise RefusedError("user_not_in_channel")
    check_message(arguments, state.rules.check_blocks, POSTED_CHARACTERS)
    await state.check_thread(channel, arguments.get("thread_ts"))
    asked = {**arguments, "channel": channel, **shown(arguments)}
    return await state.ask("chat.postEphemeral", asked)


async def permalink(state: State, arguments: Arguments) -> Answer:
    """chat.getPermalink."""
    channel = await state.readable(arguments.get("channel"))
    asked = {"channel": channel, "message_ts": arguments.get("message_ts")}
    answer = await state.ask("chat.getPermalink", asked)
    path = str(answer["permalink"]).removeprefix(state.peer_url)
    return {**answer, "permalink": f"https://test.slack.com{path}"}


async def add_reaction(state: State, arguments: Arguments) -> Answer:
    """reactions.add."""
    if await _is_reacted(state, arguments):
        raise RefusedError("already_reacted")
    return await state.ask("reactions.add", arguments)


async def remove_reaction(state: State, arguments: Arguments) -> Answer:
    """reactions.remove."""
    if not await _is_reacted(state, arguments):
        raise RefusedError("no_reaction")
    return await state.ask("reactions.remove", arguments)


async def _is_reacted(state: State, arguments: Arguments) -> bool:
    channel = await state.writable(arguments.get("channel"))
    message = await state.find(channel, arguments.get("timestamp"))
    if message is None:
        raise RefusedError("message_not_found")
    return any(
        reaction["name"] == arguments.get("name") and BOT in reaction["users"]
        for reaction in message.get("reactions", ())
    )


METHODS = {
    "chat.delete": delete,
    "chat.getPermalink": permalink,
    "chat.postEphemeral": post_ephemeral,
    "chat.postMessage": post_message,
    "chat.update": update,
    "reactions.add": add_reaction,
    "reactions.remove": remove_reaction,
}
