"""Administration as `supportbot run` serves it, in a Slack that is as strict as the real one."""

import pytest

from bot.assistant import Assistant
from bot.platforms.slack.workspace import Options
from bot.storage import claims
from tests.platforms.slack.block_kit import texts
from tests.platforms.slack.people import ADA, BOB, ELSEWHERE, GENERAL, GUEST
from tests.platforms.slack.work import taken
from tests.platforms.slack.workspace import Workspace

COUNTS = {"indexed": 12, "unchanged": 480, "rejected": 1, "removed": 0}


@pytest.fixture
def options() -> Options:
    """Slack's own admins may; one prompt is set."""
    return Options(
        has_workspace_admins=True, sources=("documents",), suggested_prompts=("What is paid?",)
    )


async def whispered(slack: Workspace, channel: str, person: str) -> str:
    """What the bot last told somebody alone."""
    seen = await slack.wait_for(lambda: slack.whispers(channel, person))
    return " ".join(texts(seen[-1]))


async def end_job(assistant: Assistant) -> None:
    """Work the waiting job as a worker does."""
    claim = await taken(assistant.engine)
    result = {"source": "documents", "counts": COUNTS, "problems": []}
    await claims.succeed(assistant.engine, claim, result)


@pytest.mark.usefixtures("bot")
async def test_an_admin_of_slack_reindexes_and_reads_the_end_in_one_message(
    slack: Workspace, assistant: Assistant
) -> None:
    await slack.command(ADA, GENERAL, "/reindex", "documents")
    assert "is being reindexed" in await whispered(slack, GENERAL, ADA)
    (message,) = await slack.wait_for(lambda: slack.final_messages(GENERAL))
    assert "waits to run" in " ".join(texts(message))
    await end_job(assistant)

    async def ended() -> bool:
        return "12 indexed" in " ".join(texts(await slack.message(GENERAL, message["ts"])))

    await slack.wait_for(ended)
    assert len(await slack.final_messages(GENERAL)) == 1


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize("person", [BOB, GUEST])
async def test_others_are_told_that_they_may_not(slack: Workspace, person: str) -> None:
    await slack.command(person, GENERAL, "/retrain")
    assert "Only admins may do that" in await whispered(slack, GENERAL, person)
    assert await slack.final_messages(GENERAL) == []


@pytest.mark.usefixtures("bot")
async def test_an_admin_presses_a_button_of_home_and_reads_a_modal(slack: Workspace) -> None:
    await slack.open_home(ADA)
    home = await slack.wait_for(lambda: slack.home(ADA))
    await slack.press_view(ADA, home, "admin:status")

    async def told() -> bool:
        return "never indexed" in " ".join(texts(await slack.views())) or "updated" in " ".join(
            texts(await slack.views())
        )

    await slack.wait_for(told)


@pytest.mark.usefixtures("bot")
async def test_the_pane_greets_once_and_suggests(slack: Workspace) -> None:
    direct = await slack.direct(BOB)
    for _ in range(3):
        await slack.open_home(BOB, "messages")
    await slack.wait_for(lambda: slack.final_messages(direct))
    suggest = "assistant.threads.setSuggestedPrompts"
    await slack.wait_for(lambda: slack.journal.count(suggest) == 3)
    prompts = slack.journal.calls_of(suggest)[0].arguments["prompts"]
    assert "What is paid?" in str(prompts)
    assert len(await slack.final_messages(direct)) == 1


@pytest.mark.usefixtures("bot")
async def test_a_job_asked_for_in_a_channel_without_the_bot_is_told_of_in_private(
    slack: Workspace,
) -> None:
    await slack.command(ADA, ELSEWHERE, "/retrain")
    direct = await slack.direct(ADA)
    (message,) = await slack.wait_for(lambda: slack.final_messages(direct))
    assert "waits to run" in " ".join(texts(message))
