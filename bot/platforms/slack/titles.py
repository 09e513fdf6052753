"""The titles under which the agent pane lists its threads."""

import logging

from bot.errors import DeliveryError
from bot.messages import Arrival, Way
from bot.platforms.slack.calls import Calls

MAX_CHARACTERS = 75

log = logging.getLogger(__name__)


async def name_thread(calls: Calls, arrival: Arrival) -> None:
    """Have a direct thread listed under the question that opened it, if Slack does that now."""
    thread = arrival.details["thread"]
    if arrival.way is not Way.DIRECT or arrival.message != thread:
        return
    text = " ".join(arrival.text.split()) or "…"
    title = text if len(text) <= MAX_CHARACTERS else f"{text[: MAX_CHARACTERS - 1]}…"
    try:
        await calls.at_once(
            "assistant.threads.setTitle", channel_id=arrival.channel, thread_ts=thread, title=title
        )
    except DeliveryError as error:
        log.debug("a thread has no title: %s", error)
