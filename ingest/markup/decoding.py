"""Bytes to clean text: the encoding is found out, what no reader sees is removed."""

import codecs
import re
import unicodedata

from bot.errors import DocumentRejectedError

MAGIC = {
    b"\x7fELF": "an ELF program",
    b"PK\x03\x04": "a ZIP archive or office file",
    b"PK\x05\x06": "a ZIP archive or office file",
    b"%PDF-": "a PDF file",
    b"\xd0\xcf\x11\xe0": "an old office file",
    b"{\\rtf": "an RTF file",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x28\xb5\x2f\xfd": "a zstd archive",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"SQLite format 3\0": "a database",
}
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{2,30})", re.IGNORECASE)
# Python's own codecs such as unicode_escape or punycode are no charsets of documents.
CHARSETS = re.compile(
    r"(?:iso-?8859|windows|cp|koi8|mac|shift|sjis|euc|gb|big5|tis|hz|iso-2022)[\w-]*", re.IGNORECASE
)

LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]")
# Most pages hold none, and to look for one takes a tenth of the time of replacing them.
ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")
# Zero-width and bidi characters, tags and variation selectors carry text that only a machine
# reads. U+E000 and U+E001 are our own marks.
INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ue000\ue001\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
# Joiners stay in the scripts that spell with them, a selector stays behind its base.
JOINERS = re.compile("[\u200c\u200d](?<![\u0590-\u109f].)|[\ufe00-\ufe0f](?<=[\ufe00-\ufe0f]{2})")
WIDE = re.compile("[^\x00-\x7f\ufffd]")
# Marks are neither word characters nor spaces, so a pile of them lies within such a run.
PILES = re.compile(r"[^\x00-\x7f\w\s]{5,}")
MAX_MARKS = 4


def decode(data: bytes, *, is_html: bool) -> str:
    """The text of a file, cleaned.

    Raises:
        DocumentRejectedError: it is not text.
    """
    for magic, what in MAGIC.items():
        if data.startswith(magic):
            raise DocumentRejectedError(f"is {what}, not text")
    text = _decode(data, is_html)
    controls = len(CONTROLS.findall(text)) if ODD.search(text) else 0
    if controls + text.count("\ufffd") > 8 + len(text) // 20:
        raise DocumentRejectedError("is binary, not text")
    return clean(text)


def clean(text: str) -> str:
    """The text without characters that no reader sees or no database takes, in NFC."""
    if ODD.search(text):
        text = CONTROLS.sub("", LINE_ENDS.sub("\n", text))
    if text.isascii():
        return text
    text = JOINERS.sub("", INVISIBLE.sub("", text))
    # Piles are cut first: to normalise one takes time that grows with the square of its height.
    return unicodedata.normalize("NFC", PILES.sub(_cut_pile, text))


def _decode(data: bytes, is_html: bool) -> str:
    for bom, encoding in BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(encoding, "replace")
    wide = _wide_encoding(data)
    if wide:
        return data.decode(wide, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    declared = CHARSET.search(data[:4096]) if is_html else None
    if declared and CHARSETS.fullmatch(declared[1].decode()):
        try:
            return data.decode(declared[1].decode(), "replace")
        except LookupError:
            pass
    return _decode_damaged(data)


def _wide_encoding(data: bytes) -> str | None:
    """UTF-16 without a mark, told by NULs that stand in every second place only."""
    start = data[:4096]
    if len(start) < 4 or len(data) % 2:
        return None
    even, odd = start[::2].count(0), start[1::2].count(0)
    some, few = max(2, len(start) // 5), len(start) // 50
    if odd >= some and even <= few:
        return "utf-16-le"
    return "utf-16-be" if even >= some and odd <= few else None


def _decode_damaged(data: bytes) -> str:
    """Mostly UTF-8 stays that, with its bad bytes marked; anything else is Western."""
    text = data.decode("utf-8", "replace")
    bad = text.count("\ufffd")
    if 4 * len(WIDE.findall(text)) > bad:
        return text
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _cut_pile(match: re.Match[str]) -> str:
    kept: list[str] = []
    height = 0
    for character in match[0]:
        height = height + 1 if unicodedata.category(character).startswith("M") else 0
        if height <= MAX_MARKS:
            kept.append(character)
    return "".join(kept)
