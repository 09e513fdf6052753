"""Says what Slack would refuse about blocks and views, and what is live in them.

Shapes come from Slack's own types (`block_kit.schema.json`), lengths from slack_sdk's models and
from the reference. Lengths are counted in UTF-16 units, the longest way to count characters.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

Json = dict[str, Any]
SCHEMA = json.loads((Path(__file__).parent / "block_kit.schema.json").read_text("utf-8"))

MAX_BLOCKS, MAX_VIEW_BLOCKS, MAX_TOTAL, MAX_FALLBACK = 50, 100, 11_000, 3_000
MAX_ROWS, MAX_COLUMNS, MAX_TABLE = 100, 20, 10_000
MAX_MARKDOWN = 12_000
MESSAGE_ONLY = {"context_actions", "table", "markdown", "task_card", "plan"}
RICH_PARTS = {
    "rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted",
}  # fmt: skip
# Most characters of a string or items of a list, by the type of what holds it and its name.
MOST: dict[tuple[str, str], int] = {
    ("header", "text"): 150,
    ("section", "text"): 3_000,
    ("section", "fields"): 10,
    ("context", "elements"): 10,
    ("context_actions", "elements"): 5,
    ("actions", "elements"): 25,
    ("button", "text"): 75,
    ("button", "value"): 2_000,
    ("button", "url"): 3_000,
    ("button", "accessibility_label"): 75,
    ("static_select", "options"): 100,
    ("multi_static_select", "options"): 100,
    ("radio_buttons", "options"): 10,
    ("checkboxes", "options"): 10,
    ("overflow", "options"): 5,
    ("input", "label"): 2_000,
    ("input", "hint"): 2_000,
    ("image", "alt_text"): 2_000,
    ("image", "image_url"): 3_000,
    ("image", "title"): 2_000,
    ("link", "url"): 3_000,
    ("modal", "title"): 24,
    ("modal", "submit"): 24,
    ("modal", "close"): 24,
    ("rich_text", "elements"): 1_000,
}
MOST_ANYWHERE = {
    "action_id": 255, "block_id": 255, "callback_id": 255, "private_metadata": 3_000,
    "placeholder": 150,
}  # fmt: skip
OPTION = {"text": 75, "value": 150, "description": 75}
FEEDBACK = {"text": 75, "value": 2_000, "accessibility_label": 75}
MENTIONS = {"user", "usergroup", "team", "channel", "broadcast"}
MARKUP = re.compile(r"<(?=[!@#]|https?:|mailto:)")


def size(text: str) -> int:
    """UTF-16 units of a text."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def problems(blocks: list[Json]) -> list[str]:
    """What Slack would refuse about the blocks of one message; empty where it takes them."""
    found = list(_block_problems(blocks, MAX_BLOCKS))
    if (total := total_text(blocks)) >= MAX_TOTAL:
        found.append(f"{total} characters in all, {MAX_TOTAL} are too many")
    tables = [block for block in blocks if block.get("type") == "table"]
    if len(tables) > 1:
        found.append(f"{len(tables)} tables, one is allowed")
    marked = sum(size(str(b.get("text", ""))) for b in blocks if b.get("type") == "markdown")
    if marked > MAX_MARKDOWN:
        found.append(f"{marked} characters of markdown, {MAX_MARKDOWN} are allowed")
    return found


def message_problems(message: Json) -> list[str]:
    """What Slack would refuse about a message with `text` and `blocks`, or what is live in both."""
    text = message.get("text", "")
    found = problems(message["blocks"]) if message.get("blocks") else []
    if not text.strip():
        found.append("no text for the notification")
    if size(text) > MAX_FALLBACK:
        found.append(f"{size(text)} characters of text, {MAX_FALLBACK} are allowed")
    if "<" in text or re.search(r"&(?!amp;|lt;|gt;)", text):
        found.append("text that is not escaped")
    if re.search(r"@(?!\u200b)", text.rstrip("@…")) or re.search(r"(?i)[a-z]://", text):
        found.append("text that can mention or link")
    return found


def view_problems(view: Json) -> list[str]:
    """What Slack would refuse about a modal or a home."""
    blocks = view.get("blocks", [])
    found = _shape("View", view) + list(_block_problems(blocks, MAX_VIEW_BLOCKS))
    found += [p for name in view for p in _length(view, name)]
    found += [f"{b['type']} in a view" for b in blocks if b.get("type") in MESSAGE_ONLY]
    if view.get("type") == "modal" and "submit" not in view:
        found += ["input without submit"] * any(b.get("type") == "input" for b in blocks)
    return found


def total_text(blocks: list[Json]) -> int:
    """UTF-16 units of everything that is shown, labels included."""
    return sum(map(size, texts(blocks)))


def texts(value: object) -> Iterator[str]:
    """Everything that is shown, in order."""
    for each in _objects(value):
        if isinstance(each.get("text"), str):
            yield each["text"]
        elif each.get("type") == "link":
            yield each["url"]


def mentions(value: object) -> list[str]:
    """What would notify somebody, or lead to a channel or into markup of Slack's own."""
    live = [json.dumps(each) for each in _objects(value) if each.get("type") in MENTIONS]
    return live + [each["text"] for each in _mrkdwn(value) if MARKUP.search(each["text"])]


def links(value: object) -> list[str]:
    """The addresses that a click or a look at these blocks leads to."""
    names = ("url", "image_url", "thumbnail_url", "title_url", "video_url", "provider_icon_url")
    found = [each[name] for each in _objects(value) for name in names if each.get(name)]
    return found + [
        address
        for each in _mrkdwn(value)
        for address in re.findall(r"(?i)https?://[^\s|>]+", each["text"])
    ]


