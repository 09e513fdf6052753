"""What is wrong with supportbot.toml, in words: the key, its value, the problem and the fix."""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Location = tuple[str | int, ...]
Mask = Callable[[str], str]

MAX_SHOWN = 60

# What is wrong, by pydantic's name for it. "Write …" with the field's description follows.
WRONG = {
    "missing": "is missing",
    "greater_than_equal": "is too small",
    "less_than_equal": "is too large",
    "int_type": "is not a whole number",
    "float_type": "is not a number",
    "string_type": "is not text in quotes",
    "path_type": "is not text in quotes",
    "tuple_type": "is not a list",
    "frozen_set_type": "is not a list",
    "model_type": "is not a section",
    "too_short": "is empty",
    "string_too_short": "is empty",
    "string_too_long": "is too long",
    "literal_error": "is not one of the choices",
}
SECRET_WORDS = re.compile(r"(^|_)(token|secret|password|api_key|database_url)($|_)")


def describe(
    error: ValidationError,
    schema: type[BaseModel],
    document: Mapping[str, Any],
    secrets: Mapping[str, str],
    mask: Mask,
) -> list[str]:
    """Every problem of the `document` that broke the `schema`, a sentence or two each.

    `secrets` are the names of variables by the keys people write for them.
    """
    known = known_keys(schema)
    problems: list[str] = []
    for detail in error.errors(include_url=False):
        if detail["type"] == "extra_forbidden":
            problems += _unknown(detail, known, secrets, mask)
        else:
            problems.append(_wrong(detail, known, document, mask))
    return problems


def known_keys(schema: type[BaseModel], prefix: str = "") -> dict[str, str]:
    """The description of every key, by its name, such as `encoder.model` or `sources[].name`."""
    keys: dict[str, str] = {}
    for name, field in schema.model_fields.items():
        keys[prefix + name] = field.description or ""
        kinds = [field.annotation, *get_args(field.annotation)]
        mark = "[]" if get_origin(field.annotation) is tuple else ""
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                keys |= known_keys(kind, f"{prefix}{name}{mark}.")
    return keys


def shown(value: object, mask: Mask) -> str:
    """The value as it stands in a TOML file, on one line, shortened and without secrets."""
    if isinstance(value, str):
        text = json.dumps(mask(value), ensure_ascii=False)
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, int) and value.bit_length() > 128:
        text = "a huge number"
    else:
        text = mask(str(value))
    return one_line(text)


def one_line(text: str) -> str:
    """The text shortened, with an escape for what does not print."""
    text = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def as_variable(key: str) -> str:
    """The key written as names of secrets are, to recognise them."""
    return key.strip(" \t\"'").lower().replace("-", "_")


def _wrong(
    detail: ErrorDetails, known: Mapping[str, str], document: Mapping[str, Any], mask: Mask
) -> str:
    location, value = detail["loc"], detail["input"]
    start = f"`{_name(location)}`{_which(location, document, mask)}"
    if detail["type"] != "missing" and not isinstance(value, dict | list):
        start += f" = {shown(value, mask)}"
    if detail["type"] == "value_error":
        return f"{start} {detail['ctx']['error']}."
    what = WRONG.get(detail["type"], "is not of the right form")
    return f"{start} {what}. Write {_description(location, known)}."


def _unknown(
    detail: ErrorDetails, known: Mapping[str, str], secrets: Mapping[str, str], mask: Mask
) -> Iterator[str]:
    location, value = detail["loc"], detail["input"]
    inner = [(*location, key) for key in value] if isinstance(value, dict) else []
    for path in inner or [location]:
        name = one_line(mask(_name(path)))
        written = as_variable("_".join(str(part) for part in path))
        variable = next((secrets[key] for key in secrets if key in written), "")
        if variable or SECRET_WORDS.search(written):
            line = f"{variable}=…" if variable else f"one of {', '.join(secrets.values())}"
            yield f"`{name}` is a secret. Delete it here and write {line} into .env."
        else:
            yield f"unknown key `{name}`{_suggestion(path, known)}"


def _suggestion(path: Location, known: Mapping[str, str]) -> str:
    key = _pattern(path)
    section, _, leaf = key.rpartition(".")
    siblings = {
        name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == section
    }
    elsewhere = [name for name in known if name.rpartition(".")[2] == leaf]
    near = (
        [siblings[name] for name in difflib.get_close_matches(leaf, siblings, n=1)]
        or difflib.get_close_matches(key, elsewhere, n=1, cutoff=0)
        or difflib.get_close_matches(key, known, n=1, cutoff=0.8)
    )
    if near:
        numbers = iter(part for part in path if isinstance(part, int))
        name = re.sub(r"\[\]", lambda _: f"[{next(numbers, '')}]", near[0])
        above = "" if "." in name or "." not in key else " above the first [section]"
        return f" – did you mean `{name}`{above}?"
    choices = siblings or [name for name in known if "." not in name]
    return f". Delete it, or write one of: {', '.join(choices)}."


def _description(location: Location, known: Mapping[str, str]) -> str:
    key = _pattern(location)
    return known.get(key) or known[key.removesuffix("[]")]


def _which(location: Location, document: Mapping[str, Any], mask: Mask) -> str:
    """The name, or else the place, of the element of a list of sections that is meant."""
    if len(location) < 2 or not isinstance(location[1], int):
        return ""
    element = document[str(location[0])][location[1]]
    name = element.get("name") if isinstance(element, dict) else None
    return f" ({shown(name, mask) if isinstance(name, str) else f'number {location[1] + 1}'})"


def _pattern(location: Location) -> str:
    return re.sub(r"\[\d+\]", "[]", _name(location))


def _name(location: Location) -> str:
    return "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in location
    ).removeprefix(".")
