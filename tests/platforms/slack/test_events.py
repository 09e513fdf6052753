"""Which events are questions, and what is left alone."""

from typing import Any

import pytest

from bot.messages import Arrival, Way
from bot.platforms.slack.events import Deletion, Edit, Reader, plain_text

READER = Reader("T1", "UBOT", {"CQUEST": "questions", "CALL": "all", "CMENTION": "mention"})
SAID: dict[str, Any] = {
    "type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "ts": "5.1",
    "text": "<@UBOT> how do I reset it?", "client_msg_id": "client-1", "team": "T1",
}  # fmt: skip


def arrival(**changes: Any) -> Arrival | None:
    return READER.arrival(SAID | changes)


def test_both_deliveries_of_a_mention_are_the_same_message() -> None:
    message, mention = arrival(), arrival(type="app_mention")
    assert message is not None
    assert message == mention
    assert (message.text, message.way) == ("how do I reset it?", Way.MENTION)
    assert (message.conversation, message.details["thread"]) == ("C1:5.1", "5.1")


def test_a_direct_message_needs_no_mention() -> None:
    direct = arrival(channel="D1", channel_type="im", text="hello")
    assert direct is not None
    assert direct.way is Way.DIRECT


def test_a_reply_in_a_thread_may_be_a_follow_up() -> None:
    reply = arrival(text="and on the phone?", ts="5.9", thread_ts="5.1")
    assert reply is not None
    assert (reply.way, reply.conversation) == (Way.FOLLOW_UP, "C1:5.1")


@pytest.mark.parametrize("text", ["<@U2> can you look?", "ask <!subteam^S1|@ops> about it"])
def test_a_reply_to_somebody_else_is_not(text: str) -> None:
    assert arrival(text=text, ts="5.9", thread_ts="5.1") is None


@pytest.mark.parametrize(
    ("channel", "mode"), [("CQUEST", "questions"), ("CALL", "all"), ("CMENTION", None)]
)
def test_unmentioned_messages_are_heard_where_admins_want_it(
    channel: str, mode: str | None
) -> None:
    heard = arrival(channel=channel, text="how do I reset it?")
    assert (heard.details["mode"] if heard else None) == mode


@pytest.mark.parametrize(
    "changes",
    [
        {"user": "UBOT"},
        {"user": "USLACKBOT"},
        {"bot_id": "B1"},
        {"app_id": "A1", "user": "U9"},
        {"bot_profile": {"id": "B1"}},
        {"subtype": "bot_message"},
        {"subtype": "channel_join"},
        {"subtype": "reminder_add"},
        {"subtype": "a_new_one"},
        {"hidden": True},
        {"user": None},
        {"ts": None},
        {"channel": 7},
        {"text": "no mention"},
        {"text": None},
    ],
)
def test_bots_joins_and_talk_are_no_questions(changes: dict[str, Any]) -> None:
    assert arrival(**changes) is None


def changed(text: str, before: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "message", "subtype": "message_changed", "channel": "C1", "hidden": True,
        "message": {**SAID, "text": text, **more}, "previous_message": {**SAID, "text": before},
    }  # fmt: skip


def test_an_edit_names_the_message_and_its_new_text() -> None:
    edit = READER.read(changed("<@UBOT> how do I change it?", "<@UBOT> how do I reset it?"))
    assert isinstance(edit, Edit)
    assert (edit.spot.message, edit.text, edit.arrival) == ("5.1", "how do I change it?", None)


def test_an_edit_that_mentions_the_bot_for_the_first_time_asks_it() -> None:
    edit = READER.read(changed("<@UBOT> how?", "how?"))
    assert isinstance(edit, Edit)
    assert edit.arrival is not None
    assert edit.arrival.way is Way.MENTION


@pytest.mark.parametrize(
    "event",
    [
        changed("<@UBOT> same", "<@UBOT> same", attachments=[{"title": "unfurled"}]),
        changed("<@UBOT> new", "<@UBOT> old", bot_id="B1"),
        {"type": "message", "subtype": "message_changed", "channel": "C1", "message": None},
        {"type": "message", "subtype": "message_deleted", "channel": "C1"},
    ],
)
def test_unfurls_bots_and_malformed_changes_are_nothing(event: dict[str, Any]) -> None:
    assert READER.read(event) is None


def test_a_deletion_names_the_message() -> None:
    event = {"type": "message", "subtype": "message_deleted", "channel": "C1", "deleted_ts": "5.1"}
    deletion = READER.read(event)
    assert isinstance(deletion, Deletion)
    assert deletion.spot.message == "5.1"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("<@UBOT|bot>  <@U2>: see <#C1|general>", "@someone: see #general"),
        ("<https://a.example/x|a.example/x>", "https://a.example/x"),
        ("<https://a.example|the docs>", "the docs (https://a.example)"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<!here> <!subteam^S1|@ops> <!date^0^{date}|soon>", "@here @ops @date"),
        ("a &lt;b&gt; &amp;amp;", "a <b> &amp;"),
        ("&lt;!channel&gt;", "<!channel>"),
        ("x < y", "x < y"),
    ],
)
def test_markup_is_read_as_people_see_it(written: str, read: str) -> None:
    assert plain_text(written, "UBOT") == read