def _block_problems(blocks: list[Json], most: int) -> Iterator[str]:
    if not isinstance(blocks, list) or not 1 <= len(blocks) <= most:
        yield f"{len(blocks)} blocks, 1 to {most} are allowed"
    for at, block in enumerate(blocks):
        where = f"block {at} ({block.get('type')}): "
        for problem in (*_of_kind(block), *_of_model(block), *_of_objects(block)):
            yield where + problem
        # Those of another block may be the same: a click names its block as well.
        yield from (where + problem for problem in _repeated("action_id", block))
    yield from _repeated("block_id", blocks)


def _repeated(name: str, value: object) -> list[str]:
    ids = Counter(each[name] for each in _objects(value) if name in each)
    return [f"{name} {each!r} is there {n} times" for each, n in ids.items() if n > 1]


def _of_kind(block: Json) -> list[str]:
    """What is wrong with a block's shape."""
    name = _definitions().get(str(block.get("type")))
    return _shape(name, block) if name else [f"no block is called {block.get('type')!r}"]


def _shape(name: str, value: Json) -> list[str]:
    return [f"{e.json_path}: {e.message[:300]}" for e in _validator(name).iter_errors(value)]


def _of_model(block: Json) -> list[str]:
    """What slack_sdk's models say of a block's lengths; none of text that is rich."""
    if block.get("type") in {"rich_text", "table"}:
        return []
    try:
        model = Block.parse(json.loads(json.dumps(block)))
        if model is not None:
            model.validate_json()
    except SlackObjectFormationError as error:
        return [str(error)]
    return []


def _of_objects(block: Json) -> Iterator[str]:
    for each in _objects(block):
        for name in each:
            yield from _length(each, name)
        if isinstance(each.get("text"), str) and not each["text"]:
            yield f"empty text in {each}"
        if each.get("type") in RICH_PARTS and (n := sum(map(size, texts(each)))) > 3_000:
            yield f"{n} characters in a {each['type']}, 3000 are allowed"
        if "options" in each and each.get("initial_option") not in (None, *each["options"]):
            yield "an initial option that is none of the options"
        yield from (f"empty {name}" for name in ("options", "elements") if each.get(name) == [])
    for each in _mrkdwn(block):
        if MARKUP.search(each["text"]):
            yield f"live markup in {each['text'][:80]!r}"
    if block.get("type") == "table":
        yield from _of_table(block)


def _of_table(block: Json) -> Iterator[str]:
    rows = block["rows"]
    widths = {len(row) for row in rows}
    if not 1 <= len(rows) <= MAX_ROWS or len(widths) > 1 or not 1 <= max(widths) <= MAX_COLUMNS:
        yield f"{len(rows)} rows of {sorted(widths)} columns"
    if (n := sum(map(size, texts(rows)))) > MAX_TABLE:
        yield f"{n} characters in a table, {MAX_TABLE} are allowed"


def _length(holder: Json, name: str) -> Iterator[str]:
    value = holder[name]
    most = MOST.get((str(holder.get("type")), name)) or MOST_ANYWHERE.get(name)
    if "value" in holder and "type" not in holder:
        most = (FEEDBACK if "accessibility_label" in holder else OPTION).get(name, most)
    if isinstance(value, dict):
        value = value.get("text", "")
    n = size(value) if isinstance(value, str) else len(value) if isinstance(value, list) else 0
    if most and n > most:
        yield f"{name} of a {holder.get('type', 'option')} is {n} long, {most} is the most"


def _mrkdwn(value: object) -> Iterator[Json]:
    return (each for each in _objects(value) if each.get("type") == "mrkdwn")


def _objects(value: object) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _objects(each)


@cache
def _definitions() -> dict[str, str]:
    """The definition of each kind of block."""
    names = [each["$ref"].split("/")[-1] for each in SCHEMA["definitions"]["KnownBlock"]["anyOf"]]
    return {kind: name for name in names for kind in _kinds({"$ref": f"#/definitions/{name}"})}


def _kinds(shape: Json) -> list[str]:
    """The values of `type` that a shape asks for; none where it leaves them open."""
    if "$ref" in shape:
        return _kinds(SCHEMA["definitions"][shape["$ref"].split("/")[-1]])
    if "anyOf" in shape:
        found = [_kinds(each) for each in shape["anyOf"]]
        return [kind for each in found for kind in each] if all(found) else []
    kind = shape.get("properties", {}).get("type", {})
    return [kind["const"]] if "const" in kind else kind.get("enum", [])


def _any_of(
    validator: Draft7Validator, shapes: list[Json], value: object, schema: Json
) -> Iterator[ValidationError]:
    """`anyOf`, but of shapes that name their `type` the one of this value alone is tried.

    That is what takes a check from a second to a moment, and says what is wrong in a few words.
    """
    by_kind: dict[str, list[Json]] = {}
    for shape in shapes:
        for kind in _kinds(shape) or [""]:
            by_kind.setdefault(kind, []).append(shape)
    if isinstance(value, dict) and "" not in by_kind:
        kind = value.get("type")
        shapes = by_kind.get(str(kind), [])
        if not shapes:
            yield ValidationError(f"{kind!r} is none of {sorted(by_kind)}")
            return
    if len(shapes) == 1:
        yield from validator.descend(value, shapes[0])
    else:
        yield from Draft7Validator.VALIDATORS["anyOf"](validator, shapes, value, schema)


@cache
def _validator(name: str) -> Draft7Validator:
    checker = extend(Draft7Validator, {"anyOf": _any_of})
    return checker({**SCHEMA, "$ref": f"#/definitions/{name}"})
