"""A BERT encoder in two parts, of which the upper one is trained, under a classification head."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from bot.encoder_export import load_network
from bot.errors import TrainingError
from bot.intents.scoring import Head

# Logits of unit vectors are too flat to learn from; the factor is part of the head when it serves.
SCALE = 10.0
MAX_TOKENS = 64
# Kinds of models whose layers are one after the other in `encoder.layer`.
BERT_FAMILY = ("bert", "roberta", "xlm-roberta", "camembert")
# Batches are cut from runs of so many texts in order of length: like lengths, yet never the same
# batch twice.
BUCKET_BATCHES = 16
# 20,000 questions of usual length are 0.2 GB, of the greatest length 1 GB.
STATES_BYTES = 2**30


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
    """What the frozen part of a network makes of texts, computed once: float16 a token.

    At most `limit` bytes are kept, those of the shortest texts; others are computed again when
    they are needed, so that long texts and large models cost time, not memory.
    """

    def __init__(
        self,
        lower: "Lower",
        tokens: Tokens,
        tell: Callable[[float], None] = lambda _share: None,
        limit: int = STATES_BYTES,
    ) -> None:
        self.tokens = tokens
        self._lower = lower
        self._states: list[Any] = [None] * len(tokens.ids)
        done = kept = 0
        for batch in tokens.in_order():
            if kept >= limit:
                break
            hidden = self._computed(batch)
            for row, index in enumerate(batch):
                state = hidden[row, : len(tokens.ids[index])].clone()
                self._states[index] = state
                kept += state.nbytes
            done += len(batch)
            tell(done / len(tokens.ids))

    def padded(self, batch: Sequence[int]) -> tuple[Any, Any]:
        """Hidden states float32[batch, tokens, dimension] and mask float32[batch, tokens]."""
        states = [self._states[i] for i in batch]
        mask = self.tokens.padded(batch)[1]
        if any(state is None for state in states):
            return self._computed(batch).to(torch.float32), mask
        hidden = torch.nn.utils.rnn.pad_sequence(states, batch_first=True)
        return hidden.to(torch.float32), mask

    def _computed(self, batch: Sequence[int]) -> Any:
        with torch.no_grad():
            return self._lower(*self.tokens.padded(batch)).to(torch.float16)


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

    def trained_head(self) -> Head:
        """The head as it serves, on vectors of length 1."""
        weights = self.head.weight.detach().numpy() * SCALE
        return Head(weights.astype(np.float32), self.head.bias.detach().numpy().copy())


def pooled(hidden: Any, mask: Any) -> Any:
    """The mean of the tokens' hidden states, of length 1."""
    means = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    return functional.normalize(means, dim=1)


def losses(logits: Any, intents: Any, is_excluded: Any) -> Any:
    """The loss of each text, float32[texts], from logits float32[texts, intents].

    -log p of its intent, or where that `is_excluded`, -log(1 - p): the likelihood of "any but this
    one" (Kim et al. 2019, arXiv 1908.07387, who call it negative learning; Ishida et al. 2017).
    """
    known = functional.cross_entropy(logits, intents, reduction="none")
    others = logits.scatter(1, intents[:, None], float("-inf"))
    return torch.where(is_excluded, logits.logsumexp(1) - others.logsumexp(1), known)


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
