"""How a document is called: what it says itself, else a readable form of its file name."""

import html
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

MAX_TITLE = 200

FENCE = re.compile(r" {0,3}(?:[-*+>] +)*(`{3,}|~{3,})")
HEADING = re.compile(r" {0,3}#[ \t]+(?=[^ \t#])")
UNDERLINE = re.compile(r" {0,3}=+[ \t]*$")
LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])")
TAG = re.compile(r"</?[A-Za-z][^<>]*>")
MARKS = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)|\\(?=[^\w\s])|\ue000\d+\ue001")


@dataclass(frozen=True, slots=True)
class Page:
    """What a format makes of a file: a title it states comes before, `name` after its first H1."""

    markdown: str
    title: str = ""
    name: str = ""


def title_of(page: Page, file_name: str) -> str:
    """The title of a page, never empty."""
    return (
        plain(page.title)
        or plain(_first_heading(page.markdown))
        or plain(page.name)
        or readable(file_name)
        or "Untitled"
    )


def plain(markdown: str) -> str:
    """A line of Markdown without its marks, cut to the length of a title."""
    text = MARKS.sub("", TAG.sub("", LINK.sub(r"\1", markdown[: 10 * MAX_TITLE])))
    return " ".join(html.unescape(text).split())[:MAX_TITLE].strip()


def readable(file_name: str) -> str:
    """`guides/getting-started.md` as "Getting started"; an index is called as its folder."""
    path = PurePosixPath(file_name)
    stem = path.stem
    if stem.lower() in {"index", "_index", "readme"} and path.parent.name:
        stem = path.parent.name
    words = re.sub(r"[-_\s]+", " ", re.sub(r"^\d+[-_. ]+(?=\w)", "", stem)).strip()
    return (words[:1].upper() + words[1:])[:MAX_TITLE]


def _first_heading(markdown: str) -> str:
    fence = previous = ""
    for line in markdown.split("\n"):
        match = FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and line.strip() == match[1]:
                fence = ""
            continue
        if match:
            fence = match[1]
        elif heading := HEADING.match(line):
            return line[heading.end() :].rstrip(" \t#")
        elif previous.strip() and UNDERLINE.match(line):
            return previous
        previous = line
    return ""
