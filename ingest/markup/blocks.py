"""The blocks of Markdown: code is set aside, what is wrapped around text is opened."""

import re
from collections.abc import Iterable, Iterator

from ingest.markup import tags
from ingest.markup.shelf import Shelf

FENCE = re.compile(r"([ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*)(`{3,}(?!.*`)|~{3,})")
ITEM = re.compile(r"([ \t]*(?:[-*+]|\d{1,9}[.)]))([ \t]+|$)")
ADMONITION = re.compile(
    r"([ \t]*)(?:!!!|\?\?\?\+?|===[+!]?)[ \t]+(?:([\w-]+)[\w \t-]*)?(?:\"([^\"]*)\")?[ \t]*$"
)
COLONS = re.compile(r"([ \t]*):{3,}[ \t]*(?:\{?\.?([\w-]+)\}?)?[ \t]*\[?([^\[\]]*)\]?$")
ALERT = re.compile(r"([ \t>]*>[ \t]*)\[!(\w+)\][-+]?[ \t]*")
MODULE_LINES = re.compile(
    r"^(?:import\s+(?:['\"]|[\w*{][^;'\"]{0,2000}?\sfrom\s+['\"])"
    r"|export\s+(?:default|const|let|var|function|async|class|\{|\*)).*?(?=\n[ \t]*\n|\Z)",
    re.MULTILINE | re.DOTALL,
)
INDENTED_CODE = 4


def prepare(text: str, shelf: Shelf, *, is_mdx: bool) -> str:
    """The text with its code on the shelf, without block comments, wrappers and module lines."""
    text = "\n".join(_Code(text.split("\n"), shelf, is_mdx))
    if is_mdx:
        text = tags.TAG.sub(lambda tag: tag[0].replace("\n", " "), MODULE_LINES.sub("", text))
        text = "\n".join(_open_components(text.split("\n")))
    if any(mark in text for mark in ("!!!", "???", "===", ":::", "[!")):
        text = "\n".join(_open_admonitions(text.split("\n")))
    return text


class _Code:
    """The lines of a page; each run of code is one line with a mark, comments are gone."""

    def __init__(self, lines: list[str], shelf: Shelf, is_mdx: bool) -> None:
        self._lines = lines
        self._shelf = shelf
        self._is_mdx = is_mdx
        self._offsets: list[int] = []
        self._in_html = False
        closings = (number for number, line in enumerate(lines) if "-->" in line)
        self._last_closing = max(closings, default=-1)

    def __iter__(self) -> Iterator[str]:
        number = 0
        after_blank = True
        while number < len(self._lines):
            end, line = self._next(number, after_blank)
            yield line
            start = line.lstrip(" \t")
            after_blank = not start or start.startswith(("#", "\ue000"))
            number = end

    def _next(self, number: int, after_blank: bool) -> tuple[int, str]:
        """Where the block of a line ends, and the line that stands for it."""
        line = self._lines[number]
        start = line.lstrip(" \t")
        if not start:
            return number + 1, ""
        indent = _width(line)
        if after_blank or ITEM.match(line):
            while self._offsets and indent < self._offsets[-1]:
                self._offsets.pop()
        base = self._offsets[-1] if self._offsets else 0
        # HTML goes on below an empty line, however far it is indented.
        in_html, self._in_html = self._in_html and start[0] == "<", start[0] == "<"
        if after_blank and indent >= base + INDENTED_CODE and not self._is_mdx:
            return (number + 1, start) if in_html else self._indented(number, base)
        if start.startswith("<!--"):
            return self._comment(number)
        if item := ITEM.match(line):
            space = _width(item[2])
            wide = 0 < space <= INDENTED_CODE and item.end() < len(line)
            marker = indent + len(item[1].lstrip())
            self._offsets.append(marker + (space if wide else 1))
        elif ADMONITION.match(line):
            self._offsets.append(indent + 4)
        if fence := FENCE.match(line):
            return self._fenced(number, fence)
        return number + 1, line

    def _indented(self, number: int, base: int) -> tuple[int, str]:
        end = last = number
        while end < len(self._lines):
            if self._lines[end].strip():
                if _width(self._lines[end]) < base + INDENTED_CODE:
                    break
                last = end
            end += 1
        code = [_dedent(line, base) for line in self._lines[number : last + 1]]
        return last + 1, " " * base + self._shelf.put("\n".join(code))

    def _fenced(self, number: int, fence: re.Match[str]) -> tuple[int, str]:
        prefix, marks = fence.groups()
        closing = re.compile(rf"[ \t>]*{marks[0]}{{{len(marks)},}}[ \t]*$")
        end = number + 1
        while end < len(self._lines) and not closing.match(self._lines[end]):
            end += 1
        width = _width(re.sub(r"[^ \t]", " ", prefix))
        body = [
            _dedent(line, width, is_quoted=">" in prefix) for line in self._lines[number + 1 : end]
        ]
        code = "\n".join([self._lines[number][len(prefix) :], *body, marks])
        return end + 1, prefix + self._shelf.put(code)

    def _comment(self, number: int) -> tuple[int, str]:
        start = self._lines[number].index("<!--") + 2
        end = number
        while end <= self._last_closing and "-->" not in self._lines[end][start:]:
            end, start = end + 1, 0
        if end > self._last_closing:
            return number + 1, self._lines[number].replace("<!--", "", 1)
        after = self._lines[end][start:].partition("-->")[2]
        if after.strip():
            self._lines[end] = after
            return end, ""
        return end + 1, ""


