"""What people see who are asked to take a question over, and the view that closes it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.answer_lists import DRAFT
from bot.messages import OUT_OF_SCOPE, Outcome, Turn
from bot.platforms.slack.lengths import sendable, shortened
from bot.platforms.slack.messages import Message, button, plain_message, with_buttons
from bot.platforms.slack.modals import MAX_COMMENT
from bot.platforms.slack.pages import blocks
from bot.platforms.slack.pieces import Kind, Piece, Run, Style
from bot.storage.handoffs import Handoff

CLAIM, RESOLVE, RESOLUTION = "claim", "resolve", "resolution"
TITLE = "Resolved"
MAX_QUESTION, MAX_TITLE, MAX_TITLES = 1_500, 150, 5
MAX_FAILURE = 300
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What a request to take over says.

    `asker`, `taker` and `resolver` are names; `group` is the id of the user group to call, and
    `permalink` leads to the conversation, None where nobody else can read that.
    """

    handoff: Handoff
    turn: Turn
    asker: str
    taker: str | None = None
    resolver: str | None = None
    group: str | None = None
    permalink: str | None = None


def request_message(request: Request) -> Message:
    """The message that asks people to take over, as it stands, with what they can press."""
    question = shortened(sendable(request.turn.question.text), MAX_QUESTION) or "…"
    pieces = [
        Piece(Kind.QUOTE, (Run(question),), glue=""),
        *_found(request.turn),
        Piece(Kind.TEXT, (_bold("Why I did not settle it"),)),
        *(Piece(Kind.ITEM, (Run(line),), glue="\n") for line in _reasons(request)),
    ]
    if line := _state(request):
        pieces.append(Piece(Kind.TEXT, (_bold(line),)))
    text = plain_message(f"{request.asker} asks for a person: {question}").text
    message = Message([_lead(request), *blocks(pieces)], text)
    return with_buttons(message, *_buttons(request.handoff))


def resolution_view(handoff_id: int, written: str) -> Json:
    """The view that asks what the answer was; `written` is what stands in the thread of it."""
    answer: Json = {
        "type": "plain_text_input",
        "action_id": RESOLUTION,
        "multiline": True,
        "max_length": MAX_COMMENT,
    }
    if written:
        answer["initial_value"] = shortened(sendable(written), MAX_COMMENT)
    kept = "It is kept with the question."
    told = "It is kept with the question, and told to who asked."
    return {
        "type": "modal",
        "callback_id": RESOLUTION,
        "private_metadata": str(handoff_id),
        "title": _plain(TITLE),
        "submit": _plain("Close it"),
        "close": _plain("Cancel"),
        "blocks": [
            {
                "type": "input",
                "block_id": RESOLUTION,
                "optional": True,
                "label": _plain("What was the answer?"),
                "hint": _plain(kept if written else told),
                "element": answer,
            }
        ],
    }


def _lead(request: Request) -> Json:
    """Who asks for a person and where; the mention of the group is the only one that pings."""
    elements: list[Json] = []
    if request.group:
        elements += [{"type": "usergroup", "usergroup_id": request.group}, _text(" ")]
    if request.permalink is None:
        elements.append(
            _text(f"{request.asker} asked me alone, and wants a person: please write to them.")
        )
    else:
        elements += [
            _text(f"{request.asker} wants a person in "),
            {"type": "channel", "channel_id": request.handoff.asked_in},
            _text(": "),
            {"type": "link", "url": request.permalink, "text": "go to the conversation"},
        ]
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": elements}],
    }


def _found(turn: Turn) -> Iterator[Piece]:
    titles = [" › ".join((one.title, *one.headings)) for one in turn.answer.citations]
    if not titles:
        yield Piece(Kind.TEXT, (Run("I found nothing about it in the documents."),))
        return
    yield Piece(Kind.TEXT, (_bold("Nearest in the documents"),))
    for title in titles[:MAX_TITLES]:
        yield Piece(Kind.ITEM, (Run(shortened(sendable(title), MAX_TITLE) or "…"),), glue="\n")


def _reasons(request: Request) -> Iterator[str]:
    """Why the bot was unsure, or did not settle it otherwise."""
    answer, prediction = request.turn.answer, request.turn.prediction
    match answer.outcome:
        case Outcome.ABSTAINED:
            yield "I was not sure enough to answer."
        case Outcome.HANDED_OVER:
            yield "It is something for a person."
        case Outcome.FAILED:
            yield f"I failed: {shortened(sendable(answer.text), MAX_FAILURE)}"
        case Outcome.ANSWERED:
            yield f"I answered, and {request.asker} wants a person all the same."
    if answer.confidence:
        yield f"That the documents deal with it: {answer.confidence.about:.0%}"
        yield f"That the first passage answers it, if they do: {answer.confidence.right:.0%}"
    if prediction and prediction.intent == OUT_OF_SCOPE:
        yield "I know no intent that it would be."
    elif prediction:
        name = shortened(sendable(prediction.intent.replace("_", " ")), MAX_TITLE)
        yield f"I took it for: {name} ({prediction.confidence:.0%})"


def _state(request: Request) -> str | None:
    if request.handoff.state == "resolved":
        return f"Resolved by {request.resolver}."
    return f"Taken by {request.taker}." if request.handoff.state == "claimed" else None


def _buttons(handoff: Handoff) -> Iterator[Json]:
    if handoff.state == "open":
        yield button(CLAIM, "I take it", str(handoff.id)) | {"style": "primary"}
    if handoff.state != "resolved":
        yield button(RESOLVE, "Resolved", str(handoff.id))
    else:
        yield button(DRAFT, "Draft an answer", str(handoff.turn_id))


def _bold(text: str) -> Run:
    return Run(text, frozenset({Style.BOLD}))


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}
