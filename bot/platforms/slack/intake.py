"""What Slack delivers, taken in before it is confirmed: what is not stored, Slack sends again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from slack_bolt import BoltResponse
from sqlalchemy.exc import DBAPIError

from bot.errors import DeliveryError
from bot.inbox import Inbox
from bot.messages import Arrival, Way
from bot.platforms.slack.calls import Calls
from bot.platforms.slack.events import PLATFORM, Deletion, Edit, Reader
from bot.storage import inbox
from bot.storage.database import first_line
from bot.storage.inbox import Reception

MESSAGES = frozenset({"message", "app_mention"})
AWAY = (
    "My database does not answer, so nothing was done. Please try again in a minute; the operator "
    "finds the cause in the log."
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
            is_first = not key or await inbox.is_first(self.inbox.engine, PLATFORM, str(key))
        except (DBAPIError, OSError) as error:
            log.warning("A delivery of Slack cannot be noted: %s", first_line(error))
            if body.get("type") == "event_callback":
                raise
            return BoltResponse(status=200, body=AWAY if "command" in body else "")
        if is_first:
            await next()
            return None
        return BoltResponse(status=200)

    async def take_message(self, event: dict[str, Any]) -> None:
        """Take in a message, an edit or a deletion."""
        match self.reader.read(event):
            case Arrival() as arrival:
                await self.accept(arrival)
            case Edit(spot, text, arrival):
                is_changed = await inbox.edit(self.inbox.engine, spot, text)
                if arrival is not None and not is_changed:
                    await self.accept(arrival)
            case Deletion(spot):
                await inbox.withdraw(self.inbox.engine, spot)

    async def accept(self, arrival: Arrival) -> Reception:
        """Take a question in; who floods is told so once."""
        reception = await self.inbox.accept(arrival)
        if reception is Reception.REFUSED and arrival.way is not Way.OVERHEARD:
            asyncio.get_running_loop().create_task(self._tell_flooded(arrival))
        return reception

    async def _tell_flooded(self, arrival: Arrival) -> None:
        try:
            await self.calls(
                "chat.postEphemeral", channel=arrival.channel, user=arrival.person, text=FLOODED,
                thread_ts=arrival.details.get("thread"),
            )  # fmt: skip
        except DeliveryError as error:
            log.warning("Somebody was not told of being too fast: %s", error)
