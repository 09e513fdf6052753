"""Answers as Slack's messages (to be replaced by the full renderer)."""

from dataclasses import dataclass
from typing import Any

from bot.messages import Answer


@dataclass(frozen=True, slots=True)
class Message:
    blocks: list[dict[str, Any]]
    text: str


def answer_messages(
    answer: Answer, turn_id: int | None, *, is_private: bool = False
) -> list[Message]:
    message = plain_message(answer.text)
    return [Message([*message.blocks, *closing_message(answer, turn_id).blocks], message.text)]


def closing_message(answer: Answer, turn_id: int | None) -> Message:
    blocks = []
    if turn_id is not None:
        blocks.append(
            {
                "type": "context_actions",
                "elements": [
                    {
                        "type": "feedback_buttons",
                        "action_id": "feedback",
                        "positive_button": {
                            "text": {"type": "plain_text", "text": "Good"},
                            "value": f"{turn_id}:1",
                        },
                        "negative_button": {
                            "text": {"type": "plain_text", "text": "Bad"},
                            "value": f"{turn_id}:-1",
                        },
                    }
                ],
            }
        )
    return Message(blocks, "")


def partial_message(text: str) -> Message:
    return plain_message(text)


def plain_message(text: str) -> Message:
    element = {"type": "text", "text": text[:3000] or " "}
    return Message(
        [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [element]}]}],
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")[:3000],
    )
