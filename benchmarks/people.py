"""Simulated people: who asks, who rates, what a thumb says; pure, the same for the same seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from bot.messages import Person, Rating, Reason

PEOPLE = 400
# A few ask often and many seldom: the busiest asks about one question in forty.
SPREAD = 1.0
OTHER_REASONS = (Reason.WRONG_OR_OUTDATED, Reason.INCOMPLETE, Reason.OTHER, None)


@dataclass(frozen=True, slots=True)
class Habits:
    """How people rate.

    `rated` of the questions are rated at all; `wrong` of the thumbs say the opposite of what is
    true; `told` of the thumbs down give an intent, the right one unless the thumb is wrong.
    """

    rated: float
    wrong: float = 0.05
    told: float = 1 / 3


class People:
    """A company of people who ask unequally often."""

    def __init__(self, seed: int, count: int = PEOPLE) -> None:
        chance = random.Random(f"people {seed}")
        self._people = [Person("slack", f"U{number:05}") for number in range(count)]
        self._shares = list(accumulate(chance.lognormvariate(0, SPREAD) for _ in self._people))
        self._seed = seed

    def asker(self, number: int) -> Person:
        """Who asks the question of that number."""
        chance = random.Random(f"asker {self._seed} {number}")
        return chance.choices(self._people, cum_weights=self._shares)[0]


def rating(
    turn_id: int,
    person: Person,
    predicted: str,
    true: str,
    intents: Sequence[str],
    habits: Habits,
    chance: random.Random,
) -> Rating | None:
    """What a person says of an answer to a question that was taken for the intent `predicted`."""
    if chance.random() >= habits.rated:
        return None
    is_wrong = chance.random() < habits.wrong
    if (predicted == true) != is_wrong:
        return Rating(turn_id, person, 1)
    if chance.random() < habits.told:
        others = [intent for intent in intents if intent != predicted]
        intent = chance.choice(others) if is_wrong else true
        return Rating(turn_id, person, -1, Reason.WRONG_TOPIC, intent)
    # Of the others half say "wrong topic" and no more, half something else or nothing.
    if chance.random() < 0.5:
        return Rating(turn_id, person, -1, Reason.WRONG_TOPIC)
    return Rating(turn_id, person, -1, chance.choice(OTHER_REASONS))
