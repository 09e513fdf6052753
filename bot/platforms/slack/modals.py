"""The modals: what was wrong with an answer, and why it was given."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.messages import OUT_OF_SCOPE, ExplainedPassage, Explanation, Reason
from bot.platforms.slack.lengths import sendable, shortened, size
from bot.platforms.slack.messages import plain_message
from bot.platforms.slack.pages import blocks
from bot.platforms.slack.pieces import Kind, Piece, Run, Style
from bot.platforms.slack.sources import place_runs

REASON, INTENT, COMMENT, NOTICE = "reason", "intent", "comment", "notice"
WRONG = "What went wrong?"
REASONS = {
    Reason.WRONG_TOPIC: "Wrong topic",
    Reason.WRONG_OR_OUTDATED: "Wrong or outdated",
    Reason.INCOMPLETE: "Incomplete",
    Reason.OTHER: "Something else",
}
MAX_OPTIONS, MAX_OPTION_TEXT, MAX_OPTION_VALUE = 100, 75, 150
MAX_COMMENT = 3_000
MAX_QUESTION = 1_000
# Each takes a block, and a modal has room for a hundred.
MAX_PASSAGES = 40
MAX_ALTERNATIVES = 20
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a person says was wrong with an answer; the intent that would have been right."""

    turn_id: int
    reason: Reason
    intent: str | None = None
    comment: str | None = None


def reason_modal(turn_id: int, likely: Sequence[tuple[str, str]]) -> Json:
    """The view that asks what was wrong; `likely` are intents as (name, label), likeliest first."""
    reasons = [_option(reason.value, label) for reason, label in REASONS.items()]
    intents = [_option(name, label) for name, label in likely if size(name) <= MAX_OPTION_VALUE]
    asked = [_input(REASON, WRONG, {"type": "radio_buttons", "options": reasons})]
    if intents:
        select = {"type": "static_select", "options": intents[:MAX_OPTIONS]}
        asked.append(
            _input(INTENT, "What was it about?", select, hint="If it was the wrong topic.")
        )
    comment = {"type": "plain_text_input", "multiline": True, "max_length": MAX_COMMENT}
    asked.append(_input(COMMENT, "Anything else?", comment, hint="What would have helped?"))
    return {
        "type": "modal",
        "callback_id": REASON,
        "private_metadata": str(turn_id),
        "title": _plain(WRONG),
        "submit": _plain("Send"),
        "close": _plain("Cancel"),
        "blocks": asked,
    }


def read_reason(view: Json) -> tuple[Complaint | None, dict[str, str]]:
    """What was filled in, or what is wrong with it: sentences by the id of the input's block.

    An intent counts only where the topic was wrong; with another reason it is left out.
    """
    values = view.get("state", {}).get("values", {})
    chosen = _value(values, REASON, "selected_option")
    comment = _value(values, COMMENT, "value")
    try:
        turn_id = int(view.get("private_metadata", ""))
        reason = Reason(chosen)
    except ValueError:
        return None, {REASON: "Please choose what went wrong."}
    if len(comment) > MAX_COMMENT:
        return None, {COMMENT: f"Please use at most {MAX_COMMENT:,} characters."}
    intent = _value(values, INTENT, "selected_option") if reason is Reason.WRONG_TOPIC else ""
    return Complaint(turn_id, reason, intent or None, comment.strip() or None), {}


def why_modal(explanation: Explanation) -> Json:
    """The view that says why an answer was given: intent, confidences, passages with scores."""
    question = shortened(sendable(explanation.question), MAX_QUESTION) or "…"
    pieces = [
        Piece(Kind.QUOTE, (Run(question),), glue=""),
        *_titled("Intent", _intent_lines(explanation)),
        *_titled("How sure I was", _confidence_lines(explanation)),
        Piece(Kind.HEADING, (Run("What I found"),)),
        *_passage_pieces(explanation.passages),
    ]
    return {
        "type": "modal",
        "callback_id": "why",
        "title": _plain("Why this answer?"),
        "close": _plain("Close"),
        "blocks": blocks(pieces),
    }


