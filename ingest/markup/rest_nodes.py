"""The tree of docutils to Markdown, node by node."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from docutils import nodes

from ingest.markup import writing
from ingest.markup.writing import Cell

SILENT = {
    "colspec", "comment", "decoration", "label", "meta", "pending", "raw",
    "substitution_definition", "target", "transition",
}  # fmt: skip
NO_FIELDS = {"orphan", "tocdepth", "nocomments", "nosearch"}
MARKED = {"strong": "**", "emphasis": "*"}
DIRECTIVE = re.compile(r"\.\. (?:\|[^|]*\| )?[\w:+.-]+::.*\n?(?:[ \t]+:[\w -]+:.*\n?)*")
ROLE = re.compile(
    r":[\w:+.-]+:`([^`]*)`|`([^`]*)`_{0,2}|\|([^|]*)\|_{0,2}|([\w.-]+)_{1,2}", re.DOTALL
)


class Writer:
    """Writes one document, block by block."""

    def __init__(self, document: nodes.document) -> None:
        self._document = document
        self._level = 0
        self._writers: dict[str, Callable[..., list[str]]] = {
            "section": self._section,
            "title": self._title,
            "subtitle": self._title,
            "rubric": self._bold,
            "bullet_list": self._list,
            "enumerated_list": self._list,
            "definition_list": self._definitions,
            "field_list": self._definitions,
            "option_list": self._options,
            "literal_block": self._code,
            "doctest_block": self._code,
            "math_block": self._code,
            "block_quote": self._quote,
            "attribution": lambda node: [f"— {self._words(node)}"],
            "table": self._table,
            "line_block": self._lines,
            "footnote": self._note,
            "citation": self._note,
            "system_message": self._failed,
        }

    def write(self) -> str:
        return writing.join(self._blocks(self._document))

    def _blocks(self, parent: nodes.Element) -> list[str]:
        blocks = (block for child in parent.children for block in self._block(child))
        return [block for block in blocks if block]

    def _block(self, node: nodes.Node) -> list[str]:
        name = type(node).__name__
        if name in SILENT:
            return []
        if name in self._writers:
            return self._writers[name](node)
        if isinstance(node, nodes.TextElement | nodes.Text | nodes.image):
            return [writing.paragraph(self._inline(node))]
        assert isinstance(node, nodes.Element)
        return self._blocks(node)

    def _section(self, node: nodes.section) -> list[str]:
        self._level += 1
        blocks = self._blocks(node)
        self._level -= 1
        return blocks

    def _title(self, node: nodes.title) -> list[str]:
        if isinstance(node.parent, nodes.section | nodes.document):
            return [writing.heading(max(self._level, 1), self._words(node))]
        return self._bold(node)

    def _bold(self, node: nodes.TextElement) -> list[str]:
        return [writing.mark(self._words(node).replace("\n", " "), "**")]

    def _list(self, node: nodes.Element) -> list[str]:
        first = node.get("start", 1)
        is_numbered = isinstance(node, nodes.enumerated_list)
        items = [
            writing.item(f"{first + number}." if is_numbered else "-", writing.compact(blocks))
            for number, blocks in enumerate(map(self._blocks, _elements(node)))
        ]
        return ["\n".join(items)]

    def _definitions(self, node: nodes.Element) -> list[str]:
        pairs = []
        for item in _elements(node):
            *terms, body = _elements(item)
            pairs.append((" : ".join(filter(None, map(self._words, terms))), self._blocks(body)))
        return writing.definitions([pair for pair in pairs if pair[0].lower() not in NO_FIELDS])

    def _options(self, node: nodes.option_list) -> list[str]:
        pairs = ((item[0].astext(), self._blocks(item[1])) for item in _elements(node))
        return writing.definitions([(writing.code(names), body) for names, body in pairs])

    def _code(self, node: nodes.TextElement) -> list[str]:
        language = node.get("language") or ""
        if isinstance(node, nodes.doctest_block):
            language = "pycon"
        elif isinstance(node, nodes.math_block):
            language = "math"
        return [writing.fence(node.astext(), language)]

    def _quote(self, node: nodes.block_quote) -> list[str]:
        blocks = self._blocks(node)
        # A list that is merely indented is a quotation to docutils, but not to its writer.
        if all(isinstance(child, nodes.Sequential) for child in node.children):
            return blocks
        return [writing.quote(writing.join(blocks))]

    def _table(self, node: nodes.table) -> list[str]:
        if next(node.findall(nodes.literal_block), None) is not None:
            entries = (self._blocks(entry) for entry in node.findall(nodes.entry))
            return [block for blocks in entries for block in blocks]
        rows = [
            [
                Cell(
                    " ".join(self._blocks(entry)),
                    entry.get("morecols", 0) + 1,
                    entry.get("morerows", 0) + 1,
                )
                for entry in _elements(row)
            ]
            for row in node.findall(nodes.row)
        ]
        title = [block for child in node.findall(nodes.title) for block in self._bold(child)]
        return [*title[:1], writing.table(rows)]

    def _lines(self, node: nodes.line_block) -> list[str]:
        lines = (block for child in node.children for block in self._block(child))
        return ["\n".join(line for line in lines if line)]

    def _note(self, node: nodes.Element) -> list[str]:
        label = next((child.astext() for child in node.findall(nodes.label)), "")
        first, *rest = self._blocks(node) or [""]
        return [f"[{label}] {first}", *rest]

    def _failed(self, node: nodes.system_message) -> list[str]:
        """What docutils could not read, as it stands."""
        sources = (
            child.astext() for child in node.children if isinstance(child, nodes.literal_block)
        )
        return [writing.fence(DIRECTIVE.sub("", source, count=1)) for source in sources]

    def _words(self, node: nodes.Element) -> str:
        return "".join(map(self._inline, node.children))

    def _inline(self, node: nodes.Node) -> str:
        if isinstance(node, nodes.Text):
            return writing.prose(node.astext().replace("\n", " "))
        name = type(node).__name__
        if name in {"literal", "math"}:
            return writing.code(node.astext())
        if isinstance(node, nodes.image):
            return str(node.get("alt", ""))
        if name in {"footnote_reference", "citation_reference"}:
            return f"[{node.astext()}]"
        if name == "problematic":
            return writing.prose(_unmarked(node.astext()))
        if name in {"raw", "system_message"} or not isinstance(node, nodes.Element):
            return ""
        words = self._words(node)
        if name == "reference":
            return writing.link(words, node.get("refuri", ""))
        return writing.mark(words, MARKED[name]) if name in MARKED else words


def _elements(node: nodes.Element) -> Iterator[Any]:
    return (child for child in node.children if isinstance(child, nodes.Element))


def _unmarked(source: str) -> str:
    """The words of markup that docutils could not resolve."""
    match = ROLE.fullmatch(source)
    groups: Iterable[str | None] = match.groups() if match else ()
    return next((group for group in groups if group), source)
