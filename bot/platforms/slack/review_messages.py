"""A question to settle, as a message with buttons, and the view that takes another decision."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from bot import reviewing
from bot.intents.catalog import MAX_CHARACTERS, Catalog
from bot.messages import OUT_OF_SCOPE
from bot.platforms.slack.lengths import sendable, shortened
from bot.platforms.slack.messages import Message, button, notification
from bot.platforms.slack.modals import MAX_OPTION_TEXT, MAX_OPTIONS, MAX_QUESTION
from bot.platforms.slack.pages import blocks
from bot.platforms.slack.pieces import Kind, Piece, Run, Style
from bot.reviewing import Decided, Page, Shown, Verdict

PREFIX = "review:"
OTHER = "other"
REVIEW, INTENT, PARAPHRASE = "review", "review_intent", "review_paraphrase"
LABELS = {
    Verdict.NONE: "None of these",
    Verdict.SKIP: "Skip",
    Verdict.LEAVE_OUT: "Leave out",
}
MAX_BUTTON_TEXT = 75
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a question to settle is shown: an ephemeral message of a channel, or a view."""

    turn_id: int
    channel: str = ""
    response_url: str = ""
    view: str = ""


def review_message(page: Page, said: str = "") -> Message:
    """The next question with its buttons, below what came of the last one."""
    shown = page.shown
    lead = [Piece(Kind.TEXT, (Run(said, frozenset({Style.BOLD})),))] if said else []
    if shown is None:
        pieces = [*lead, Piece(Kind.TEXT, (Run(reviewing.NOTHING_LEFT),))]
        return Message(blocks(pieces), notification(f"{said} {reviewing.NOTHING_LEFT}".strip()))
    question = _literal(shown.question, MAX_QUESTION)
    pieces = [
        *lead,
        Piece(Kind.QUOTE, (Run(question),), glue=""),
        *(Piece(Kind.ITEM, (Run(_literal(line, 500)),), glue="\n") for line in shown.reasons),
        Piece(Kind.TEXT, (Run(f"What was it about? {reviewing.left(page.waiting)}"),)),
    ]
    text = notification(f"{said} {question}".strip())
    return Message([*blocks(pieces), *_buttons(shown)], text)


def decided_by(action: str, value: str) -> Decided | None:
    """What a button's click decides, by its action and value; None where it was forged."""
    turn, _, intent = value.partition(":")
    kind = action.removeprefix(PREFIX).partition(":")[0]
    if not _is_id(turn) or kind not in set(Verdict):
        return None
    return Decided(int(turn), Verdict(kind), intent or None)


def other_modal(question: str, catalog: Catalog, spot: Spot) -> Json:
    """The view to choose any intent in, and to say the question in one's own words."""
    names = [*reviewing.intents(catalog), OUT_OF_SCOPE]
    options = [
        {"text": _plain(shortened(reviewing.name_of(name), MAX_OPTION_TEXT)), "value": name}
        for name in names
    ]
    select: Json = {"type": "static_select", "action_id": INTENT}
    if len(options) <= MAX_OPTIONS:
        select["options"] = options
    else:
        select["option_groups"] = [
            {"label": _plain(f"from {names[at][:50]}"), "options": options[at : at + MAX_OPTIONS]}
            for at in range(0, len(options), MAX_OPTIONS)
        ]
    paraphrase = {
        "type": "plain_text_input", "action_id": PARAPHRASE, "multiline": True,
        "max_length": MAX_CHARACTERS,
    }  # fmt: skip
    return {
        "type": "modal",
        "callback_id": REVIEW,
        "private_metadata": json.dumps(asdict(spot)),
        "title": _plain("What was it about?"),
        "submit": _plain("Settle it"),
        "close": _plain("Cancel"),
        "blocks": [
            *blocks([Piece(Kind.QUOTE, (Run(_literal(question, MAX_QUESTION)),), glue="")]),
            {"type": "input", "block_id": INTENT, "label": _plain("Intent"), "element": select},
            {
                "type": "input",
                "block_id": PARAPHRASE,
                "optional": True,
                "label": _plain("In your own words"),
                "hint": _plain("This is then learnt from in place of what was asked."),
                "element": paraphrase,
            },
        ],
    }


def read_other(view: Json) -> tuple[Spot, Decided] | None:
    """Where the question is shown, and what was decided; None where the view was forged."""
    try:
        spot = Spot(**json.loads(str(view.get("private_metadata"))))
        values = view["state"]["values"]
        intent = values[INTENT][INTENT]["selected_option"]["value"]
    except (ValueError, TypeError, KeyError):
        return None
    if not _is_id(str(spot.turn_id)):
        return None
    written = str(values.get(PARAPHRASE, {}).get(PARAPHRASE, {}).get("value") or "")
    return spot, Decided(int(spot.turn_id), Verdict.INTENT, str(intent), sendable(written))


def _buttons(shown: Shown) -> list[Json]:
    turn = str(shown.turn_id)
    intents = [
        button(
            f"{PREFIX}{Verdict.INTENT}:{at}",
            shortened(choice.label, MAX_BUTTON_TEXT),
            f"{turn}:{choice.intent}",
        )
        for at, choice in enumerate(shown.choices)
    ]
    others = [button(f"{PREFIX}{verdict}", label, turn) for verdict, label in LABELS.items()]
    others.insert(1, button(f"{PREFIX}{OTHER}", "Another …", turn))
    rows = [row for row in (intents, others) if row]
    return [{"type": "actions", "elements": row} for row in rows]


def _literal(text: str, most: int) -> str:
    return shortened(sendable(text), most) or "…"


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}


def _is_id(written: str) -> bool:
    return written.isascii() and written.isdecimal() and len(written) <= 18
