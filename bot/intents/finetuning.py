"""Fine-tunes a BERT encoder with a classification head.

The network is the encoder, mean pooling, length 1, times SCALE, dropout and a linear head that
starts from a logistic regression on the encoder's own embeddings (head first, then the encoder:
Kumar et al. 2022, arXiv 2202.10054).
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bot.encoder_export import Export, export_network, load_tokenizer
from bot.errors import TrainingError
from bot.intents.evaluation import macro_f1
from bot.intents.network import (
    MAX_TOKENS,
    Lower,
    LowerStates,
    Tokens,
    Upper,
    load_bert,
    losses,
    pooled,
)
from bot.intents.progress import Tell
from bot.intents.scoring import Head, Labels, Vectors

# Of a fine-tuning's time, about so much passes before its first step: the frozen layers run.
STATES_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fine-tune; the lowest `frozen_share` of the layers stays, and runs once a text.

    Half of them frozen is as accurate as none and twice as fast (docs/architecture.md).
    """

    epochs: int
    batch_size: int
    body_rate: float
    head_rate: float = 1e-2
    frozen_share: float = 0.5
    dropout: float = 0.1
    weight_decay: float = 0.01
    warm_up: float = 0.1
    patience: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Lesson:
    """Texts to learn from, a row each.

    `labels` int64[texts] are the intents that the texts are of or, where `is_excluded`
    bool[texts], are none of; `weights` float32[texts] say how much each counts.
    """

    texts: Sequence[str]
    labels: Labels
    weights: npt.NDArray[np.float32]
    is_excluded: npt.NDArray[np.bool_]

    def __add__(self, other: "Lesson") -> "Lesson":
        """Both, one after the other."""
        return Lesson(
            [*self.texts, *other.texts],
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.is_excluded, other.is_excluded]),
        )


@dataclass(frozen=True, slots=True)
class Tuned:
    """A fine-tuned network, its head, and how the training went."""

    network: Any
    head: Head
    epochs: int
    steps_per_second: float


def use_threads(count: int | None = None) -> None:
    """Let torch, and the linear algebra below scikit-learn, use so many threads; else as many as
    this process has processors, which may be fewer than the machine has."""
    from threadpoolctl import threadpool_limits

    has_affinity = hasattr(os, "sched_getaffinity")  # not on macOS
    count = count or (len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1)
    threadpool_limits(count)
    torch.set_num_threads(count)


def fine_tune(
    model: str,
    head: Head,
    learnt: Lesson,
    held_out: Lesson | None,
    recipe: Recipe,
    tell: Tell = lambda _share, _note: None,
) -> Tuned:
    """Fine-tune on what is to be learnt; the epoch that does best on what is held out is kept.

    Where nothing is held out the last epoch is kept.

    Raises:
        TrainingError: the loss is no number any more.
    """
    torch.manual_seed(recipe.seed)
    network = load_bert(model)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    layers = network.encoder.layer
    frozen = int(recipe.frozen_share * len(layers))
    lower = Lower(network.embeddings, layers[:frozen]).eval()
    tokenizer = load_tokenizer(model)
    training = LowerStates(
        lower,
        Tokens(tokenizer, learnt.texts),
        lambda share: tell(STATES_SHARE * share, "fine-tuning, preparing"),
    )
    upper = Upper(layers[frozen:], recipe.dropout, head)
    course = _Course(upper, training, learnt, recipe)
    validation = LowerStates(lower, Tokens(tokenizer, held_out.texts)) if held_out else None
    best: tuple[float, dict[str, Any]] = (-1.0, {})
    epoch, worse = 0, 0
    for epoch in range(1, recipe.epochs + 1):
        course.run(epoch, tell)
        if held_out is None or validation is None:
            continue
        score = macro_f1(held_out.labels, logits(upper, validation).argmax(1))
        worse = worse + 1 if score <= best[0] else 0
        if score > best[0]:
            best = (score, {k: v.detach().clone() for k, v in upper.state_dict().items()})
        if worse >= recipe.patience:
            break
    if best[1]:
        upper.load_state_dict(best[1])
    return Tuned(network.eval(), upper.trained_head(), epoch, course.steps / course.seconds)


