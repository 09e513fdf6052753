"""Messages of answers: within every limit, cut where it hurts least, links to sources alone."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.messages import Answer, Citation, Outcome
from bot.platforms.slack.lengths import sendable
from bot.platforms.slack.messages import Message, answer_messages, notification, plain_message
from bot.platforms.slack.sources import host_of
from tests.hostile import hostile_texts
from tests.platforms.slack.block_kit import links, mentions, message_problems, texts

CITED = Citation(1, "Refunds", ("Monthly", "By card"), "https://docs.example/refunds")


def answer(text: str, *citations: Citation, outcome: Outcome = Outcome.ANSWERED) -> Answer:
    return Answer(outcome, text, citations)


def problems(messages: Iterable[Message]) -> list[str]:
    return [
        problem
        for message in messages
        for problem in message_problems({"text": message.text, "blocks": message.blocks})
    ]


def kinds(message: Message) -> list[str]:
    return [block["type"] for block in message.blocks]


def said(messages: Iterable[Message]) -> str:
    return "".join(text for message in messages for text in texts(message.blocks))


def preformatted(message: Message) -> list[str]:
    return [
        "".join(texts(element))
        for block in message.blocks
        for element in block.get("elements", ())
        if element["type"] == "rich_text_preformatted"
    ]


def action_ids(message: Message) -> list[str]:
    found = [e for block in message.blocks for e in block.get("elements", ())]
    return [element["action_id"] for element in found if "action_id" in element]


def test_an_answer_ends_with_its_sources_and_buttons() -> None:
    (message,) = answer_messages(answer("Five days. [1]", CITED), 7)
    assert kinds(message) == ["rich_text", "actions", "context_actions"]
    assert said([message]).startswith(
        "Five days. [1]\n\nSources\n[1] Refunds › Monthly › By card — docs.example"
    )
    assert links(message.blocks) == [CITED.url, CITED.url]
    why, person = message.blocks[1]["elements"]
    assert (why["value"], person["value"], "style" in person) == ("7", "7", False)
    feedback = message.blocks[2]["elements"][0]
    assert message.blocks[2]["block_id"] == "rating:7"
    assert feedback["positive_button"]["value"] == "7:1"
    assert feedback["negative_button"]["value"] == "7:-1"
    assert action_ids(message) == ["why", "person", "feedback"]
    assert not problems([message])


def test_what_is_not_stored_has_no_buttons() -> None:
    (message,) = answer_messages(answer("Five days. [1]", CITED), None)
    assert kinds(message) == ["rich_text"]


def test_a_person_is_offered_first_where_the_bot_is_not_sure() -> None:
    (message,) = answer_messages(answer("I am not sure.", outcome=Outcome.ABSTAINED), 7)
    assert message.blocks[1]["elements"][1]["style"] == "primary"


def test_a_failure_offers_a_person_and_no_rating() -> None:
    failed = answer("The database is away. [1]", CITED, outcome=Outcome.FAILED)
    (message,) = answer_messages(failed, 7)
    assert action_ids(message) == ["person"]
    assert links(message.blocks) == []


@pytest.mark.parametrize(
    ("title", "url", "line", "linked"),
    [
        ("Plans", "https://x.example/p", "Plans — x.example", "Plans"),
        ("README.md", "https://x.example/r", "README.md — x.example", "README.md"),
        ("bank.example login", "https://x.example", "x.example — bank.example login", "x.example"),
        ("https://bank.example", "https://x.example", "x.example — https://bank.example",
         "x.example"),
        ("ｂａｎｋ．example", "https://x.example", "x.example — ｂａｎｋ．example", "x.example"),
        ("Plans", "https://bücher.example", "Plans — xn--bcher-kva.example", "Plans"),
        ("Plans", "docs/plans.md", "Plans — docs/plans.md", None),
        ("Plans", "javascript:alert(1)", "Plans — javascript:alert(1)", None),
        ("Plans", "https://bank.example@x.example", "Plans — https://bank.example@x.example", None),
        ("Plans", "https://bank.example\\@x.example", "Plans — https://bank.example\\@x.example",
         None),
        ("A\u202eB\nC\u200b", "https://x.example", "AB C — x.example", "AB C"),
        ("T" * 400, "https://x.example", f"{'T' * 299}… — x.example", f"{'T' * 299}…"),
        ("", "", "…", None),
    ],
)  # fmt: skip
def test_a_source_shows_where_its_link_leads(
    title: str, url: str, line: str, linked: str | None
) -> None:
    (message,) = answer_messages(answer("x", Citation(1, title, (), url)), None)
    assert said([message]) == f"x\n\nSources\n[1] {line}"
    elements = message.blocks[0]["elements"][0]["elements"]
    assert [e["text"] for e in elements if e["type"] == "link"] == ([linked] if linked else [])


@pytest.mark.parametrize("url", ["https://", "http://[::1", "https://x:99999/", "ftp://x.example",
                                 "https://x.example/a b", "https://" + "x" * 2_000])  # fmt: skip
def test_an_address_that_readers_could_not_judge_is_no_link(url: str) -> None:
    assert host_of(url) is None


def test_a_long_answer_is_split_between_paragraphs_and_its_end_has_the_buttons() -> None:
    paragraphs = [f"p{number}: " + "word " * 400 + "end." for number in range(12)]
    messages = answer_messages(answer("\n\n".join(paragraphs), CITED), 7)
    assert len(messages) == 3
    assert not problems(messages)
    assert [action_ids(message) for message in messages] == [
        [], [], ["why", "person", "feedback"],
    ]  # fmt: skip
    for message in messages:
        assert re.match(r"p[0-9]+: word", said([message]))
    assert all(sum(p in said([m]) for m in messages) == 1 for p in paragraphs)


def test_a_block_of_code_moves_whole_to_the_next_message() -> None:
    code = "\n".join(f"line {number:04}" for number in range(800))
    messages = answer_messages(answer("intro " * 800 + f"\n\n```\n{code}\n```\n\nafter"), None)
    assert [bool(preformatted(message)) for message in messages] == [False, True]
    assert "\n".join(preformatted(messages[1])) == code
    assert not problems(messages)


def test_code_longer_than_a_message_is_closed_and_opened_again_between_lines() -> None:
    lines = [f"line {number:05}: {'x ' * 20}." for number in range(600)]
    messages = answer_messages(answer("```\n" + "\n".join(lines) + "\n```"), None)
    parts = [part for message in messages for part in preformatted(message)]
    assert len(messages) > 2
    assert all(line in lines for part in parts for line in part.split("\n"))
    assert "\n".join(parts).split("\n") == lines


def test_a_heading_stays_with_what_it_is_above() -> None:
    text = "word " * 1_900 + "\n\n## Next\n\n" + "more " * 400
    first, second = answer_messages(answer(text), None)
    assert kinds(first)[-1] == "rich_text"
    assert kinds(second)[0] == "header"


@pytest.mark.parametrize(
    "cluster", ["👨\u200d👩\u200d👧\u200d👦", "🇩🇪", "👍🏽", "e\u0301\u0323", "❤\ufe0f"]
)
def test_a_grapheme_is_never_cut(cluster: str) -> None:
    messages = answer_messages(answer(cluster * (13_000 // len(cluster))), None)
    assert len(messages) > 1
    assert not problems(messages)
    for message in messages:
        for text in texts(message.blocks):
            assert text == cluster * (len(text) // len(cluster))


def test_a_line_of_code_is_not_cut_for_a_fuller_block() -> None:
    lines = ["a " * 500, "b " * 1_250]
    messages = answer_messages(answer("```\n" + "\n".join(lines) + "\n```"), None)
    assert [part for message in messages for part in preformatted(message)] == lines


@pytest.mark.parametrize("blocks", range(46, 52))
def test_buttons_find_room_below_as_many_blocks_as_a_message_holds(blocks: int) -> None:
    messages = answer_messages(answer("---\n\n" * blocks), 7)
    assert not problems(messages)
    assert sum(kinds(message).count("divider") for message in messages) == blocks


def test_many_short_blocks_are_spread_over_messages() -> None:
    messages = answer_messages(answer("# a\n\n---\n\n" * 100), 7)
    assert not problems(messages)
    assert said(messages).count("a") >= 100


def test_a_mark_repeated_with_a_long_address_does_not_grow_a_message_too_big() -> None:
    url = "https://x.example/" + "p" * 1_900
    messages = answer_messages(answer("[1] " * 100, Citation(1, "T", (), url)), 7)
    assert not problems(messages)
    assert all(sum(map(len, links(message.blocks))) < 11_000 for message in messages)


def test_a_hundred_sources_stay_within_the_limits() -> None:
    cited = [Citation(n, f"Title {n} " * 20, (), f"https://x.example/{n}") for n in range(1, 101)]
    messages = answer_messages(answer("x", *cited), 7)
    assert not problems(messages)
    assert all(f"[{number}] Title {number} " in said(messages) for number in range(1, 101))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a & <b>", "a &amp; &lt;b&gt;"),
        ("@here", "@\u200bhere"),
        ("see https://x.example", "see https:\u2060//x.example"),
        ("www.x.example", "www.\u2060x.example"),
        ("mailto:a@b", "mailto:\u2060a@\u200bb"),
        ("at 10:30: yes", "at 10:30: yes"),
        ("\ud800\x00", "\ufffd\ufffd"),
    ],
)
def test_a_notification_pings_nobody_and_links_nothing(text: str, shown: str) -> None:
    assert notification(text) == shown


def test_a_notification_is_cut_behind_a_whole_escape() -> None:
    for shift in range(6):
        text = notification("x" * shift + "&" * 4_000)
        assert len(text) <= 3_000
        assert re.fullmatch(r"x*(&amp;)+…", text)


def test_a_notice_is_literal_and_one_message() -> None:
    message = plain_message("**<!channel>** [x](https://evil.example)\n" + "y" * 4_000)
    assert said([message]).startswith("**<!channel>** [x](https://evil.example)\ny")
    assert said([message]).endswith("…")
    assert not problems([message])
    assert not problems([plain_message(""), plain_message("  \n")])


@pytest.mark.parametrize("place", ["text", "title", "heading", "url"])
def test_hostile_texts_mention_nobody_and_link_nothing_but_citations(place: str) -> None:
    hostile = hostile_texts()
    assert len(hostile) >= 300
    for text in hostile:
        values: dict[str, Any] = {"title": "T", "heading": "H", "url": CITED.url, "text": "x [1]"}
        values[place] = text
        cited = Citation(1, values["title"], (values["heading"],), values["url"])
        messages = answer_messages(answer(values["text"], cited), 7)
        assert not problems(messages), text[:100]
        for message in [*messages, plain_message(text)]:
            assert not mentions(message.blocks), text[:100]
            assert {*links(message.blocks)} <= {values["url"]}, text[:100]
            assert not links(message.blocks) or host_of(values["url"])


WORDS = st.sampled_from(
    ["word", "Wörter", "שלום", "مرحبا", "\u202e", "漢字", "👨\u200d👩\u200d👧", "🇩🇪", "👍🏽",
     "e\u0301", " ", " ", " ", "\n", "\n\n", ". ", ", ", "**", "*", "_", "~~s~~", "`c`", "``d``",
     "`", "\n```\n", "\n~~~\n", "\n- ", "\n  - ", "\n1. ", "\n> ", "\n# ", "\n## ", "\n    ",
     "\n---\n",
     "\n|a|b|\n|-|-|\n|c|d|\n", "|", "<", ">", "&", "@", "<!here>", "[", "]", "(", ")", "!", "\\",
     "\u00a0", "\ud83d", "\x00"]
)  # fmt: skip
OTHERS = st.text(st.characters(categories=["L", "Mn", "So"]), max_size=5)
REPEATED = st.sampled_from([1, 1, 1, 1, 2, 20, 400])
TEXTS = st.tuples(st.lists(WORDS | OTHERS, max_size=60), REPEATED).map(
    lambda drawn: ("".join(drawn[0]) * drawn[1])[:40_000]
)
# What Markdown means rather than shows, and what a list's numbers and bullets are written with.
MARKUP = re.compile(r"[\s\\`*_~#>|<\[\]()!.,:;&\"'+=$^─•…0-9-]|\W(?<=\u00b7)")


def bare(text: str) -> str:
    """A text without all that could be markup."""
    return MARKUP.sub("", sendable(text))


@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS)
def test_every_text_becomes_valid_messages_that_lose_nothing(text: str) -> None:
    messages = answer_messages(answer(text), None)
    assert not problems(messages)
    assert bare(said(messages)) == bare(text)
