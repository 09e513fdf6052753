"""The words that every part of supportbot shares; plain values without behaviour of their own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

EVERYONE = "everyone"
# The source of the answers that admins approved.
APPROVED_ANSWERS = "approved-answers"
OUT_OF_SCOPE = "out_of_scope"
NOT_FOR_THE_BOT = "not_for_the_bot"


@dataclass(frozen=True, slots=True)
class Person:
    """Someone on a platform."""

    platform: str
    id: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The thread, direct message or session that a question belongs to.

    `principals` names whose documents may be read here: an answer in a channel may only use what
    everybody in that channel may read. `direct` is the direct channel it is a thread of: people go
    on there beside the thread as well as in it.
    """

    platform: str
    id: str
    principals: frozenset[str] = frozenset({EVERYONE})
    direct: str | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What a person asked, platform markup removed; `inbox_id` where it waited in the inbox."""

    text: str
    person: Person
    conversation: Conversation
    inbox_id: int | None = None


class Way(StrEnum):
    """How a message comes to the bot.

    A follow-up is said, unmentioned, in a thread the bot takes part in; what is overheard is said
    in a channel where it may answer by itself.
    """

    MENTION = "mention"
    DIRECT = "direct"
    FOLLOW_UP = "follow_up"
    OVERHEARD = "overheard"
    COMMAND = "command"
    SHORTCUT = "shortcut"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as a platform delivered it, perhaps not for the first time.

    `message` is its id in the channel; `client_message` the id that the sender's client gave it.
    `text` has the platform's markup removed, and `details` is what answering needs besides.
    """

    platform: str
    workspace: str
    channel: str
    message: str
    conversation: str
    person: str
    text: str
    way: Way
    client_message: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the classifier takes a question for.

    `intent` is a name from the catalog, or OUT_OF_SCOPE where no intent is near enough;
    `confidence` is calibrated (0 to 1). `alternatives` are the next likeliest intents of the
    catalog with their confidences, likeliest first; `version` is the classifier version's id.
    """

    intent: str
    confidence: float
    alternatives: tuple[tuple[str, float], ...]
    version: int


class UnitKind(StrEnum):
    """What a unit of a chunk is; a unit is quoted whole or not at all."""

    SENTENCE = "s"
    ITEM = "i"
    CODE = "c"
    TABLE = "t"


@dataclass(frozen=True, slots=True)
class Unit:
    """A quotable part of a passage: `passage.text[start:end]`.

    `cosine` is that of the piece the unit lies in; `coverage` is the idf-weighted share of the
    question's words that the unit holds (0 to 1).
    """

    start: int
    end: int
    kind: UnitKind
    cosine: float
    coverage: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Why a passage was retrieved.

    `cosine` of its best piece (-1 to 1), `bm25` (>= 0), `coverage` (idf-weighted share of the
    question's words in the passage, 0 to 1) and `fused`, the ½/½ blend they are ranked by (0 to 1).
    """

    cosine: float
    bm25: float
    coverage: float
    fused: float


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as retrieved for a question, with its scores; `text` is Markdown."""

    chunk_id: int
    source: str
    uri: str
    url: str
    title: str
    headings: tuple[str, ...]
    text: str
    scores: Scores
    units: tuple[Unit, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a part of an answer comes from; `number` is its mark in the answer's text."""

    number: int
    title: str
    headings: tuple[str, ...]
    url: str


class Outcome(StrEnum):
    """How a turn ended; every accepted question ends in exactly one of these."""

    ANSWERED = "answered"
    ABSTAINED = "abstained"
    HANDED_OVER = "handed_over"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Confidence:
    """Two calibrated probabilities.

    `about`: the documents deal with what was asked. `right`: given that, the first passage is the
    one that answers.
    """

    about: float
    right: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What the bot says to a question; `text` is Markdown with citation marks like `[1]`.

    `is_stopped` where a person ended it before it was whole.
    """

    outcome: Outcome
    text: str
    citations: tuple[Citation, ...] = ()
    confidence: Confidence | None = None
    passages: tuple[Passage, ...] = ()
    is_stopped: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with its answer, as stored; `id` is None where it could not be."""

    id: int | None
    question: Question
    answer: Answer
    timings_ms: dict[str, float] = field(default_factory=dict)
    prediction: Prediction | None = None


@dataclass(frozen=True, slots=True)
class ExplainedPassage:
    """A passage that was found for a stored turn, with its scores.

    `title`, `url` and `changed_at`, when its text was last stored, are those that the document has
    now; None where it is gone. `is_cited` where the answer names it.
    """

    source: str
    uri: str
    title: str | None
    url: str | None
    cosine: float
    bm25: float
    coverage: float
    fused: float
    changed_at: datetime | None
    is_cited: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a stored turn was answered as it was.

    `about` and `right` are those of Confidence, `alternatives` those of Prediction, likeliest
    first; None and empty where the question was not searched for or no classifier was live.
    """

    turn_id: int
    question: str
    outcome: Outcome
    intent: str | None
    intent_confidence: float | None
    alternatives: tuple[tuple[str, float], ...]
    classifier_version: int | None
    about: float | None
    right: float | None
    asked_at: datetime
    passages: tuple[ExplainedPassage, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """An earlier turn of a conversation: what was asked, and what was answered."""

    question: str
    answer: str


class Reason(StrEnum):
    """What was wrong with an answer."""

    WRONG_TOPIC = "wrong_topic"
    WRONG_OR_OUTDATED = "wrong_or_outdated"
    INCOMPLETE = "incomplete"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Rating:
    """A person's 👍 (1) or 👎 (-1) on a turn; the last one of a person counts.

    A 👎 may have a reason, and one for the wrong topic the intent that would have been right.
    `is_by_reaction` where it was given by an emoji on the answer, which can be taken away again.
    """

    turn_id: int
    person: Person
    value: int
    reason: Reason | None = None
    intent: str | None = None
    comment: str | None = None
    is_by_reaction: bool = False
