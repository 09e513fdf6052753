"""Plain text to Markdown: paragraphs stay, nothing turns into syntax by accident."""

import re
import textwrap

from ingest.markup.titles import MAX_TITLE, Page
from ingest.markup.writing import join, prose

SYNTAX = re.compile(r"(\s*)(#{1,6}(?=\s|$)|`{3}|~{3}|<(?=[A-Za-z/!?])|\[[^\]]{1,999}\]:)")
RULE = re.compile(r"\s*(?:=+|-+|\*{3,}|_{3,}|~{3,})\s*$")
TITLE = re.compile(r"\w[^\n]{0,79}(?<![.,;:])$")


def convert(text: str) -> Page:
    """A page whose title is a first line that is underlined or stands alone."""
    blocks = re.split(r"\n(?:[ \t]*\n)+", textwrap.dedent(text.expandtabs(4)).strip("\n"))
    first = blocks[0].strip()
    title = first if len(blocks) > 1 and TITLE.match(first) else ""
    return Page(join(map(_block, blocks)), title=title[:MAX_TITLE])


def _block(block: str) -> str:
    lines = block.split("\n")
    if all(line.startswith("    ") for line in lines):
        return block
    kept: list[str] = []
    for line in map(prose, lines):
        if not RULE.match(line):
            kept.append(SYNTAX.sub(r"\1\\\2", line, count=1) if SYNTAX.match(line) else line)
        elif len(kept) == 1 and abs(len(kept[0].strip()) - len(line.strip())) <= 2:
            level = "#" if line.strip()[0] == "=" else "##"
            kept = [f"{level} {kept[0].strip()}", ""]
        else:
            kept.append("")
    return "\n".join(kept).strip("\n")
