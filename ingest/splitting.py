"""Markdown to chunks under one heading each, and chunks to the pieces that get a vector."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from bot.messages import UnitKind

# Of about 200 tokens a chunk stays readable as a quote and, with its context of at most 50, below
# the encoder's 256. Two units a piece retrieve as well as one with half the vectors, and better
# than three (measured: docs/architecture.md, "Chunks and pieces").
CHUNK_TOKENS = 200
CONTEXT_TOKENS = 48
PIECE_UNITS = 2
PIECE_TOKENS = 128

CountTokens = Callable[[Sequence[str]], list[int]]
SplitSentences = Callable[[str], list[str]]

LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)")
MARKS = re.compile(
    r"[*`~|]+|^[ >]*(?:[-*+]|\d+[.)]|#{1,6})[ \t]+|:?-{3,}:?|(?<!\w)_+|_+(?!\w)", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Part:
    """A unit on its way into a chunk; `glue` joins it to the part before."""

    text: str
    kind: UnitKind
    glue: str
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of units of a chunk: their bounds in its text, their kinds, and what is embedded."""

    bounds: tuple[int, ...]
    kinds: str
    embedded: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """Text under one heading path, small enough for the encoder."""

    headings: tuple[str, ...]
    context: str
    text: str
    pieces: tuple[Piece, ...]


@dataclass(slots=True)
class Section:
    """What stands under one heading."""

    headings: tuple[str, ...]
    parts: list[Part] = field(default_factory=list)


class Splitter:
    """Splits documents by the encoder's own count of tokens."""

    def __init__(self, count_tokens: CountTokens, split_sentences: SplitSentences) -> None:
        self._count = count_tokens
        self._sentences = split_sentences
        self._markdown = MarkdownIt("commonmark").enable("table")

    def split(self, title: str, markdown: str) -> list[Chunk]:
        """The chunks of a document in order; together they hold all its text."""
        return [
            _chunk(section.headings, self._context(title, section.headings), parts)
            for section in self._sections(title, markdown)
            for parts in _pack(list(self._measured(section.parts)))
        ]

    def _sections(self, title: str, markdown: str) -> Iterator[Section]:
        lines = markdown.split("\n")
        path: list[tuple[int, str]] = []
        section = Section(())
        for node in SyntaxTreeNode(self._markdown.parse(markdown)).children:
            if node.type != "heading":
                section.parts.extend(self._parts(node, lines))
                continue
            if section.parts:
                yield section
            level, heading = int(node.tag[1]), plain(node.children[0].content)
            path = [(above, text) for above, text in path if above < level]
            if heading and not (heading == title and not path):
                path.append((level, heading))
            section = Section(tuple(text for _, text in path))
        if section.parts:
            yield section

    def _parts(self, node: SyntaxTreeNode, lines: list[str]) -> Iterator[Part]:
        match node.type:
            case "paragraph":
                text = " ".join(node.children[0].content.split())
                for number, sentence in enumerate(self._sentences(text)):
                    yield Part(sentence, UnitKind.SENTENCE, " " if number else "\n\n")
            case "fence" | "code_block":
                yield Part(_fenced(node.content, node.info), UnitKind.CODE, "\n\n")
            case "table":
                yield Part(_source(node, lines), UnitKind.TABLE, "\n\n")
            case "bullet_list" | "ordered_list":
                for number, item in enumerate(node.children):
                    glue = "\n" if number else "\n\n"
                    yield Part(_source(item, lines), UnitKind.ITEM, glue)
            case "html_block":
                text = " ".join(re.sub(r"<[^>]*>", " ", node.content).split())
                if text:
                    yield Part(text, UnitKind.SENTENCE, "\n\n")
            case _:
                for child in node.children or ():
                    yield from self._parts(child, lines)

    def _context(self, title: str, headings: tuple[str, ...]) -> str:
        path = [title, *headings]
        while len(path) > 1 and self._count([" › ".join(path)])[0] > CONTEXT_TOKENS:
            del path[1 if len(path) > 2 else 0]
        context = " › ".join(path)
        if self._count([context])[0] <= CONTEXT_TOKENS:
            return context
        return next(iter(_cut(context, CONTEXT_TOKENS, self._count)))

    def _measured(self, parts: list[Part]) -> Iterator[Part]:
        counts = self._count([part.text for part in parts])
        for part, tokens in zip(parts, counts, strict=True):
            if tokens <= CHUNK_TOKENS:
                yield Part(part.text, part.kind, part.glue, tokens)
                continue
            for number, text in enumerate(self._smaller(part)):
                glue = part.glue if number == 0 else "\n\n" if part.kind in "ct" else " "
                yield Part(text, part.kind, glue, self._count([text])[0])

    def _smaller(self, part: Part) -> Iterable[str]:
        lines = part.text.split("\n")
        if part.kind is UnitKind.CODE:
            opening, *body, closing = lines
            for group in _cut_lines(body, CHUNK_TOKENS - 16, self._count):
                yield "\n".join([opening, group, closing])
        elif part.kind is UnitKind.TABLE and self._count(["\n".join(lines[:2])])[0] < 100:
            header = "\n".join(lines[:2])
            room = CHUNK_TOKENS - 4 - self._count([header])[0]
            for group in _cut_lines(lines[2:], room, self._count):
                yield f"{header}\n{group}"
        else:
            yield from _cut_lines(lines, CHUNK_TOKENS, self._count)


