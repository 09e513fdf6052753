"""HTML and JSX within Markdown, reduced to what a reader sees of it."""

import html
import re
from functools import lru_cache

from ingest.markup import writing
from ingest.markup.shelf import Shelf

# Every part is possessive and none crosses a "<", so that a page of "<a <a <a" takes no longer.
TAG = re.compile(
    r"<(/?)([A-Za-z][\w.:-]*+)"
    r"((?:[\s/](?:[^<>\"'{}]|\"[^\"<]*+\"|'[^'<]*+'|\{(?:[^{}<]|\{[^{}<]*+\})*+\})*+)?)>"
)
SPECIAL = re.compile(r"\\.|`+|<(?=[A-Za-z/!?])|\{/\*")
AUTOLINK = re.compile(
    r"<((?:[a-z][a-z0-9+.-]{1,31}:[^\s<>]+)|[\w.+-]+@[\w-]+\.[\w.-]+)>", re.IGNORECASE
)
DECLARATION = re.compile(r"<[!?][^<>]*+>")
NAME = re.compile(r"</([A-Za-z][\w.:-]*+)")
HIDDEN = re.compile(
    r"display\s*:\s*[\"']?none|visibility\s*:\s*[\"']?hidden|aria-hidden\s*=\s*[{\"']*true",
    re.IGNORECASE,
)
HIDDEN_NAME = re.compile(r"\shidden(?=[\s=/]|$)", re.IGNORECASE)
VALUE = re.compile(r"\"[^\"]*\"|'[^']*'")
LANGUAGE = re.compile(r"\blang(?:uage)?-([\w+#-]+)")

HEADINGS = {f"h{level}": level for level in range(1, 7)}
SKIPPED = {"iframe", "noscript", "object", "script", "style", "svg", "template"}
CODE = {"code", "kbd", "samp", "tt"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "center", "dd", "details", "dialog", "dir",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "head", "header",
    "hgroup", "hr", "html", "legend", "li", "main", "nav", "ol", "p", "pre", "search", "section",
    "summary", "table", "tbody", "td", "tfoot", "th", "thead", "title", "tr", "ul", *HEADINGS,
}  # fmt: skip
INLINE = {
    "a", "abbr", "acronym", "audio", "b", "bdi", "bdo", "big", "button", "canvas", "caption",
    "cite", "colgroup", "data", "datalist", "del", "dfn", "em", "font", "i", "ins", "label", "map",
    "mark", "meter", "optgroup", "option", "output", "picture", "progress", "q", "rp", "rt", "ruby",
    "s", "select", "small", "span", "strike", "strong", "sub", "sup", "textarea", "time", "u",
    "var", "video", *CODE, *SKIPPED, *VOID,
}  # fmt: skip


def strip(text: str, shelf: Shelf, *, is_mdx: bool = False) -> str:
    """The text without tags and comments; inline code is left on the shelf."""
    return _Stripper(text, shelf, is_mdx).strip()


def label(attributes: str) -> str:
    """The title of a component, such as a card, in bold and with its link; often none."""
    title = attribute(attributes, "title") or attribute(attributes, "label")
    return writing.link(f"**{title}**", attribute(attributes, "href")) if title else ""


def attribute(attributes: str, name: str) -> str:
    """The value of an attribute, or ""."""
    if name not in attributes.lower():
        return ""
    value = re.search(
        rf"(?:^|\s){name}\s*=\s*(?:\{{?\"([^\"]*)\"|\{{?'([^']*)'|\{{`([^`]*)`|([^\s\"'{{>]+))",
        attributes,
        re.IGNORECASE,
    )
    words = next((group for group in value.groups() if group), "") if value else ""
    return " ".join(html.unescape(words).split())


@lru_cache(64)
def _ticks(length: int) -> re.Pattern[str]:
    return re.compile(rf"(?<!`)`{{{length}}}(?!`)")


def is_alone(tag: re.Match[str]) -> bool:
    """Whether no closing tag belongs to a tag."""
    return bool(tag[1]) or tag[3].endswith("/") or tag[2].lower() in VOID


def _is_hidden(attributes: str) -> bool:
    if HIDDEN.search(attributes):
        return True
    return "hidden" in attributes and bool(HIDDEN_NAME.search(VALUE.sub("", attributes)))


