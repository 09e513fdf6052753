"""From vectors to an intent: linear heads, nearest neighbours, their blend, and what is in scope.

Plain numpy, the same for training, for judging a candidate and for serving. Three views of a text
are blended, as no one of them is best everywhere: a linear head on the retrieval encoder's vector
(best with few examples), one on the fine-tuned encoder's, and the votes of the nearest examples
there (best beside them).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float32]

NEIGHBOURS = 10
# A neighbour's vote falls off with its distance: exp((cosine - 1) / KNN_WIDTH).
KNN_WIDTH = 0.05


@dataclass(frozen=True, slots=True)
class Head:
    """A linear head on vectors of length 1: float32[intents, dimension], float32[intents]."""

    weights: Vectors
    bias: Vectors

    def logits(self, vectors: Vectors) -> npt.NDArray[np.float32]:
        """float32[texts, intents]"""
        return vectors @ self.weights.T + self.bias


@dataclass(frozen=True, slots=True)
class Bank:
    """The fine-tuned encoder's vectors of all examples, and their labels."""

    vectors: Vectors
    labels: Labels

    def neighbours(self, vectors: Vectors) -> tuple[Vectors, Labels]:
        """Cosines and labels of the nearest examples, nearest first: [texts, NEIGHBOURS]."""
        cosines = vectors @ self.vectors.T
        count = min(NEIGHBOURS, cosines.shape[1])
        nearest = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
        found = np.take_along_axis(cosines, nearest, axis=1)
        order = np.argsort(-found, axis=1)
        return np.take_along_axis(found, order, axis=1), self.labels[
            np.take_along_axis(nearest, order, axis=1)
        ]


@dataclass(frozen=True, slots=True)
class Views:
    """What each view makes of texts: probabilities float32[3, texts, intents] (frozen head, tuned
    head, neighbours), and how near the texts are to the examples, float32[texts]."""

    probabilities: Probabilities
    nearness: Vectors

    @classmethod
    def joined(cls, parts: Sequence["Views"]) -> "Views":
        """Those of several lists of texts, one after the other."""
        return cls(
            np.concatenate([part.probabilities for part in parts], axis=1),
            np.concatenate([part.nearness for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Scorer:
    """The three views, fitted."""

    frozen: Head
    tuned: Head
    bank: Bank

    def views(self, vectors: Vectors, tuned_vectors: Vectors) -> Views:
        """The views of texts from their vectors by the retrieval encoder and the tuned one."""
        cosines, labels = self.bank.neighbours(tuned_vectors)
        votes = np.zeros((len(vectors), len(self.tuned.bias)), np.float32)
        rows = np.arange(len(vectors))[:, None]
        np.add.at(votes, (rows, labels), np.exp((cosines - 1) / KNN_WIDTH))
        tuned = self.tuned.logits(tuned_vectors)
        probabilities = np.stack(
            [
                softmax(self.frozen.logits(vectors)),
                softmax(tuned),
                votes / votes.sum(axis=1, keepdims=True),
            ]
        )
        return Views(probabilities, cosines[:, 0])


@dataclass(frozen=True, slots=True)
class Blend:
    """How the views become one: a weighted mean, sharpened or flattened by `temperature`, and the
    nearness below which a text is out of scope."""

    weights: tuple[float, float, float]
    temperature: float
    threshold: float

    def probabilities(self, views: Views) -> Probabilities:
        """Calibrated, float32[texts, intents]"""
        mean = np.tensordot(np.array(self.weights, np.float32), views.probabilities, axes=1)
        return softmax((np.log(np.maximum(mean, 1e-6)) / self.temperature).astype(np.float32))


def softmax(logits: npt.NDArray[np.float32]) -> Probabilities:
    """Row by row."""
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: Probabilities = exponents / exponents.sum(axis=1, keepdims=True)
    return result
