"""Fine-tunes a BERT encoder with a classification head; the one place of training with torch.

The network is the encoder, mean pooling, length 1, times SCALE, dropout and a linear head that
starts from a logistic regression on the encoder's own embeddings (head first, then the encoder:
Kumar et al. 2022, arXiv 2202.10054).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from bot.encoder_export import Export, export_network, load_network, load_tokenizer
from bot.errors import TrainingError
from bot.intents.evaluation import macro_f1
from bot.intents.scoring import Head, Labels, Vectors

Tell = Callable[[float, str], None]

# Logits of unit vectors are too flat to learn from; the factor is part of the head when it serves.
SCALE = 10.0
MAX_TOKENS = 64
# Kinds of models whose layers are one after the other in `encoder.layer`.
BERT_FAMILY = ("bert", "roberta", "xlm-roberta", "camembert")
# Batches are cut from runs of so many texts in order of length: like lengths, yet never the same
# batch twice.
BUCKET_BATCHES = 16


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
class Tuned:
    """A fine-tuned network, its head, and how the training went."""

    network: Any
    head: Head
    epochs: int
    steps_per_second: float


def load_bert(model: str) -> Any:
    """The network of a model, ready to run.

    Raises:
        TrainingError: it is not of the BERT family.
        EncoderError: its weights are missing or damaged.
    """
    network = load_network(model)
    if network.config.model_type not in BERT_FAMILY:
        raise TrainingError(
            f"The model {model!r} is a {network.config.model_type}, which cannot be fine-tuned "
            f"here. Set `model` of [intents] to one of these kinds: {', '.join(BERT_FAMILY)}."
        )
    return network


class Tokens:
    """Texts as token ids."""

    def __init__(self, tokenizer: Any, texts: Sequence[str]) -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        self.ids = [torch.tensor(e.ids) for e in tokenizer.encode_batch(list(texts))]

    def in_order(self, size: int = 64) -> Iterator[list[int]]:
        """All texts in batches of like length."""
        order = sorted(range(len(self.ids)), key=lambda i: len(self.ids[i]))
        yield from (order[at : at + size] for at in range(0, len(order), size))

    def shuffled(self, size: int, generator: np.random.Generator) -> list[list[int]]:
        """All texts in random batches of like length, for one epoch."""
        order = generator.permutation(len(self.ids))
        batches = []
        for at in range(0, len(order), size * BUCKET_BATCHES):
            bucket = sorted(order[at : at + size * BUCKET_BATCHES], key=lambda i: len(self.ids[i]))
            batches += [bucket[cut : cut + size] for cut in range(0, len(bucket), size)]
        generator.shuffle(batches)
        return batches

    def padded(self, batch: Sequence[int]) -> tuple[Any, Any]:
        """Ids int64[batch, tokens] and mask float32[batch, tokens]."""
        ids = [self.ids[i] for i in batch]
        lengths = torch.tensor([len(row) for row in ids])
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).to(torch.float32)
        return torch.nn.utils.rnn.pad_sequence(ids, batch_first=True), mask


class LowerStates:
    """What the frozen part of a network makes of texts, computed once: float16 a token."""

    def __init__(self, lower: "Lower", tokens: Tokens) -> None:
        self.tokens = tokens
        self.states: list[Any] = [None] * len(tokens.ids)
        for batch in tokens.in_order():
            with torch.inference_mode():
                hidden = lower(*tokens.padded(batch)).to(torch.float16)
            for row, index in enumerate(batch):
                self.states[index] = hidden[row, : len(tokens.ids[index])].clone()

    def padded(self, batch: Sequence[int]) -> tuple[Any, Any]:
        """Hidden states float32[batch, tokens, dimension] and mask float32[batch, tokens]."""
        states = [self.states[i] for i in batch]
        hidden = torch.nn.utils.rnn.pad_sequence(states, batch_first=True)
        return hidden.to(torch.float32), self.tokens.padded(batch)[1]


class Lower(torch.nn.Module):  # type: ignore[misc]
    """The embeddings and the frozen layers."""

    def __init__(self, embeddings: Any, layers: Any) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.layers = layers

    def forward(self, ids: Any, mask: Any) -> Any:
        """Hidden states below the layers that are trained."""
        return _through(self.layers, self.embeddings(input_ids=ids), mask)


class Upper(torch.nn.Module):  # type: ignore[misc]
    """The layers that are trained, pooling, and the head."""

    def __init__(self, layers: Any, dropout: float, head: Head) -> None:
        super().__init__()
        self.layers = layers
        self.dropout = torch.nn.Dropout(dropout)
        self.head = torch.nn.Linear(*reversed(head.weights.shape))
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(head.weights) / SCALE)
            self.head.bias.copy_(torch.from_numpy(head.bias))

    def forward(self, hidden: Any, mask: Any) -> Any:
        """Logits."""
        vectors = pooled(_through(self.layers, hidden, mask), mask)
        return self.head(self.dropout(vectors * SCALE))


def pooled(hidden: Any, mask: Any) -> Any:
    """The mean of the tokens' hidden states, of length 1."""
    means = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    return functional.normalize(means, dim=1)


