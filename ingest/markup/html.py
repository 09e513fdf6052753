"""HTML to Markdown: the page's own text without what surrounds or hides in it."""

import re
from collections.abc import Iterable
from typing import cast

from lxml import etree

from bot.errors import DocumentRejectedError
from ingest.markup import writing
from ingest.markup.tags import BLOCKS, CODE, HEADINGS
from ingest.markup.titles import Page
from ingest.markup.writing import Cell

Element = etree._Element

DROPPED = [
    "applet", "aside", "audio", "base", "button", "canvas", "datalist", "dialog", "embed", "frame",
    "frameset", "iframe", "input", "link", "map", "menu", "meta", "nav", "noscript", "object",
    "param", "script", "select", "style", "svg", "template", "textarea", "video",
]  # fmt: skip
HIDDEN = etree.XPath(
    "//*[(@hidden and not(@hidden='until-found') and not(@role='tabpanel')) or @aria-hidden='true']"
)
STYLED = etree.XPath("//*[@style]")
HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
SURROUNDING = etree.XPath(
    "//header[not(ancestor::main or ancestor::article or .//h1)]"
    " | //footer | //form | //*[@role='navigation' or @role='search' or @role='contentinfo']"
)
GUTTERS = etree.XPath(
    "//*[self::td or self::span or self::div or self::a]"
    "[contains(concat(' ', @class, ' '), ' linenos ') or"
    " contains(concat(' ', @class, ' '), ' gutter ') or contains(@class, 'headerlink')]"
)
MAIN = etree.XPath("//main | //*[@role='main']")
ARTICLE = etree.XPath("//article")
LENGTH = etree.XPath("string-length(normalize-space(.))")
NOT_TABULAR = etree.XPath("boolean(.//pre | .//table | .//h1 | .//h2 | .//h3 | .//blockquote)")

MARKS = {"strong": "**", "b": "**", "em": "*", "i": "*"}
LANGUAGE = re.compile(r"(?:\blang(?:uage)?-|\bhighlight-(?:source-)?|\bbrush:\s*)([\w+#-]+)")
NO_LANGUAGES = {"default", "none", "text", "plaintext", "notranslate"}
SPACE = re.compile(r"\s+")


def convert(text: str) -> Page:
    """A page of HTML; it is called by its first heading, else by its `<title>`."""
    try:
        return _page(text)
    except etree.XPathError as error:
        raise DocumentRejectedError("holds too many elements to read") from error


def _page(text: str) -> Page:
    root = _parse(text)
    if root is None:
        return Page("")
    name = _text(root.find(".//title"))
    _prune(root)
    first = _text(root.find(".//h1"))
    writer = _Writer(_content(root))
    return Page(writer.write(), name=first or name)


def fragment(text: str) -> str:
    """A part of a page as Markdown; what it hides is left out."""
    root = _parse(text)
    if root is None:
        return ""
    _prune(root)
    return _Writer(root).write()


def _parse(text: str) -> Element | None:
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        # The parser of an empty page fails so, but one without memory does, too.
        if getattr(error, "code", 0) == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from error
        return None
    for fatal in parser.error_log.filter_from_fatals():
        if fatal.type == etree.ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError
        if "depth" in fatal.message:
            raise DocumentRejectedError("is nested too deeply: over 256 elements in each other")
    return root


def _prune(root: Element) -> None:
    """Take out what is no text of the page, and what its readers do not see."""
    for element in root.iterfind(".//title"):
        element.text = None
    etree.strip_elements(root, *DROPPED, with_tail=False)
    styled = _select(STYLED, root)
    _remove(element for element in styled if HIDING.search(element.get("style", "")))
    _remove([*_select(HIDDEN, root), *_select(GUTTERS, root)])
    # A form around the whole page is not a form of the page.
    half = _length(root) / 2
    _remove([element for element in _select(SURROUNDING, root) if _length(element) <= half])


def _remove(elements: Iterable[Element]) -> None:
    for element in elements:
        parent = element.getparent()
        if parent is None:
            continue
        before = element.getprevious()
        if before is not None:
            before.tail = (before.tail or "") + (element.tail or "")
        else:
            parent.text = (parent.text or "") + (element.tail or "")
        parent.remove(element)


def _content(root: Element) -> Element:
    """What is marked as the main part, if it holds most of the text."""
    half = _length(root) / 2
    for path in (MAIN, ARTICLE):
        largest = max(_select(path, root), key=_length, default=root)
        if largest is not root and _length(largest) > half:
            return largest
    return root


def _select(path: etree.XPath, root: Element) -> list[Element]:
    return cast("list[Element]", path(root))


def _length(element: Element) -> float:
    return cast("float", LENGTH(element))


