"""Reads supportbot.toml; what cannot be read is told by its line."""

import re
import tomllib
from pathlib import Path
from typing import Any

from bot.settings_problems import SECRET_WORDS, Mask, as_variable, one_line

PLACE = re.compile(r"^(.*) \(at (?:line (\d+), column \d+|end of document)\)$", re.DOTALL)
KEY = re.compile(r"^([^=]*)=")


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file, empty if there is no such file, and the problem if it cannot be read."""
    try:
        return path.read_text("utf-8-sig"), ""
    except FileNotFoundError:
        return "", ""
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return "", f"line {line} is not text in UTF-8. Save the file as UTF-8."
    except OSError as error:
        return "", f"cannot be read ({error.strerror}). Make it a file that you may read."


def read_toml(path: Path, mask: Mask) -> tuple[dict[str, Any], str]:
    """What the TOML file holds, nothing if there is no file, and the problem if it is broken."""
    text, problem = read_text(path)
    try:
        return tomllib.loads(text), problem
    except ValueError as error:
        return {}, _syntax(str(error), text, mask)
    except RecursionError:
        return {}, "its lists are nested too deep. Settings need no nesting: see supportbot init."


def _syntax(message: str, text: str, mask: Mask) -> str:
    place = PLACE.match(message)
    if not place:
        return f"is not TOML ({one_line(mask(message))})."
    lines = text.split("\n")
    number = int(place[2] or text.rstrip().count("\n") + 1)
    reason = one_line(mask(place[1]))
    fix = 'Text stands in quotes: key = "text".' if reason == "Invalid value" else "Mend the line."
    return f"line {number} is not TOML ({reason}): {_line(lines[number - 1], mask)} – {fix}"


def _line(line: str, mask: Mask) -> str:
    key = KEY.match(line)
    if key and SECRET_WORDS.search(as_variable(key[1])):
        return one_line(f"{key[1]}= ***")
    return one_line(mask(line.strip()))
