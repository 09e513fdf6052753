"""What admins see of answers that they draft, approve, renew and withdraw."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.answer_lists import Item, Listing, Offer
from bot.approving import MAX_ANSWER, MAX_QUESTION, Draft
from bot.messages import EVERYONE, Answer, Outcome
from bot.platforms.slack.lengths import sendable, shortened
from bot.platforms.slack.messages import Message, answer_messages, button

APPROVAL, QUESTION, ANSWER, AUDIENCE = "approval", "question", "answer", "audience"
TITLE = "Approve an answer"
# Each takes two blocks of the fifty that a message has.
ITEMS_A_MESSAGE = 10
HINT_QUESTION = (
    "In your own words: what is worded as the asker did goes when they ask to be forgotten."
)
HINT_ANSWER = "Markdown. It is quoted as it stands, with your name and today's date."
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Filled:
    """What was typed into the modal, and what it is about."""

    question: str
    answer: str
    audience: frozenset[str]
    turn_id: int | None
    answer_id: int | None


def approval_modal(draft: Draft) -> Json:
    """The view in which an answer is written and approved.

    Who may get it is for the admin to choose: nothing is published to everyone by itself.
    """
    former = draft.former
    about = {"turn": draft.turn_id, "answer": former.id if former else None}
    choices = [_option(EVERYONE, "Everyone who asks me")]
    if draft.place:
        choices.append(_option(draft.place, "Only where it was asked"))
    radio: Json = {"type": "radio_buttons", "options": choices}
    if former:
        radio["initial_option"] = choices[0]
        if EVERYONE not in former.audience:
            now = " ".join(sorted(former.audience))
            choices[1:] = [_option(now, f"As now, only {now}")]
            radio["initial_option"] = choices[1]
    return {
        "type": "modal",
        "callback_id": APPROVAL,
        "private_metadata": json.dumps(about),
        "title": _plain(TITLE),
        "submit": _plain("Approve"),
        "close": _plain("Cancel"),
        "blocks": [
            _input(QUESTION, "Question", _text(draft.question, MAX_QUESTION), HINT_QUESTION),
            _input(ANSWER, "Answer", _text(draft.answer, MAX_ANSWER, is_long=True), HINT_ANSWER),
            _input(AUDIENCE, "Who may get this answer?", radio),
        ],
    }


def read_approval(view: Json) -> Filled | None:
    """What was filled in; None where the view is not one of ours."""
    values = view.get("state", {}).get("values", {})

    def typed(name: str) -> str:
        return sendable(str(values.get(name, {}).get(name, {}).get("value") or ""))

    chosen = values.get(AUDIENCE, {}).get(AUDIENCE, {}).get("selected_option") or {}
    try:
        about = json.loads(view.get("private_metadata") or "")
        turn_id, answer_id = about["turn"], about["answer"]
    except (ValueError, KeyError, TypeError):
        return None
    if not all(one is None or isinstance(one, int) for one in (turn_id, answer_id)):
        return None
    audience = frozenset(str(chosen.get("value") or "").split())
    return Filled(typed(QUESTION), typed(ANSWER), audience, turn_id, answer_id)


def listing_messages(listing: Listing) -> list[Message]:
    """A list as messages, with buttons below each line."""
    lead = _written(listing.lead)
    messages = []
    for start in range(0, max(len(listing.items), 1), ITEMS_A_MESSAGE):
        items = listing.items[start : start + ITEMS_A_MESSAGE]
        blocks = [*(lead.blocks if not start else ()), *item_blocks(items)]
        said = "\n".join([*([lead.text] if not start else []), *(_said(item) for item in items)])
        messages.append(Message(blocks, shortened(said, 3_000) or "…"))
    return messages


def item_blocks(items: Sequence[Item]) -> Iterator[Json]:
    """The lines of a list, each with what may be pressed below it."""
    for item in items:
        yield from _written(item.text).blocks
        if item.offers:
            yield {"type": "actions", "elements": [_button(offer) for offer in item.offers]}


def _said(item: Item) -> str:
    return _written(item.text).text


def _written(markdown: str) -> Message:
    return answer_messages(Answer(Outcome.ANSWERED, markdown), None)[0]


def _button(offer: Offer) -> Json:
    made = button(offer.action, offer.label, str(offer.number))
    if offer.confirm is None:
        return made
    return made | {
        "style": "danger",
        "confirm": {
            "title": _plain(f"{offer.label}?"),
            "text": _plain(offer.confirm),
            "confirm": _plain(offer.label),
            "deny": _plain("Cancel"),
        },
    }


def _text(initial: str, most: int, *, is_long: bool = False) -> Json:
    made: Json = {"type": "plain_text_input", "multiline": is_long, "max_length": most}
    written = shortened(sendable(initial), most)
    return made | ({"initial_value": written} if written else {})


def _input(block_id: str, label: str, element: Json, hint: str | None = None) -> Json:
    made: Json = {
        "type": "input",
        "block_id": block_id,
        "label": _plain(label),
        "element": element | {"action_id": block_id},
    }
    return made | {"hint": _plain(hint)} if hint else made


def _option(value: str, label: str) -> Json:
    return {"text": _plain(shortened(label, 75)), "value": value}


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}
