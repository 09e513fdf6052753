"""Calls of Slack's Web API: paced as Slack asks, with errors that say what is to be done."""

import asyncio
import logging
import time
from collections import defaultdict
from contextlib import nullcontext
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import AwayError, DeliveryError, RefusedError

# A rate limit is waited for as long; the question that waits is then tried again later.
PATIENCE_SECONDS = 120.0
RETRY_AFTER_SECONDS = 1.0
# What Slack answers where a message will never be taken: the channel is closed to the bot.
REFUSALS = frozenset(
    {
        "cannot_reply_to_message", "channel_not_found", "ekm_access_denied", "is_archived",
        "is_inactive", "messages_tab_disabled", "method_not_supported_for_channel_type",
        "not_in_channel", "no_permission", "restricted_action", "thread_not_found",
        "restricted_action_non_threadable_channel", "restricted_action_read_only_channel",
        "restricted_action_thread_locked", "restricted_action_thread_only_channel",
        "team_access_not_granted", "user_not_found", "user_not_visible",
        "cannot_dm_bot", "user_disabled",
    }
)  # fmt: skip
AWAY = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})
TOKEN = frozenset(
    {"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"}
)

log = logging.getLogger(__name__)


class CallError(DeliveryError):
    """Slack did not do what a call asked for; `code` is its word for why."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"Slack answered {method} with {code}.")
        self.code = code


class BusyError(AwayError):
    """Slack asks to wait and has done nothing."""


class TokenError(AwayError):
    """Slack does not take the token, until somebody mends that."""


class Calls:
    """The Web API with one bot token, in lanes: a method, and for messages each channel.

    Where Slack asks to wait, the whole lane waits. Messages of a channel are posted in order.
    """

    def __init__(self, client: AsyncWebClient, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.client = client
        self._patience_seconds = patience_seconds
        self._open_at: defaultdict[str, float] = defaultdict(float)
        self._in_order: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def __call__(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a method such as "chat.postMessage".

        Raises:
            RefusedError: Slack takes no such message there, now or later.
            AwayError: it is not known whether Slack did it; or it asks to wait for too long.
            CallError: Slack refused for another reason.
        """
        is_post = method == "chat.postMessage"
        lane = f"{method} {arguments['channel']}" if is_post else method
        async with self._in_order[lane] if is_post else nullcontext():
            return await self._call(method, lane, arguments, self._patience_seconds)

    async def at_once(self, method: str, **arguments: Any) -> dict[str, Any]:
        """The answer of a method that posts no message, or BusyError where Slack asks to wait."""
        return await self._call(method, method, arguments, 0)

    async def _call(
        self, method: str, lane: str, arguments: dict[str, Any], patience_seconds: float
    ) -> dict[str, Any]:
        function = getattr(self.client, method.replace(".", "_"))
        deadline = time.monotonic() + patience_seconds
        while True:
            if self._open_at[lane] > deadline:
                raise BusyError(f"Slack asks to wait with {method} for longer than we do.")
            await asyncio.sleep(max(0.0, self._open_at[lane] - time.monotonic()))
            try:
                response = await function(**arguments)
            except SlackApiError as error:
                if _status_of(error) != 429:
                    raise _error_of(method, error) from None
                self._open_at[lane] = time.monotonic() + _seconds_asked(error)
            except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
                raise AwayError(f"Slack cannot be reached for {method}: {error!r}") from error
            else:
                data: dict[str, Any] = response.data
                return data

    def seconds_closed(self, method: str) -> float:
        """How long Slack asks to wait with this method, which posts no message."""
        return max(0.0, self._open_at[method] - time.monotonic())


def _error_of(method: str, error: SlackApiError) -> DeliveryError:
    data = getattr(error.response, "data", None)
    code = data.get("error") if isinstance(data, dict) else None
    if code in TOKEN:
        return TokenError(
            f"Slack does not take the token ({code}). Copy the Bot User OAuth Token from your "
            "Slack app's page OAuth & Permissions into SLACK_BOT_TOKEN again."
        )
    # What has no word of Slack's comes from something on the way.
    if not isinstance(code, str) or _status_of(error) >= 500 or code in AWAY:
        return AwayError(f"Slack could not do {method}: {code or _status_of(error)}.")
    if code in REFUSALS and method.startswith("chat."):
        return RefusedError(f"Slack takes no message there: {code}.", code)
    return CallError(method, code)


def _status_of(error: SlackApiError) -> int:
    """The HTTP status; the SDK hands out another kind of response where a body is no JSON."""
    response = error.response
    return int(getattr(response, "status_code", 0) or getattr(response, "status", 0))


def _seconds_asked(error: SlackApiError) -> float:
    headers = {name.lower(): value for name, value in error.response.headers.items()}
    try:
        return max(float(headers.get("retry-after", "")), 0.1)
    except ValueError:
        return RETRY_AFTER_SECONDS
