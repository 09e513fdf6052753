"""The YAML or TOML above a page: cut off; only the title is read, nothing is ever loaded."""

import re

MAX_LENGTH = 100_000

OPENING = re.compile(r"\s*(---|\+\+\+)[ \t]*\n(?=\s*(?:[\w\"'#-]|\+\+\+|$))")
ENTRY = re.compile(
    r"\s*(?:#.*\n\s*)*[\"']?[\w.-]+[\"']?\s*[:=]|\s*(?:---|\+\+\+|\.\.\.)[ \t]*$", re.MULTILINE
)
TITLE = re.compile(r"^title[ \t]*[:=][ \t]*(.*)$((?:\n[ \t]+\S.*)*)", re.IGNORECASE | re.MULTILINE)
QUOTED = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^']|'')*)'")


def split(text: str) -> tuple[str, str]:
    """The title that front matter states, or "", and the text below it."""
    opening = OPENING.match(text)
    if not opening or not ENTRY.match(text, opening.end()):
        return "", text
    closing = re.compile(
        r"^(?:---|\.\.\.)[ \t]*$" if opening[1] == "---" else r"^\+\+\+[ \t]*$", re.MULTILINE
    ).search(text, opening.end(), opening.end() + MAX_LENGTH)
    if not closing:
        return "", text
    return _title(text[opening.end() : closing.start()]), text[closing.end() :].lstrip("\n")


def _title(settings: str) -> str:
    match = TITLE.search(settings)
    if not match:
        return ""
    value = match[1].strip()
    if value[:1] in {"", "|", ">"}:
        return " ".join(match[2].split())
    if quoted := QUOTED.match(value):
        if quoted[1] is None:
            return quoted[2].replace("''", "'")
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if value[0] in "!&*{[":
        return ""
    return " ".join([re.sub(r"\s#.*", "", value), *match[2].split()])
