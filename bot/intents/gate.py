"""The gate: whether a candidate may go live instead of the live version, count by count.

Both are judged on the same texts, so what counts are the texts that one gets right and the other
wrong. A loss is one that chance would seldom make: for shares of texts by the exact one-sided sign
test on those texts (McNemar), for macro F1 and calibration by resampling the texts, the same for
both (paired bootstrap: Berg-Kirkpatrick et al. 2012, D12-1091). So one unlucky example does not
block a small team, and a fall that shows on a large test is never called chance.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from bot.intents.chance import (
    resampled_errors,
    resampled_f1,
    resamples,
    sign_test,
    weighted_f1,
)
from bot.intents.dataset import Origin
from bot.intents.evaluation import Flags, Predictions, calibration_error
from bot.intents.pairing import Both, Cases

# How much worse a candidate may be, whatever chance says.
F1_TOLERANCE = 0.005
RECALL_TOLERANCE = 0.02
CALIBRATION_TOLERANCE = 0.02
LATENCY_TOLERANCE = 0.10
# A loss counts where chance alone would make it in fewer comparisons than this.
CHANCE_SIGN, CHANCE_F1, CHANCE_PART = 0.05, 0.10, 0.05
# An intent of fewer tests is judged together with the others of that kind, a set not by itself.
ENOUGH = 20
# Of an intent tested so often, one that is never predicted at all is no chance.
ENOUGH_TO_BE_PREDICTED = 5
# Without a live version: of the way from the commonest intent's share to perfect.
FLOOR = 1 / 3
SHOWN_PROBLEMS = 4

SETS = {
    Origin.CATALOG: "the catalog's hold-out",
    Origin.SETTLED: "the regression cases",
    Origin.CONFIRMED: "the hold-out of rated questions",
    Origin.CORRECTED: "the hold-out of rated questions",
}


@dataclass(frozen=True, slots=True)
class Count:
    """One thing that was compared: the figures of both, the live version's if there was one.

    `problem` says as a sentence why it forbids that the candidate goes live; empty where it does
    not.
    """

    name: str
    candidate: float | None
    live: float | None
    problem: str = ""


def refusal(counts: Sequence[Count]) -> str:
    """Why a candidate must not go live; empty where it may."""
    problems = [count.problem for count in counts if count.problem]
    more = len(problems) - SHOWN_PROBLEMS
    others = [f"{more} more {'count' if more == 1 else 'counts'} failed."] if more > 0 else []
    return " ".join([*problems[:SHOWN_PROBLEMS], *others])


def decide(
    candidate: Predictions,
    live: Predictions | None,
    cases: Cases,
    intents: Collection[str],
    latencies: tuple[float, float] | None = None,
) -> list[Count]:
    """What was compared, of which any problem forbids the promotion.

    `intents` are the catalog's; a live version for others is compared on those that both know.
    `latencies` are the milliseconds a message, of candidate and live version.
    """
    if set(candidate.names) != set(intents):
        return [Count("intents", None, None, _stale(candidate.names, intents))]
    if not candidate.is_finite:
        return [Count("numbers", None, None, "The candidate gave a figure that is no number.")]
    counts = [_floor(candidate, cases, live is not None)]
    both = Both.of(candidate, live, cases) if live is not None and live.is_finite else None
    if both is not None:
        counts += [*_f1_counts(both), *_recall_counts(both), _kept(both), _calibration(both)]
    if live is not None and live.is_finite and len(candidate.outside):
        counts.append(_outside(candidate.is_refused, live.is_refused))
    if latencies is not None:
        counts.append(_latency(*latencies))
    return counts


def _stale(known: Collection[str], wanted: Collection[str]) -> str:
    lacking, surplus = sorted(set(wanted) - set(known)), sorted(set(known) - set(wanted))
    parts = [
        *([f"it does not know {_listed(lacking)}"] if lacking else []),
        *([f"it knows {_listed(surplus)}, which the catalog lacks"] if surplus else []),
    ]
    return f"The candidate is for another catalog: {'; '.join(parts)}."


def _floor(candidate: Predictions, cases: Cases, has_live: bool) -> Count:
    """What any version must reach: better than chance by far, and each intent is ever predicted."""
    order = {name: number for number, name in enumerate(candidate.names)}
    labels = np.array([order[intent] for intent in cases.intents], np.int64)
    predicted = candidate.probabilities.argmax(axis=1)
    accuracy = float((predicted == labels).mean()) if len(labels) else 0.0
    tested = np.bincount(labels, minlength=len(order))
    guesses = np.bincount(predicted, minlength=len(order))
    unknown = np.flatnonzero((guesses == 0) & (tested >= ENOUGH_TO_BE_PREDICTED))
    chance = float(tested.max()) / len(labels) if len(labels) else 0.0
    floor = chance + FLOOR * (1 - chance)
    if len(unknown):
        problem = (
            f"The candidate never predicts {_listed([candidate.names[i] for i in unknown])}, not "
            "once on all tests."
        )
    elif not has_live and accuracy < floor:
        problem = (
            f"The candidate recognises {accuracy:.1%} of the tests, and {floor:.1%} is the least "
            f"for a first version, as {chance:.1%} would be right by always naming one intent."
        )
    else:
        problem = ""
    return Count("accuracy", accuracy, None, problem)


def _f1_counts(both: Both) -> list[Count]:
    everything = np.ones(len(both.labels), bool)
    counts = [_f1(both, everything, "macro F1", "all tests", CHANCE_F1)]
    for title in dict.fromkeys(SETS.values()):
        chosen = np.isin(both.origins, [origin for origin in SETS if SETS[origin] == title])
        if ENOUGH <= chosen.sum() < len(chosen):
            counts.append(_f1(both, chosen, f"macro F1 on {title}", title, CHANCE_PART))
    return counts


def _f1(both: Both, chosen: Flags, name: str, title: str, chance: float) -> Count:
    labels, size = both.labels[chosen], len(both.names)
    new, old = (predicted[chosen] for predicted in both.predicted)
    counted = both.weights[chosen]
    candidate, live = (weighted_f1(counted, labels, each, size) for each in (new, old))
    problem = ""
    if candidate < live - F1_TOLERANCE:
        weights = resamples(len(labels)) * counted
        is_worse = resampled_f1(weights, labels, new, size) < resampled_f1(
            weights, labels, old, size
        )
        if is_worse.mean() >= 1 - chance:
            problem = (
                f"The candidate's macro F1 is {candidate:.1%}, the live version's {live:.1%}, on "
                f"{title} ({len(labels)} examples)."
            )
    return Count(name, candidate, live, problem)


def _recall_counts(both: Both) -> list[Count]:
    """The recall of each intent, and of those of few tests together."""
    tested = np.bincount(both.labels, minlength=len(both.names))
    few = np.isin(both.labels, np.flatnonzero(tested < ENOUGH))
    counts = [
        _recall(both, both.labels == intent, f"recall of `{both.names[intent]}`")
        for intent in np.flatnonzero(tested)
    ]
    if few.any() and not few.all():
        title = f"recall of the intents with fewer than {ENOUGH} tests together"
        counts.append(_recall(both, few, title))
    return counts


def _recall(both: Both, chosen: Flags, title: str) -> Count:
    new, old = both.is_right
    return _share(title, new[chosen], old[chosen])


def _kept(both: Both) -> Count:
    return _share("share of messages kept in scope", *both.is_kept)


def _outside(is_refused: Flags, was_refused: Flags) -> Count:
    return _share("out-of-scope recall", is_refused, was_refused, tolerance=0.0)


def _share(
    name: str, is_good: Flags, was_good: Flags, tolerance: float = RECALL_TOLERANCE
) -> Count:
    """Two shares of the same texts."""
    candidate, live = float(is_good.mean()), float(was_good.mean())
    problem = ""
    if candidate < live - tolerance and sign_test(is_good, was_good) <= CHANCE_SIGN:
        problem = (
            f"The candidate's {name} is {candidate:.1%}, the live version's {live:.1%}, of "
            f"{len(is_good)} examples."
        )
    return Count(name, candidate, live, problem)


def _calibration(both: Both) -> Count:
    candidate, live = (
        calibration_error(shares, both.labels, both.weights) for shares in both.probabilities
    )
    problem = ""
    if candidate > live + CALIBRATION_TOLERANCE:
        weights = resamples(len(both.labels)) * both.weights
        errors = [resampled_errors(weights, each, both.labels) for each in both.probabilities]
        if (errors[0] > errors[1]).mean() >= 1 - CHANCE_PART:
            problem = (
                f"The candidate's calibration error is {candidate:.1%}, the live version's "
                f"{live:.1%}, on {len(both.labels)} examples."
            )
    return Count("calibration error", candidate, live, problem)


def _latency(candidate: float, live: float) -> Count:
    problem = ""
    if not candidate <= live * (1 + LATENCY_TOLERANCE):
        problem = (
            f"The candidate takes {candidate:.2f} ms a message, the live version {live:.2f} ms; "
            f"{LATENCY_TOLERANCE:.0%} more is the most."
        )
    return Count("milliseconds a message", candidate, live, problem)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"`{name}`" for name in names[:5]) + more
