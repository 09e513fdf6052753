"""The stop button of an answer that is being written."""

import logging
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from sqlalchemy.exc import DBAPIError

from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.intake import Intake
from bot.platforms.slack.workspace import Workspace
from bot.storage import inbox
from bot.storage.database import first_line

log = logging.getLogger(__name__)


def register(app: AsyncApp, workspace: Workspace, intake: Intake) -> None:
    """Have the answers end that people stop; whoever writes them keeps what is there."""

    async def stop(event: dict[str, Any]) -> None:
        conversation = f"{event.get('channel')}:{event.get('thread_ts')}"
        try:
            await inbox.stop(workspace.engine, PLATFORM, conversation)
        except (DBAPIError, OSError) as error:
            log.warning("An answer could not be stopped: %s", first_line(error))

    app.event("agent_session_stopped")(stop)
