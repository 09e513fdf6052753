"""Reviewing, alike on every platform: a question, why it is asked, and what is decided of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncEngine

from bot.errors import ReviewError
from bot.intents.catalog import MAX_CHARACTERS, Catalog, Route
from bot.intents.masking import masked
from bot.messages import OUT_OF_SCOPE, Person
from bot.overviews import ago, literal
from bot.storage import classifiers, recall, review_items, reviews
from bot.storage.review_items import SKIPPED_HOURS, Doubts, Item
from bot.storage.reviews import Change, Former, Why

MAX_CHOICES = 3
NONE_OF_THESE = "none of these"
NOTHING_LEFT = "Nothing waits for review. What people ask and rate fills the list again."
GONE = "That question is no longer stored, so nothing was done."
REASONS = {
    Why.QUARANTINED: "What people said of it contradicts the other examples, so it trains nothing.",
    Why.CONFLICTING: "People's ratings contradict each other, so it trains nothing.",
    Why.UNCERTAIN: "The classifier was not certain.",
}


class Verdict(StrEnum):
    """What may be decided about a question.

    It is of an intent, or of none; it is left out for everybody, for good; or it is skipped by this
    person, for today.
    """

    INTENT = "intent"
    NONE = "none"
    LEAVE_OUT = "leave_out"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Reviews:
    """What reviewing works on; below `min_confidence` a message is not routed by its intent."""

    engine: AsyncEngine
    catalog: Catalog
    min_confidence: float


@dataclass(frozen=True, slots=True)
class Choice:
    """An intent that may be right; the classifier's confidence, None where it did not name it."""

    intent: str
    confidence: float | None

    @property
    def label(self) -> str:
        """The intent in plain words, with the confidence in percent."""
        share = "" if self.confidence is None else f" ({self.confidence:.0%})"
        return f"{name_of(self.intent)}{share}"


@dataclass(frozen=True, slots=True)
class Shown:
    """A question as it is shown to whoever settles it, masked as it will be kept.

    `reasons` are sentences: why it is asked, who disagrees and how, how many asked alike.
    """

    turn_id: int
    question: str
    why: Why
    reasons: tuple[str, ...]
    choices: tuple[Choice, ...]
    alike: int


@dataclass(frozen=True, slots=True)
class Page:
    """The next question, None where none waits, and how many wait in all."""

    shown: Shown | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Decided:
    """A verdict on a turn's question, with the intent, and a paraphrase to keep in its place."""

    turn_id: int
    verdict: Verdict
    intent: str | None = None
    paraphrase: str = ""


async def following(desk: Reviews, person: Person) -> Page:
    """What a person may settle next."""
    items, waiting = await listed(desk, person, 1)
    return Page(items[0] if items else None, waiting)


async def listed(desk: Reviews, person: Person, count: int) -> tuple[list[Shown], int]:
    """The first questions that a person may settle, and how many wait in all."""
    canned = {each.name for each in desk.catalog.intents if each.route is Route.REPLY}
    live = await classifiers.live_id(desk.engine)
    doubts = Doubts(live, desk.min_confidence, canned | {OUT_OF_SCOPE})
    items, waiting = await review_items.next_items(desk.engine, doubts, person, count)
    return [_shown(item, desk.catalog) for item in items], waiting


async def decide(desk: Reviews, person: Person, decided: Decided) -> str:
    """Store what a person decided; a sentence that says so. The last decision of anybody wins.

    Raises:
        ReviewError: the question is gone, there is no such intent, or the paraphrase cannot be
            kept; nothing was done.
    """
    match decided.verdict:
        case Verdict.SKIP:
            if not await reviews.skip(desk.engine, decided.turn_id, person, SKIPPED_HOURS):
                raise ReviewError(GONE)
            return "Skipped for today."
        case Verdict.LEAVE_OUT:
            if not await reviews.leave_out(desk.engine, decided.turn_id, person):
                raise ReviewError(GONE)
            return "Left out: it trains nothing, and nobody is asked about it again."
    intent = intent_of(desk.catalog, decided.intent or "") if decided.intent is not None else None
    if decided.verdict is Verdict.NONE or intent == OUT_OF_SCOPE:
        intent = None
    elif intent is None:
        raise ReviewError("Say which intent it is.")
    return await _settle(desk, person, decided, intent)


