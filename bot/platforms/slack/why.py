"""Why an answer was given, shown to the one who asks."""

from slack_bolt.app.async_app import AsyncApp

from bot.errors import ClickError
from bot.platforms.slack.clicks import FAILED, GONE, Click, answering, open_view, tell, turn_at
from bot.platforms.slack.intake import Intake
from bot.platforms.slack.messages import WHY
from bot.platforms.slack.modals import why_modal
from bot.platforms.slack.workspace import Workspace
from bot.storage import turns


def register(app: AsyncApp, workspace: Workspace, intake: Intake) -> None:
    """Take the clicks on "Why this answer?"."""
    app.action(WHY)(answering(workspace, explain))


async def explain(workspace: Workspace, click: Click) -> None:
    """Open the view that says why."""
    turn = await turn_at(workspace, click, click.value)
    explanation = await turns.explain(workspace.engine, turn.id or 0)
    if explanation is None:
        raise ClickError(GONE)
    if not await open_view(workspace, click, why_modal(explanation)):
        await tell(workspace, click, FAILED)
