"""What is gathered for a training: examples to learn from, and texts to be judged by."""

from dataclasses import dataclass, field

from bot.intents.catalog import Catalog
from bot.intents.dataset import Split, examples_of, names_of, split


@dataclass(frozen=True, slots=True)
class Gathered:
    """Examples that train and test, settled texts `outside` all intents, how many ratings were
    `refused` as examples by reason, and how many examples the live version has not seen."""

    split: Split
    outside: tuple[str, ...] = ()
    refused: dict[str, int] = field(default_factory=dict)
    new: int = 0


def of_catalog(catalog: Catalog) -> Gathered:
    """What the catalog alone gives."""
    data = split(examples_of(catalog))
    return Gathered(Split((*data.training, *names_of(catalog)), data.test))
