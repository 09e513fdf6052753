"""The checker refuses what Slack refuses, so that a test that passes it means something."""

from typing import Any

import pytest

from tests.platforms.slack.block_kit import (
    links,
    mentions,
    message_problems,
    problems,
    view_problems,
)  # fmt: skip

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def rich(text: str) -> Json:
    part = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [part]}


def button(action: str, label: str = "Go") -> Json:
    return {"type": "button", "action_id": action, "text": plain(label)}


def table(rows: int, columns: int, cell: str = "x") -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": cell}] * columns] * rows}


BAD = {
    "no block": [],
    "51 blocks": [rich("x")] * 51,
    "unknown kind": [{"type": "paragraph", "text": "x"}],
    "unknown property": [rich("x") | {"colour": "red"}],
    "unknown element": [{"type": "rich_text", "elements": [{"type": "p", "elements": []}]}],
    "missing text": [{"type": "header"}],
    "mrkdwn in a header": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}],
    "long header": [{"type": "header", "text": plain("x" * 151)}],
    "long section": [section("x" * 3_001)],
    "long rich text": [rich("😀" * 1_501)],
    "empty text": [rich("")],
    "long in all": [rich("x" * 2_800)] * 4,
    "long button": [{"type": "actions", "elements": [button("a", "x" * 76)]}],
    "26 buttons": [{"type": "actions", "elements": [button(str(n)) for n in range(26)]}],
    "an action twice": [{"type": "actions", "elements": [button("a"), button("a")]}],
    "a block id twice": [rich("x") | {"block_id": "b"}] * 2,
    "long block id": [rich("x") | {"block_id": "b" * 256}],
    "two tables": [table(1, 1)] * 2,
    "101 rows": [table(101, 1)],
    "21 columns": [table(1, 21)],
    "long table": [table(4, 1, "x" * 2_600)],
    "uneven table": [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}], []]}],
    "channel": [section("hi <!channel>")],
    "person": [section("hi <@U1>")],
    "link": [section("<https://evil.example|x>")],
    "in a context": [{"type": "context", "elements": [{"type": "mrkdwn", "text": "<#C1>"}]}],
}  # fmt: skip


@pytest.mark.parametrize("blocks", BAD.values(), ids=BAD)
def test_what_slack_refuses_is_a_problem(blocks: list[Json]) -> None:
    assert problems(blocks)


def test_what_slack_takes_is_none() -> None:
    actions = {"type": "actions", "elements": [button("a"), button("b")]}
    assert not problems([
        {"type": "header", "text": plain("x" * 150)}, section("x & <y>"), rich("x" * 3_000),
        actions, actions, table(100, 20, "x"), {"type": "divider"},
    ])  # fmt: skip


def test_views_have_limits_of_their_own() -> None:
    view = {"type": "modal", "title": plain("x" * 24), "blocks": [rich("x" * 3_000)] * 100}
    assert not view_problems(view)
    asked = {"type": "input", "label": plain("x"), "element": {"type": "plain_text_input"}}
    for bad in (
        {"title": plain("x" * 25)}, {"blocks": [rich("x")] * 101}, {"blocks": [table(1, 1)]},
        {"blocks": [asked]}, {"private_metadata": "x" * 3_001}, {"callback_id": "x" * 256},
        {"submit": plain("x" * 25)}, {"blocks": [{"type": "paragraph"}]}, {"type": "popup"},
    ):  # fmt: skip
        assert view_problems(view | bad), bad


@pytest.mark.parametrize(
    "text", ["", "x" * 3_001, "<!here>", "a & b", "@here", "https://evil.example"]
)
def test_a_notification_must_be_there_short_and_inert(text: str) -> None:
    assert message_problems({"text": text, "blocks": [rich("x")]})
    assert not message_problems({"text": "a &amp; b", "blocks": [rich("x")]})


def test_live_mentions_and_links_are_found_wherever_they_are() -> None:
    parts = [
        {"type": "user", "user_id": "U1"}, {"type": "broadcast", "range": "here"},
        {"type": "link", "url": "https://a.example"},
    ]  # fmt: skip
    rich_text = {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": parts}],
    }
    linked = button("a") | {"url": "https://c.example"}
    actions = {"type": "actions", "elements": [linked]}
    blocks = [rich_text, section("<!here> https://b.example"), actions]
    assert len(mentions(blocks)) == 3
    assert links(blocks) == ["https://a.example", "https://c.example", "https://b.example"]
