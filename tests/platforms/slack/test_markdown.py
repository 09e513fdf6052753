"""Markdown in Slack: everything is shown as it was meant, and nothing links but citations."""

from typing import Any

import pytest

from bot.platforms.slack.markdown import pieces
from bot.platforms.slack.pages import blocks, paged
from tests.platforms.slack.block_kit import links, problems, texts

LINKS = {1: "https://one.example/a", 2: "https://two.example/b"}


def pages(markdown: str) -> list[list[dict[str, Any]]]:
    """The blocks of each message."""
    made = [blocks(page) for page in paged(pieces(markdown, LINKS))]
    assert not [problem for page in made for problem in problems(page)]
    return made


def elements(markdown: str) -> list[dict[str, Any]]:
    """The elements of all rich text of one message."""
    (page,) = pages(markdown)
    return [e for block in page if block["type"] == "rich_text" for e in block["elements"]]


def said(value: object) -> str:
    """Everything that is shown."""
    return "".join(texts(value))


def test_emphasis_becomes_styles_and_may_lie_in_each_other() -> None:
    (section,) = elements("a *b **c*** ~~d~~ `e*`")
    assert section["elements"] == [
        {"type": "text", "text": "a "},
        {"type": "text", "text": "b ", "style": {"italic": True}},
        {"type": "text", "text": "c", "style": {"bold": True, "italic": True}},
        {"type": "text", "text": " "},
        {"type": "text", "text": "d", "style": {"strike": True}},
        {"type": "text", "text": " "},
        {"type": "text", "text": "e*", "style": {"code": True}},
    ]


def test_a_heading_is_a_header_and_a_long_one_a_bold_section() -> None:
    ((header,),) = pages("## Set *it* up")
    assert header["type"] == "header"
    assert header["text"] == {"type": "plain_text", "text": "Set it up", "emoji": False}
    (section,) = elements("# " + "word " * 31)
    assert said(section) == ("word " * 31).strip()
    assert section["elements"][0]["style"] == {"bold": True}


@pytest.mark.parametrize("heading", ["Ask <!channel>", "A &amp;lt;b", "See [1]"])
def test_a_heading_that_a_header_would_not_show_literally_is_a_section(heading: str) -> None:
    assert elements(f"# {heading}")[0]["type"] == "rich_text_section"


def test_lists_keep_their_depth_numbers_and_order() -> None:
    made = elements("3. three\n4. four\n   - in four\n     1. deep\n5. five\n\ntext")
    shown = [(e["style"], e["indent"], e.get("offset", 0), said(e)) for e in made if "style" in e]
    assert shown == [
        ("ordered", 0, 2, "threefour"),
        ("bullet", 1, 0, "in four"),
        ("ordered", 2, 0, "deep"),
        ("ordered", 0, 4, "five"),
    ]
    assert made[-1]["type"] == "rich_text_section"


def test_a_list_deeper_than_slack_shows_stays_at_its_deepest() -> None:
    made = elements("\n".join("  " * depth + f"- d{depth}" for depth in range(12)))
    assert [e["indent"] for e in made] == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert said(made[-1]) == "d8d9d10d11"


def test_code_between_items_interrupts_the_list_and_the_numbers_go_on() -> None:
    made = elements("1. run\n\n   ```sh\n   ls  -l\n   ```\n2. look\n\n   twice")
    assert [e["type"] for e in made] == [
        "rich_text_list", "rich_text_preformatted", "rich_text_list",
    ]  # fmt: skip
    assert made[1]["elements"] == [{"type": "text", "text": "ls  -l"}]
    assert (made[2]["offset"], said(made[2])) == (1, "look\ntwice")


def test_a_number_in_front_of_code_alone_is_kept() -> None:
    made = elements("1. one\n2. ```\n   two\n   ```\n3. three")
    assert [(e.get("offset"), said(e)) for e in made] == [
        (None, "one "), (None, "two"), (2, "three"),
    ]  # fmt: skip


def test_a_quote_keeps_its_paragraphs_lists_and_code() -> None:
    made = elements("> one\n>\n> two\n> - item\n>\n> ```\n> code\n> ```")
    assert [(e["type"], e.get("border"), said(e)) for e in made] == [
        ("rich_text_quote", None, "one\n\ntwo"),
        ("rich_text_list", 1, "item"),
        ("rich_text_preformatted", 1, "code"),
    ]