def plain(markdown: str) -> str:
    """Inline Markdown without its marks: what is embedded and shown in headings."""
    return " ".join(MARKS.sub(" ", LINK.sub(r"\1", markdown)).split())


def _pack(parts: list[Part]) -> Iterator[list[Part]]:
    """Parts in runs of at most CHUNK_TOKENS, about equally long, so that none is a mere rest."""
    whole = sum(part.tokens for part in parts)
    target = whole / max(1, -(-whole // CHUNK_TOKENS))
    run: list[Part] = []
    total = 0
    for part in parts:
        if run and (total + part.tokens > CHUNK_TOKENS or total + part.tokens / 2 > target):
            yield run
            run, total = [], 0
        run.append(part)
        total += part.tokens
    if run:
        yield run


def _chunk(headings: tuple[str, ...], context: str, parts: list[Part]) -> Chunk:
    text = ""
    bounds: list[tuple[int, int]] = []
    for part in parts:
        text += (part.glue if text else "") + part.text
        bounds.append((len(text) - len(part.text), len(text)))
    pieces = []
    for first, last in _runs(parts):
        units = parts[first:last]
        pieces.append(
            Piece(
                tuple(end for bound in bounds[first:last] for end in bound),
                "".join(unit.kind for unit in units),
                f"{context}: {' '.join(plain(unit.text) for unit in units)}",
            )
        )
    return Chunk(headings, context, text, tuple(pieces))


def _runs(parts: list[Part]) -> Iterator[tuple[int, int]]:
    """Bounds of the pieces: up to PIECE_UNITS units while they stay below PIECE_TOKENS."""
    first = 0
    while first < len(parts):
        last = first + 1
        while (
            last < len(parts)
            and last - first < PIECE_UNITS
            and sum(part.tokens for part in parts[first : last + 1]) <= PIECE_TOKENS
        ):
            last += 1
        yield first, last
        first = last


def _source(node: SyntaxTreeNode, lines: list[str]) -> str:
    """The lines of a block, without its indentation and trailing blank lines."""
    assert node.map is not None
    block = lines[node.map[0] : node.map[1]]
    indent = len(block[0]) - len(block[0].lstrip())
    dedented = [line[indent:] if not line[:indent].strip() else line.lstrip() for line in block]
    return "\n".join(dedented).rstrip()


def _fenced(code: str, info: str) -> str:
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    language = info.split(maxsplit=1)[0] if info.strip() else ""
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"


def _cut_lines(lines: Iterable[str], limit: int, count: CountTokens) -> Iterator[str]:
    """Lines in groups of at most `limit` tokens; a line above it is cut between words."""
    group: list[str] = []
    total = 0
    lines = [cut for line in lines for cut in _cut(line, limit, count)]
    for line, tokens in zip(lines, count(lines), strict=True):
        if group and total + tokens > limit:
            yield "\n".join(group)
            group, total = [], 0
        group.append(line)
        total += tokens
    if group:
        yield "\n".join(group)


def _cut(line: str, limit: int, count: CountTokens) -> Iterator[str]:
    """A line in parts of at most `limit` tokens, cut at the last space where there is one."""
    while count([line])[0] > limit:
        end = _longest_prefix(line, limit, count)
        space = line.rfind(" ", 1, end)
        end = space if space > 0 else end
        yield line[:end]
        line = line[end:].lstrip()
    yield line


def _longest_prefix(line: str, limit: int, count: CountTokens) -> int:
    """The most characters of `line` that have at most `limit` tokens, by bisection, at least 1."""
    low, high = 1, min(len(line), limit * 40)
    while low < high:
        middle = (low + high + 1) // 2
        if count([line[:middle]])[0] <= limit:
            low = middle
        else:
            high = middle - 1
    return low
