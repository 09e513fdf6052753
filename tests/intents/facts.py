"""Facts as the database would give them, for tests of what is made of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.intents.catalog import Catalog, Intent, Route
from bot.messages import Outcome
from bot.storage.examples import Fact

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
UTTERANCES = tuple(f"utterance {number}" for number in range(5))

CATALOG = Catalog(
    (
        Intent("billing", "", Route.DOCUMENTS, "", (), UTTERANCES),
        Intent("shipping", "", Route.DOCUMENTS, "", (), UTTERANCES),
        Intent("greeting", "", Route.REPLY, "Hello!", (), UTTERANCES),
        Intent("talk_to_a_person", "", Route.HANDOFF, "I have told the team.", (), UTTERANCES),
        Intent("out_of_scope", "", Route.DOCUMENTS, "Not for me.", (), UTTERANCES),
    )
)

ONE = Fact(
    1, "where is my invoice", "slack:asker", "slack", False, Outcome.ANSWERED, False, "billing",
    0.8, 3, "slack:ann", 1, None, None, START,
)  # fmt: skip


def fact(turn: int = 1, **changes: object) -> Fact:
    """The 👍 of Ann on an answer, changed, and given as many seconds later as its turn counts."""
    changed = {"turn_id": turn, "rated_at": START + timedelta(seconds=turn)} | changes
    return replace(ONE, **changed)
