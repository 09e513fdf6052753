"""Phone numbers in texts, by how people write them; those of orders, prices and dates are none."""

import re
from collections.abc import Iterator, Sequence
from enum import Enum

PHONE = "<phone>"

# Numbers beside each other, with what may stand within and between them.
RUN = re.compile(
    r"(?P<numbers>(?:[+(]{1,2} ?)?\d(?:[ .\-/()+\u00a0\u2010-\u2015]{0,3}\d)*+)"
    r"(?P<extension>\s?(?:x|ext\.?|extension|#)\s?\d{1,6}\b)?",
    re.IGNORECASE,
)
WORD = re.compile(r"[+(]{1,2} \d[^ \u00a0]*|[^ \u00a0]+")
# What makes a number part of something else: a word, an address, a price, a time.
GLUED_BEFORE = re.compile(r"(?:[\w.,@/#$€£]|\w-|\d[:=])$")
GLUED_BEHIND = re.compile(r"[\w@%€$£]|[.,:/]\d")
# What stands in front of a number and says that it is a phone's, or that it is something else's.
CALLED = re.compile(
    r"\b(?:tel|phone|telephone|mobile|mob|cell|cellphone|fax|call|calling|ring|dial|reach|text|sms"
    r"|whatsapp|signal|telefon|handy|mobil|rufnummer|meine nummer|my number|hotline|landline"
    r"|callback)\b[^\d+@<>]{0,25}$",
    re.IGNORECASE,
)
OTHERWISE = re.compile(
    r"(?:\b(?:orders?|tickets?|invoices?|cases?|refs?|references?|ids?|number|no|nr|serial|sku"
    r"|items?|ports?|tracking|build|version|error|code|customer|account|transaction|po|isbn"
    r"|bestellung|rechnung|auftrag|timestamp|since|between)\b|#)"
    r"[^\w+@<>]{0,4}(?:(?:no|nr|number|id|is)\b[^\w+@<>]{0,4})?$",
    re.IGNORECASE,
)
BEHIND = 60
MOST_WORDS = 8
# A number in international writing has 15 at most, and "00" or "011" in front of it.
LEAST, MOST = 7, 18
MARKS = frozenset(" .-/()+\u00a0\u2010\u2011\u2012\u2013\u2014\u2015")
DATE = re.compile(
    r"(?:(?:19|20)\d\d([./-])\d{1,2}\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2(?:19|20)?\d\d)"
    r"(?![./-]?\d)"
)
ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?")
GAP = r"[ .\-/\u00a0\u2010-\u2015]{1,3}"
INTERNATIONAL = re.compile(r"\(?\+|\(?00[ -]?[1-9]|011[ -]\d")
SHAPES = (
    # North America: area code and exchange begin with 2 to 9.
    rf"(?:1{GAP}?)?(?:\([2-9]\d\d\)(?:{GAP})?|[2-9]\d\d{GAP})[2-9]\d\d{GAP}\d{{4}}",
    r"1?[2-9]\d\d[2-9]\d{6}",
    # Elsewhere: a 0 and an area code, in groups or all in one.
    rf"(?=(?:\D{{0,3}}\d){{8,13}}+\D{{0,3}}$)\(?0[1-9]\d{{0,5}}\)?(?:(?:{GAP})?\d{{2,8}}){{1,5}}",
    rf"\(\d{{2,5}}\)(?:{GAP})?\d{{3,5}}(?:{GAP})?\d{{2,5}}(?:{GAP}\d{{2,4}})?",
    # Mobile phones of China and India have no 0 in front.
    rf"1[3-9]\d{GAP}\d{{4}}{GAP}\d{{4}}|[6-9]\d{{4}}{GAP}\d{{5}}",
)
NATIONAL = re.compile("|".join(f"(?:{shape})" for shape in SHAPES))


def mask_phones(text: str) -> str:
    """The text with "<phone>" in place of phone numbers."""
    return RUN.sub(_without_phones, text)


def _without_phones(run: re.Match[str]) -> str:
    """Numbers beside each other without those that are together the number of a phone."""
    text, start, end = run.string, run.start(), run.end("numbers")
    words = [(start + word.start(), start + word.end()) for word in WORD.finditer(run["numbers"])]
    before = text[max(0, start - BEHIND) : start]
    if GLUED_BEFORE.search(before):
        del words[0]
    if words and not run["extension"] and GLUED_BEHIND.match(text, end):
        del words[-1]
    parts, kept = [], start
    for first, last in _phones(text, words, Context.of(before)):
        parts += [text[kept:first], _bracket(text[first:last]), PHONE]
        kept = run.end() if last == end else last
    return "".join([*parts, text[kept : run.end()]])


class Context(Enum):
    """What the words in front of a number say that it is."""

    PHONE = CALLED
    OTHER = OTHERWISE
    NOTHING = re.compile("")

    @classmethod
    def of(cls, before: str) -> "Context":
        """What stands in front says."""
        return next(context for context in cls if context.value.search(before))


def _phones(
    text: str, words: Sequence[tuple[int, int]], context: Context
) -> Iterator[tuple[int, int]]:
    """Where phone numbers stand, each of a few words; the context is that of the first."""
    first = 0
    while first < len(words):
        start = words[first][0]
        for last in range(min(first + MOST_WORDS, len(words)) - 1, first - 1, -1):
            end = words[last][1]
            if end - start >= LEAST and _is_phone(text[start:end], context):
                yield start, end
                first = last
                break
        first += 1
        context = Context.NOTHING


def _bracket(number: str) -> str:
    """The bracket that was opened in front of a number, and is none of its own."""
    return "(" if number.startswith("(") and number.count("(") > number.count(")") else ""


def _is_phone(written: str, context: Context) -> bool:
    written = written.removeprefix(_bracket(written))
    digits = sum(map(str.isdecimal, written))
    if not LEAST <= digits <= MOST or len(set(written) - MARKS) == 1:
        return False
    if DATE.match(written) or ADDRESS.fullmatch(written):
        return False
    if INTERNATIONAL.match(written) and ("+" in written or context is not Context.OTHER):
        return digits > LEAST
    if context is Context.PHONE:
        return True
    return context is Context.NOTHING and NATIONAL.fullmatch(written) is not None
