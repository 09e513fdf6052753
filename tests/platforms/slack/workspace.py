"""The people of the workspace at work, and what they see."""

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from tests.platforms.slack.forms import filled, pressed
from tests.platforms.slack.journal import Delivery
from tests.platforms.slack.people import APP, BOT, PEOPLE, TEAM
from tests.platforms.slack.strict import StrictSlack

POLL_SECONDS = 0.02
# The peer waits five seconds for a response to a submission.
SUBMIT_SECONDS = 10.0
Message = dict[str, Any]


class Workspace:
    """A Slack with people in it. `strict` is the proxy the bot talks to, with its controls."""

    def __init__(self, strict: StrictSlack) -> None:
        self.strict = strict
        self.rules = strict.rules
        self.journal = strict.journal
        self.api_url = strict.api_url

    # --- people act

    async def say(
        self,
        person: str,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        client_msg_id: str | None = None,
    ) -> str:
        """Post as a person; the message's ts. A person's id as the channel is the bot's DM."""
        if client_msg_id is not None:
            self.strict.intake.message_ids[person, text] = client_msg_id
        asked = {"channel": channel, "user": person, "text": text}
        if thread_ts is not None:
            asked["thread_ts"] = thread_ts
        answer = await self.strict.state.control("message", asked)
        return str(answer["message"]["ts"])

    async def ask(self, person: str, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Post as a person who mentions the bot; the message's ts."""
        return await self.say(person, channel, f"<@{BOT}> {text}", thread_ts)

    async def direct(self, person: str) -> str:
        """The id of the conversation between a person and the bot."""
        return await self.strict.state.resolve(person)

    async def edit(self, person: str, channel: str, ts: str, text: str) -> None:
        """Edit a person's own message."""
        asked = {"channel": channel, "user": person, "ts": ts, "text": text}
        await self.strict.state.control("edit-message", asked)

    async def delete(self, person: str, channel: str, ts: str) -> None:
        """Delete a person's own message."""
        asked = {"channel": channel, "user": person, "ts": ts}
        await self.strict.state.control("delete-message", asked)

    async def react(
        self, person: str, channel: str, ts: str, name: str, is_there: bool = True
    ) -> None:
        """Add a reaction, or take it away."""
        asked = {"channel": channel, "user": person, "ts": ts, "name": name, "present": is_there}
        await self.strict.state.control("reaction", asked)

    async def command(self, person: str, channel: str, command: str, text: str = "") -> Delivery:
        """Give a slash command; how its delivery went, once that is over."""
        asked = {"channel": channel, "user": person, "command": command, "text": text}
        await self.strict.state.control("command", asked)
        return self._last(command, person)

    async def press(
        self,
        person: str,
        channel: str,
        ts: str,
        action_id: str,
        value: str | None = None,
        block_id: str | None = None,
    ) -> Delivery:
        """Press a button of a message, or choose in it.

        The element is looked up in the message, so that what is not shown cannot be pressed;
        only with both `value` and `block_id` given is the click taken as it is, as a forged one.
        """
        action = {"type": "button", "action_id": action_id, "value": value, "block_id": block_id}
        if value is None or block_id is None:
            message = await self.message(channel, ts)
            action = pressed(message.get("blocks") or [], action_id, value)
        asked = {"channel": channel, "messageTs": ts, "user": person, "action": action}
        await self.strict.state.control("interact", asked)
        return self._last("block_actions", person)

    async def press_view(
        self, person: str, view: Message, action_id: str, value: str | None = None
    ) -> Delivery:
        """Press a button of an App Home or a modal."""
        action = {**pressed(view["blocks"], action_id, value), "action_ts": f"{time.time():.6f}"}
        payload = await self._interaction("block_actions", person, await self.direct(person))
        payload |= {"container": {"type": "view", "view_id": view["id"]}, "view": view}
        payload |= {"actions": [action]}
        del payload["response_url"], payload["channel"]
        return await self.strict.intake.bring_request("interactive", payload)

    async def shortcut(self, person: str, channel: str, ts: str, callback_id: str) -> Delivery:
        """Use a message shortcut."""
        message = await self.message(channel, ts)
        payload = await self._interaction("message_action", person, channel)
        payload |= {"callback_id": callback_id, "message_ts": ts, "message": message}
        return await self.strict.intake.bring_request("interactive", payload)

    async def open_home(self, person: str, tab: str = "home") -> None:
        """Open the App Home, at one of its tabs ("home", "messages")."""
        if tab == "home":
            await self.strict.state.control("open-home", {"user": person})
            return
        event = {"type": "app_home_opened", "user": person, "channel": await self.direct(person)}
        self.strict.intake.bring_event({**event, "tab": tab, "event_ts": f"{time.time():.6f}"})

    async def submit(self, person: str, values: dict[str, Any] | None = None) -> dict[str, str]:
        """Submit the uppermost modal, filled in by action id (or `block_id.action_id`) with a text,
        the value of an option, or a list of these; the errors shown, by block id."""
        views = await self.views()
        if not views:
            raise AssertionError("No modal is open.")
        state = filled(views[-1], values or {})
        async with self.strict.session.ws_connect(self.strict.state.ui_url, max_msg_size=0) as ui:
            await ui.receive_json()
            await ui.send_json({"t": "view_submit", "user": person, "values": state})
            async with asyncio.timeout(SUBMIT_SECONDS):
                while True:
                    said = await ui.receive_json()
                    if said["t"] == "view_errors":
                        errors: dict[str, str] = said["errors"]
                        return errors
                    if said["t"] == "view":
                        return {}

    async def unfurl(self, channel: str, ts: str) -> None:
        """Let Slack add a link's preview to a message: the event of a change, the same text."""
        resolved = await self.strict.state.resolve(channel)
        before = {**await self.message(channel, ts), "channel": resolved}
        after = {**before, "attachments": [{"id": 1, "title": "A page"}]}
        self.strict.state.bring_message(before, after)

    async def close_view(self, person: str) -> None:
        """Close the open modals without submitting."""
        async with self.strict.session.ws_connect(self.strict.state.ui_url, max_msg_size=0) as ui:
            await ui.receive_json()
            await ui.send_json({"t": "view_close", "user": person})
            while (await ui.receive_json())["t"] != "view":
                pass

    async def upload(self, person: str, channel: str, name: str, content: bytes, text: str) -> str:
        """Share a file as a person; the message's ts."""
        form = aiohttp.FormData({"channel": channel, "user": person, "text": text})
        form.add_field("file", content, filename=name)
        url = f"{self.strict.state.peer_url}/_control/upload"
        async with self.strict.session.post(url, data=form) as response:
            return str((await response.json())["message"]["ts"])

    # --- people see

    async def messages(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """What a channel or a thread shows, the oldest first; ephemeral messages are among it."""
        resolved = await self.strict.state.resolve(channel)
        if thread_ts is None:
            answer = await self.strict.state.control(f"messages/{resolved}")
        else:
            asked = {"channel": resolved, "ts": thread_ts}
            answer = await self.strict.state.ask("conversations.replies", asked)
        extras = self.strict.state.extras
        return [
            {**message, **extras.get((resolved, message["ts"]), {})}
            for message in answer["messages"]
        ]

    async def message(self, channel: str, ts: str) -> Message:
        """One message."""
        resolved = await self.strict.state.resolve(channel)
        found = await self.strict.state.find(resolved, ts)
        if found is None:
            raise AssertionError(f"There is no message {ts} in {channel}.")
        return {**found, **self.strict.state.extras.get((resolved, ts), {})}

    async def final_messages(self, channel: str, thread_ts: str | None = None) -> list[Message]:
        """What the bot has posted for everyone there, as it is now; with `is_streaming`."""
        resolved = await self.strict.state.resolve(channel)
        return [
            {**message, "is_streaming": self._is_streaming(resolved, message["ts"])}
            for message in await self.messages(resolved, thread_ts)
            if message.get("user") == BOT and message.get("subtype") != "ephemeral"
        ]

    async def whispers(self, channel: str, person: str) -> list[Message]:
        """The ephemeral messages a person sees in a channel."""
        return [
            message
            for message in await self.messages(channel)
            if message.get("ephemeral_to") == person
        ]

    async def views(self) -> list[Message]:
        """The open modals, the uppermost last. The peer knows one stack for all people."""
        stack = (await self.strict.state.snapshot())["modalStack"]
        names = self.strict.state.view_ids
        return [{**view, "id": names.get(view["id"], view["id"])} for view in stack]

    async def home(self, person: str) -> Message | None:
        """The App Home a person sees."""
        homes = (await self.strict.state.snapshot())["homeViews"].get(person, {})
        view: Message | None = homes.get(APP)
        return view

    async def log(self) -> list[dict[str, Any]]:
        """The last thousand entries of the peer's own log."""
        entries: list[dict[str, Any]] = (await self.strict.state.control("log"))["log"]
        return entries

    async def wait_for(self, what: Callable[[], Any], seconds: float = 30.0) -> Any:
        """What a function (or a coroutine function) gives, once it gives something true."""
        until = time.monotonic() + seconds
        while True:
            seen = what()
            if inspect.isawaitable(seen):
                seen = await seen
            if seen:
                return seen
            if time.monotonic() > until:
                calls = [(call.method, call.answer) for call in self.journal.calls][-5:]
                raise AssertionError(f"Not seen in {seconds} s; the last calls: {calls}")
            await asyncio.sleep(POLL_SECONDS)

    async def wait_for_answers(
        self, channel: str, thread_ts: str, number: int = 1, seconds: float = 30.0
    ) -> list[Message]:
        """The bot's messages in a thread, once there are so many and none is being streamed."""

        async def answers() -> list[Message] | None:
            found = await self.final_messages(channel, thread_ts)
            is_done = not any(message["is_streaming"] for message in found)
            return found if len(found) >= number and is_done else None

        answered: list[Message] = await self.wait_for(answers, seconds)
        return answered

    # --- inside

    async def _interaction(self, kind: str, person: str, channel: str) -> Message:
        name = self.strict.state.channels[channel].get("name", "")
        ticket = await self.strict.intake.ticket(person, channel)
        self.strict.state.note_trigger(ticket["trigger_id"], person)
        user = {"id": person, "username": PEOPLE[person], "name": PEOPLE[person], "team_id": TEAM}
        return {
            "type": kind,
            "token": "verification-token",
            "api_app_id": APP,
            "team": {"id": TEAM, "domain": "test"},
            "enterprise": None,
            "is_enterprise_install": False,
            "user": user,
            "channel": {"id": channel, "name": name},
            "action_ts": f"{time.time():.6f}",
            **ticket,
        }

    def _last(self, name: str, person: str) -> Delivery:
        for delivery in reversed(self.journal.deliveries):
            by = delivery.payload.get("user_id") or delivery.payload.get("user", {}).get("id")
            if delivery.name == name and by == person:
                return delivery
        raise AssertionError(f"{name} was not brought to the bot.")

    def _is_streaming(self, channel: str, ts: str) -> bool:
        return self.strict.state.stream(channel, ts) is not None
