"""Takes what the peer sends its app, makes it as Slack's would be, and hands it on to the bot."""

import asyncio
import contextlib
import json
import time
import uuid
from typing import Any
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from tests.platforms.slack.content import view_problems
from tests.platforms.slack.deliveries import EVENTS, Deliveries
from tests.platforms.slack.journal import Delivery
from tests.platforms.slack.people import (
    APP,
    APP_TOKEN,
    BOT,
    FLAGS,
    OTHER_TEAM,
    PEOPLE,
    ROBOT,
    ROBOT_ID,
    TEAM,
)
from tests.platforms.slack.state import State

# A command nobody gave: the peer makes trigger ids and response URLs only along with one.
TICKET = "/ticket"
MESSAGE_SCOPES = {"im": "message.im", "group": "message.groups", "channel": "message.channels"}


class Intake:
    """What comes from the peer, over its Socket Mode or its posts."""

    def __init__(self, state: State, deliveries: Deliveries) -> None:
        self._state = state
        self._deliveries = deliveries
        self._tickets: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._twins: dict[tuple[str, str], dict[str, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # The id of a person's coming message, where a test gives it one of its own.
        self.message_ids: dict[tuple[str, str], str] = {}
        # The address bots reach response URLs at; set when the server knows its port.
        self.own_url = ""
        state.bring_event = self.bring_event

    async def listen(self, connected: asyncio.Event) -> None:
        """Take what the peer sends over its Socket Mode, for ever."""
        session, peer = self._state.session, self._state.peer_url
        headers = {"Authorization": f"Bearer {APP_TOKEN}"}
        async with session.post(f"{peer}/api/apps.connections.open", headers=headers) as response:
            url = (await response.json())["url"]
        async with session.ws_connect(url, max_msg_size=0) as ws:
            async for frame in ws:
                envelope = json.loads(frame.data)
                if envelope["type"] == "hello":
                    connected.set()
                else:
                    await self._take_envelope(ws, envelope)

    async def _take_envelope(
        self, ws: aiohttp.ClientWebSocketResponse, envelope: dict[str, Any]
    ) -> None:
        kind, payload = envelope["type"], envelope["payload"]
        ack: dict[str, Any] = {"envelope_id": envelope["envelope_id"]}
        if kind == EVENTS:
            # The peer sends a message's second event only once the first is acked.
            await ws.send_json(ack)
            self.take_event(payload)
            return

        async def answer() -> None:
            said = await self.take_request(kind, payload)
            with contextlib.suppress(ConnectionError):
                await ws.send_json(ack if said is None else {**ack, "payload": said})

        task = asyncio.get_running_loop().create_task(answer())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def take_post(self, request: web.Request) -> web.Response:
        """Take what the peer posts."""
        body = await request.text()
        if request.content_type == "application/json":
            self.take_event(json.loads(body))
            return web.Response()
        form = dict(parse_qsl(body, keep_blank_values=True))
        if "payload" in form:
            said = await self.take_request("interactive", json.loads(form["payload"]))
        else:
            said = await self.take_request("slash_commands", form)
        return web.Response() if said is None else web.json_response(said)

    async def stop(self) -> None:
        """Leave what is not answered yet."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- events

    def bring_event(self, event: dict[str, Any]) -> Delivery | None:
        """Bring an event of the proxy's own making, in the wrapping of the Events API."""
        authorization = {"enterprise_id": None, "team_id": TEAM, "user_id": BOT, "is_bot": True}
        return self._bring(
            {
                "token": "verification-token",
                "team_id": TEAM,
                "api_app_id": APP,
                "event": event,
                "type": "event_callback",
                "event_id": f"Ev{uuid.uuid4().hex[:12].upper()}",
                "event_time": int(time.time()),
                "authorizations": [{**authorization, "is_enterprise_install": False}],
                "is_ext_shared_channel": False,
            }
        )

    def take_event(self, payload: dict[str, Any]) -> None:
        """Complete an event of the peer's and bring it, twins in the order the test wants."""
        event = payload["event"]
        self._complete(event)
        channel, ts = event.get("channel"), event.get("ts")
        if event["type"] == "app_mention":
            if self._state.is_direct(channel):
                return
            twin = self._twins.pop((channel, ts), None)
            self._bring(payload)
            if twin is not None:
                self._bring_later(twin)
        elif self._waits_for_twin(event):
            self._twins[channel, ts] = payload
        else:
            self._bring(payload)

    def _waits_for_twin(self, event: dict[str, Any]) -> bool:
        rules = self._state.rules
        is_mention = event["type"] == "message" and f"<@{BOT}>" in (event.get("text") or "")
        if not is_mention or "subtype" in event or event.get("channel_type") == "im":
            return False
        chosen = rules.first_twin
        return chosen == "app_mention" or (chosen == "random" and rules.chance.random() < 0.5)

    def _bring_later(self, payload: dict[str, Any]) -> None:
        seconds = self._state.rules.twin_seconds
        if not seconds:
            self._bring(payload)
            return

        async def bring() -> None:
            self._bring(payload)

        self._deliveries.later(seconds, bring)

    def _bring(self, payload: dict[str, Any]) -> Delivery | None:
        subscribed = self._state.rules.events
        if subscribed is not None and _name(payload["event"]) not in subscribed:
            return None
        return self._deliveries.bring(EVENTS, payload)

    def _complete(self, event: dict[str, Any]) -> None:
        """Add what Slack says of an event and the peer does not."""
        channel, person = event.get("channel"), event.get("user")
        if event["type"] == "message":
            event["channel_type"] = self._state.channel_type(str(channel))
        if event.get("subtype") in {"message_changed", "message_deleted"}:
            event["hidden"] = True
            self._state.threads.discard((str(channel), str(event.get("deleted_ts"))))
            for name in ("message", "previous_message"):
                if name in event:
                    key = (str(channel), event[name]["ts"])
                    event[name] = {**event[name], **self._state.extras.get(key, {})}
        elif person == ROBOT:
            event |= {"bot_id": ROBOT_ID, "app_id": "A06ROBOT", "team": TEAM}
        elif event["type"] in {"message", "app_mention"} and person in PEOPLE:
            team = FLAGS.get(person, {}).get("team_id", TEAM)
            key = (str(channel), str(event["ts"]))
            extras = self._state.extras.setdefault(key, {})
            if "client_msg_id" not in extras:
                given = self.message_ids.pop((person, event.get("text") or ""), None)
                extras["client_msg_id"] = given or str(uuid.uuid4())
            event |= {"team": team, "client_msg_id": extras["client_msg_id"]}
            if team == OTHER_TEAM:
                event |= {"user_team": team, "source_team": team}
            if "thread_ts" not in event:
                self._state.threads.add(key)

    # --- commands, clicks, submissions

    async def ticket(self, person: str, channel: str) -> dict[str, Any]:
        """A trigger id and a response URL for something a person does."""
        nonce = uuid.uuid4().hex
        waiting = self._tickets[nonce] = asyncio.get_running_loop().create_future()
        asked = {"channel": channel, "user": person, "command": TICKET, "text": nonce}
        await self._state.control("command", asked)
        payload = await waiting
        return {name: payload[name] for name in ("trigger_id", "response_url")}

    async def take_request(self, kind: str, payload: dict[str, Any]) -> Any:
        """Bring a command or an interaction; what the bot responds with, as the peer takes it."""
        self._complete_request(payload)
        if payload.get("command") == TICKET:
            self._tickets.pop(payload["text"]).set_result(payload)
            return None
        return self._responded(await self.bring_request(kind, payload))

    async def bring_request(self, kind: str, payload: dict[str, Any]) -> Delivery:
        """Bring a command or an interaction and wait for the ack, or for the end of waiting."""
        return await self._deliveries.bring_now(kind, payload)

    def _complete_request(self, payload: dict[str, Any]) -> None:
        if "trigger_id" in payload:
            person = payload.get("user_id") or payload["user"]["id"]
            self._state.note_trigger(payload["trigger_id"], person)
        if "response_url" in payload:
            path = str(payload["response_url"]).removeprefix(self._state.peer_url)
            payload["response_url"] = f"{self.own_url}{path}"
        if payload.get("message", {}).get("subtype") == "ephemeral":
            del payload["message"]
            payload["container"]["is_ephemeral"] = True
        view = payload.get("view")
        if view is not None:
            view["id"] = self._state.view_ids.get(view["id"], view["id"])

    def _responded(self, delivery: Delivery) -> Any:
        said = delivery.answer
        if not isinstance(said, dict):
            return {"response_type": "ephemeral", "text": said} if said else None
        rules, problems = self._state.rules, list[str]()
        if said.get("blocks"):
            problems = rules.check_blocks(said["blocks"])
        if said.get("view"):
            problems = view_problems(said["view"], rules.check_view)
        if problems:
            self._state.journal.refused_responses.append((delivery.name, problems))
            return None
        if "response_action" not in said:
            return {"response_type": "ephemeral", **said}
        return said


def _name(event: dict[str, Any]) -> str:
    """The name under which an app subscribes to an event."""
    if event["type"] == "message":
        return MESSAGE_SCOPES.get(str(event.get("channel_type")), "message.channels")
    return str(event["type"])
