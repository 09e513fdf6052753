"""Two versions side by side on the tests that both can be judged by."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bot.intents.chance import Weights
from bot.intents.dataset import Origin
from bot.intents.evaluation import Flags, Predictions
from bot.intents.scoring import Labels, Probabilities


@dataclass(frozen=True, slots=True)
class Cases:
    """The right intents of the tests, by name, and where each comes from.

    A question that people corrected counts `correction_weight` times in macro F1: for each there
    are others that were as wrong, and of which nobody said what they are (inverse propensity
    weighting: Horvitz and Thompson 1952). Questions that people confirmed are those that a live
    version got right, so it would look better than it is beside any other.
    """

    intents: tuple[str, ...]
    origins: tuple[Origin, ...]
    correction_weight: float = 1.0

    @property
    def weights(self) -> Weights:
        """How often each test counts, float64[tests]"""
        return np.array(
            [
                self.correction_weight if origin is Origin.CORRECTED else 1.0
                for origin in self.origins
            ]
        )


@dataclass(frozen=True, slots=True)
class Both:
    """Both versions on the tests of the intents that both know, among these intents alone."""

    names: tuple[str, ...]
    labels: Labels
    origins: npt.NDArray[np.str_]
    weights: Weights
    probabilities: tuple[Probabilities, Probabilities]
    is_kept: tuple[Flags, Flags]

    @classmethod
    def of(cls, candidate: Predictions, live: Predictions, cases: Cases) -> "Both | None":
        """None where they have too little in common."""
        names = tuple(name for name in candidate.names if name in set(live.names))
        rows = np.array([intent in set(names) for intent in cases.intents], bool)
        if len(names) < 2 or not rows.any():
            return None
        order = {name: number for number, name in enumerate(names)}
        labels = [order[intent] for intent in cases.intents if intent in order]

        def shares(version: Predictions) -> Probabilities:
            columns = [version.names.index(name) for name in names]
            chosen = version.probabilities[np.flatnonzero(rows)][:, columns]
            if len(columns) < len(version.names):
                chosen = chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-9)
            result: Probabilities = chosen
            return result

        return cls(
            names, np.array(labels), np.array(cases.origins)[rows], cases.weights[rows],
            (shares(candidate), shares(live)),
            (candidate.is_in_scope[rows], live.is_in_scope[rows]),
        )  # fmt: skip

    @property
    def predicted(self) -> tuple[Labels, Labels]:
        """The likeliest intent of each text."""
        return self.probabilities[0].argmax(axis=1), self.probabilities[1].argmax(axis=1)

    @property
    def is_right(self) -> tuple[Flags, Flags]:
        """Whether that is the right one."""
        return self.predicted[0] == self.labels, self.predicted[1] == self.labels