def _through(layers: Any, hidden: Any, mask: Any) -> Any:
    """Hidden states behind the layers; texts of one length need no mask, which is faster."""
    attended = None
    if not bool(mask.all()):
        attended = (1 - mask[:, None, None, :]) * torch.finfo(torch.float32).min
    for layer in layers:
        hidden = layer(hidden, attended)
        if isinstance(hidden, tuple):
            hidden = hidden[0]
    return hidden


def fine_tune(
    model: str,
    head: Head,
    texts: tuple[Sequence[str], Sequence[str]],
    labels: tuple[Labels, Labels],
    recipe: Recipe,
    tell: Tell = lambda _share, _note: None,
) -> Tuned:
    """Fine-tune on the first texts and labels; the epoch that the second ones like best is kept.

    Without second texts the last epoch is kept.
    """
    torch.manual_seed(recipe.seed)
    generator = np.random.default_rng(recipe.seed)
    network = load_bert(model)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    layers = network.encoder.layer
    frozen = int(recipe.frozen_share * len(layers))
    lower = Lower(network.embeddings, layers[:frozen]).eval()
    tokenizer = load_tokenizer(model)
    training, validation = (LowerStates(lower, Tokens(tokenizer, part)) for part in texts)
    upper = Upper(layers[frozen:], recipe.dropout, head)
    for parameter in upper.parameters():
        parameter.requires_grad_(True)
    optimiser, schedule = _optimiser(upper, recipe, len(labels[0]))
    targets = torch.from_numpy(labels[0])
    best: tuple[float, dict[str, Any]] = (-1.0, {})
    epoch, worse, steps, seconds = 0, 0, 0, 0.0
    for epoch in range(1, recipe.epochs + 1):
        started = time.perf_counter()
        batches = training.tokens.shuffled(recipe.batch_size, generator)
        upper.train()
        for number, batch in enumerate(batches):
            loss = functional.cross_entropy(upper(*training.padded(batch)), targets[batch])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(upper.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
            share = (epoch - 1 + (number + 1) / len(batches)) / recipe.epochs
            tell(share, f"fine-tuning, epoch {epoch} of {recipe.epochs}")
        seconds += time.perf_counter() - started
        steps += len(batches)
        if not len(labels[1]):
            continue
        score = macro_f1(labels[1], logits(upper, validation).argmax(1))
        worse = worse + 1 if score <= best[0] else 0
        if score > best[0]:
            best = (score, {k: v.detach().clone() for k, v in upper.state_dict().items()})
        if worse >= recipe.patience:
            break
    if best[1]:
        upper.load_state_dict(best[1])
    weights = upper.head.weight.detach().numpy() * SCALE
    tuned = Head(weights.astype(np.float32), upper.head.bias.detach().numpy().copy())
    return Tuned(network.eval(), tuned, epoch, steps / seconds if seconds else 0.0)


def logits(upper: Upper, texts: LowerStates) -> npt.NDArray[np.float32]:
    """float32[texts, intents]"""
    upper.eval()
    found = np.empty((len(texts.states), upper.head.out_features), np.float32)
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
    """The vectors of texts by the model, or by a network fine-tuned from it."""
    network = network or load_bert(model)
    whole = Lower(network.embeddings, network.encoder.layer).eval()
    tokens = Tokens(load_tokenizer(model), texts)
    vectors = np.empty((len(texts), network.config.hidden_size), np.float32)
    for batch in tokens.in_order():
        ids, mask = tokens.padded(batch)
        with torch.inference_mode():
            vectors[batch] = pooled(whole(ids, mask), mask).numpy()
    return vectors


def export(network: Any, model: str, precision: str, target: Path) -> None:
    """Write a fine-tuned network as an encoder into the new folder `target`."""
    how = Export(model, precision, "mean", MAX_TOKENS)
    export_network(network, load_tokenizer(model), how, target)
