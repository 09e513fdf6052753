"""The classifier as it serves: a message's text and vector to a prediction, without torch."""

from collections.abc import Sequence

import numpy as np

from bot.encoder import Encoder, Vectors
from bot.intents.model import Model
from bot.messages import OUT_OF_SCOPE, Prediction

ALTERNATIVES = 3


class Classifier:
    """A classifier version, loaded."""

    def __init__(self, version: int, model: Model, encoder: Encoder) -> None:
        """`encoder` is the version's own, fine-tuned one."""
        self.version = version
        self.names = model.names
        self.fingerprint = model.fingerprint
        self._model = model
        self._encoder = encoder

    async def classify(self, text: str, vector: Vectors) -> Prediction:
        """The prediction for a text; `vector` is the retrieval encoder's, float32[dimension]."""
        tuned = await self._encoder.encode_question(text)
        return self._predictions(vector[None], tuned[None])[0]

    async def classify_all(self, texts: Sequence[str], vectors: Vectors) -> list[Prediction]:
        """The predictions for texts; `vectors` are float32[texts, dimension]."""
        return self._predictions(vectors, await self._encoder.encode(texts))

    def close(self) -> None:
        """End the encoder's thread."""
        self._encoder.close()

    def _predictions(self, vectors: Vectors, tuned: Vectors) -> list[Prediction]:
        views = self._model.scorer.views(vectors, tuned)
        blend = self._model.blend
        predictions = []
        for row, nearness in zip(blend.probabilities(views), views.nearness, strict=True):
            ranked = [
                (self.names[intent], round(float(row[intent]), 4))
                for intent in np.argsort(-row)[: ALTERNATIVES + 1]
            ]
            if nearness < blend.threshold:
                # How far from every example a text is says nothing exact about how sure that is.
                nearest = tuple(ranked[:ALTERNATIVES])
                outside = Prediction(OUT_OF_SCOPE, 1 - ranked[0][1], nearest, self.version)
                predictions.append(outside)
            else:
                predictions.append(Prediction(*ranked[0], tuple(ranked[1:]), self.version))
        return predictions
