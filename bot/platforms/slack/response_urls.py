"""The addresses that Slack gives with each click and command, to say something about it by."""

import logging
from typing import Any

from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.errors import AwayError

SECONDS = 10

log = logging.getLogger(__name__)


async def send(response_url: str, **content: Any) -> bool:
    """Have Slack show something by a delivery's own address; False where that has expired.

    It is for the one who made the delivery alone, beside what is there, unless said otherwise.

    Raises:
        AwayError: Slack cannot be reached, or has too much to do.
    """
    beside = {
        "response_type": "ephemeral", "replace_original": False, "unfurl_links": False,
        "unfurl_media": False,
    }  # fmt: skip
    sent = content if "delete_original" in content else beside | content
    client = AsyncWebhookClient(response_url, timeout=SECONDS, retry_handlers=[])
    try:
        answered = await client.send_dict(sent)
    except Exception as error:  # its client raises what aiohttp and json do
        raise AwayError(f"Slack cannot be reached: {error!r}") from error
    if answered.status_code >= 500 or answered.status_code == 429:
        raise AwayError(f"Slack answered a reply with {answered.status_code}.")
    return answered.status_code == 200


async def respond(response_url: str, **content: Any) -> bool:
    """`send`, where another way is found if it does not work: False for any reason."""
    try:
        return await send(response_url, **content)
    except AwayError as error:
        log.warning("Somebody was not told something by a delivery's own address: %s", error)
        return False
