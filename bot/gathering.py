"""Gathers what a retraining learns from: the catalog, what was settled, and what people rated."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bot.app import App
from bot.encoder import Vectors
from bot.intents import cleaning, merging, snapshot, trust, wording
from bot.intents.catalog import Catalog
from bot.intents.dataset import Example, Origin, Split, examples_of, place, split
from bot.intents.labelling import DISCORD, Gathered, Refusal, Rules, refusal_of, statements
from bot.intents.masking import masked
from bot.intents.merging import Case, Cases, Firm, Seen, Side
from bot.intents.trust import Verdict
from bot.intents.wording import Plain, accomplices
from bot.rag import followup
from bot.storage import classifiers, examples, reviews
from bot.storage.examples import Fact, SettledText
from bot.storage.reviews import ToReview

# Of what admins settled, half is kept as regression cases and never trained on; it counts as much
# as two people who agree.
SETTLED_TEST_SHARE = 0.5
SETTLED_WEIGHT = 2.0
RATED_TEST_SHARE = 0.1
# How much is learnt by settling, from 0 to 1: most where people are torn, less where a few
# contradict the classifier, least where all voices contradict one.
TORN, WAITING, CONTRADICTED = 1.0, 0.6, 0.4

Decided = list[tuple[Case, Example]]


@dataclass(frozen=True, slots=True)
class Known:
    """What the team itself has said: the catalog in two parts, and what was settled."""

    catalog: Split
    settled: tuple[tuple[SettledText, Firm], ...]

    @property
    def firm(self) -> list[Firm]:
        """All of it; what tests comes first, so that what is like it is known by it."""
        return [
            *(_firm(example, Side.TEST) for example in self.catalog.test),
            *(_firm(example, Side.TRAINING) for example in self.catalog.training),
            *(firm for _, firm in self.settled),
        ]


async def live_snapshot(app: App) -> snapshot.Snapshot | None:
    """What the live version learnt from; None where none is live or that is no longer kept."""
    live = await classifiers.live_id(app.engine)
    if live is None:
        return None
    hashes = await classifiers.file_hashes(app.engine, live, is_whole=True)
    if classifiers.SNAPSHOT not in hashes:
        return None
    content = await classifiers.file_content(app.engine, hashes[classifiers.SNAPSHOT])
    return snapshot.read(content)


def rules_of(app: App) -> Rules:
    """The rules as the settings have them."""
    learning = app.settings.learning
    return Rules(
        app.settings.intents.min_confidence,
        learning.ratings_per_day,
        learning.share_per_person,
        learning.new_per_intent,
        learning.quorum,
        learning.train_on_discord_messages,
    )


def leans(fact: Fact) -> bool:
    """Whether a question says nothing without an earlier one.

    What points back leans on it only where there was one: "charged twice for this" alone is a
    question like any other (8 % of BANKING77's are such); "and for teams?" leans on one anyway.
    """
    asked = fact.question
    return followup.continues(asked) or (fact.is_follow_up and not followup.is_plain(asked))


async def gather(app: App) -> Gathered:
    """Read and judge everything that may be learnt from; the same data give the same examples."""
    live = await live_snapshot(app)
    seen = merging.seen_in(live.examples) if live else Seen()
    facts, settled = await examples.facts(app.engine), await examples.settled(app.engine)
    rules = rules_of(app)
    left_out = await reviews.left_out(app.engine)
    heard = [fact for fact in facts if fact.turn_id not in left_out]
    said, refused = statements(heard, app.catalog, rules, leans)
    refused[Refusal.LEFT_OUT] += len(facts) - len(heard)
    known = _known(app.catalog, settled, rules, refused)
    firm = known.firm
    vectors = await _encoded(app, [*(each.text for each in firm), *(each.text for each in said)])
    groups = cleaning.near_duplicates(vectors)
    known = _unlike(known, groups, refused)
    found = merging.cases_of(firm, said, groups)
    merging.hold_caps(found, rules, seen, len(firm))
    merging.hold_quorum(found, rules.quorum)
    plain = wording.plain(found.cases, [each.text for each in firm])
    judged = vectors.copy()
    judged[list(plain)] = await app.encoder.encode([each.text for each in plain.values()])
    trusted = await asyncio.to_thread(_trust, found, firm, judged, plain)
    decided = merging.decide(found, trusted.people)
    decided, review = _quarantined(app.catalog, decided, firm, judged, trusted)
    found.refused[Refusal.QUARANTINED] += sum(each.why == "quarantined" for each in review)
    return _gathered(
        known, decided, refused + found.refused, _to_review(found, review), seen, facts
    )


@dataclass(frozen=True, slots=True)
class Trusted:
    """How far people are believed; the intents, by row, that the voices around contradict."""

    people: dict[str, float]
    contradicted: frozenset[tuple[int, str]]


def _firm(example: Example, side: Side) -> Firm:
    return Firm(example.text, example.intent, example.origin, side)


def _known(
    catalog: Catalog, settled: Iterable[SettledText], rules: Rules, refused: Counter[Refusal]
) -> Known:
    found: list[tuple[SettledText, Firm]] = []
    for each in settled:
        text = masked(each.text)
        reason = None if each.is_paraphrase else refusal_of(text)
        if each.platform == DISCORD and not (each.is_paraphrase or rules.trains_on_discord):
            reason = Refusal.DISCORD
        elif each.intent is not None and catalog.find(each.intent) is None:
            reason = Refusal.UNKNOWN_INTENT
        if reason is not None:
            refused[reason] += 1
            continue
        is_test = place(text) < SETTLED_TEST_SHARE
        side = Side.OUTSIDE if each.intent is None else Side.TEST if is_test else Side.TRAINING
        found.append((each, Firm(text, each.intent, Origin.SETTLED, side)))
    return Known(split(examples_of(catalog)), tuple(found))


def _unlike(known: Known, groups: Sequence[int], refused: Counter[Refusal]) -> Known:
    """Without settled texts that are like others: the catalog's hold-out keeps what is like it
    out of training, what the catalog trains on tests nothing, and of two the newer one holds."""
    tests, trained = len(known.catalog.test), len(known.catalog.training)
    taken = {groups[row]: Side.TEST for row in range(tests)}
    for row in range(tests, tests + trained):
        taken.setdefault(groups[row], Side.TRAINING)
    kept, of_settled = [], set()
    for row, (each, firm) in enumerate(known.settled, tests + trained):
        side = taken.get(groups[row])
        if groups[row] in of_settled or (side is Side.TRAINING and firm.side is Side.TEST):
            refused[Refusal.MERGED] += 1
        elif side is Side.TEST and firm.side is Side.TRAINING:
            refused[Refusal.NEAR_TEST] += 1
        else:
            kept.append((each, firm))
        of_settled.add(groups[row])
    return Known(known.catalog, tuple(kept))


async def _encoded(app: App, texts: Sequence[str]) -> Vectors:
    """The vectors of texts, each text encoded once."""
    distinct = list(dict.fromkeys(texts))
    row_of = {text: row for row, text in enumerate(distinct)}
    return (await app.encoder.encode(distinct))[[row_of[text] for text in texts]]


def _trust(
    found: Cases, firm: Sequence[Firm], vectors: Vectors, plain: dict[int, Plain]
) -> Trusted:
    rows = [*range(len(firm)), *(case.row for case in found.cases)]
    labelled: list[trust.Labels] = [
        {each.intent: frozenset()} if each.intent is not None else {} for each in firm
    ]
    labelled += [{k: frozenset(v) for k, v in case.labels.items()} for case in found.cases]
    near = trust.nearest(vectors[rows], range(len(firm), len(rows)))
    of_person: dict[str, list[Verdict]] = defaultdict(list)
    of_intent: dict[tuple[int, str], set[Verdict]] = defaultdict(set)
    for case, neighbours in zip(found.cases, near, strict=True):
        around = [labelled[row] for row in neighbours]
        for each in case.statements:
            is_denied = each.origin is Origin.EXCLUDED
            given = trust.verdict(each.intent, each.fact.rater, around, is_denied=is_denied)
            of_person[each.fact.rater].append(given)
            of_intent[case.row, each.intent].add(given)
    contradicted = {key for key, given in of_intent.items() if given == {Verdict.CONTRADICTED}}
    contradicted |= accomplices(plain, found.cases, contradicted)
    return Trusted(trust.trust(of_person), frozenset(contradicted))


def _quarantined(
    catalog: Catalog, decided: Decided, firm: Sequence[Firm], vectors: Vectors, trusted: Trusted
) -> tuple[Decided, list[ToReview]]:
    """Leave out what nearly all who labelled the like contradict, then what a model and its
    neighbours do; what is kept, and what to review.

    On BANKING77 from 5 utterances an intent, 8,100 turns of 300 people, 5 % wrong thumbs: of the
    labels kept 99.2 % are right instead of 97.2 %, and 1.5 % of the right ones wait; a logistic
    regression on them is as good as on all (90.3 and 90.5 %).
    """
    information = {
        number: CONTRADICTED
        for number, (case, example) in enumerate(decided)
        if (case.row, example.intent) in trusted.contradicted
    }
    order = {name: number for number, name in enumerate(catalog.names)}
    team = [(row, each.intent) for row, each in enumerate(firm) if each.intent is not None]
    rated = [
        number
        for number, (_, each) in enumerate(decided)
        if number not in information and not each.is_complementary
    ]
    rows = [*(row for row, _ in team), *(decided[number][0].row for number in rated)]
    labels = [*(intent for _, intent in team), *(decided[number][1].intent for number in rated)]
    found = cleaning.suspects(
        vectors[rows],
        np.array([order[intent] for intent in labels], np.int64),
        np.arange(len(rows)) >= len(team),
    )
    information |= {rated[each.index - len(team)]: each.information for each in found}
    kept = [each for number, each in enumerate(decided) if number not in information]
    review = [
        ToReview(decided[number][1].turns[-1], "quarantined", round(value, 4))
        for number, value in sorted(information.items())
    ]
    return kept, review


def _to_review(found: Cases, quarantined: Iterable[ToReview]) -> tuple[ToReview, ...]:
    """One turn of each case that people should look at."""
    queue = {each.turn_id: each for each in quarantined}
    for each in found.waiting:
        turn = each.fact.turn_id
        queue.setdefault(turn, ToReview(turn, "quarantined", WAITING))
    for case in found.conflicts:
        queue[case.turns[-1]] = ToReview(case.turns[-1], "conflicting", TORN)
    return tuple(sorted(queue.values(), key=lambda each: (-each.information, each.turn_id)))


def _gathered(
    known: Known, decided: Decided, refused: Counter[Refusal], review: tuple[ToReview, ...],
    seen: Seen, facts: Sequence[Fact],
) -> Gathered:  # fmt: skip
    training, test = list(known.catalog.training), list(known.catalog.test)
    asker_of = {fact.turn_id: fact.asker for fact in facts}
    people: Counter[str] = Counter()
    learnt = []
    for each, firm in known.settled:
        people[each.asker] += 1
        if firm.intent is not None:
            turns = () if each.turn_id is None else (each.turn_id,)
            example = Example(firm.text, firm.intent, Origin.SETTLED, SETTLED_WEIGHT, turns)
            learnt.append(example)
            (test if firm.side is Side.TEST else training).append(example)
    for _, example in decided:
        people.update({*example.people, *(asker_of[turn] for turn in example.turns)})
        learnt.append(example)
        is_test = not example.is_complementary and place(example.text) < RATED_TEST_SHARE
        (test if is_test else training).append(example)
    new = [(each.text, each.intent, each.is_complementary) for each in learnt]
    return Gathered(
        Split(tuple(training), tuple(test)),
        tuple(firm.text for _, firm in known.settled if firm.side is Side.OUTSIDE),
        {reason.value: count for reason, count in sorted(refused.items()) if count},
        review,
        dict(sorted(people.items())),
        sum(each not in seen.examples for each in new),
    )
