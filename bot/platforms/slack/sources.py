"""Where an answer comes from, for people: titles that link to what was cited, and their hosts."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from bot.messages import Citation
from bot.platforms.slack.lengths import sendable, shortened
from bot.platforms.slack.pieces import Kind, Piece, Run, Runs, Style

MAX_LABEL = 300
MAX_URL = 2_000
MAX_PLAIN_URL = 200
# What an address holds that browsers and we could read differently, or that ends it.
UNSURE = re.compile(r"[\s\\|<>\"'`{}^@\x00-\x1f\x7f]")
LOOKS_LIKE_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*:\s*[/\\]|\bwww\.|(?<![\w.])(?:[\w-]+\.)+(?P<top>[^\W\d_]{2,24})(?![\w-])",
    re.IGNORECASE,
)
# What ends like a domain and is a file in every handbook.
FILES = {"cfg", "css", "html", "ini", "js", "json", "md", "py", "rst", "sh", "sql", "toml", "ts",
         "txt", "yaml", "yml"}  # fmt: skip


def links_of(citations: Sequence[Citation]) -> Mapping[int, str]:
    """The addresses that citation marks may link to, by their numbers."""
    return {c.number: c.url for c in citations if host_of(c.url)}


def host_of(url: str) -> str | None:
    """The host of an http(s) address, as it is asked for; None for what must not be a link."""
    if len(url) > MAX_URL or UNSURE.search(url):
        return None
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        is_web = parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:
        return None
    return host if is_web and host else None


def place_runs(title: str, url: str) -> Runs:
    """A title that links to where it leads, with the host behind; no link where it must be none.

    A title that looks like an address would promise to lead there: then the host is the link.
    """
    label = shortened(_visible(title), MAX_LABEL) or "…"
    host = host_of(url)
    if host is None:
        address = shortened(_visible(url), MAX_PLAIN_URL)
        return (Run(f"{label} — {address}" if address else label),)
    if looks_like_address(label):
        return (Run(host, url=url), Run(f" — {label}"))
    return (Run(label, url=url), Run(f" — {host}"))


def looks_like_address(text: str) -> bool:
    """Whether a reader could take a part of the text for a web address."""
    found = LOOKS_LIKE_ADDRESS.finditer(unicodedata.normalize("NFKC", text))
    return any((each["top"] or "").lower() not in FILES for each in found)


def source_pieces(citations: Sequence[Citation], group: int) -> Iterator[Piece]:
    """The numbered list of what was cited."""
    if not citations:
        return
    bold = frozenset({Style.BOLD})
    yield Piece(Kind.TEXT, (Run("Sources", bold),), group)
    for citation in citations:
        title = " › ".join((citation.title, *citation.headings))
        runs = (Run(f"[{citation.number}] "), *place_runs(title, citation.url))
        yield Piece(Kind.TEXT, runs, group, glue="\n")


def _visible(text: str) -> str:
    """A line without characters that show nothing, which could turn what stands behind it."""
    kept = (
        character
        for character in sendable(text)
        if unicodedata.category(character) != "Cf" or character in "\u200c\u200d"
    )
    return " ".join("".join(kept).split())