class _Course:
    """The steps of a training."""

    def __init__(self, upper: Upper, training: LowerStates, learnt: Lesson, recipe: Recipe) -> None:
        self._upper = upper.requires_grad_(True)
        self._training = training
        self._targets = torch.from_numpy(learnt.labels)
        self._is_excluded = torch.from_numpy(learnt.is_excluded)
        # In proportion: what all examples weigh together does not change how large the steps are.
        self._weights = torch.from_numpy(learnt.weights / learnt.weights.mean())
        self._recipe = recipe
        self._generator = np.random.default_rng(recipe.seed)
        self._optimiser, self._schedule = _optimiser(upper, recipe, len(learnt.labels))
        self.steps = 0
        self.seconds = 0.0

    def run(self, epoch: int, tell: Tell) -> None:
        """Train on every text once."""
        started = time.perf_counter()
        recipe = self._recipe
        batches = self._training.tokens.shuffled(recipe.batch_size, self._generator)
        self._upper.train()
        for number, batch in enumerate(batches, start=1):
            self._step(batch)
            done = (epoch - 1 + number / len(batches)) / recipe.epochs
            share = STATES_SHARE + (1 - STATES_SHARE) * done
            tell(share, f"fine-tuning, epoch {epoch} of {recipe.epochs}")
        self.seconds += time.perf_counter() - started
        self.steps += len(batches)

    def _step(self, batch: Sequence[int]) -> None:
        found = losses(
            self._upper(*self._training.padded(batch)),
            self._targets[batch],
            self._is_excluded[batch],
        )
        loss = (found * self._weights[batch]).mean()
        if not bool(torch.isfinite(loss)):
            raise TrainingError(
                "The loss is no number any more, so nothing can be learnt from it. Retrain; if it "
                "happens again, set another `model` of [intents]."
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._upper.parameters(), 1.0)
        self._optimiser.step()
        self._schedule.step()
        self._optimiser.zero_grad(set_to_none=True)


def logits(upper: Upper, texts: LowerStates) -> npt.NDArray[np.float32]:
    """float32[texts, intents]"""
    upper.eval()
    found = np.empty((len(texts.tokens.ids), upper.head.out_features), np.float32)
    for batch in texts.tokens.in_order():
        with torch.inference_mode():
            found[batch] = upper(*texts.padded(batch)).numpy()
    return found


def _optimiser(upper: Upper, recipe: Recipe, texts: int) -> tuple[Any, Any]:
    decayed = [p for name, p in upper.layers.named_parameters() if p.ndim > 1]
    plain = [p for name, p in upper.layers.named_parameters() if p.ndim == 1]
    optimiser = torch.optim.AdamW(
        [
            {"params": decayed, "lr": recipe.body_rate, "weight_decay": recipe.weight_decay},
            {"params": plain, "lr": recipe.body_rate, "weight_decay": 0.0},
            {"params": upper.head.parameters(), "lr": recipe.head_rate, "weight_decay": 0.0},
        ],
        fused=True,
    )
    steps = recipe.epochs * -(-texts // recipe.batch_size)
    warm_up = max(1, round(recipe.warm_up * steps))

    def rate(step: int) -> float:
        return min((step + 1) / warm_up, max(0.0, (steps - step) / max(1, steps - warm_up)))

    return optimiser, torch.optim.lr_scheduler.LambdaLR(optimiser, rate)


def embed(model: str, texts: Sequence[str], network: Any = None) -> Vectors:
    """The vectors of texts by the model, or by a network fine-tuned from it.

    Raises:
        TrainingError: a vector is no number.
    """
    network = network or load_bert(model)
    whole = Lower(network.embeddings, network.encoder.layer).eval()
    tokens = Tokens(load_tokenizer(model), texts)
    vectors = np.empty((len(texts), network.config.hidden_size), np.float32)
    for batch in tokens.in_order():
        ids, mask = tokens.padded(batch)
        with torch.inference_mode():
            vectors[batch] = pooled(whole(ids, mask), mask).numpy()
    if not np.isfinite(vectors).all():
        raise TrainingError(
            f"The model {model!r} gives vectors that are no numbers. Set another `model` of "
            "[intents]."
        )
    return vectors


def export(network: Any, model: str, precision: str, target: Path) -> None:
    """Write a fine-tuned network as an encoder into the new folder `target`."""
    how = Export(model, precision, "mean", MAX_TOKENS)
    export_network(network, load_tokenizer(model), how, target)
