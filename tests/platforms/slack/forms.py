"""Presses what is shown and fills in modals, as a person would and as Slack's client lets them."""

from collections.abc import Iterator
from typing import Any

OPTION_ELEMENTS = {"static_select", "radio_buttons", "overflow"}
OPTIONS_ELEMENTS = {"multi_static_select", "checkboxes"}
# The name of what is chosen in an element whose choice is one id.
ID_ELEMENTS = {
    "users_select": "selected_user",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
}


def filled(view: dict[str, Any], values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The state of a view's inputs, by block id and action id.

    `values` says what a person enters, by action id or `block_id.action_id`: a text, an option's
    value, a list of options' values. What is not said stays as the view has it at first. What the
    client would not let a person submit is an `AssertionError`.
    """
    left = dict(values)
    state: dict[str, dict[str, Any]] = {}
    for block in view["blocks"]:
        element = block.get("element")
        if block.get("type") != "input" or element is None:
            continue
        block_id, action_id = block["block_id"], element["action_id"]
        names = (f"{block_id}.{action_id}", action_id)
        name = next((name for name in names if name in left), None)
        entered = left.pop(name) if name is not None else None
        state[block_id] = {action_id: _entered(block, element, entered, name is not None)}
    if left:
        raise AssertionError(f"The modal has no input for {sorted(left)}; it has {state}.")
    return state


def _entered(
    block: dict[str, Any], element: dict[str, Any], entered: Any, is_said: bool
) -> dict[str, Any]:
    kind = element["type"]
    if kind in OPTION_ELEMENTS:
        option = _option(element, entered) if is_said else element.get("initial_option")
        chosen, name = option, "selected_option"
    elif kind in OPTIONS_ELEMENTS:
        initial = element.get("initial_options", [])
        chosen = [_option(element, value) for value in entered or ()] if is_said else initial
        name = "selected_options"
    elif kind in ID_ELEMENTS:
        name = ID_ELEMENTS[kind]
        chosen = entered if is_said else element.get(f"initial_{name.removeprefix('selected_')}")
    else:
        chosen, name = entered if is_said else element.get("initial_value"), "value"
        chosen = chosen or None
        if chosen is not None and len(chosen) > element.get("max_length", 3000):
            raise AssertionError(f"{block['block_id']} takes no text as long as {len(chosen)}.")
    if not chosen and not block.get("optional"):
        raise AssertionError(f"{block['block_id']} must be filled in.")
    return {"type": kind, name: chosen}


def _option(element: dict[str, Any], value: Any) -> dict[str, Any] | None:
    if value is None:
        return None
    options = list(element.get("options", ()))
    for group in element.get("option_groups", ()):
        options += group["options"]
    for option in options:
        if option["value"] == value:
            found: dict[str, Any] = option
            return found
    raise AssertionError(f"{element['action_id']} has no option {value}: {options}")


def elements(blocks: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What can be pressed or chosen in blocks, each with the id of its block."""
    for block in blocks:
        inside = [*block.get("elements", ()), block.get("accessory"), block.get("element")]
        for element in inside:
            if isinstance(element, dict) and "action_id" in element:
                yield block.get("block_id", ""), element


def pressed(blocks: list[dict[str, Any]], action_id: str, value: str | None) -> dict[str, Any]:
    """The action of pressing an element of blocks; of several choices, the one of that value.
    What is not shown is an `AssertionError`."""
    for block_id, element in elements(blocks):
        if element["action_id"] != action_id:
            continue
        action = {"type": element["type"], "action_id": action_id, "block_id": block_id}
        if element["type"] == "feedback_buttons":
            choices = [element["positive_button"], element["negative_button"]]
            chosen = next((choice for choice in choices if choice["value"] == value), None)
            if chosen is not None:
                return {**action, "value": value, "text": chosen["text"]}
        elif "options" in element:
            chosen = next((each for each in element["options"] if each["value"] == value), None)
            if chosen is not None:
                return {**action, "selected_option": chosen}
        elif value in {None, element.get("value")}:
            return {**action, "value": element.get("value"), "text": element.get("text")}
    shown = [element["action_id"] for _, element in elements(blocks)]
    raise AssertionError(f"Nothing to press as {action_id} {value or ''}; there is {shown}.")