def notice_view(title: str, text: str, turn_id: int | None = None) -> Json:
    """A view that says something; with `turn_id` it stands for that answer."""
    return {
        "type": "modal",
        "callback_id": NOTICE,
        "private_metadata": "" if turn_id is None else str(turn_id),
        "title": _plain(title),
        "close": _plain("Close"),
        "blocks": plain_message(text).blocks,
    }


def _intent_lines(explanation: Explanation) -> Iterator[str]:
    if explanation.intent is None:
        yield "No classifier was live, so the documents alone were asked."
        return
    yield f"{_name(explanation.intent)}: {_percent(explanation.intent_confidence)}"
    for name, confidence in explanation.alternatives[:MAX_ALTERNATIVES]:
        yield f"or {_name(name)}: {_percent(confidence)}"
    if explanation.classifier_version is not None:
        yield f"by classifier version {explanation.classifier_version}"


def _confidence_lines(explanation: Explanation) -> Iterator[str]:
    if explanation.about is None or explanation.right is None:
        yield "The documents were not needed for this answer."
        return
    yield f"That the documents deal with it: {_percent(explanation.about)}"
    yield f"That the first passage answers it, if they do: {_percent(explanation.right)}"


def _passage_pieces(passages: Sequence[ExplainedPassage]) -> Iterator[Piece]:
    if not passages:
        yield Piece(Kind.TEXT, (Run("Nothing was searched for."),))
    for number, passage in enumerate(passages[:MAX_PASSAGES], start=1):
        place = place_runs(passage.title or passage.uri, passage.url or "")
        details = shortened(f"\n{' · '.join(_details(passage))}", 500)
        cited = (Run(" cited", frozenset({Style.BOLD})),) if passage.is_cited else ()
        yield Piece(Kind.TEXT, (Run(f"{number}. "), *place, *cited, Run(details)))
    if len(passages) > MAX_PASSAGES:
        yield Piece(Kind.TEXT, (Run(f"and {len(passages) - MAX_PASSAGES} more"),))


def _details(passage: ExplainedPassage) -> Iterator[str]:
    yield f"score {passage.fused:.2f}"
    yield f"meaning {passage.cosine:.2f}"
    yield f"words {passage.bm25:.1f}"
    yield f"covers {_percent(passage.coverage)} of the question's words"
    yield f"source {shortened(sendable(passage.source), 200)}"
    yield f"of {_date(passage.changed_at)}" if passage.changed_at else "gone from the documents"


def _titled(title: str, lines: Iterator[str]) -> Iterator[Piece]:
    yield Piece(Kind.HEADING, (Run(title),))
    for line in lines:
        yield Piece(Kind.ITEM, (Run(line),), glue="\n")


def _input(block_id: str, label: str, element: Json, hint: str | None = None) -> Json:
    """An input; the one with a hint may stay empty."""
    made: Json = {
        "type": "input",
        "block_id": block_id,
        "label": _plain(label),
        "element": element | {"action_id": block_id},
    }
    return made | {"optional": True, "hint": _plain(hint)} if hint else made


def _option(value: str, label: str) -> Json:
    text = shortened(" ".join(sendable(label).split()) or value, MAX_OPTION_TEXT)
    return {"text": _plain(text), "value": value}


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}


def _value(values: Json, name: str, key: str) -> str:
    """What was put into an input; empty where nothing was."""
    value = values.get(name, {}).get(name, {}).get(key)
    return str(value.get("value", "") if isinstance(value, dict) else value or "")


def _name(intent: str) -> str:
    known = "none that I know" if intent == OUT_OF_SCOPE else intent.replace("_", " ")
    return shortened(sendable(known), 100)


def _percent(share: float | None) -> str:
    return "unknown" if share is None else f"{share:.0%}"


def _date(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"
