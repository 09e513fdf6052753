"""Trains a classifier version: heads, fine-tuning, blend, threshold; as files ready to serve.

The phases: a logistic regression on frozen vectors, the encoder fine-tuned under a head that
starts from one, the fine-tuned encoder exported to ONNX, and on top the blend of views. What the
blend trusts is learnt from predictions on texts that were not trained on: by cross-validation
where there are few examples, from a held-out tenth of many.
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
from bot.intents.finetuning import Recipe, Tell, Tuned
from bot.intents.fitting import STRENGTHS, fit_blend, fit_head, log_loss
from bot.intents.model import Model, write_model
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


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train with: the base `model`, the share of texts to be kept in scope, the seed."""

    model: str
    keep_in_scope: float = 0.97
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Trained:
    """How a training went."""

    precision: str
    epochs: int
    steps_per_second: float
    strength: float
    blend: Blend


@dataclass(frozen=True, slots=True)
class Material:
    """The examples as numbers: texts, vectors by the retrieval encoder, labels."""

    texts: tuple[str, ...]
    vectors: Vectors
    base_vectors: Vectors
    labels: Labels

    def taken(self, indices: Indices) -> "Material":
        """Those of these indices."""
        return Material(
            tuple(self.texts[i] for i in indices),
            self.vectors[indices], self.base_vectors[indices], self.labels[indices],
        )  # fmt: skip


async def train(
    examples: Sequence[Example],
    names: Sequence[str],
    encoder: Encoder,
    plan: Plan,
    target: Path,
    tell: Tell = lambda _share, _note: None,
) -> Trained:
    """Train on all `examples` and write the version's files into the new folder `target`.

    Blocks the event loop for minutes: it belongs into a process of its own.

    Raises:
        TrainingError: there are too few examples, or the training came to nothing.
    """
    material = await _material(examples, names, encoder, plan.model)
    everything = np.arange(len(examples))
    if len(examples) <= FEW_EXAMPLES:
        assigned = np.array(dataset.folds(examples, FOLDS))
        strength = _best_strength(material, [assigned == fold for fold in range(FOLDS)])
        views, labels = _cross_validate(material, assigned, strength, plan, tell)
        blend = fit_blend(views, labels, plan.keep_in_scope)
        tuned = _fine_tune(material, everything, everything[:0], FEW, plan, _last(tell))
        precision, encoded = await _export(tuned, material.texts, plan.model, target)
    else:
        held_out = np.array(dataset.folds(examples, HELD_OUT)) == 0
        strength = _best_strength(material, [held_out])
        learnt = everything[~held_out]
        tuned = _fine_tune(material, learnt, everything[held_out], MANY, plan, tell)
        precision, encoded = await _export(tuned, material.texts, plan.model, target)
        scorer = _scorer(material, learnt, encoded[learnt], tuned.head, strength)
        views = scorer.views(material.vectors[held_out], encoded[held_out])
        blend = fit_blend(views, material.labels[held_out], plan.keep_in_scope)
    scorer = _scorer(material, everything, encoded, tuned.head, strength)
    write_model(target, Model(tuple(names), encoder.manifest.fingerprint, scorer, blend))
    keep_weights(tuned.network, target, plan.model)
    return Trained(precision, tuned.epochs, tuned.steps_per_second, strength, blend)


async def _material(
    examples: Sequence[Example], names: Sequence[str], encoder: Encoder, model: str
) -> Material:
    missing = set(names) - {example.intent for example in examples}
    if missing or len(names) < 2:
        raise TrainingError(
            f"There are no examples of {', '.join(sorted(missing)) or 'two intents'}. Add "
            "utterances to the catalog."
        )
    texts = tuple(example.text for example in examples)
    vectors = await encoder.encode(texts)
    is_same = model == encoder.manifest.model
    base = vectors if is_same else finetuning.embed(model, texts)
    order = {name: number for number, name in enumerate(names)}
    labels = np.array([order[example.intent] for example in examples])
    return Material(texts, vectors, base, labels)


def _best_strength(material: Material, held_out: Sequence[npt.NDArray[np.bool_]]) -> float:
    """The regularisation of the frozen head with the least log loss on what was held out."""

    def loss(strength: float) -> float:
        losses = []
        for held in held_out:
            head = fit_head(material.vectors[~held], material.labels[~held], strength)
            probabilities = softmax(head.logits(material.vectors[held]))
            losses.append(log_loss(probabilities, material.labels[held]))
        return float(np.mean(losses))

    return min(STRENGTHS, key=loss)


def _cross_validate(
    material: Material, assigned: Labels, strength: float, plan: Plan, tell: Tell
) -> tuple[Views, Labels]:
    """The views of every example by a training without its fold, and the labels in that order."""
    parts, labels = [], []
    for fold in range(FOLDS):
        learnt, held_out = np.flatnonzero(assigned != fold), np.flatnonzero(assigned == fold)
        tuned = _fine_tune(material, learnt, learnt[:0], FEW, plan, _nth(tell, fold))
        encoded = finetuning.embed(plan.model, material.texts, tuned.network)
        scorer = _scorer(material, learnt, encoded[learnt], tuned.head, strength)
        parts.append(scorer.views(material.vectors[held_out], encoded[held_out]))
        labels.append(material.labels[held_out])
    return Views.joined(parts), np.concatenate(labels)


def _fine_tune(
    material: Material, learnt: Indices, held_out: Indices, recipe: Recipe, plan: Plan, tell: Tell
) -> Tuned:
    head = fit_head(material.base_vectors[learnt], material.labels[learnt], HEAD_STRENGTH)
    texts = material.texts
    return finetuning.fine_tune(
        plan.model,
        head,
        ([texts[i] for i in learnt], [texts[i] for i in held_out]),
        (material.labels[learnt], material.labels[held_out]),
        replace(recipe, seed=plan.seed),
        tell,
    )


async def _export(
    tuned: Tuned, texts: Sequence[str], model: str, target: Path
) -> tuple[str, Vectors]:
    """Write the encoder as int8 if that changes next to no intent, else as fp32; which, and the
    vectors of the texts by it."""
    labels = tuned.head.logits(finetuning.embed(model, texts, tuned.network)).argmax(axis=1)
    for precision in ("int8", "fp32"):
        shutil.rmtree(target, ignore_errors=True)
        finetuning.export(tuned.network, model, precision, target)
        encoder = Encoder(target)
        try:
            vectors = await encoder.encode(texts)
        finally:
            encoder.close()
        if (tuned.head.logits(vectors).argmax(axis=1) != labels).mean() <= MAX_DISAGREEMENT:
            return precision, vectors
    raise TrainingError("The exported classifier differs from the trained one. Train it again.")


def _scorer(
    material: Material, learnt: Indices, encoded: Vectors, tuned: Head, strength: float
) -> Scorer:
    labels = material.labels[learnt]
    frozen = fit_head(material.vectors[learnt], labels, strength)
    return Scorer(frozen, tuned, Bank(encoded, labels))


def _nth(tell: Tell, fold: int) -> Tell:
    """The progress of one of the equally long trainings of a cross-validation and the last one."""
    return lambda share, note: tell(
        (fold + share) / (FOLDS + 1), f"training {fold + 1} of {FOLDS + 1}: {note}"
    )


def _last(tell: Tell) -> Tell:
    return _nth(tell, FOLDS)
