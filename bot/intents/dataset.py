"""Labelled examples, and which of them train, validate and test: fixed by hash, for ever."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.intents.catalog import Catalog

TEST_SHARE = 0.1


class Origin(StrEnum):
    """Where a labelled example comes from.

    A 👍 confirmed the predicted intent, a 👎 named another or excluded the predicted one, or an
    admin settled it.
    """

    CATALOG = "catalog"
    NAME = "name"
    CONFIRMED = "confirmed"
    CORRECTED = "corrected"
    EXCLUDED = "excluded"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class Example:
    """A text with the intent it is an example of, or, where that was excluded, is none of.

    `weight` is how much it counts in training beside a catalog utterance. `turns` are the ids of
    the turns that it was asked in, `people` those who rated them, as "platform:person", `versions`
    those that predicted.
    """

    text: str
    intent: str
    origin: Origin = Origin.CATALOG
    weight: float = 1.0
    turns: tuple[int, ...] = ()
    people: tuple[str, ...] = ()
    versions: tuple[int, ...] = ()

    @property
    def is_complementary(self) -> bool:
        """Whether it says what the text is not (complementary label: Ishida et al. 2017)."""
        return self.origin is Origin.EXCLUDED


@dataclass(frozen=True, slots=True)
class Split:
    """Examples to train on and examples to judge by; none is in both."""

    training: tuple[Example, ...]
    test: tuple[Example, ...]


def examples_of(catalog: Catalog) -> tuple[Example, ...]:
    """The utterances of a catalog."""
    return tuple(
        Example(utterance, intent.name)
        for intent in catalog.intents
        for utterance in intent.utterances
    )


def names_of(catalog: Catalog) -> tuple[Example, ...]:
    """The intents' names as examples of them: people who want a thing often just name it.

    With ten utterances an intent they bring 0.3 points of accuracy, with five 2 (BANKING77).
    """
    return tuple(
        Example(intent.name.replace("_", " "), intent.name, Origin.NAME)
        for intent in catalog.intents
    )


def split(examples: Iterable[Example]) -> Split:
    """A tenth of each intent's examples as a test.

    The hash of a text decides, so that an example keeps its side whatever else comes or goes, and
    two versions can be judged by the same test. An intent of which the hashes choose none or all
    gives the one example nearest to the threshold.
    """
    by_intent: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_intent[example.intent].append(example)
    training: list[Example] = []
    test: list[Example] = []
    for of_intent in by_intent.values():
        ordered = sorted(of_intent, key=lambda example: place(example.text))
        cut = sum(place(example.text) < TEST_SHARE for example in ordered)
        cut = min(max(cut, 1), len(ordered) - 1)
        test += ordered[:cut]
        training += ordered[cut:]
    return Split(tuple(training), tuple(test))


def folds(examples: Sequence[Example], count: int) -> list[int]:
    """The fold of each example for cross-validation, stratified and by hash."""
    by_intent: dict[str, list[int]] = defaultdict(list)
    for index, example in enumerate(examples):
        by_intent[example.intent].append(index)
    assigned = [0] * len(examples)
    for offset, indices in enumerate(by_intent.values()):
        for rank, index in enumerate(sorted(indices, key=lambda i: place(examples[i].text))):
            assigned[index] = (rank + offset) % count
    return assigned


def place(text: str) -> float:
    """Where a text stands between 0 and 1, by its hash; case and spacing do not matter."""
    folded = " ".join(text.lower().split())
    return int.from_bytes(hashlib.sha256(folded.encode()).digest()[:8]) / 2**64
