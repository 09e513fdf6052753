"""The modals: what was wrong with an answer, and why it was given."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.messages import OUT_OF_SCOPE, ExplainedPassage, Explanation, Outcome, Reason
from bot.platforms.slack.modals import Complaint, read_reason, reason_modal, why_modal
from tests.hostile import hostile_texts
from tests.platforms.slack.block_kit import links, mentions, texts, view_problems

ASKED = datetime(2026, 3, 4, 12, tzinfo=UTC)
PASSAGE = ExplainedPassage(
    "handbook", "refunds.md", "Refunds", "https://docs.example/refunds",
    0.61, 7.25, 0.9, 0.834, ASKED, is_cited=True,
)  # fmt: skip
WHY = Explanation(
    7, "How long does a refund take?", Outcome.ANSWERED, "question", 0.934,
    (("talk_to_a_person", 0.04), ("greeting", 0.01)), 3, 0.87, 0.6, ASKED, (PASSAGE,),
)  # fmt: skip
LIKELY = [("talk_to_a_person", "Talk to a person"), ("greeting", "Greeting")]


def filled(
    reason: str | None, intent: str | None = None, comment: str | None = None, turn: str = "7"
) -> dict[str, Any]:
    """The view as Slack sends it when it is submitted."""
    values: dict[str, Any] = {
        "reason": {"reason": {"type": "radio_buttons", "selected_option": _chosen(reason)}},
        "intent": {"intent": {"type": "static_select", "selected_option": _chosen(intent)}},
        "comment": {"comment": {"type": "plain_text_input", "value": comment}},
    }
    return {"private_metadata": turn, "state": {"values": values}}


def _chosen(value: str | None) -> dict[str, Any] | None:
    return value and {"text": {"type": "plain_text", "text": "x"}, "value": value}  # type: ignore[return-value]


def said(view: dict[str, Any]) -> str:
    return "".join(texts(view["blocks"]))


def test_the_modal_asks_for_a_reason_an_intent_and_a_comment() -> None:
    view = reason_modal(7, LIKELY)
    assert not view_problems(view)
    reason, intent, comment = view["blocks"]
    assert [o["value"] for o in reason["element"]["options"]] == list(Reason)
    assert [(o["value"], o["text"]["text"]) for o in intent["element"]["options"]] == LIKELY
    assert [b.get("optional", False) for b in (reason, intent, comment)] == [False, True, True]
    assert comment["element"]["max_length"] == 3_000
    assert (view["callback_id"], view["private_metadata"]) == ("reason", "7")


def test_no_intents_no_select_and_many_no_more_than_slack_takes() -> None:
    assert [block["block_id"] for block in reason_modal(7, [])["blocks"]] == ["reason", "comment"]
    many = [(f"intent_{number}", "Label " * 40) for number in range(130)]
    view = reason_modal(7, [("x" * 200, "too long a name"), ("bare", " "), *many])
    assert not view_problems(view)
    options = view["blocks"][1]["element"]["options"]
    assert len(options) == 100
    assert options[0]["text"]["text"] == "bare"


def test_what_was_filled_in_is_read_back() -> None:
    view = filled("wrong_topic", "greeting", "  it was a hello ")
    assert read_reason(view) == (
        Complaint(7, Reason.WRONG_TOPIC, "greeting", "it was a hello"), {},
    )  # fmt: skip
    assert read_reason(filled("incomplete")) == (Complaint(7, Reason.INCOMPLETE), {})


@pytest.mark.parametrize("reason", [r for r in Reason if r is not Reason.WRONG_TOPIC])
def test_an_intent_beside_another_reason_than_the_topic_is_left_out(reason: Reason) -> None:
    assert read_reason(filled(reason, "greeting")) == (Complaint(7, reason), {})


@pytest.mark.parametrize(
    ("view", "block"),
    [
        (filled(None), "reason"),
        (filled("forged"), "reason"),
        (filled("other", turn="x"), "reason"),
        (filled("other", comment="x" * 3_001), "comment"),
        ({}, "reason"),
        ({"private_metadata": "7", "state": {"values": {}}}, "reason"),
    ],
)
def test_what_cannot_be_read_is_said_at_its_input(view: dict[str, Any], block: str) -> None:
    complaint, errors = read_reason(view)
    assert complaint is None
    assert list(errors) == [block]


def test_why_shows_intent_confidences_passages_dates_and_version() -> None:
    view = why_modal(WHY)
    assert not view_problems(view)
    text = said(view)
    for part in (
        "How long does a refund take?", "question: 93%", "or talk to a person: 4%",
        "or greeting: 1%", "by classifier version 3", "deal with it: 87%",
        "answers it, if they do: 60%",
        "1. Refunds — docs.example cited", "score 0.83", "meaning 0.61", "words 7.2", "covers 90%",
        "source handbook", "of 4 March 2026",
    ):  # fmt: skip
        assert part in text, part
    assert links(view) == ["https://docs.example/refunds"]


def test_why_says_what_there_was_none_of() -> None:
    bare = replace(
        WHY, intent=None, intent_confidence=None, alternatives=(), classifier_version=None,
        about=None, right=None, passages=(),
    )  # fmt: skip
    view = why_modal(bare)
    assert not view_problems(view)
    text = said(view)
    assert "No classifier was live" in text
    assert "were not needed" in text
    assert "Nothing was searched for" in text
    unknown = replace(WHY, intent=OUT_OF_SCOPE)
    assert "none that I know: 93%" in said(why_modal(unknown))


def test_a_document_that_is_gone_is_named_and_not_linked() -> None:
    gone = replace(PASSAGE, title=None, url=None, changed_at=None, is_cited=False)
    view = why_modal(replace(WHY, passages=(gone,)))
    assert "1. refunds.md\n" in said(view)
    assert "gone from the documents" in said(view)
    assert links(view) == []


def test_a_hundred_passages_stay_within_a_modal() -> None:
    long = replace(
        PASSAGE, title="T" * 900, source="s" * 900, url="https://x.example/" + "p" * 1_900
    )
    view = why_modal(replace(WHY, question="q" * 4_000, passages=(long,) * 100))
    assert not view_problems(view)
    assert "and 60 more" in said(view)


def test_hostile_texts_in_modals_mention_nobody_and_link_nothing() -> None:
    for text in hostile_texts():
        passage = replace(PASSAGE, source=text, uri=text, title=text)
        why = replace(WHY, question=text, intent=text, alternatives=((text, 0.1),))
        views = [
            why_modal(replace(why, passages=(passage, replace(passage, title=None, url=text)))),
            reason_modal(7, [("name", text)]),
        ]
        for view in views:
            assert not view_problems(view), text[:100]
            assert not mentions(view), text[:100]
            assert {*links(view)} <= {PASSAGE.url, text}
            assert all(re.match("(?i)https?://", link) for link in links(view))
