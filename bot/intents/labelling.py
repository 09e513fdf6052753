"""What ratings say about the intents of questions, by rules that are written here with reasons.

Pure functions: stored facts in, statements out, and for each fact that says nothing the reason.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.intents.catalog import MAX_CHARACTERS, Catalog, Route
from bot.intents.dataset import Origin, Split
from bot.intents.masking import masked
from bot.messages import OUT_OF_SCOPE, Outcome, Reason
from bot.storage.examples import Fact
from bot.storage.reviews import ToReview

# Above this the classifier is right nineteen times of twenty, so one person does not outvote it.
SURE = 0.9
# A 👍 on an answer that the classifier was unsure about: it led there, but the search alone might
# have, too.
UNSURE_WEIGHT = 0.5
DISCORD = "discord"

Leans = Callable[[Fact], bool]


class Refusal(StrEnum):
    """Why a rating, or what it would have given, is not learnt from; a person reads the value."""

    SAYS_NOTHING = "says nothing about the intent"
    NOT_PREDICTED = "no intent was predicted"
    NOT_FOLLOWED = "the predicted intent was not acted on"
    NOT_ANSWERED = "no answer was given"
    OUT_OF_SCOPE = "predicted as out of scope"
    UNKNOWN_INTENT = "the intent is not in the catalog"
    NO_TEXT = "no words in the question"
    TOO_LONG = "the question is too long"
    LEANS = "the question leans on an earlier one"
    DISCORD = "asked in Discord"
    DAILY_CAP = "more of one person on one day than count"
    SHARE_CAP = "more of one person than their share"
    NEW_CAP = "more new ones of one person for one intent than count at once"
    QUORUM = "against a sure prediction, and too few people say so"
    DISTRUSTED = "of people whom most others contradict"
    OUTVOTED = "outvoted by other people"
    CONFLICTING = "people disagree"
    QUARANTINED = "contradicted by everything like it"
    MERGED = "like another one"
    IN_CATALOG = "in the catalog already"
    AGAINST_CATALOG = "contradicts the catalog"
    SETTLED = "settled by an admin"
    LEFT_OUT = "left out by an admin"
    NEAR_TEST = "like a text that tests"


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts: the caps of the settings, and from which confidence predictions are acted on."""

    min_confidence: float = 0.5
    ratings_per_day: int = 10
    share_per_person: float = 0.02
    new_per_intent: int = 5
    quorum: int = 3
    trains_on_discord: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """What one person says about one question: it is of `intent`, or is not where EXCLUDED."""

    fact: Fact
    text: str
    intent: str
    origin: Origin
    weight: float

    @property
    def denied(self) -> str | None:
        """The predicted intent, where this says that it is wrong."""
        return None if self.origin is Origin.CONFIRMED else self.fact.intent

    @property
    def is_against_sure(self) -> bool:
        """Whether it denies what the classifier was sure of."""
        return self.denied is not None and (self.fact.confidence or 0.0) >= SURE


@dataclass(frozen=True, slots=True)
class Gathered:
    """What a retraining learns from.

    `outside` are texts settled as of no intent; `refused` counts, by reason, what is not learnt
    from; `people` counts the examples that a person ("platform:person") asked or rated; `new` are
    the examples that the live version has not seen.
    """

    split: Split
    outside: tuple[str, ...]
    refused: dict[str, int]
    to_review: tuple[ToReview, ...]
    people: dict[str, int]
    new: int


def statements(
    facts: Iterable[Fact], catalog: Catalog, rules: Rules, leans: Leans
) -> tuple[list[Statement], Counter[Refusal]]:
    """What the facts say about intents, earliest first, and how many say nothing for which reason.

    `leans` tells questions that say nothing without an earlier one, such as "and for teams?".
    Of a person's statements of one day (UTC) the first `ratings_per_day` count: later ones could
    be given, or given anew, to push out others, the first cannot.
    """
    refused: Counter[Refusal] = Counter()
    counted: Counter[tuple[str, object]] = Counter()
    said = []
    for fact in sorted(facts, key=lambda fact: (fact.rated_at, fact.turn_id, fact.rater)):
        statement = _statement(fact, catalog, rules, leans)
        if isinstance(statement, Refusal):
            refused[statement] += 1
            continue
        day = (fact.rater, fact.rated_at.date())
        counted[day] += 1
        if counted[day] > rules.ratings_per_day:
            refused[Refusal.DAILY_CAP] += 1
        else:
            said.append(statement)
    return said, refused


