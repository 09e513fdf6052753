"""Intents: accuracy, calibration and scope on the tuning sets, latency, and what training costs.

Every version is trained by the code that retrains, and judged as it serves, from its files.
"""

import asyncio
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.intent_data import IntentSet, banking77, catalog, clinc150
from benchmarks.measure import Row, percentile
from benchmarks.server import exported_encoder
from bot.encoder import Encoder
from bot.intents.evaluation import measure
from bot.intents.model import read_model
from bot.intents.registry import load
from bot.intents.scoring import Views
from bot.intents.training import Plan, train

MODEL = "all-MiniLM-L6-v2"
# Accuracy in per cent (of the default catalog, macro F1), by set.
TARGETS = {
    "banking77, all": 93.5, "banking77, 10": 86.5, "banking77, 5": 81, "clinc150, all": 96,
    "default catalog": 90,
}  # fmt: skip
ECE_TARGET = 2.5
QUESTIONS = 150
WARM_UP = 20


def run(scratch: Path) -> list[Row]:
    """The default catalog, and one message's latency."""
    return [*asyncio.run(_trained(catalog(), scratch)), *asyncio.run(_latency(scratch))]


def run_full(scratch: Path) -> list[Row]:
    """BANKING77 and CLINC150, with few utterances and with all: 25 minutes on two cores."""
    rows = []
    for data in (banking77(5), banking77(10), banking77(), clinc150()):
        rows += asyncio.run(_trained(data, scratch))
    return rows


def version_of(data: IntentSet, scratch: Path) -> Path:
    """Where the version trained on a set is, or will be."""
    return scratch / "versions" / data.name.replace(" ", "-").replace(",", "")


async def _trained(data: IntentSet, scratch: Path) -> list[Row]:
    folder = version_of(data, scratch)
    encoder = Encoder(exported_encoder(scratch))
    started = time.perf_counter()
    trained = await train(data.training, data.intents, encoder, Plan(MODEL), folder)
    seconds = time.perf_counter() - started
    views = await _views([example.text for example in data.test], encoder, folder)
    order = {name: number for number, name in enumerate(data.intents)}
    labels = np.array([order[example.intent] for example in data.test])
    blend = read_model(folder).blend
    metrics = measure(
        blend.probabilities(views), views.nearness >= blend.threshold, labels, data.intents
    )
    is_catalog = data.name == "default catalog"
    measured = metrics.macro_f1 if is_catalog else metrics.accuracy
    rows = [
        Row(f"{data.name}: {'macro F1' if is_catalog else 'accuracy'}", "%", 100 * measured,
            target=TARGETS.get(data.name), more_is_better=True, note=f"{len(labels)} texts"),
        Row(f"{data.name}: calibration error", "%", 100 * metrics.calibration_error,
            target=ECE_TARGET if data.name.startswith("banking77, all") else None),
        Row(f"{data.name}: in scope at the fitted threshold", "%", 100 * metrics.kept_in_scope),
        Row(f"{data.name}: training", "s", seconds,
            note=f"{len(data.training)} examples, {trained.precision}"),
        Row(f"{data.name}: fine-tuning", "steps/s", trained.steps_per_second,
            target=3.4 if data.name.endswith("all") else None, more_is_better=True),
    ]  # fmt: skip
    if data.out_of_scope:
        outside = (await _views(data.out_of_scope, encoder, folder)).nearness
        at_95 = float(np.quantile(views.nearness, 0.05))
        rows += [
            Row(f"{data.name}: out of scope rejected, 95 % of the rest kept", "%",
                100 * float((outside < at_95).mean()),
                target=90 if data.name.endswith("all") else None, more_is_better=True),
            Row(f"{data.name}: out of scope rejected at the fitted threshold", "%",
                100 * float((outside < blend.threshold).mean())),
        ]  # fmt: skip
    encoder.close()
    return rows


async def _views(texts: Sequence[str], encoder: Encoder, folder: Path) -> Views:
    tuned = Encoder(folder)
    try:
        scorer = read_model(folder).scorer
        return scorer.views(await encoder.encode(texts), await tuned.encode(texts))
    finally:
        tuned.close()


async def _latency(scratch: Path) -> list[Row]:
    """One message at a time, ours and the transformers pipeline on the same weights and intents."""
    data = catalog()
    texts = [example.text for example in data.test[:QUESTIONS]]
    encoder = Encoder(exported_encoder(scratch))
    classifier = load(1, version_of(data, scratch))
    pipeline = _pipeline(len(data.intents))
    vectors = await encoder.encode(texts)

    async def ours(turn: int) -> float:
        started = time.perf_counter()
        await classifier.classify(texts[turn], vectors[turn])
        return (time.perf_counter() - started) * 1000

    def theirs(turn: int) -> float:
        started = time.perf_counter()
        pipeline(texts[turn])
        return (time.perf_counter() - started) * 1000

    own, other = [], []
    for turn in (*range(WARM_UP), *range(len(texts))):
        own.append(await ours(turn))
        other.append(theirs(turn))
    own, other = own[WARM_UP:], other[WARM_UP:]
    classifier.close()
    encoder.close()
    return [
        Row("intent of one message, p50", "ms", percentile(own, 50), percentile(other, 50),
            target=1 / 3, note="theirs: transformers pipeline"),
        Row("intent of one message, p95", "ms", percentile(own, 95), percentile(other, 95)),
        Row("intent of one message, p50 alone", "ms", percentile(own, 50), target=5),
    ]  # fmt: skip


def _pipeline(intents: int):
    """A text-classification pipeline with the same encoder; its head's weights do not matter."""
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline
    from transformers.utils import logging

    from bot.encoder_export import weights_directory

    logging.set_verbosity_error()  # it reports at length that the head is new
    weights = weights_directory(MODEL)
    config = AutoConfig.from_pretrained(weights, num_labels=intents)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = AutoModelForSequenceClassification.from_pretrained(weights, config=config)
    return pipeline(
        "text-classification", model=network, tokenizer=AutoTokenizer.from_pretrained(weights)
    )
