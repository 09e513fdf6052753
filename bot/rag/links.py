"""Takes links, images and web addresses out of what a model wrote: they lead where it likes.

A link that a document smuggles into an answer can carry what was asked to whoever planted it, by a
click or by a preview without one. So an answer links to its citations alone.
"""

import re
from collections.abc import Collection

INLINE = re.compile(r"(!?)\[([^\[\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)?")
# How a tag begins that leads or loads somewhere, or one of a chat's own: <@U1>, <!here>, <#C1>.
TAG_START = re.compile(
    r"<(?=[@!#?]|/?(?:a|audio|base|button|embed|form|iframe|img|input|link|meta|object|script"
    r"|source|style|svg|video)\b)",
    re.IGNORECASE,
)
TAG = re.compile(
    rf"<(?!\s)[^<>]*[=:|][^<>]*>|{TAG_START.pattern}[^<>]*>|<[^<>\s]*@[^<>\s]*>", re.IGNORECASE
)
ADDRESS = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]*:(?://|\\\\)|\bwww\.|\b(?:data|discord|file|javascript|mailto|tel):"
    r"|(?:[\w-]+\.)+[^\W\d_]{2,24}(?::[0-9]+)?/)"
    r"[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]}]",
    re.IGNORECASE,
)
LEFT_OUT = "(link left out)"


def unlinked(prose: str) -> str:
    """Prose without links: a link is its label, an address is left out."""
    before = None
    while before != prose:
        before = prose
        prose = INLINE.sub(_label, prose)
        prose = TAG.sub("", prose)
        prose = ADDRESS.sub(LEFT_OUT, prose)
    # What is left of broken ones must not become whole beside what follows.
    prose = TAG_START.sub("< ", prose)
    prose = re.sub(r"\](?=\()", "] ", prose)
    prose = re.sub(r"^([\s>*+.)0-9-]*\[[^\]\n]*\]):", r"\1 :", prose)
    return re.sub(r":(?=//|\\\\)", ": ", prose)


def unlinked_code(code: str, known: Collection[str]) -> str:
    """Code, which shows addresses but links none, with those alone that the passages hold."""
    return ADDRESS.sub(
        lambda found: found[0] if any(found[0] in text for text in known) else "…", code
    )


def _label(link: re.Match[str]) -> str:
    """A link's label; that of a citation written as a link stays a mark."""
    is_mark = link[2].isdecimal() and not link[1]
    return f"[{link[2]}]" if is_mark else link[2]
