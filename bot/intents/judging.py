"""Judges a candidate beside the live version: both from their files, as they serve, in turns."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from bot.encoder import Encoder, Vectors
from bot.errors import SupportbotError
from bot.intents.classifier import Classifier
from bot.intents.dataset import Example
from bot.intents.evaluation import Metrics, Predictions, macro_f1, measure, scope_curve
from bot.intents.gate import LATENCY_TOLERANCE, SETS, Count, decide, refusal
from bot.intents.model import read_model
from bot.intents.pairing import Cases
from bot.intents.registry import load

# So many messages are timed by each version in turns, and once more where one seems slower: another
# process on the machine slows single rounds, a slower version all of them.
TIMED_TEXTS = 60
WARM_UP = 5
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What versions are judged by: examples, and texts that have no intent of the catalog."""

    examples: tuple[Example, ...]
    outside: tuple[str, ...] = ()
    correction_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a candidate did, how the live version did if there was one, and what was compared.

    `refusal` says why the candidate must not go live; empty where it may. A candidate that cannot
    be used at all has no metrics.
    """

    metrics: Metrics | None
    live_metrics: Metrics | None
    counts: tuple[Count, ...]
    refusal: str


async def judge(
    encoder: Encoder,
    candidate: Path,
    live: Path | None,
    tests: HeldOut,
    intents: Sequence[str],
) -> Judgement:
    """Compare the version in the folder `candidate` with the one in `live`, on the same tests.

    `encoder` is the retrieval encoder, `intents` are the catalog's.
    """
    cases = Cases(
        tuple(example.intent for example in tests.examples),
        tuple(example.origin for example in tests.examples),
        tests.correction_weight,
    )
    vectors = await encoder.encode([*(each.text for each in tests.examples), *tests.outside])
    before = await predictions(live, vectors, tests) if live is not None else None
    live_metrics = metrics_of(before, cases) if before is not None and before.is_finite else None
    try:
        after = await predictions(candidate, vectors, tests)
    except SupportbotError as error:
        said = f"The candidate cannot be used: {error}"
        return Judgement(None, live_metrics, (Count("files", None, None, said),), said)
    counts = decide(after, before, cases, intents)
    said = refusal(counts)
    is_usable = after.is_finite and set(after.names) == set(intents)
    if live is not None and is_usable and not said:
        texts = [example.text for example in tests.examples]
        latencies = await compare_latency(encoder, candidate, live, texts)
        counts = decide(after, before, cases, intents, latencies)
        said = refusal(counts)
    return Judgement(
        metrics_of(after, cases) if is_usable else None, live_metrics, tuple(counts), said
    )


async def predictions(folder: Path, vectors: Vectors, tests: HeldOut) -> Predictions:
    """What the version in a folder makes of the tests; `vectors` are the retrieval encoder's, of
    the examples and then of the texts outside.

    Raises:
        TrainingError, EncoderError: its files cannot be used.
    """
    model, tuned = read_model(folder), Encoder(folder)
    texts = [*(example.text for example in tests.examples), *tests.outside]
    try:
        views = model.scorer.views(vectors, await tuned.encode(texts))
    finally:
        tuned.close()
    count = len(tests.examples)
    shares = model.blend.probabilities(views)[:count]
    near, outside = views.nearness[:count], views.nearness[count:]
    return Predictions(model.names, shares, near, model.blend.threshold, outside)


def metrics_of(version: Predictions, cases: Cases) -> Metrics:
    """The metrics of a version on those tests whose intents it knows."""
    order = {name: number for number, name in enumerate(version.names)}
    rows = np.array([intent in order for intent in cases.intents], bool)
    labels = np.array([order[intent] for intent in cases.intents if intent in order], np.int64)
    shares, near = version.probabilities[rows], version.nearness[rows]
    if not len(labels):
        return Metrics(0, 0.0, 0.0, 0.0, 0.0, {}, {})
    predicted, origins = shares.argmax(axis=1), np.array(cases.origins)[rows]
    sets = {}
    for title in dict.fromkeys(SETS.values()):
        chosen = np.isin(origins, [origin for origin in SETS if SETS[origin] == title])
        if chosen.any():
            sets[title] = {
                "examples": int(chosen.sum()),
                "accuracy": float((predicted[chosen] == labels[chosen]).mean()),
                "macro_f1": macro_f1(labels[chosen], predicted[chosen]),
            }
    return replace(
        measure(shares, version.is_in_scope[rows], labels, version.names),
        sets=sets,
        scope=scope_curve(near, version.outside),
        outside=len(version.outside),
        refused_outside=float(version.is_refused.mean()) if len(version.outside) else None,
    )


async def compare_latency(
    encoder: Encoder, candidate: Path, live: Path, texts: Sequence[str]
) -> tuple[float, float] | None:
    """The median milliseconds that a single message takes, of candidate and live version, the
    retrieval encoder's vector included; of the round in which the candidate did best beside it."""
    chosen = [texts[number % len(texts)] for number in range(TIMED_TEXTS)] if texts else []
    if not chosen:
        return None
    versions = [load(0, candidate), load(1, live)]
    rounds = []
    try:
        for text in chosen[:WARM_UP]:
            for version in versions:
                await _milliseconds(encoder, version, text)
        for _ in range(ROUNDS):
            rounds.append(await _round(encoder, versions, chosen))
            if rounds[-1][0] <= rounds[-1][1] * (1 + LATENCY_TOLERANCE):
                break
    finally:
        for version in versions:
            version.close()
    return min(rounds, key=lambda pair: pair[0] / pair[1])


async def _round(
    encoder: Encoder, versions: Sequence[Classifier], texts: Sequence[str]
) -> tuple[float, float]:
    taken: tuple[list[float], list[float]] = ([], [])
    for number, text in enumerate(texts):
        for which in (0, 1) if number % 2 else (1, 0):
            taken[which].append(await _milliseconds(encoder, versions[which], text))
    return median(taken[0]), median(taken[1])


async def _milliseconds(encoder: Encoder, version: Classifier, text: str) -> float:
    started = time.perf_counter()
    await version.classify(text, await encoder.encode_question(text))
    return 1000 * (time.perf_counter() - started)
