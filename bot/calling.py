"""A call of an admin command: who calls, what it works on, and what comes back."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.answer_lists import Listing
from bot.reviewing import Page, Reviews
from bot.topics import Encode
from bot.versions import Serving


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls a command and where; `channel` is None where that is no channel.

    `is_admin` is what the platform's side found out for this very call.
    """

    platform: str
    workspace: str
    person: str
    channel: str | None
    is_admin: bool

    @property
    def name(self) -> str:
        """The caller as jobs and versions remember them."""
        return f"{self.platform}:{self.person}"


@dataclass(frozen=True, slots=True)
class Administration:
    """What commands work on: the sources' names, what serves, the modes of the settings, and what
    is reviewed.

    With `encode`, alike questions are told apart from others by their vectors.
    """

    engine: AsyncEngine
    sources: Collection[str]
    serving: Serving
    modes: Mapping[str, str]
    reviews: Reviews
    encode: Encode | None = None
    renew_after_days: int = 180


@dataclass(frozen=True, slots=True)
class Done:
    """The answer to a call, Markdown, and the jobs that it asked for.

    With a `page`, the answer is a question to settle, and a `listing` says the same where things
    can be pressed, if the platform can offer that.
    """

    text: str
    job_ids: tuple[int, ...] = ()
    is_allowed: bool = True
    page: Page | None = None
    listing: Listing | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A command that may be run: for whom, on what, and the words behind its name."""

    caller: Caller
    administration: Administration
    arguments: str

    @property
    def engine(self) -> AsyncEngine:
        """The pool of the database."""
        return self.administration.engine


@dataclass(frozen=True, slots=True)
class Command:
    """One command: what it does, how it is written, and what it is for."""

    run: Callable[[Request], Awaitable[Done]]
    usage: str
    purpose: str
    is_for_everyone: bool = False
