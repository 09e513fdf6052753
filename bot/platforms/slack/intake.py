"""What Slack delivers, taken in before it is confirmed: what is not stored, Slack sends again."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from slack_bolt import BoltResponse
from sqlalchemy.exc import DBAPIError

from bot.errors import DeliveryError
from bot.inbox import Inbox
from bot.messages import Arrival, Way
from bot.platforms.slack.calls import Calls
from bot.platforms.slack.events import PLATFORM, Deletion, Edit, Reader
from bot.platforms.slack.modals import notice_view
from bot.platforms.slack.response_urls import respond
from bot.storage import inbox
from bot.storage.database import first_line, read_again_after_restart
from bot.storage.inbox import Reception

MESSAGES = frozenset({"message", "app_mention"})
AWAY = (
    "My database does not answer, so nothing was done. Please try again in a minute; the operator "
    "finds the cause in the log."
)
BROKEN = (
    "Something went wrong, and I cannot say how far that got. The operator finds the cause in the "
    "log."
)
FLOODED = (
    "That is more than I can take at once, so I have left your last message. Please ask again in "
    "a minute."
)
Next = Callable[[], Awaitable[Any]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Intake:
    """Stores questions as Slack delivers them; lets everything else pass once."""

    inbox: Inbox
    calls: Calls
    reader: Reader
    _telling: set[asyncio.Task[object]] = field(default_factory=set, init=False)

    async def take_in(self, body: dict[str, Any], next: Next) -> BoltResponse | None:  # noqa: A002
        """The first that sees a delivery; a failure is no confirmation.

        Slack sends clicks and commands once, so people are told where these fail.
        """
        if body.get("type") == "event_callback":
            event = body.get("event")
            if isinstance(event, dict) and event.get("type") in MESSAGES:
                await self.take_message(event)
                return BoltResponse(status=200)
            key = body.get("event_id")
        else:
            key = body.get("trigger_id")
        try:
            is_first = not key or await self._is_first(str(key))
        except (DBAPIError, OSError) as error:
            log.warning("A delivery of Slack cannot be noted: %s", first_line(error))
            if body.get("type") == "event_callback":
                raise
            return self._told(body, AWAY)
        if is_first:
            await next()
            return None
        return BoltResponse(status=200)

    async def admit(
        self, error: Exception, body: dict[str, Any], response: BoltResponse | None
    ) -> BoltResponse | None:
        """Log what nobody foresaw, and tell who clicked or typed; an event Slack sends again.

        There is no response left to give where the delivery was confirmed before.
        """
        log.error("A delivery of Slack was not worked off.", exc_info=error)
        if body.get("type") == "event_callback":
            return None
        if response is not None:
            return self._told(body, BROKEN)
        if body.get("response_url"):
            self._tell(respond(body["response_url"], text=BROKEN))
        return None

    async def take_message(self, event: dict[str, Any]) -> None:
        """Take in a message, an edit or a deletion."""
        match self.reader.read(event):
            case Arrival() as arrival:
                await self.accept(arrival)
            case Edit(spot, text, arrival):
                is_changed = await inbox.edit(self.inbox.intake_engine, spot, text)
                if arrival is not None and not is_changed:
                    await self.accept(arrival)
            case Deletion(spot):
                await inbox.withdraw(self.inbox.intake_engine, spot)

    async def accept(self, arrival: Arrival) -> Reception:
        """Take a question in; who floods is told so once."""
        reception = await self.inbox.accept(arrival)
        if reception is Reception.REFUSED and arrival.way is not Way.OVERHEARD:
            self._tell(self._tell_flooded(arrival))
        return reception

    async def _is_first(self, key: str) -> bool:
        engine = self.inbox.intake_engine
        return await read_again_after_restart(lambda: inbox.is_first(engine, PLATFORM, key))

    def _told(self, body: dict[str, Any], sentence: str) -> BoltResponse:
        """How a click, a command or a view is answered that nothing can be done about."""
        if "command" in body:
            return BoltResponse(status=200, body=sentence)
        if body.get("type") == "view_submission":
            update = {"response_action": "update", "view": notice_view("Not now", sentence)}
            return BoltResponse(
                status=200, body=json.dumps(update), headers={"content-type": "application/json"}
            )
        if body.get("response_url"):
            self._tell(respond(body["response_url"], text=sentence))
        return BoltResponse(status=200)

    def _tell(self, telling: Coroutine[Any, Any, object]) -> None:
        """Have somebody told something beside the delivery, which must be confirmed at once."""
        task = asyncio.get_running_loop().create_task(telling)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell_flooded(self, arrival: Arrival) -> None:
        try:
            await self.calls(
                "chat.postEphemeral", channel=arrival.channel, user=arrival.person, text=FLOODED,
                thread_ts=arrival.details.get("thread"),
            )  # fmt: skip
        except DeliveryError as error:
            log.warning("Somebody was not told of being too fast: %s", error)
