"""What Slack checks of texts, blocks and views before it shows them."""

import json
from typing import Any

from tests.platforms.slack.rules import Check
from tests.platforms.slack.state import Arguments, RefusedError, short_id

BLOCKS_IN_MESSAGE, BLOCKS_IN_VIEW = 50, 100
POSTED_CHARACTERS, UPDATED_CHARACTERS, MARKDOWN_CHARACTERS = 40_000, 4_000, 12_000
CHARACTERS_IN_BLOCKS = 13_000
VIEW_BYTES = 250_000
METADATA_BYTES = 8_000


def check_message(arguments: Arguments, check: Check, text_limit: int) -> None:
    """Refuse a message Slack would not post, as Slack says it."""
    text, blocks = arguments.get("text"), arguments.get("blocks")
    if arguments.get("markdown_text") is not None:
        if text or blocks:
            raise RefusedError("markdown_text_conflict")
        text = check_markdown(arguments["markdown_text"])
    if not text and not blocks and not arguments.get("attachments"):
        raise RefusedError("no_text")
    if len(text or "") > text_limit:
        raise RefusedError("msg_too_long")
    if blocks is not None:
        check_blocks(blocks, check)
    check_metadata(arguments.get("metadata"))


def check_blocks(blocks: Any, check: Check) -> None:
    """Refuse blocks Slack would not show."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise RefusedError("invalid_blocks_format")
    problems = check(blocks)
    if len(blocks) > BLOCKS_IN_MESSAGE:
        problems = [*problems, f"no more than {BLOCKS_IN_MESSAGE} items allowed [json-pointer:/]"]
    if problems:
        raise RefusedError("invalid_blocks", response_metadata={"messages": problems})
    if _characters(blocks) > CHARACTERS_IN_BLOCKS:
        raise RefusedError("msg_blocks_too_long")


def check_metadata(metadata: Any) -> None:
    """Refuse metadata of another shape than `event_type` and `event_payload`."""
    if metadata is None:
        return
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise RefusedError("invalid_metadata_format")
    if not metadata.get("event_type"):
        raise RefusedError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > METADATA_BYTES:
        raise RefusedError("metadata_too_large")


def check_markdown(markdown: Any) -> str:
    """The Markdown of one call of a stream; longer than Slack takes is refused."""
    if markdown is None:
        return ""
    if not isinstance(markdown, str):
        raise RefusedError("invalid_arguments")
    if len(markdown) > MARKDOWN_CHARACTERS:
        raise RefusedError("msg_too_long")
    return markdown


def shown(arguments: Arguments) -> Arguments:
    """The text and the blocks, with ids, that a message's arguments come to."""
    markdown = arguments.get("markdown_text")
    if markdown:
        return {"text": markdown, "blocks": with_ids([{"type": "markdown", "text": markdown}])}
    return {"text": arguments.get("text") or "", "blocks": with_ids(arguments.get("blocks"))}


def view_problems(view: Any, check: Check) -> list[str]:
    """What Slack would refuse of a view."""
    if not isinstance(view, dict) or not isinstance(view.get("blocks"), list):
        return ["must provide a view with blocks [json-pointer:/view]"]
    problems = check(view)
    if len(view["blocks"]) > BLOCKS_IN_VIEW:
        problems = [*problems, f"no more than {BLOCKS_IN_VIEW} items allowed"]
    if view.get("type") not in {"modal", "home"}:
        problems = [*problems, "must be a valid type [json-pointer:/view/type]"]
    return problems


def check_view(view: Any, check: Check) -> None:
    """Refuse a view Slack would not show."""
    problems = view_problems(view, check)
    if problems:
        raise RefusedError("invalid_arguments", response_metadata={"messages": problems})
    if len(json.dumps(view).encode()) > VIEW_BYTES:
        raise RefusedError("view_too_large")


def with_ids(blocks: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """The blocks, those and their elements without an id given one."""
    if blocks is None:
        return None
    return [_with_id(block) for block in blocks]


def _with_id(block: dict[str, Any]) -> dict[str, Any]:
    filled = {**block, "block_id": block.get("block_id") or short_id()}
    if block.get("type") in {"actions", "context_actions"}:
        filled["elements"] = [_with_action(element) for element in block.get("elements", ())]
    for name in ("element", "accessory"):
        if name in block:
            filled[name] = _with_action(block[name])
    return filled


def _with_action(element: dict[str, Any]) -> dict[str, Any]:
    if element.get("type") == "image":
        return element
    return {**element, "action_id": element.get("action_id") or short_id()}


def _characters(part: Any) -> int:
    """The characters of all texts of blocks."""
    if isinstance(part, list):
        return sum(_characters(piece) for piece in part)
    if not isinstance(part, dict):
        return 0
    own = len(part["text"]) if isinstance(part.get("text"), str) else 0
    return own + sum(_characters(piece) for piece in part.values())
