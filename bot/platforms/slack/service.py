"""The bot in Slack: connected, answering, and staying so until it is stopped."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from sqlalchemy.exc import DBAPIError

from bot.assistant import Assistant
from bot.delivery import Delivery
from bot.errors import AwayError, DeliveryError
from bot.inbox import Holding, Inbox
from bot.messages import Way
from bot.platforms.slack import (
    asking,
    commands,
    handoffs,
    home,
    job_messages,
    rating,
    sharing,
    stopping,
    why,
)
from bot.platforms.slack.access import Access, open_client
from bot.platforms.slack.calls import Calls, TokenError
from bot.platforms.slack.catching_up import keep_up
from bot.platforms.slack.events import PLATFORM, Reader
from bot.platforms.slack.handoff_posting import post_handoffs
from bot.platforms.slack.handoffs import HandingOver
from bot.platforms.slack.http import listening
from bot.platforms.slack.intake import Intake
from bot.platforms.slack.replying import PrivateReply, ThreadReply
from bot.platforms.slack.sockets import Socket, check_app_token
from bot.platforms.slack.workspace import Identity, Options, Workspace, identify
from bot.storage import inbox as stored
from bot.storage.database import first_line, open_engine, url_of
from bot.storage.inbox import Flood

CONNECT_SECONDS = 30.0
DOOR_CONNECTIONS = 2
FORGET_SECONDS = 3600.0
PRIVATE = frozenset({Way.COMMAND, Way.SHORTCUT})
EVERYTHING = re.compile(".*", re.DOTALL)

Say = Callable[[str], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Load:
    """How many questions are taken in and answered at once."""

    flood: Flood
    at_once: int


async def serve(
    assistant: Assistant, access: Access, options: Options, load: Load, say: Say
) -> None:
    """Answer in Slack until cancelled.

    Raises:
        DeliveryError: Slack refuses the tokens, or cannot be reached at the start.
    """
    async with AsyncExitStack() as stack:
        calls = Calls(await stack.enter_async_context(open_client(access)))
        identity = await _identify(calls)
        door = open_engine(url_of(assistant.engine), DOOR_CONNECTIONS)
        stack.push_async_callback(door.dispose)
        inbox = Inbox(
            assistant.engine, PLATFORM, load.flood, at_once=load.at_once, door=door
        )  # fmt: skip
        workspace = Workspace(identity, assistant, calls, inbox, options, dict(options.modes))
        await workspace.read_modes()
        app = bolt_app(workspace)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for work in background_of(workspace):
            group.create_task(work)
        await stack.enter_async_context(_connected(app, access, workspace, group))
        say(
            f"Answering in {identity.name} on Slack as @{identity.bot_name}: mention it, or write "
            "it a message. Ctrl-C ends."
        )
        await asyncio.Event().wait()


def bolt_app(workspace: Workspace) -> AsyncApp:
    """Bolt's app with everything that Slack may deliver."""
    identity, calls = workspace.identity, workspace.calls
    token = calls.client.token

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=None, team_id=identity.workspace, bot_token=token,
            bot_id=identity.bot_id, bot_user_id=identity.bot_user,
        )  # fmt: skip

    app = AsyncApp(
        client=calls.client, authorize=authorize, request_verification_enabled=False,
        attaching_conversation_kwargs_enabled=False, logger=_bolt_log(),
    )  # fmt: skip
    reader = Reader(identity.workspace, identity.bot_user, workspace.modes)
    intake = Intake(workspace.inbox, calls, reader)
    app.use(intake.take_in)
    app.error(intake.admit)
    for register in HANDLERS:
        register(app, workspace, intake)
    _pass_the_rest(app)
    return app


def background_of(workspace: Workspace) -> list[Coroutine[Any, Any, None]]:
    """What runs beside for as long as the bot serves."""
    identity, calls = workspace.identity, workspace.calls

    def reply_to(holding: Holding) -> HandingOver:
        if holding.waiting.arrival.way in PRIVATE:
            return HandingOver(workspace, holding, PrivateReply(calls, holding))
        return HandingOver(workspace, holding, ThreadReply(calls, holding, identity.bot_user))

    delivery = Delivery(workspace.assistant, reply_to, workspace.options.deadline_seconds)
    return [
        workspace.inbox.work(delivery),
        _patiently(workspace.follow_modes),
        _patiently(partial(_forget, workspace)),
        *(_patiently(partial(work, workspace)) for work in BACKGROUND),
    ]


async def _identify(calls: Calls) -> Identity:
    """Who the bot is; Slack gets a while to answer, as it may just be away."""
    pause = 1.0
    while True:
        try:
            return await identify(calls)
        except AwayError as error:
            if pause > CONNECT_SECONDS or isinstance(error, TokenError):
                raise
            log.warning("%s; trying again in %.0f s.", error, pause)
            await asyncio.sleep(pause)
            pause *= 2


@asynccontextmanager
async def _connected(
    app: AsyncApp, access: Access, workspace: Workspace, group: asyncio.TaskGroup
) -> AsyncIterator[None]:
    hearing = workspace.hearing
    if access.port is not None:
        assert access.signing_secret
        try:
            async with listening(app, access.signing_secret, access.host, access.port):
                hearing.notices_breaks = False
                with hearing.connected():
                    yield
        except OSError as error:
            raise DeliveryError(
                f"The port {access.port} on {access.host} cannot be had: {error.strerror}. Set "
                "another `port` below [slack] in supportbot.toml, or end what uses it."
            ) from error
        return
    assert access.app_token
    await check_app_token(workspace.calls, access.app_token)
    sockets = [Socket(app, access.app_token, hearing) for _ in range(access.sockets)]
    for socket in sockets:
        group.create_task(socket.keep())
    await sockets[0].is_connected.wait()
    yield


def _bolt_log() -> logging.Logger:
    """Bolt's log without its warnings, which are for who writes an app, not for who runs it."""
    logger = logging.getLogger("slack_bolt")
    logger.setLevel(logging.ERROR)
    return logger


async def _forget(workspace: Workspace) -> None:
    while True:
        await stored.forget_old(workspace.engine)
        await asyncio.sleep(FORGET_SECONDS)


async def _patiently(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Have something done for ever, also across outages of the database and of Slack."""
    while True:
        try:
            await work()
        except (DBAPIError, DeliveryError, OSError) as error:
            reason = first_line(error) if isinstance(error, DBAPIError) else error
            log.warning("Something beside the answers starts over: %s", reason)
            await asyncio.sleep(5)


def _pass_the_rest(app: AsyncApp) -> None:
    """Confirm what no handler is for; unconfirmed, Slack would send it again and again."""

    async def confirm(ack: Any) -> None:
        await ack()

    app.event(EVERYTHING)(confirm)
    app.action(EVERYTHING)(confirm)
    app.view(EVERYTHING)(confirm)
    app.view_closed(EVERYTHING)(confirm)
    app.command(EVERYTHING)(confirm)
    app.shortcut(EVERYTHING)(confirm)


Register = Callable[[AsyncApp, Workspace, Intake], None]
# One line for each kind of thing people do besides writing messages.
HANDLERS: tuple[Register, ...] = (
    asking.register,
    commands.register,
    handoffs.register,
    home.register,
    rating.register,
    sharing.register,
    stopping.register,
    why.register,
)
BACKGROUND: tuple[Callable[[Workspace], Coroutine[Any, Any, None]], ...] = (
    job_messages.tell_of_jobs,
    keep_up,
    post_handoffs,
)
