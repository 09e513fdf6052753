"""From what people say about questions to examples: alike ones merged, caps held, doubts settled.

Pure functions over statements and the vectors of their texts. What the team itself has written
(catalog) or settled is firm: no rating changes it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from bot.intents.dataset import Example, Origin
from bot.intents.labelling import Refusal, Rules, Statement, lacks_quorum


class Side(Enum):
    """What a firm text is for."""

    TRAINING = "training"
    TEST = "test"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Firm:
    """A text of the team's own; `intent` is None where it was settled as of none of ours."""

    text: str
    intent: str | None
    origin: Origin
    side: Side


@dataclass(frozen=True, slots=True)
class Seen:
    """What the live version has learnt from: the intents of its turns, and its examples.

    An example is told by its text, its intent and whether that is excluded.
    """

    intents: Mapping[int, frozenset[str]] = field(default_factory=dict)
    examples: frozenset[tuple[str, str, bool]] = frozenset()

    def has(self, said: Statement) -> bool:
        """Whether a statement was learnt from; a denial also by having been of another intent."""
        intents = self.intents.get(said.fact.turn_id)
        return intents is not None and (said.origin is Origin.EXCLUDED or said.intent in intents)


def seen_in(examples: Iterable[Example]) -> Seen:
    """What a version has learnt from that had these examples."""
    intents: dict[int, set[str]] = defaultdict(set)
    for example in examples:
        for turn in example.turns:
            intents[turn].add(example.intent)
    return Seen(
        {turn: frozenset(names) for turn, names in intents.items()},
        frozenset((each.text, each.intent, each.is_complementary) for each in examples),
    )


@dataclass(slots=True)
class Case:
    """Questions alike that people rated: one example, or none; `row` is that of the first text."""

    row: int
    statements: list[Statement] = field(default_factory=list)

    @property
    def labels(self) -> dict[str, dict[str, float]]:
        """The intents that people gave it, each with those people and what their word weighs."""
        return self._of(each for each in self.statements if each.origin is not Origin.EXCLUDED)

    @property
    def denials(self) -> dict[str, dict[str, float]]:
        """The intents that people said it is not of, likewise."""
        return self._of(each for each in self.statements if each.origin is Origin.EXCLUDED)

    @property
    def turns(self) -> tuple[int, ...]:
        """The ids of its turns."""
        return tuple(sorted({each.fact.turn_id for each in self.statements}))

    def _of(self, statements: Iterable[Statement]) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = defaultdict(dict)
        for each in statements:
            of_intent, rater = found[each.intent], each.fact.rater
            of_intent[rater] = max(each.weight, of_intent.get(rater, 0.0))
        return found


@dataclass(slots=True)
class Cases:
    """The cases of a run, and what was refused on the way.

    Of that, `conflicts` and what is `waiting` for more people go to review.
    """

    cases: list[Case]
    refused: Counter[Refusal]
    conflicts: list[Case] = field(default_factory=list)
    waiting: list[Statement] = field(default_factory=list)

    def refuse(self, case: Case, reason: Refusal, statements: Sequence[Statement]) -> None:
        """Leave out some statements of a case; without any left, the case."""
        left_out = {id(each) for each in statements}
        self.refused[reason] += len(left_out)
        case.statements = [each for each in case.statements if id(each) not in left_out]


def cases_of(firm: Sequence[Firm], said: Sequence[Statement], groups: Sequence[int]) -> Cases:
    """What people rated, alike questions as one case; without what the team has said itself.

    `groups` has for each firm text and then each statement the index of the first row it is like.
    """
    of_group: dict[int, list[Firm]] = defaultdict(list)
    for row, text in enumerate(firm):
        of_group[groups[row]].append(text)
    found: dict[int, Case] = {}
    result = Cases([], Counter())
    against: dict[int, Case] = {}
    for row, each in enumerate(said, len(firm)):
        group = groups[row]
        reason = _known(of_group[group], each) if group in of_group else None
        if reason is Refusal.AGAINST_CATALOG:
            against.setdefault(group, Case(row)).statements.append(each)
        if reason is not None:
            result.refused[reason] += 1
        else:
            found.setdefault(group, Case(row)).statements.append(each)
    result.cases, result.conflicts = list(found.values()), list(against.values())
    return result


def _known(firm: Sequence[Firm], said: Statement) -> Refusal | None:
    """Why a statement adds nothing to what the team has written of such a question."""
    if any(text.origin is Origin.SETTLED for text in firm):
        return Refusal.SETTLED
    if any(text.side is Side.TEST for text in firm):
        return Refusal.NEAR_TEST
    is_of = any(text.intent == said.intent for text in firm)
    agrees = is_of is not (said.origin is Origin.EXCLUDED)
    return Refusal.IN_CATALOG if agrees else Refusal.AGAINST_CATALOG


