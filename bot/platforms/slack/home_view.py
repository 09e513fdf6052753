"""What App Home shows, as Block Kit; dynamic text stands in elements that Slack takes literally."""

from collections.abc import Sequence
from typing import Any

from bot import overviews, reviewing
from bot.intents.catalog import Catalog, Route
from bot.messages import NOT_FOR_THE_BOT, OUT_OF_SCOPE, Person
from bot.overviews import ago
from bot.platforms.slack.commands import written
from bot.platforms.slack.events import PLATFORM
from bot.platforms.slack.workspace import Workspace
from bot.storage import showcase

PREFIX = "admin:"
# The commands with a button, and what stands on it.
BUTTONS = {
    "reindex": "Reindex",
    "retrain": "Retrain",
    "status": "Status",
    "versions": "Versions",
    "gaps": "Gaps",
    "review": "Review",
}
CONFIRMED = {
    "reindex": "Every source is read again; what has not changed costs little.",
    "retrain": "The classifier is trained anew. The new one goes live only if it is no worse.",
}
MAX_SKILLS = 12
MAX_SOURCES = 20
MAX_BLOCKS = 100
EXAMPLE_CHARACTERS = 80
HOW_TO_ASK = (
    "Mention me in a channel, and I answer in the thread.",
    "Write me a message, here below “Messages”.",
    "Type /ask and your question: only you see the answer, until you share it.",
    "Below “More actions” of any message choose “Ask supportbot about it”.",
)
DATA_NOTE = (
    "Questions, answers and ratings are stored in the operator's own database. Answers come from "
    "the documents that everybody in the channel may read."
)

Block = dict[str, Any]


async def home(workspace: Workspace, person: str, *, is_admin: bool) -> dict[str, Any]:
    """The Home of somebody; only admins see how things are and the buttons."""
    sources = await showcase.sources(workspace.engine)
    known = [
        f"{_number(source.documents)}, "
        f"{'updated ' + ago(source.updated_at) if source.updated_at else 'being read'}"
        for source in sources[:MAX_SOURCES]
    ]
    blocks = [
        _header("What I can do"),
        *_list(skills(workspace.assistant.router.catalog)),
        _header("What I know"),
        *_list([(source.name, told) for source, told in zip(sources, known, strict=False)]),
        *([] if sources else [_paragraph("No documents have been read yet.")]),
        _header("How to ask"),
        *_list([("", way) for way in HOW_TO_ASK]),
        *(await _for_admins(workspace, person) if is_admin else []),
        {"type": "divider"},
        {"type": "context", "elements": [{"type": "plain_text", "text": DATA_NOTE}]},
    ]
    return {"type": "home", "blocks": blocks[:MAX_BLOCKS]}


def answer_view(words: str, blocks: Sequence[Block]) -> dict[str, Any]:
    """The modal with the answer to a button."""
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": BUTTONS.get(words, "supportbot")},
        "close": {"type": "plain_text", "text": "Close"},
        "blocks": list(blocks)[:MAX_BLOCKS],
    }


def skills(catalog: Catalog) -> list[tuple[str, str]]:
    """What people may want of the bot: each intent's name in plain words, with an example."""
    found = []
    for intent in catalog.intents:
        is_skill = intent.route in {Route.DOCUMENTS, Route.HANDOFF}
        if not is_skill or intent.name in {OUT_OF_SCOPE, NOT_FOR_THE_BOT}:
            continue
        short = [each for each in intent.utterances if len(each) <= EXAMPLE_CHARACTERS]
        name = intent.name.replace("_", " ").capitalize()
        found.append((name, f"“{short[0]}”" if short else ""))
    return found[:MAX_SKILLS]


async def _for_admins(workspace: Workspace, person: str) -> list[Block]:
    engine = workspace.engine
    parts = [
        await overviews.jobs_overview(engine),
        await overviews.activity_overview(engine),
        await overviews.live_overview(engine),
    ]
    page = await reviewing.following(workspace.administration.reviews, Person(PLATFORM, person))
    labels = BUTTONS | ({"review": f"Review ({page.waiting})"} if page.waiting else {})
    state = [block for message in written("\n\n".join(parts)) for block in message.blocks]
    return [
        _header("For admins"),
        *state,
        {"type": "actions", "elements": [_button(*named) for named in labels.items()]},
    ]


def _button(name: str, label: str) -> Block:
    button: Block = {
        "type": "button",
        "action_id": f"{PREFIX}{name}",
        "text": {"type": "plain_text", "text": label},
    }
    if name in CONFIRMED:
        button["confirm"] = {
            "title": {"type": "plain_text", "text": f"{BUTTONS[name]}?"},
            "text": {"type": "plain_text", "text": CONFIRMED[name]},
            "confirm": {"type": "plain_text", "text": BUTTONS[name]},
            "deny": {"type": "plain_text", "text": "Cancel"},
        }
    return button


def _header(text: str) -> Block:
    return {"type": "header", "text": {"type": "plain_text", "text": text}}


def _paragraph(text: str) -> Block:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [section]}


def _list(items: Sequence[tuple[str, str]]) -> list[Block]:
    """A list of literal texts, each behind its name in bold."""
    sections = []
    for name, told in items:
        parts: list[Block] = []
        if name:
            parts.append({"type": "text", "text": name, "style": {"bold": True}})
        if told:
            parts.append({"type": "text", "text": f": {told}" if name else told})
        sections.append({"type": "rich_text_section", "elements": parts})
    if not sections:
        return []
    bullets = {"type": "rich_text_list", "style": "bullet", "elements": sections}
    return [{"type": "rich_text", "elements": [bullets]}]


def _number(documents: int) -> str:
    return "1 document" if documents == 1 else f"{documents} documents"