class _Stripper:
    """One walk over a text from tag to tag."""

    def __init__(self, text: str, shelf: Shelf, is_mdx: bool) -> None:
        self._text = text
        self._shelf = shelf
        self._is_mdx = is_mdx
        self._out: list[str] = []
        self._closed = {name.lower() for name in NAME.findall(text)}
        self._unclosed: set[object] = set()
        self._paragraph_end = 0
        self._link: tuple[int, str] | None = None

    def strip(self) -> str:
        position = 0
        while match := SPECIAL.search(self._text, position):
            self._out.append(self._text[position : match.start()])
            match match[0][0]:
                case "\\":
                    self._out.append(match[0])
                    position = match.end()
                case "`":
                    position = self._span(match)
                case "{":
                    position = self._comment(match, "*/}")
                case _ if self._text.startswith("<!--", match.start()):
                    position = self._comment(match, "-->")
                case _:
                    position = self._markup(match.start())
        self._out.append(self._text[position:])
        return "".join(self._out)

    def _span(self, opening: re.Match[str]) -> int:
        """Inline code, which a paragraph's end closes never."""
        length, start = len(opening[0]), opening.end()
        if start > self._paragraph_end:
            end = self._text.find("\n\n", start)
            self._paragraph_end = len(self._text) if end < 0 else end
            self._unclosed -= {mark for mark in self._unclosed if isinstance(mark, int)}
        if length not in self._unclosed:
            found = _ticks(length).search(self._text, start, self._paragraph_end)
            if found:
                span = self._text[opening.start() : found.end()]
                self._out.append(self._shelf.put(" ".join(span.split("\n"))))
                return found.end()
            self._unclosed.add(length)
        self._out.append(opening[0])
        return start

    def _comment(self, opening: re.Match[str], closing: str) -> int:
        start = opening.end() + (1 if closing == "-->" else 0)
        if closing not in self._unclosed:
            end = self._text.find(closing, start)
            if end >= 0:
                return end + len(closing)
            self._unclosed.add(closing)
        return start + 2 if closing == "-->" else start

    def _markup(self, start: int) -> int:
        if autolink := AUTOLINK.match(self._text, start):
            self._out.append(autolink[1])
            return autolink.end()
        if tag := TAG.match(self._text, start):
            return self._tag(tag)
        if declaration := DECLARATION.match(self._text, start):
            return declaration.end()
        self._out.append("<")
        return start + 1

    def _tag(self, tag: re.Match[str]) -> int:
        name = tag[2].lower()
        end = tag.end() if is_alone(tag) else self._whole(name, tag)
        if end > tag.end():
            return end
        if name in BLOCKS:
            self._out.append(self._break(tag, "\n- " if name == "li" and not tag[1] else "\n\n"))
            return self._skip_space(end, r"\s*")
        if name == "br":
            self._out.append(self._break(tag, "\n"))
            return self._skip_space(end, r"[ \t]*\n?[ \t]*")
        if name not in INLINE and not self._is_markup(tag):
            self._out.append(self._shelf.put(writing.code(tag[0])))
            return end
        self._inline(name, tag)
        is_first = not self._line_before(tag.start()).strip()
        return self._skip_space(end, r"(?:[ \t]*\n[ \t]*(?!\n))?" if is_first else "")

    def _whole(self, name: str, tag: re.Match[str]) -> int:
        """The end of an element that is hidden or turned into Markdown as a whole, if it is."""
        if tag[3] and _is_hidden(tag[3]):
            return self._end_of_element(name, tag.end())
        if name in SKIPPED:
            return self._closing(name, tag.end())[1]
        if name in CODE or name in HEADINGS or name in {"pre", "table"}:
            start, end = self._closing(name, tag.end())
            if start < end:
                self._element(name, tag, self._text[tag.end() : start])
            return end
        return tag.end()

    def _element(self, name: str, tag: re.Match[str], inner: str) -> None:
        """An element that is turned into Markdown as a whole."""
        if name == "table":
            from ingest.markup.html import fragment

            table = fragment(f"{tag[0]}{inner}</table>")
            self._out.append(self._break(tag, f"\n\n{table}\n\n"))
        elif name == "pre":
            language = LANGUAGE.search(tag[3]) or LANGUAGE.search(inner[:200])
            code = html.unescape(TAG.sub("", inner))
            fence = writing.fence(code, language[1] if language else "")
            self._out.append(f"\n\n{self._shelf.put(fence)}\n\n")
        elif name in CODE:
            self._out.append(self._shelf.put(writing.code(html.unescape(TAG.sub("", inner)))))
        else:
            images = TAG.sub(lambda image: attribute(image[3], "alt"), inner)
            self._out.append(f"\n\n{writing.heading(HEADINGS[name], images)}\n\n")

    def _inline(self, name: str, tag: re.Match[str]) -> None:
        if name == "img":
            self._out.append(attribute(tag[3], "alt"))
        elif name == "a" and not tag[1]:
            self._link = len(self._out), attribute(tag[3], "href")
        elif name == "a" and self._link:
            start, url = self._link
            self._link = None
            words = "".join(self._out[start:])
            self._out[start:] = [words if "\n\n" in words else writing.link(words, url)]
        elif name not in INLINE and not tag[1] and (title := label(tag[3])):
            self._out.append(f"{title} ")

    def _is_markup(self, tag: re.Match[str]) -> bool:
        """Whether a tag of an unknown name is one: `<your-domain>` is a placeholder for people."""
        is_component = self._is_mdx and tag[2][0].isupper()
        return bool(tag[1] or tag[3].strip()) or is_component or tag[2].lower() in self._closed

    def _closing(self, name: str, start: int) -> tuple[int, int]:
        """Where the closing tag starts and ends; twice `start` where there is none."""
        if name in self._closed and name not in self._unclosed:
            closing = re.compile(rf"</{re.escape(name)}\s*+>", re.IGNORECASE)
            if match := closing.search(self._text, start):
                return match.span()
            self._unclosed.add(name)
        return start, start

    def _end_of_element(self, name: str, start: int) -> int:
        """The end of an element that may hold others of its name."""
        if ("hidden", name) in self._unclosed:
            return start
        depth = 1
        for match in re.compile(rf"<(/?){name}\b[^<>]*+>", re.IGNORECASE).finditer(
            self._text, start
        ):
            depth += -1 if match[1] else 1
            if not depth:
                return match.end()
        self._unclosed.add(("hidden", name))
        return start

    def _line_before(self, position: int) -> str:
        """What stands before a position on its line, as far as anyone writes tables."""
        return self._text[max(0, position - 2_000) : position].rpartition("\n")[2]

    def _break(self, tag: re.Match[str], text: str) -> str:
        """Text with line breaks, or a space within a row of a table."""
        return " " if self._line_before(tag.start()).lstrip().startswith("|") else text

    def _skip_space(self, position: int, space: str) -> int:
        match = re.compile(space).match(self._text, position)
        return match.end() if match else position
