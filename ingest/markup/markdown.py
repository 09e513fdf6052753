"""Markdown and MDX to plain Markdown: no front matter, HTML or components, code untouched."""

import html
import re

from ingest.markup import blocks, front_matter, tags
from ingest.markup.shelf import Shelf
from ingest.markup.titles import Page
from ingest.markup.writing import link

TEXT = r"((?:[^\[\]\\\n]|\\.|\[[^\[\]\n]*\]|\n(?!\n))*+)"
TARGET = r"\(\s*(<[^<>\n]*>|(?:[^()\s]|\([^()\s]*\))*+)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)"
IMAGE = re.compile(rf"!\[{TEXT}\](?:{TARGET}|\[([^\[\]\n]*)\])?")
LINK = re.compile(rf"(?<!\\)\[{TEXT}\](?:{TARGET}|\[([^\[\]\n]*)\])?")
DEFINITION = re.compile(
    r"^ {0,3}\[([^\^\[\]\n][^\[\]\n]{0,998})\]:[ \t]*\n?[ \t]*(<[^<>\n]*>|\S+)"
    r"(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*$\n?",
    re.MULTILINE,
)
ATTRIBUTES = re.compile(r"[ \t]{0,3}\{:?[ \t]*[#.][^{}\n]*\}[ \t]*$", re.MULTILINE)
ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def convert(text: str, *, is_mdx: bool = False) -> Page:
    """A page of Markdown; its title is that of the front matter."""
    title, text = front_matter.split(text)
    shelf = Shelf()
    text = tags.strip(blocks.prepare(text, shelf, is_mdx=is_mdx), shelf, is_mdx=is_mdx)
    if "](" in text or "]" in text:
        text = _resolve_links(text)
    if "{" in text:
        text = ATTRIBUTES.sub("", text)
    if "&" in text:
        text = ENTITY.sub(_character, text)
    return Page(re.sub(r"\n(?:[ \t]*\n){2,}", "\n\n", shelf.restore(text)), title=title)


def _resolve_links(text: str) -> str:
    """Images become their words; links by reference become links with a target."""
    targets: dict[str, str] = {}

    def note(match: re.Match[str]) -> str:
        targets.setdefault(_label(match[1]), match[2].strip("<>"))
        return ""

    def write(match: re.Match[str]) -> str:
        words, target, reference = match.groups()
        if target is None:
            target = targets.get(_label(reference or words))
            if target is None:
                return match[0]
        return link(words.replace("\n", " "), target.strip("<>"))

    text = DEFINITION.sub(note, text)
    return LINK.sub(write, IMAGE.sub(lambda match: match[1].strip(), text))


def _label(text: str) -> str:
    return " ".join(text.split()).casefold()


def _character(match: re.Match[str]) -> str:
    """What an entity stands for, unless that could be syntax."""
    character = html.unescape(match[0])
    if character.isspace():
        return " "
    return match[0] if character.isascii() and not character.isalnum() else character