def lacks_quorum(said: Sequence[Statement], quorum: int) -> set[int]:
    """The indices of statements against sure predictions of which too few people say the like.

    The like is the same correction, or the same denial, of any question: the classifier that errs
    surely does so on many questions and meets many people; who lies about one is alone with it.
    """
    people: dict[tuple[str | None, str], set[str]] = defaultdict(set)
    for each in said:
        people[_step(each)].add(each.fact.rater)
    return {
        index
        for index, each in enumerate(said)
        if each.is_against_sure and len(people[_step(each)]) < quorum
    }


def refusal_of(text: str) -> Refusal | None:
    """Why a text can be no example, whatever is said about it."""
    if not any(character.isalnum() for character in text):
        return Refusal.NO_TEXT
    if len(text) > MAX_CHARACTERS:
        return Refusal.TOO_LONG
    return None


def _statement(fact: Fact, catalog: Catalog, rules: Rules, leans: Leans) -> Statement | Refusal:
    said = _said(fact, catalog, rules)
    if isinstance(said, Refusal):
        return said
    if fact.platform == DISCORD and not rules.trains_on_discord:
        return Refusal.DISCORD
    if leans(fact):
        return Refusal.LEANS
    text = masked(fact.question)
    return refusal_of(text) or Statement(fact, text, *said)


def _said(fact: Fact, catalog: Catalog, rules: Rules) -> tuple[str, Origin, float] | Refusal:
    """The intent that a rating names, how, and its weight."""
    if fact.value < 0 and fact.reason != Reason.WRONG_TOPIC:
        return Refusal.SAYS_NOTHING  # about the answer, not about what it was taken for
    if fact.corrected is not None:
        return _corrected(fact.corrected, fact, catalog)
    weight = _weight(fact, catalog, rules)
    if isinstance(weight, Refusal):
        return weight
    assert fact.intent is not None
    return fact.intent, Origin.EXCLUDED if fact.value < 0 else Origin.CONFIRMED, weight


def _corrected(corrected: str, fact: Fact, catalog: Catalog) -> tuple[str, Origin, float] | Refusal:
    """A chosen intent always counts, whatever was predicted and done: who chose it has read the
    question and named its intent."""
    if catalog.find(corrected) is None:
        return Refusal.UNKNOWN_INTENT
    if corrected == fact.intent:
        return Refusal.SAYS_NOTHING  # the wrong topic, and the same one
    return corrected, Origin.CORRECTED, 1.0


def _weight(fact: Fact, catalog: Catalog, rules: Rules) -> float | Refusal:
    """What a 👍 or a bare "wrong topic" weighs: they speak of what was predicted, so they count
    only as far as that led to what the person saw."""
    if fact.intent is None:
        return Refusal.NOT_PREDICTED
    if fact.intent == OUT_OF_SCOPE:
        # It names no intent: a 👍 on "not for me" confirms none, a 👎 leaves all of them open.
        return Refusal.OUT_OF_SCOPE
    intent = catalog.find(fact.intent)
    if intent is None:
        return Refusal.UNKNOWN_INTENT
    if fact.is_canned:
        return 1.0  # the reply is the intent's own: nothing else led to it
    if intent.route is not Route.DOCUMENTS:
        # Too unsure to reply or hand over, so the documents were searched: people rated those.
        return Refusal.NOT_FOLLOWED
    if fact.outcome is not Outcome.ANSWERED:
        return Refusal.NOT_ANSWERED
    is_sure = (fact.confidence or 0.0) >= rules.min_confidence
    return 1.0 if is_sure else UNSURE_WEIGHT


def _step(statement: Statement) -> tuple[str | None, str]:
    return statement.denied, statement.intent
