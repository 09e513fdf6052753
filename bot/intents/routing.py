"""From a message to what is done about it, by the live classifier and the catalog."""

import logging
from dataclasses import dataclass

from bot.encoder import Vectors
from bot.errors import SupportbotError
from bot.intents.catalog import Catalog, Intent, Route
from bot.intents.registry import LiveClassifier
from bot.messages import Prediction

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Router:
    """Predicts intents; a reply or a hand-off needs `min_confidence`, the documents none."""

    catalog: Catalog
    live: LiveClassifier
    min_confidence: float = 0.5

    async def predict(self, text: str, vector: Vectors) -> Prediction | None:
        """What the live classifier takes a message for; None where there is none to be used."""
        classifier = await self.live.current()
        try:
            return await classifier.classify(text, vector) if classifier else None
        except SupportbotError as error:
            log.warning("a message goes to the documents, as its intent is unknown: %s", error)
            return None

    def intent_of(self, prediction: Prediction | None) -> Intent | None:
        """The intent to act on; None sends the message to the documents."""
        intent = self.catalog.find(prediction.intent) if prediction else None
        if intent is None or prediction is None:
            return None
        is_sure = prediction.confidence >= self.min_confidence
        return intent if is_sure or intent.route is Route.DOCUMENTS else None