def test_the_first_table_is_a_table_and_the_next_one_stands_in_columns() -> None:
    table = "| Plan | Price |\n|:--|--:|\n| **Team** [1] | 5 |\n| Alone |  |"
    (page,) = pages(f"{table}\n\n{table}")
    first, second = page
    assert first["type"] == "table"
    assert [setting["align"] for setting in first["column_settings"]] == ["left", "right"]
    assert [said(row) for row in first["rows"]] == [
        "PlanPrice", "Team [1]5", "Alone ",
    ]  # fmt: skip
    assert said(second) == "Plan      Price\n────────  ─────\nTeam [1]      5\nAlone"


@pytest.mark.parametrize(
    "table",
    [
        "| a | b |\n|---|---|\n" + "| x | y |\n" * 100,
        "| c " * 21 + "|\n" + "|---" * 21 + "|\n" + "| x " * 21 + "|",
        "| a |\n|---|\n" + f"| {'w' * 2_600} |\n" * 4,
        "| a |\n|---|\n" + f"| {'w' * 3_100} |\n",
        "| a |\n|---|\n| x | more | than one |",
        "- | a |\n  |---|\n  | x |",
        "> | a |\n> |---|\n> | x |",
    ],
    ids=["rows", "columns", "characters", "cell", "uneven", "in a list", "in a quote"],
)
def test_a_table_that_slack_would_not_take_is_text_with_every_cell(table: str) -> None:
    made = pages(table)
    assert not [block for page in made for block in page if block["type"] == "table"]
    cells = [cell for line in table.split("\n") for cell in line.replace("-", "").split("|")]
    shown = "".join(map(said, made))
    words = "".join("".join(cells).replace(">", "").split())
    assert "".join(shown.replace("─", "").replace("|", "").replace("-", "").split()) == words


def test_a_second_message_may_have_a_table_of_its_own() -> None:
    table = "| a |\n|---|\n" + f"| {'w' * 2_000} |\n" * 4
    kinds = [[block["type"] for block in page] for page in pages(f"{table}\n\n{'x ' * 1_900}")]
    assert kinds == [["table"], ["rich_text", "rich_text"]]


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("[label](https://evil.example 'title')", "label"),
        ("[https://bank.example](https://evil.example)", "https://bank.example"),
        ("![a *cat*](https://evil.example/?q=x)", "a cat"),
        ("[![alt](https://evil.example/a)](https://evil.example/b)", "alt"),
        ("<https://evil.example>", "https://evil.example"),
        ("see https://evil.example.", "see https://evil.example."),
        ("[x][1]\n\n[1]: https://evil.example", "[x][1][1]: https://evil.example"),
        ("<a href='https://evil.example'>b</a>", "<a href='https://evil.example'>b</a>"),
        ("<!-- c -->\n\n<div>\nx\n</div>", "<!-- c --><div> x </div>"),
        ("&lt;!channel&gt;", "<!channel>"),
    ],
)
def test_what_would_link_or_load_is_text(markdown: str, shown: str) -> None:
    (page,) = pages(markdown)
    assert said(page).replace("\n", "") == shown
    assert [link for link in links(page) if link not in LINKS.values()] == []


def test_marks_link_to_what_they_cite_but_never_in_code() -> None:
    (page,) = pages("A [1][2], **b [2]** [3] `c[1]`\n\n```\nd[1]\n```\n\n| e [1] |\n|---|")
    assert links(page) == [LINKS[1], LINKS[2], LINKS[2], LINKS[1]]
    assert "[3] c[1]d[1]" in said(page)


def test_a_definition_takes_no_mark_away() -> None:
    (page,) = pages("It is so [1].\n\n[1]: https://evil.example")
    assert links(page) == [LINKS[1], LINKS[1]]


def test_what_lies_too_deep_is_shown_as_it_is_written() -> None:
    (page,) = pages("> " * 200 + "deep\n\nafter")
    assert said(page).replace("> ", "") == "deep\n\nafter"


def test_words_behind_a_fence_are_kept_and_its_language_is_not() -> None:
    assert said(elements("```sh\nls\n```")) == "ls"
    assert said(elements("```python title=a.py\nx = 1\n```")) == "python title=a.pyx = 1"


def test_a_rule_between_paragraphs_divides_them() -> None:
    (page,) = pages("a\n\n---\n\nb")
    assert [block["type"] for block in page] == ["rich_text", "divider", "rich_text"]


def test_lines_end_where_they_were_ended_and_soft_ends_are_spaces() -> None:
    assert said(elements("a\nb  \nc\\\nd\r\ne")) == "a b\nc\nd e"
