"""Intents to start from, questions that people ask about them one after the other, and a test."""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from benchmarks.intent_data import banking77, clinc150
from bot.intents.dataset import Example, Origin, place

SEED = 5
TEST_SHARE = 0.1
SETS = ("banking77", "clinc150")


@dataclass(frozen=True, slots=True)
class Asked:
    """A text, and the intent that it really has."""

    text: str
    intent: str


@dataclass(frozen=True, slots=True)
class Stream:
    """What a team begins with and what it is asked.

    `utterances` are the catalog's, `questions` come in this order, `test` holds neither.
    """

    name: str
    utterances: tuple[Asked, ...]
    questions: tuple[Asked, ...]
    test: tuple[Asked, ...]

    @property
    def intents(self) -> tuple[str, ...]:
        """The names of the intents."""
        return tuple(sorted({asked.intent for asked in self.utterances}))

    def first(self, questions: int) -> "Stream":
        """With so many questions only."""
        return replace(self, questions=self.questions[:questions])


def stream(name: str, start: int, intents: int | None = None) -> Stream:
    """A tuning set with `start` utterances an intent, of only so many `intents` if that is given.

    BANKING77's test is another tenth of its training part than the hold-out of a retraining: the
    hash that chooses it is salted, or the retraining would find nothing to hold out.
    """
    if name == "banking77":
        few, everything = banking77(start), banking77()
        pool = (*everything.training, *everything.test)
        test = tuple(example for example in pool if place(f"test {example.text}") < TEST_SHARE)
    else:
        few, everything = clinc150(start), clinc150()
        pool, test = everything.training, everything.test
    chosen = set(random.Random(SEED).sample(few.intents, intents or len(few.intents)))
    utterances = _asked(few.training, chosen)
    told = {_folded(asked.text) for asked in utterances}
    tested = [asked for asked in _asked(test, chosen) if _folded(asked.text) not in told]
    known = told | {_folded(asked.text) for asked in tested}
    questions = [asked for asked in _asked(pool, chosen) if _folded(asked.text) not in known]
    random.Random(SEED).shuffle(questions)
    of = f" of {intents} intents" if intents else ""
    return Stream(f"{name}{of}, from {start}", utterances, tuple(questions), tuple(tested))


def write_catalog(utterances: Sequence[Asked], target: Path) -> None:
    """Write the utterances as a catalog, every intent answered from the documents."""
    intents: dict[str, dict[str, object]] = {}
    for asked in utterances:
        entry = intents.setdefault(
            asked.intent,
            {"description": asked.intent.replace("_", " "), "route": "documents", "utterances": []},
        )
        listed = entry["utterances"]
        assert isinstance(listed, list)
        listed.append(asked.text)
    target.write_text(yaml.safe_dump({"intents": intents}, allow_unicode=True), encoding="utf-8")


def _asked(examples: Iterable[Example], intents: set[str]) -> tuple[Asked, ...]:
    return tuple(
        Asked(example.text, re.sub(r"\W+", "_", example.intent).strip("_"))
        for example in examples
        if example.intent in intents and example.origin is not Origin.NAME
    )


def _folded(text: str) -> str:
    return re.sub(r"\W", "", text.lower())