def _open_components(lines: Iterable[str]) -> Iterator[str]:
    """Lines of MDX without those that only open or close a component, their content dedented."""
    inside: list[tuple[int, int | None]] = []
    for line in lines:
        if not line.strip():
            yield ""
            continue
        indent = _width(line)
        tag = tags.TAG.fullmatch(line.strip())
        is_component = tag is not None and tag[2][0].isupper()
        if tag and is_component and tag[1]:
            if inside:
                inside.pop()
            yield ""
            continue
        if inside and inside[-1][1] is None:
            outer = inside[-2][1] or 0 if len(inside) > 1 else 0
            inside[-1] = (inside[-1][0], outer + max(0, indent - inside[-1][0]))
        shift = (inside[-1][1] or 0) if inside else 0
        shifted = _dedent(line, shift)
        if tag and is_component:
            label = tags.label(tag[3])
            yield from ("", " " * _width(shifted) + label if label else "", "")
            if not tags.is_alone(tag):
                inside.append((indent, None))
        else:
            yield shifted


def _open_admonitions(lines: Iterable[str]) -> Iterator[str]:
    """Notes and tabs of MkDocs, Docusaurus, GitHub as text below a bold label."""
    contents: list[int] = []
    for line in lines:
        if not line.strip():
            yield ""
            continue
        indent = _width(line)
        while contents and indent < contents[-1]:
            contents.pop()
        shifted = _dedent(line, 4 * len(contents))
        if match := ADMONITION.match(shifted):
            contents.append(indent + 4)
            yield from ("", *_label(match[1], match[2], match[3]))
        elif match := COLONS.match(shifted):
            yield from ("", *_label(match[1], match[2], match[3].strip()))
        elif match := ALERT.match(shifted):
            yield f"{match[1]}**{match[2].capitalize()}:** {shifted[match.end() :]}".rstrip()
        else:
            yield shifted


def _label(indent: str, kind: str | None, title: str | None) -> Iterator[str]:
    if title:
        yield from (f"{indent}**{title}**", "")
    elif kind:
        yield f"{indent}**{kind.replace('-', ' ').capitalize()}:**"


def _width(line: str) -> int:
    """The columns of a line's indentation."""
    if not line.startswith((" ", "\t")):
        return 0
    space = line[: len(line) - len(line.lstrip(" \t"))]
    return len(space.expandtabs(4))


def _dedent(line: str, width: int, *, is_quoted: bool = False) -> str:
    """The line without that many columns of indentation, if it has as many."""
    removed = position = 0
    while removed < width and position < len(line):
        character = line[position]
        if character == "\t" and removed + 4 <= width + 3:
            removed += 4
        elif character == " " or (is_quoted and character == ">"):
            removed += 1
        else:
            break
        position += 1
    return line[position:]
