"""The classifier as it serves: a message's text and vector to a prediction, without torch."""

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
        views = self._model.scorer.views(vector[None], tuned[None])
        blend = self._model.blend
        probabilities = blend.probabilities(views)[0]
        ranked = [
            (self.names[intent], round(float(probabilities[intent]), 4))
            for intent in np.argsort(-probabilities)[: ALTERNATIVES + 1]
        ]
        if views.nearness[0] < blend.threshold:
            # How far from every example a text is says nothing exact about how sure that is.
            return Prediction(
                OUT_OF_SCOPE, 1 - ranked[0][1], tuple(ranked[:ALTERNATIVES]), self.version
            )
        return Prediction(*ranked[0], tuple(ranked[1:]), self.version)

    def close(self) -> None:
        """End the encoder's thread."""
        self._encoder.close()
