"""How sure an answer is: two calibrated probabilities from raw scores.

The normalised fused score is no confidence: the best passage always has about 1. Whether the
documents deal with the question at all shows in the raw cosine of the best piece and in how much
of the question's words (by idf) the passage holds; whether the first passage is the right one
shows in its lead over the second. Both are logistic regressions, fitted by
`python -m benchmarks.calibrate` on questions that documents answer and questions that belong to
other documents or to none.
"""

import math
from collections.abc import Sequence

from bot.messages import Confidence, Passage

ABOUT_BIAS, ABOUT_COSINE, ABOUT_COVERAGE = -10.29, 16.93, 7.13
RIGHT_BIAS, RIGHT_LEAD, RIGHT_COSINE = -5.44, 13.45, 5.87


def confidence_in(passages: Sequence[Passage]) -> Confidence:
    """The confidence in the first of the retrieved passages; none means zero."""
    if not passages:
        return Confidence(0.0, 0.0)
    first = passages[0].scores
    second = passages[1].scores.fused if len(passages) > 1 else 0.0
    return Confidence(
        about=_logistic(ABOUT_BIAS + ABOUT_COSINE * first.cosine + ABOUT_COVERAGE * first.coverage),
        right=_logistic(
            RIGHT_BIAS + RIGHT_LEAD * (first.fused - second) + RIGHT_COSINE * first.cosine
        ),
    )


def _logistic(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))