def hold_caps(found: Cases, rules: Rules, seen: Seen, own: int) -> None:
    """Leave out what is more of one person than counts; the earliest stays.

    A person has a part in `share_per_person` of the examples at most, counted without those that
    are theirs alone, so that nobody raises their own cap; `own` are those of the team. Of a few
    examples that share is nothing, so `new_per_intent` are always theirs: as many utterances as
    every intent of a catalog has at least, and fewer than any intent has with what others say.
    Of what the live version has not seen, a person gives or takes away each intent
    `new_per_intent` times in a run; what was refused in doubt goes on counting until it is settled.
    """
    people: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for case in found.cases:
        raters = {each.fact.rater for each in case.statements}
        people.update(raters)
        if len(raters) == 1:
            alone.update(raters)
    everything = own + len(found.cases)
    part: Counter[str] = Counter()
    fresh: Counter[tuple[str, str, bool]] = Counter()
    for case in found.cases:
        for rater in sorted({each.fact.rater for each in case.statements}):
            of_rater = [each for each in case.statements if each.fact.rater == rater]
            share = rules.share_per_person * (everything - alone[rater])
            part[rater] += 1
            if part[rater] > max(rules.new_per_intent, int(share)):
                found.refuse(case, Refusal.SHARE_CAP, of_rater)
                continue
            new = [each for each in of_rater if not seen.has(each)]
            touched = {(rater, each.intent, each.origin is Origin.EXCLUDED) for each in new}
            touched |= {(rater, each.denied, True) for each in new if each.denied}
            fresh.update(touched)
            if any(fresh[key] > rules.new_per_intent for key in touched):
                found.refuse(case, Refusal.NEW_CAP, new)
    found.cases = [case for case in found.cases if case.statements]


def hold_quorum(found: Cases, quorum: int) -> None:
    """Have what contradicts a sure prediction wait until enough people say the like.

    It waits after the caps were held, so that nobody fills the review queue alone.
    """
    said = [each for case in found.cases for each in case.statements]
    waiting = {id(said[index]) for index in lacks_quorum(said, quorum)}
    for case in found.cases:
        of_case = [each for each in case.statements if id(each) in waiting]
        found.waiting += of_case
        found.refuse(case, Refusal.QUORUM, of_case)
    found.cases = [case for case in found.cases if case.statements]


def decide(found: Cases, trust: dict[str, float]) -> list[tuple[Case, Example]]:
    """One example of each case by the weight of distinct people; of an excluded intent, one each.

    Where no intent has more weight than every other and than those who deny it, the case is a
    conflict.
    """
    decided = []
    for case in found.cases:
        if not any(trust.get(each.fact.rater, 1.0) for each in case.statements):
            found.refused[Refusal.DISTRUSTED] += len(case.statements)
            continue
        if case.labels:
            example = _labelled(case, trust)
            if example is None:
                found.conflicts.append(case)
                found.refused[Refusal.CONFLICTING] += len(case.statements)
                continue
            _count_merged(found, case, example)
            decided.append((case, example))
        else:
            for intent, people in case.denials.items():
                if weight := min(1.0, _weight(people, trust)):
                    decided.append((case, _example(case, intent, Origin.EXCLUDED, weight)))
    return decided


def _labelled(case: Case, trust: dict[str, float]) -> Example | None:
    scores = {intent: _weight(people, trust) for intent, people in case.labels.items()}
    for intent, people in case.denials.items():
        if intent in scores:
            scores[intent] -= _weight(people, trust)
    ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    intent, score = ranked[0]
    if score <= 0 or (len(ranked) > 1 and ranked[1][1] == score):
        return None
    origins = {each.origin for each in case.statements if each.intent == intent}
    origin = Origin.CORRECTED if Origin.CORRECTED in origins else Origin.CONFIRMED
    return _example(case, intent, origin, min(1.0, score))


def _example(case: Case, intent: str, origin: Origin, weight: float) -> Example:
    agreeing = [each for each in case.statements if _agrees(each, intent, origin)]
    return Example(
        case.statements[0].text,
        intent,
        origin,
        round(weight, 3),
        tuple(sorted({each.fact.turn_id for each in agreeing})),
        tuple(sorted({each.fact.rater for each in agreeing})),
        tuple(sorted({each.fact.version for each in agreeing if each.fact.version is not None})),
    )


def _agrees(said: Statement, intent: str, origin: Origin) -> bool:
    """Whether a statement has a part in an example: that it is not of another intent has one."""
    if origin is Origin.EXCLUDED:
        return said.intent == intent
    return (said.intent == intent) is not (said.origin is Origin.EXCLUDED)


def _count_merged(found: Cases, case: Case, example: Example) -> None:
    agreeing = sum(_agrees(each, example.intent, example.origin) for each in case.statements)
    found.refused[Refusal.OUTVOTED] += len(case.statements) - agreeing
    found.refused[Refusal.MERGED] += agreeing - 1


def _weight(people: dict[str, float], trust: dict[str, float]) -> float:
    """The weight of distinct people, rounded so that equal ones are equal."""
    return round(sum(weight * trust.get(person, 1.0) for person, weight in people.items()), 3)
