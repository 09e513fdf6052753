"""Answers → messages: blocks within Slack's limits, and a text for notifications."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.messages import Answer, Citation, Outcome
from bot.platforms.slack.lengths import escaped, sendable, shortened
from bot.platforms.slack.markdown import pieces
from bot.platforms.slack.pages import blocks, paged
from bot.platforms.slack.pieces import Kind, Piece, Run
from bot.platforms.slack.sources import links_of, source_pieces

WHY, PERSON, FEEDBACK, SHARE = "why", "person", "feedback", "share"
RATING_BLOCK = "rating"
MAX_FALLBACK = 3_000
ZERO_WIDTH_SPACE, WORD_JOINER = "\u200b", "\u2060"
# A colon that a scheme could end with, and the dot of an address without one.
BREAKS = re.compile(r"(?<=[a-z]):(?=\S)|:(?=//)|(?<=\bwww)\.", re.IGNORECASE)
NOTHING = Piece(Kind.TEXT, (Run("…"),))
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted: blocks, and the text that notifications and search show instead."""

    blocks: list[Json]
    text: str


def answer_messages(
    answer: Answer, turn_id: int | None, *, is_private: bool = False
) -> list[Message]:
    """The messages of an answer, one or more; sources and buttons are under the last one.

    Without `turn_id` the answer is not stored, so it can be neither rated nor explained. One that
    `is_private` is seen by its asker alone, who may share it.
    """
    citations = _cited(answer)
    body = pieces(answer.text, links_of(citations)) or [NOTHING]
    found = paged([*body, *source_pieces(citations, body[-1].group + 1)])
    messages = [_message(page) for page in found]
    if turn_id is not None:
        messages[-1].blocks.extend(_buttons(answer.outcome, turn_id, is_private=is_private))
    return messages


def closing_message(answer: Answer, turn_id: int | None) -> Message:
    """What stands below the text of an answer that was streamed: sources and buttons."""
    message = _message(list(source_pieces(_cited(answer), 0)))
    if turn_id is not None:
        message.blocks.extend(_buttons(answer.outcome, turn_id, is_private=False))
    return message


def partial_message(text: str) -> Message:
    """An answer's text while it is being written, as much of it as one message holds."""
    return _message(paged(pieces(text, {}) or [NOTHING])[0])


def plain_message(text: str) -> Message:
    """A short notice of ours in one message; the text is literal, what is too long is left out."""
    text = shortened(sendable(text), MAX_FALLBACK - 2) or "…"
    return _message([Piece(Kind.TEXT, (Run(text),))])


def with_buttons(message: Message, *buttons: Json) -> Message:
    """A message with buttons below it."""
    return Message([*message.blocks, {"type": "actions", "elements": list(buttons)}], message.text)


def button(action: str, label: str, value: str) -> Json:
    """A button with an action and its value."""
    text = {"type": "plain_text", "text": label}
    return {"type": "button", "action_id": action, "text": text, "value": value}


def person_button(turn_id: int) -> Json:
    """The button that asks for a person."""
    return button(PERSON, "Talk to a person", str(turn_id))


def notification(text: str) -> str:
    """Text for where Slack looks for markup: it pings nobody and links nothing.

    At most 3,000 characters.
    """
    unpinged = sendable(text).replace("@", f"@{ZERO_WIDTH_SPACE}")
    inert = escaped(BREAKS.sub(lambda found: found[0] + WORD_JOINER, unpinged))
    if len(inert.encode("utf-16-le")) // 2 <= MAX_FALLBACK:
        return inert
    return re.sub(r"&[a-z]*$", "", shortened(inert, MAX_FALLBACK).removesuffix("…")) + "…"


def _cited(answer: Answer) -> tuple[Citation, ...]:
    return () if answer.outcome is Outcome.FAILED else answer.citations


def _message(page: Sequence[Piece]) -> Message:
    text = notification("\n".join(piece.plain for piece in page))
    return Message(blocks(page), text if text.strip() else "…")


def _buttons(outcome: Outcome, turn_id: int, *, is_private: bool) -> list[Json]:
    person = person_button(turn_id)
    if outcome is Outcome.FAILED:
        return [{"type": "actions", "elements": [person]}]
    if outcome is Outcome.ABSTAINED:
        person["style"] = "primary"
    feedback = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK,
        "positive_button": _feedback("Helpful", "This answer helped", f"{turn_id}:1"),
        "negative_button": _feedback("Not helpful", "This answer did not help", f"{turn_id}:-1"),
    }
    buttons = [button(WHY, "Why this answer?", str(turn_id)), person]
    if is_private and outcome is Outcome.ANSWERED:
        buttons.insert(0, button(SHARE, "Share with the channel", str(turn_id)))
    return [
        {"type": "actions", "elements": buttons},
        {
            "type": "context_actions",
            "block_id": f"{RATING_BLOCK}:{turn_id}",
            "elements": [feedback],
        },
    ]


def _feedback(label: str, spoken: str, value: str) -> Json:
    text = {"type": "plain_text", "text": label}
    return {"text": text, "value": value, "accessibility_label": spoken}
