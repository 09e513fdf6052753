"""The citation checker: the same for every chunking, and never an unknown mark or a link."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bot.messages import Citation
from bot.rag.citing import CitationChecker
from bot.rag.links import TAG_START
from tests.rag.test_extractive import passage

FOUND = [
    passage(n, ("s", f"Text {n}. Run: git clone https://ok.example/x", 0.5)) for n in (1, 2, 3)
]
MARKDOWN = MarkdownIt("commonmark")


def checked(text: str, cuts: tuple[int, ...] = ()) -> tuple[str, tuple[Citation, ...]]:
    """What is let through of a text that arrives cut at these places."""
    checker = CitationChecker(FOUND, "fence-word")
    bounds = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[start:end] for start, end in pairwise(bounds)]
    shown = "".join(checker.feed(piece) for piece in pieces)
    return shown + checker.feed("", is_end=True), checker.citations


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("One. [3] Two. [1]", "One. [1] Two. [2]"),
        ("One [3]. Two [3][1].", "One [1]. Two [1][2]."),
        ("One. [7] Two. [1]", "Two. [1]"),
        ("One. [1, 3]", "One. [1][2]"),
        ("One. 【2†source】", "One. [1]"),
        ("Uncited. Cited. [2] Uncited.", "Cited. [1]"),
        ("- one [1]\n- none\n- two [2]", "- one [1]\n- two [2]"),
        ("Do this:\n\n1. one [1]\n2. two [2]", "Do this:\n\n1. one [1]\n2. two [2]"),
        ("Do this [2]:\n\n1. one\n2. two\n\nMore.", "Do this [1]:\n\n1. one\n2. two"),
        ("Run:\n\n```sh\na | b\n```\n\n[1]", "Run:\n\n```sh\na | b\n```\n\n[1]"),
        ("Run [1]:\n```sh\na\n```\nDone.", "Run [1]:\n```sh\na\n```"),
        ("```\nno source\n```\n\nText. [1]", "Text. [1]"),
        ("Run [1]:\n```\nnever closed [2]", "Run [1]:\n```\nnever closed [2]\n```"),
        ("| a | b |\n|---|---|\n| c | d [2] |\n", "| a | b |\n|---|---|\n| c | d [1] |"),
        ("Late.\n[2]", "Late. [1]"),
        ("## Heading\n\nText. [1]", "## Heading\n\nText. [1]"),
        ("## Heading\n\nText.", ""),
        ("Use e.g. `a.b. C` on v. 2. [1]", "Use e.g. `a.b. C` on v. 2. [1]"),
        ("Item `x[9]` is kept. [1]", "Item `x[9]` is kept. [1]"),
        ("Lost.\n\nUncited. Kept. [1]\n\nLast. [1]", "Kept. [1]\n\nLast. [1]"),
        ("Use [1]:\n```\ngit clone https://ok.example/x https://no.example/x\n```",
         "Use [1]:\n```\ngit clone https://ok.example/x …\n```"),
        ("Lost. ``` not code. [1]", "not code. [1]"),
        ("Odd ` tick. [1] And `x](y)`. [1]", "Odd ` tick. [1] And `x] (y). [1]"),
    ],
)  # fmt: skip
def test_only_what_names_a_passage_is_let_through(said: str, shown: str) -> None:
    assert checked(said)[0] == shown


def test_citations_are_those_used_in_order_of_their_first_use() -> None:
    _, citations = checked("One. [3] Two. [1] Three. [3]")
    assert [(c.number, c.title) for c in citations] == [(1, "Title 3"), (2, "Title 1")]


PARTS = st.sampled_from(
    ["Word", " ", " ", "\n", "\n\n", ". ", ": ", "! ", "[1]", "[2]", " [3]", "[9]", "[1, 2]",
     "【1†a】", "```", "```sh\n", "~~~", "`", "``", "`x[1]`", "- ", "1. ", "# ", "| a | b |\n",
     "|", "e.g. ", "](", "[", "]", "(", ")", "!", "http://e.example/x", "https:", "//e.example",
     "www.e.example", "<a href=", ">", "<http://e>", "[a](http://e)", "]: ", ":", "javascript:x",
     "e.example/q", "\u200b", "\r\n", "\t", "fence-word", "é"]
)  # fmt: skip
TEXTS = st.lists(PARTS, max_size=40).map("".join)


@settings(max_examples=600, deadline=None)
@given(TEXTS, st.lists(st.integers(1, 200), max_size=30))
def test_any_chunking_gives_the_same_as_the_whole(text: str, cuts: list[int]) -> None:
    assert checked(text, tuple(cuts)) == checked(text)
    assert checked(text, tuple(range(1, len(text)))) == checked(text)


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_nothing_let_through_holds_a_link_an_unknown_mark_or_half_a_fence(text: str) -> None:
    shown, citations = checked(text)
    assert [c.number for c in citations] == list(range(1, len(citations) + 1))
    # What a renderer of Markdown makes of it; the last paragraph must not end up in a code block.
    *_, last, _ = tokens = MARKDOWN.parse(f"{shown}\n\nLAST")
    assert last.content == "LAST"
    inline = [child for token in tokens for child in token.children or ()]
    assert not {"link_open", "image"} & {child.type for child in inline}
    html = [token.content for token in (*tokens, *inline) if token.type.startswith("html")]
    assert not [tag for tag in html if TAG_START.search(tag)]
    prose = "\n".join(child.content for child in inline if child.type == "text")
    assert {int(n) for n in re.findall(r"\[([0-9]{1,3})\]", prose)} <= {
        citation.number for citation in citations
    }
    assert not re.search(r"[a-z]://|\bwww\.[a-z]|\bjavascript:x|e\.example/q", prose)
    assert "http://e.example/x" not in shown
    assert "fence-word" not in shown
