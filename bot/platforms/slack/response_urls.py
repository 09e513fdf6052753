"""The addresses that Slack gives with each click and command, to say something about it by."""

import logging
from typing import Any

from slack_sdk.webhook.async_client import AsyncWebhookClient

SECONDS = 10

log = logging.getLogger(__name__)


async def respond(response_url: str, **content: Any) -> bool:
    """Have Slack show something by a delivery's own address; False where that did not work.

    It is for the one who made the delivery alone, beside what is there, unless said otherwise.
    """
    beside = {"response_type": "ephemeral", "replace_original": False}
    sent = content if "delete_original" in content else beside | content
    client = AsyncWebhookClient(response_url, timeout=SECONDS, retry_handlers=[])
    try:
        answered = await client.send_dict(sent)
    except Exception as error:  # noqa: BLE001 its client raises what aiohttp and json do
        log.warning("Slack cannot be reached to tell somebody something: %r", error)
        return False
    return answered.status_code == 200