async def _settle(desk: Reviews, person: Person, decided: Decided, intent: str | None) -> str:
    turn = await recall.turn(desk.engine, decided.turn_id)
    if turn is None:
        raise ReviewError(GONE)
    paraphrase = _paraphrase(decided.paraphrase)
    text = paraphrase or masked(turn.question.text).strip()
    if not text:
        raise ReviewError("That question has no words to learn from. Leave it out instead.")
    decision = reviews.Decision(decided.turn_id, intent, text, bool(paraphrase))
    change = await reviews.settle(desk.engine, decision, person)
    if change is None:
        raise ReviewError(GONE)
    kept = ", in your words" if paraphrase else ""
    return f"Noted as {name_of(intent)}{kept}.{_instead(change, person, intent)}"


def intent_of(catalog: Catalog, written: str) -> str:
    """The intent that was written or picked, by its name or in plain words.

    Raises:
        ReviewError: there is none of that name; the message suggests the nearest.
    """
    name = "_".join(written.lower().split())
    if name in catalog.names or name == OUT_OF_SCOPE:
        return name
    near = get_close_matches(name, catalog.names, n=1)
    hint = f" Did you mean {name_of(near[0])}?" if near else ""
    raise ReviewError(f"There is no intent “{written.strip()[:60]}”.{hint}")


def intents(catalog: Catalog, shown: Shown | None = None) -> list[str]:
    """The names of all intents to choose from, those that were shown first."""
    first = [choice.intent for choice in shown.choices] if shown else []
    return [*first, *(name for name in catalog.names if name not in {*first, OUT_OF_SCOPE})]


def name_of(intent: str | None) -> str:
    """An intent in plain words."""
    return NONE_OF_THESE if intent in {None, OUT_OF_SCOPE} else str(intent).replace("_", " ")


def as_markdown(page: Page) -> str:
    """What waits, for where nothing can be pressed."""
    if page.shown is None:
        return NOTHING_LEFT
    reasons = " ".join(literal(reason) for reason in page.shown.reasons)
    how = "Settle it with `supportbot review` in a terminal."
    return f"> {literal(page.shown.question, 1000)}\n\n{reasons} {left(page.waiting)} {how}"


def left(waiting: int) -> str:
    """How many questions wait."""
    return "1 question waits." if waiting == 1 else f"{waiting} questions wait."


def _paraphrase(written: str) -> str:
    storable = written.encode("utf-8", "ignore").decode().replace("\0", "")
    text = " ".join(masked(storable).split())
    if len(text) > MAX_CHARACTERS:
        raise ReviewError(f"Please say it in at most {MAX_CHARACTERS:,} characters.")
    return text


def _instead(change: Change, person: Person, intent: str | None) -> str:
    former: Former | None = change.former
    if former is None or (former.by == person and former.intent == intent):
        return ""
    who = "you" if former.by == person else "somebody else"
    said = name_of(former.intent)
    if former.intent == intent:
        return f" So had {who} {ago(former.at)}."
    return f" It was {said} by {who} {ago(former.at)}; this counts now."


def _shown(item: Item, catalog: Catalog) -> Shown:
    question = masked(item.question).strip()
    reasons = tuple(_reasons(item))
    return Shown(item.turn_id, question, item.why, reasons, _choices(item, catalog), item.alike)


def _reasons(item: Item) -> Sequence[str]:
    said = [
        f"{'1 person says' if voice.people == 1 else f'{voice.people} people say'} "
        f"{'not ' if voice.is_denied else ''}{name_of(voice.intent)}"
        for voice in item.voices
    ]
    if item.intent is not None:
        sure = "" if item.confidence is None else f" ({item.confidence:.0%})"
        said.append(f"the classifier said {name_of(item.intent)}{sure}")
    alike = [f"It was asked {item.alike} times in these words."] if item.alike > 1 else []
    told = f"{'; '.join(said)}." if said else ""
    return [REASONS[item.why], *([told[0].upper() + told[1:]] if told else []), *alike]


def _choices(item: Item, catalog: Catalog) -> tuple[Choice, ...]:
    """The likeliest intents: the classifier's first two, what people named, then its others."""
    shares = dict(item.alternatives)
    if item.intent is not None and item.confidence is not None:
        shares.setdefault(item.intent, item.confidence)
    taken = [item.intent, *(name for name, _ in item.alternatives[:1])]
    named = [voice.intent for voice in item.voices if not voice.is_denied]
    ranked = dict.fromkeys([*taken, *named, *(name for name, _ in item.alternatives)])
    known = [name for name in ranked if name in catalog.names and name != OUT_OF_SCOPE]
    chosen = sorted(known[:MAX_CHOICES], key=lambda name: -shares.get(str(name), 0))
    return tuple(Choice(str(name), shares.get(str(name))) for name in chosen)
