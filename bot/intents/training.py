"""Trains a classifier version: heads, fine-tuning, blend, threshold; as files ready to serve.

The phases: a logistic regression on frozen vectors, the encoder fine-tuned under a head that
starts from one, the fine-tuned encoder exported to ONNX, and on top the blend of views. What the
blend trusts is learnt from predictions on texts that were not trained on: by cross-validation
where there are few examples, from a held-out twentieth of many.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.encoder import Encoder
from bot.errors import TrainingError
from bot.intents import dataset, finetuning
from bot.intents.dataset import Example
from bot.intents.finetuning import Recipe, Tuned
from bot.intents.fitting import STRENGTHS, fit_blend, fit_head, log_loss
from bot.intents.material import Material, balanced, encoded, prepare, readable
from bot.intents.model import Model, write_model
from bot.intents.progress import Phases, Tell
from bot.intents.scoring import Bank, Blend, Head, Labels, Scorer, Vectors, Views, softmax
from bot.intents.sharing import keep_weights

Indices = npt.NDArray[np.int64]

# Up to so many examples cross-validation costs a minute or two.
FEW_EXAMPLES = 2500
FOLDS = 3
# Of more, so many equal parts are made and one is held out: a hundred texts and more.
HELD_OUT = 20
# Few examples need small steps, or the encoder forgets more than it learns (3e-4 loses a point).
FEW = Recipe(epochs=10, batch_size=16, body_rate=1e-4)
MANY = Recipe(epochs=5, batch_size=32, body_rate=2e-4)
HEAD_STRENGTH = 10.0
# Where the quantised encoder gives another intent to more texts than this, it stays unquantised.
MAX_DISAGREEMENT = 0.01

ENCODING = "encoding the examples"
HEADS = "fitting linear heads"
TUNING = "fine-tuning"
EXPORTING = "exporting"
BLENDING = "blending"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train with: the base `model`, the share of texts to be kept in scope, the seed."""

    model: str
    keep_in_scope: float = 0.97
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training went, and what it takes to repeat it."""

    precision: str
    epochs: int
    steps_per_second: float
    strength: float
    blend: Blend
    seed: int


async def train(
    examples: Sequence[Example],
    names: Sequence[str],
    encoder: Encoder,
    plan: Plan,
    target: Path,
    tell: Tell = lambda _share, _note: None,
    threads: int | None = None,
) -> Trained:
    """Train on all `examples` and write the version's files into the new folder `target`.

    Each counts by its weight. One that is complementary says what its text is not; it does not
    count as an example of that intent. With the same examples, seed and `threads`, by default as
    many as there are processors, the same classifier comes out but for rounding. Blocks the event
    loop for minutes: it belongs into a process of its own.

    Raises:
        TrainingError: there are too few examples, or the training came to nothing.
    """
    finetuning.use_threads(threads)
    phases = _phases(tell, len(examples), len(names))
    examples = readable(examples)
    material = await prepare(examples, names, encoder, plan.model, phases.of(ENCODING))
    known = [example for example in examples if not example.is_complementary]
    is_few = len(known) <= FEW_EXAMPLES
    everything = np.arange(len(known))
    assigned = _folds(known, material.labels, FOLDS if is_few else HELD_OUT)
    phases.begin(HEADS)
    if is_few:
        strength = _best_strength(material, [assigned == fold for fold in range(FOLDS)])
        views, labels = _cross_validate(material, assigned, strength, plan, phases)
        blend = fit_blend(views, labels, plan.keep_in_scope)
        tell = phases.of(TUNING, f"training {FOLDS + 1} of {FOLDS + 1}: ")
        tuned = _fine_tune(material, everything, None, FEW, plan, tell)
        precision, vectors = await _export(tuned, material, plan.model, target, phases)
    else:
        held_out = assigned == 0
        strength = _best_strength(material, [held_out])
        learnt = everything[~held_out]
        tuned = _fine_tune(material, learnt, everything[held_out], MANY, plan, phases.of(TUNING))
        precision, vectors = await _export(tuned, material, plan.model, target, phases)
        scorer = _scorer(material, learnt, vectors[learnt], tuned.head, strength)
        views = scorer.views(material.vectors[held_out], vectors[held_out])
        blend = fit_blend(views, material.labels[held_out], plan.keep_in_scope)
    phases.begin(BLENDING)
    scorer = _scorer(material, everything, vectors, tuned.head, strength)
    write_model(target, Model(tuple(names), encoder.manifest.fingerprint, scorer, blend))
    keep_weights(tuned.network, target, plan.model)
    return Trained(precision, tuned.epochs, tuned.steps_per_second, strength, blend, plan.seed)


def _phases(tell: Tell, examples: int, intents: int) -> Phases:
    """The phases of a training and how long each is, on two cores: what counts is their ratio."""
    head = 5e-6 * examples * intents
    if examples <= FEW_EXAMPLES:
        heads = 2 * FOLDS * head
        folds = {_fold(fold): 0.05 * examples for fold in range(FOLDS)}
        tuning = 0.07 * examples
    else:
        heads, folds, tuning = 3 * head, {}, 0.03 * examples
    return Phases(
        tell,
        {ENCODING: 1 + 0.001 * examples, HEADS: heads}
        | folds
        | {TUNING: tuning, EXPORTING: 10 + 0.003 * examples, BLENDING: 2 * head},
    )


def _folds(examples: Sequence[Example], labels: Labels, count: int) -> Labels:
    """The fold of each example; -1, which is never held out, for the only one of its intent."""
    assigned = np.array(dataset.folds(examples, count))
    assigned[np.bincount(labels)[labels] == 1] = -1
    return assigned


def _best_strength(material: Material, held_out: Sequence[npt.NDArray[np.bool_]]) -> float:
    """The regularisation of the frozen head with the least log loss on what was held out."""

    def loss(strength: float) -> float:
        losses = []
        for held in held_out:
            head = _frozen_head(material, np.flatnonzero(~held), strength)
            probabilities = softmax(head.logits(material.vectors[held]))
            losses.append(log_loss(probabilities, material.labels[held]))
        return float(np.mean(losses))

    return min(STRENGTHS, key=loss)


def _cross_validate(
    material: Material, assigned: Labels, strength: float, plan: Plan, phases: Phases
) -> tuple[Views, Labels]:
    """The views of every example by a training without its fold, and the labels in that order."""
    parts, labels = [], []
    for fold in range(FOLDS):
        learnt, held_out = np.flatnonzero(assigned != fold), np.flatnonzero(assigned == fold)
        tell = phases.of(_fold(fold), f"training {fold + 1} of {FOLDS + 1}: ")
        tuned = _fine_tune(material, learnt, None, FEW, plan, tell)
        vectors = finetuning.embed(plan.model, material.texts, tuned.network)
        scorer = _scorer(material, learnt, vectors[learnt], tuned.head, strength)
        parts.append(scorer.views(material.vectors[held_out], vectors[held_out]))
        labels.append(material.labels[held_out])
    return Views.joined(parts), np.concatenate(labels)


def _fine_tune(
    material: Material,
    learnt: Indices,
    held_out: Indices | None,
    recipe: Recipe,
    plan: Plan,
    tell: Tell,
) -> Tuned:
    weights = material.weights[learnt]
    head = fit_head(material.base_vectors[learnt], material.labels[learnt], HEAD_STRENGTH, weights)
    return finetuning.fine_tune(
        plan.model,
        head,
        material.lesson(learnt) + material.excluded,
        None if held_out is None else material.lesson(held_out),
        replace(recipe, seed=plan.seed),
        tell,
    )


async def _export(
    tuned: Tuned, material: Material, model: str, target: Path, phases: Phases
) -> tuple[str, Vectors]:
    """Write the encoder as int8 if that changes next to no intent, else as fp32; which, and the
    vectors of the texts by it."""
    phases.begin(EXPORTING)
    texts = material.texts
    labels = tuned.head.logits(finetuning.embed(model, texts, tuned.network)).argmax(axis=1)
    for precision in ("int8", "fp32"):
        shutil.rmtree(target, ignore_errors=True)
        finetuning.export(tuned.network, model, precision, target)
        encoder = Encoder(target)
        try:
            vectors = await encoded(encoder, texts, lambda _share, _note: None)
        finally:
            encoder.close()
        if (tuned.head.logits(vectors).argmax(axis=1) != labels).mean() <= MAX_DISAGREEMENT:
            return precision, vectors
    raise TrainingError("The exported classifier differs from the trained one. Train it again.")


def _scorer(
    material: Material, learnt: Indices, vectors: Vectors, tuned: Head, strength: float
) -> Scorer:
    frozen = _frozen_head(material, learnt, strength)
    return Scorer(frozen, tuned, Bank(vectors, material.labels[learnt]))


def _frozen_head(material: Material, learnt: Indices, strength: float) -> Head:
    labels = material.labels[learnt]
    weights = balanced(labels, material.weights[learnt])
    return fit_head(material.vectors[learnt], labels, strength, weights)


def _fold(fold: int) -> str:
    return f"fold {fold + 1} of {FOLDS}"