class _Writer:
    """Writes one element, block by block."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._wrappers: set[Element] = set()
        for block in root.iter(*BLOCKS):
            parent = block.getparent()
            while parent is not None and parent not in self._wrappers:
                self._wrappers.add(parent)
                parent = parent.getparent()

    def write(self) -> str:
        return writing.join(self._blocks(self._root))

    def _blocks(self, parent: Element) -> list[str]:
        """What stands in an element: runs of inline text as paragraphs, and blocks."""
        blocks: list[str] = []
        run = [_spaced(parent.text)]
        for child in parent:
            if child.tag in BLOCKS or child in self._wrappers:
                blocks += [*_paragraphs(run), *self._block(child)]
                run = []
            else:
                run.append(self._inline(child))
            run.append(_spaced(child.tail))
        return [block for block in (*blocks, *_paragraphs(run)) if block]

    def _block(self, element: Element) -> list[str]:
        blocks: list[str]
        match element.tag:
            case "pre":
                blocks = [writing.fence(_code(element), _language(element))]
            case "ul" | "ol" | "dir":
                blocks = [self._list(element)]
            case "dl":
                blocks = self._definitions(element)
            case "table" if not NOT_TABULAR(element):
                blocks = self._table(element)
            case "blockquote":
                blocks = [writing.quote(writing.join(self._blocks(element)))]
            case str(tag) if tag in HEADINGS:
                blocks = [writing.heading(HEADINGS[tag], self._inner(element))]
            case _:
                blocks = self._blocks(element)
        return blocks

    def _inline(self, element: Element) -> str:
        tag = element.tag
        if tag == "br":
            return "\n"
        if tag == "img":
            return _spaced(element.get("alt"))
        if tag in CODE:
            return writing.code(_raw(element))
        inner = self._inner(element)
        if tag == "a":
            return writing.link(inner, element.get("href") or "")
        return writing.mark(inner, MARKS[tag]) if tag in MARKS else inner

    def _inner(self, element: Element) -> str:
        parts = [_spaced(element.text)]
        for child in element:
            space = " " if child.tag in BLOCKS else ""
            parts += [space, self._inline(child), space, _spaced(child.tail)]
        return "".join(parts)

    def _list(self, element: Element) -> str:
        items: list[str] = []
        number = _number(element.get("start"), 1)
        for child in element:
            body = writing.compact(self._block(child) if child.tag != "li" else self._blocks(child))
            if not body:
                continue
            if child.tag in {"ul", "ol"} and items:
                items[-1] += "\n" + writing.item(" ", body)
                continue
            items.append(writing.item(f"{number}." if element.tag == "ol" else "-", body))
            number += 1
        return "\n".join(items)

    def _definitions(self, element: Element) -> list[str]:
        pairs: list[tuple[list[str], list[str]]] = []
        groups = [child if child.tag == "div" else [child] for child in element]
        for child in (child for group in groups for child in group):
            if child.tag == "dd":
                pairs = pairs or [([], [])]
                pairs[-1][1].extend(self._blocks(child))
            elif pairs and not pairs[-1][1]:
                pairs[-1][0].append(self._inner(child))
            else:
                pairs.append(([self._inner(child)], []))
        return writing.definitions([(", ".join(terms), body) for terms, body in pairs])

    def _table(self, element: Element) -> list[str]:
        rows = [
            [
                Cell(
                    " ".join(self._blocks(cell)),
                    _number(cell.get("colspan"), 1),
                    _number(cell.get("rowspan"), 1),
                )
                for cell in row.iterchildren("td", "th")
            ]
            for row in element.iter("tr")
        ]
        caption = element.find("caption")
        above = [] if caption is None else self._blocks(caption)
        return [*above, writing.table(rows)]


def _raw(element: Element) -> str:
    return "".join(cast("Iterable[str]", element.itertext()))


def _text(element: Element | None) -> str:
    return "" if element is None else " ".join(_raw(element).split())


def _spaced(text: str | None) -> str:
    return writing.prose(SPACE.sub(" ", text)) if text else ""


def _paragraphs(run: list[str]) -> list[str]:
    text = re.sub(r" +", " ", "".join(run)).replace(" \n", "\n").replace("\n ", "\n")
    return [writing.paragraph(part) for part in re.split(r"\n{2,}", text)]


def _code(element: Element) -> str:
    for line_break in element.iter("br"):
        line_break.tail = "\n" + (line_break.tail or "")
    return _raw(element).expandtabs(4)


def _language(element: Element) -> str:
    """What an element, its code or what it stands in names as its language."""
    parent = element.getparent()
    around = [] if parent is None else [parent, parent.getparent()]
    for candidate in (element, *element.iterfind("code"), *around):
        if candidate is not None:
            match = LANGUAGE.search(candidate.get("class") or "")
            if match and match[1] not in NO_LANGUAGES:
                return match[1]
    return ""


def _number(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"[0-9]{1,4}", text.strip()) else default
