"""The HTTP way to the bot: signed posts to its address."""

import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp

from tests.platforms.slack.deliveries import EVENTS
from tests.platforms.slack.journal import Attempt, Delivery
from tests.platforms.slack.people import SIGNING_SECRET
from tests.platforms.slack.state import State

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class Posts:
    """Posts what is brought to `url`; nothing reaches a bot that has none yet."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.url: str | None = None

    async def push(self, delivery: Delivery, attempt: Attempt) -> tuple[bool, Any]:
        """Post once; taken is what is answered with a status of success in time."""
        if self.url is None or self._state.rules.is_away:
            attempt.failure = "connection_failed"
            return False, None
        body, kind = encoded(delivery)
        headers = signed(body, kind)
        if attempt.number:
            headers["X-Slack-Retry-Num"] = str(attempt.number)
            headers["X-Slack-Retry-Reason"] = attempt.reason or "http_error"
        timeout = aiohttp.ClientTimeout(total=self._state.rules.ack_seconds)
        try:
            async with self._state.session.post(
                self.url, data=body, headers=headers, timeout=timeout
            ) as response:
                text = await response.text()
        except TimeoutError:
            attempt.failure = "http_timeout"
            return False, None
        except aiohttp.ClientError:
            attempt.failure = "connection_failed"
            return False, None
        if response.status // 100 == 2:
            return True, _said(text)
        refuses = response.headers.get("X-Slack-No-Retry") == "1"
        attempt.failure = "no_retry" if refuses else "http_error"
        return False, None

    async def verify(self) -> str:
        """Ask the bot's address for the challenge, as Slack does when it is set; what it says."""
        assert self.url is not None
        body = json.dumps({"type": "url_verification", "token": "t", "challenge": "3eZbrw1aBm2"})
        async with self._state.session.post(
            self.url, data=body.encode(), headers=signed(body.encode(), JSON)
        ) as response:
            text = await response.text()
        said = _said(text)
        return str(said.get("challenge")) if isinstance(said, dict) else text


def encoded(delivery: Delivery) -> tuple[bytes, str]:
    """The body of a post and its content type."""
    if delivery.kind == EVENTS:
        return json.dumps(delivery.payload).encode(), JSON
    if delivery.kind == "slash_commands":
        return urlencode(delivery.payload).encode(), FORM
    return urlencode({"payload": json.dumps(delivery.payload)}).encode(), FORM


def signed(body: bytes, kind: str, at: float | None = None) -> dict[str, str]:
    """The headers of a post signed by Slack, now or at another time (seconds since 1970)."""
    seconds = str(int(time.time() if at is None else at))
    base = b"v0:" + seconds.encode() + b":" + body
    digest = hmac.new(SIGNING_SECRET.encode(), base, hashlib.sha256).hexdigest()
    return {
        "Content-Type": kind,
        "X-Slack-Signature": f"v0={digest}",
        "X-Slack-Request-Timestamp": seconds,
    }


def _said(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
