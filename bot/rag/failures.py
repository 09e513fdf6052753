"""What it means when a language model's provider fails: what to say, and whether to try again."""

import math
from dataclasses import dataclass

MAX_ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Failure:
    """`reason` completes "The language model …" and shows nothing of the provider's own message,
    which may hold a part of a key; `pause_seconds` is what the provider asked for."""

    reason: str
    is_passing: bool
    pause_seconds: float | None = None


LATE = Failure("did not answer in time", is_passing=False)
UNSOURCED = Failure("gave no answer that names its sources", is_passing=False)


def failure_of(error: BaseException) -> Failure:
    """What an error of a provider's client means.

    The clients of OpenAI, Anthropic and Ollama give HTTP errors a `status_code`; what has none is
    a refused connection, a timeout of the client or a broken stream.
    """
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or status < 400:
        return Failure("could not be reached or broke off", is_passing=True)
    pause = _retry_after(error)
    if status == 429:
        return Failure("is overloaded", is_passing=True, pause_seconds=pause)
    if status in {408, 409} or status >= 500:
        return Failure("has a failure of its own", is_passing=True, pause_seconds=pause)
    if status in {401, 403}:
        return Failure("refused our key", is_passing=False)
    return Failure("refused the request", is_passing=False)


def pause_before(attempt: int, failure: Failure) -> float:
    """Seconds to wait before attempt `attempt` (from 1): what was asked for, else doubling."""
    if failure.pause_seconds is not None:
        return failure.pause_seconds
    return FIRST_PAUSE_SECONDS * 2.0 ** (attempt - 1)


def _retry_after(error: BaseException) -> float | None:
    """The header's seconds (RFC 9110, 10.2.3); a date, which no model provider sends, is none."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        seconds = float(headers.get("retry-after", ""))
    except (ValueError, TypeError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
