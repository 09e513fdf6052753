"""Serving the chats that the settings have tokens for, for `supportbot run`."""

import asyncio
import signal
from contextlib import AsyncExitStack

from bot.app import App, Say, open_app
from bot.background import train_first, worker_beside
from bot.errors import SettingsError, SupportbotError
from bot.messages import APPROVED_ANSWERS
from bot.platforms.slack.access import Access
from bot.platforms.slack.workspace import Options
from bot.settings import Settings
from bot.storage import approved, jobs
from bot.storage.inbox import Flood


def slack_access(settings: Settings) -> Access | None:
    """How Slack is reached; None where no token for it is set.

    Raises:
        SettingsError: only some of what it needs is set.
    """
    secrets, slack = settings.secrets, settings.slack
    if secrets.slack_bot_token is None:
        if secrets.slack_app_token is not None:
            raise SettingsError(
                "SLACK_APP_TOKEN is set and SLACK_BOT_TOKEN is not. Set both in .env; the "
                "bot token is on the page OAuth & Permissions of your Slack app."
            )
        return None
    if slack.port is not None and secrets.slack_signing_secret is None:
        raise SettingsError(
            "`port` below [slack] is set and SLACK_SIGNING_SECRET is not. Set it in .env; it is on "
            "the page Basic Information of your Slack app."
        )
    if slack.port is None and secrets.slack_app_token is None:
        raise SettingsError(
            "SLACK_BOT_TOKEN is set and SLACK_APP_TOKEN is not. Set both in .env; the app token "
            "is made on the page Basic Information of your Slack app. Or set SLACK_SIGNING_SECRET "
            "and a `port` below [slack] to have Slack post its events."
        )
    app_token, secret = secrets.slack_app_token, secrets.slack_signing_secret
    return Access(
        secrets.slack_bot_token.get_secret_value(),
        app_token.get_secret_value() if app_token else None,
        secret.get_secret_value() if secret else None,
        slack.api_url, slack.host, slack.port, slack.sockets,
    )  # fmt: skip


def slack_options(settings: Settings) -> Options:
    """How the bot behaves in Slack."""
    slack = settings.slack
    modes = dict.fromkeys(slack.questions_in, "questions") | dict.fromkeys(slack.all_in, "all")
    return Options(
        frozenset(slack.admins), slack.workspace_admins, modes, slack.handoff_channel,
        slack.handoff_group, slack.admin_channel, slack.suggested_prompts,
        settings.questions.deadline_seconds,
        (*(source.name for source in settings.sources), APPROVED_ANSWERS),
        settings.answers.renew_after_days,
    )  # fmt: skip


async def serve_chats(settings: Settings, access: Access, say: Say, *, has_worker: bool) -> None:
    """Answer in the chats until Ctrl-C, which is raised, or SIGTERM, which returns.

    What was never indexed is indexed first; the rest is brought up to date beside.

    Raises:
        SupportbotError: a chat or what answering needs cannot be had; the message says why.
    """
    serving = asyncio.current_task()
    assert serving
    is_ended = asyncio.Event()

    def end() -> None:
        is_ended.set()
        serving.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end)
    try:
        await _serve(settings, access, say, has_worker=has_worker)
    except asyncio.CancelledError:
        if not is_ended.is_set():
            raise
    except BaseExceptionGroup as group:
        told = group.subgroup(SupportbotError)
        if told is None:
            raise
        raise _first(told) from None


async def _serve(settings: Settings, access: Access, say: Say, *, has_worker: bool) -> None:
    from bot.platforms.slack.service import Load, serve

    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(settings, say))
        questions = settings.questions
        flood = Flood(questions.per_person, questions.per_channel, questions.waiting)
        load = Load(flood, questions.at_once)
        # Tasks of one group, so that both begin to end at once.
        group = await stack.enter_async_context(asyncio.TaskGroup())
        if has_worker:
            group.create_task(_work_beside(settings))
        await _request_first_jobs(app, say)
        group.create_task(serve(app.assistant(), access, slack_options(settings), load, say))


async def _work_beside(settings: Settings) -> None:
    async with worker_beside(settings):
        await asyncio.Event().wait()


def _first(group: BaseExceptionGroup[SupportbotError]) -> BaseException:
    """The first error of those that happened at once."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _request_first_jobs(app: App, say: Say) -> None:
    """Have the sources brought up to date, and a classifier trained where there is none."""
    if missing := await app.unindexed_sources():
        say(f"Indexing {', '.join(missing)}; answers begin to come as documents are read.")
    names = [source.name for source in app.settings.sources]
    if await approved.published(app.engine):
        names.append(APPROVED_ANSWERS)
    for name in names:
        await jobs.request(app.engine, "reindex", name, "start")
    await train_first(app, say)
