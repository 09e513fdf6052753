"""How long a text is for Slack, what of it cannot be sent, and where it may be cut."""

import re
import unicodedata
from collections.abc import Iterator

ELLIPSIS = "…"
ZERO_WIDTH_JOINER = "\u200d"
# Halves of surrogate pairs and control characters, which JSON can say and no client can show.
UNSENDABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Where a too long paragraph is cut, the best first.
CUTS = (re.compile(r"\n"), re.compile(r"[.!?…。！？][\"'”’)]*\s+"), re.compile(r"\s+"))


def size(text: str) -> int:
    """Characters as the strictest reading of Slack's limits counts them: UTF-16 units, escaped."""
    escaped = 4 * text.count("&") + 3 * (text.count("<") + text.count(">"))
    return len(text.encode("utf-16-le")) // 2 + escaped


def sendable(text: str) -> str:
    """The text with a replacement character for what cannot be sent, and lines that end in \\n."""
    return UNSENDABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def escaped(text: str) -> str:
    """The text with the three characters escaped that begin markup of Slack's."""
    return re.sub("[&<>]", lambda found: ESCAPES[found[0]], text)


def shortened(text: str, most: int) -> str:
    """The text, or as much of it as fits into `most` characters with an ellipsis behind it."""
    if size(text) <= most:
        return text
    return text[: _hard_cut(text, most - size(ELLIPSIS))].rstrip() + ELLIPSIS


def slices(text: str, most: int, first: int, *, is_code: bool = False) -> Iterator[str]:
    """The text in parts of at most `most` characters, the first of at most `first`.

    Code is cut behind lines alone where it has any; prose behind lines, else sentences, else
    words, as long as a part is not less than half full. What has none is cut between graphemes.
    """
    room = first
    while size(text) > room:
        cut = _cut(text, room, is_code=is_code)
        yield text[:cut]
        text, room = text[cut:], most
    yield text


def _cut(text: str, most: int, *, is_code: bool) -> int:
    """Where to cut a text that is longer than `most`; the part in front is not empty."""
    hard = _hard_cut(text, most)
    if is_code:
        return text.rfind("\n", 0, hard) + 1 or hard
    for pattern in CUTS:
        ends = [found.end() for found in pattern.finditer(text, 0, hard)]
        if ends and ends[-1] >= hard // 2:
            return ends[-1]
    return hard


def _hard_cut(text: str, most: int) -> int:
    """The last place between graphemes that leaves at most `most` characters in front of it.

    A grapheme longer than that is cut all the same, but never a character.
    """
    low, high = 0, min(len(text), most)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= most else (low, middle - 1)
    cut = low
    while cut > low // 2 and _is_inside_grapheme(text, cut):
        cut -= 1
    return cut if cut > low // 2 else max(low, 1)


def _is_inside_grapheme(text: str, at: int) -> bool:
    """Whether what stands at this place belongs to what stands in front of it."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if ZERO_WIDTH_JOINER in {before, after} or unicodedata.category(after) in {"Mn", "Me", "Mc"}:
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return True
    return _is_flag_half(after) and _flags_before(text, at) % 2 == 1


def _flags_before(text: str, at: int) -> int:
    """How many letters of flags stand directly in front of this place."""
    count = 0
    while count < at and _is_flag_half(text[at - 1 - count]):
        count += 1
    return count


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
