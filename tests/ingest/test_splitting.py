"""Chunks: under one heading, small enough for the encoder, nothing lost, code never broken."""

import re
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bot.encoder import Encoder
from bot.messages import UnitKind
from ingest.nodes import HeadingNodeParser, chunks_of
from ingest.splitting import CHUNK_TOKENS, Chunk, Splitter, plain

PAGE = """\
# Guide

Intro one. Intro two.

## Install

Run this:

```sh
make run
```

- first item
- second item
  with more

Setext
------

| a | b |
|---|---|
| 1 | 2 |
"""


def count_words(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def split_sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?]) ", text) if part]


SPLITTER = Splitter(count_words, split_sentences)


def units(chunk: Chunk) -> list[tuple[str, str]]:
    return [
        (kind, chunk.text[piece.bounds[2 * n] : piece.bounds[2 * n + 1]])
        for piece in chunk.pieces
        for n, kind in enumerate(piece.kinds)
    ]


def test_a_page_becomes_chunks_by_heading_with_their_path() -> None:
    chunks = SPLITTER.split("Guide", PAGE)
    assert [chunk.headings for chunk in chunks] == [(), ("Install",), ("Setext",)]
    assert [chunk.context for chunk in chunks] == ["Guide", "Guide › Install", "Guide › Setext"]
    assert units(chunks[0]) == [("s", "Intro one."), ("s", "Intro two.")]
    assert units(chunks[1]) == [
        ("s", "Run this:"),
        ("c", "```sh\nmake run\n```"),
        ("i", "- first item"),
        ("i", "- second item\n  with more"),
    ]
    assert units(chunks[2]) == [("t", "| a | b |\n|---|---|\n| 1 | 2 |")]
    assert chunks[1].pieces[0].embedded == "Guide › Install: Run this: sh make run"


def test_a_long_code_block_is_cut_between_lines_and_fenced_again() -> None:
    code = "\n".join(f"line {n} of the long program" for n in range(120))
    parts = [unit for chunk in SPLITTER.split("T", f"```py\n{code}\n```") for unit in units(chunk)]
    assert len(parts) > 1
    assert all(kind == "c" and text.startswith("```py\n") for kind, text in parts)
    assert all(text.endswith("\n```") for _, text in parts)
    assert "\n".join(text[6:-4] for _, text in parts) == code


def test_a_long_table_keeps_its_header_in_every_part() -> None:
    rows = "\n".join(f"| name {n} | the value {n} |" for n in range(120))
    parts = [u for c in SPLITTER.split("T", f"| a | b |\n|---|---|\n{rows}") for u in units(c)]
    assert len(parts) > 1
    assert all(text.startswith("| a | b |\n|---|---|\n") for _, text in parts)


def test_a_fence_inside_a_fence_stays_inside() -> None:
    [chunk] = SPLITTER.split("T", "````md\n```\ninner\n```\n````")
    assert units(chunk) == [("c", "````md\n```\ninner\n```\n````")]


def test_plain_text_has_no_marks() -> None:
    assert plain("**Bold** `code` [label](https://x.y) ![alt](z.png) snake_case") == (
        "Bold code label alt snake_case"
    )


BLOCKS = st.sampled_from(
    ["# One", "## Two", "A sentence. Another one!", "- item\n- item two", "> quoted words here",
     "```\ncode\n```", "| a | b |\n|---|---|\n| 1 | 2 |", "1. first\n2. second", "w" * 500,
     "long " * 300, "<b>html</b>", "    indented code", "---"]
)  # fmt: skip


@given(st.lists(BLOCKS, max_size=12).map("\n\n".join))
def test_every_word_is_in_a_unit_and_every_bound_is_right(markdown: str) -> None:
    chunks = SPLITTER.split("Title", markdown)
    held = " ".join(text for chunk in chunks for _, text in units(chunk))
    shown = held + " ".join(heading for chunk in chunks for heading in chunk.headings)
    for word in ("sentence", "item", "quoted", "code", "first", "html", "long"):
        assert (word in re.sub(r"<[^>]*>", " ", markdown)) == (word in shown)
    for chunk in chunks:
        assert chunk.text.strip()
        bounds = [bound for piece in chunk.pieces for bound in piece.bounds]
        assert bounds == sorted(bounds)
        assert bounds[-1] == len(chunk.text)
        assert all(set(piece.kinds) <= set("".join(UnitKind)) for piece in chunk.pieces)
        assert sum(count_words([text])[0] for _, text in units(chunk)) <= CHUNK_TOKENS


def test_no_piece_is_longer_than_the_encoder_reads(encoder: Encoder) -> None:
    page = "\n\n".join(
        [f"# {'A very long heading ' * 20}", "word " * 900, "```\n" + "x = y\n" * 400 + "```",
         "Sentence one is here. " * 200, "\n".join(f"- item {n} {'w ' * 50}" for n in range(30))]
    )  # fmt: skip
    chunks = chunks_of(HeadingNodeParser(encoder.count_tokens), "T" * 300, page)
    lengths = encoder.count_tokens([p.embedded for chunk in chunks for p in chunk.pieces])
    assert max(lengths) + 2 <= encoder.manifest.max_tokens
