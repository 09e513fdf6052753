"""A trained classifier as files: the fine-tuned encoder beside what stands on top of it."""

import json
import math
import zipfile
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np

from bot.errors import TrainingError
from bot.intents.scoring import Bank, Blend, Head, Scorer

SETTINGS = "classifier.json"
ARRAYS = "heads.npz"


@dataclass(frozen=True, slots=True)
class Model:
    """Intents by name, the fingerprint of the retrieval encoder whose vectors the frozen head
    reads, and what was fitted."""

    names: tuple[str, ...]
    fingerprint: str
    scorer: Scorer
    blend: Blend


def write_model(folder: Path, model: Model) -> None:
    """Write all but the fine-tuned encoder, which is in the folder already."""
    scorer = model.scorer
    np.savez(
        folder / ARRAYS,
        frozen_weights=scorer.frozen.weights,
        frozen_bias=scorer.frozen.bias,
        tuned_weights=scorer.tuned.weights,
        tuned_bias=scorer.tuned.bias,
        bank_vectors=scorer.bank.vectors.astype(np.float16),
        bank_labels=scorer.bank.labels.astype(np.int16),
    )
    settings = {
        "names": model.names,
        "fingerprint": model.fingerprint,
        "blend": asdict(model.blend),
    }
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2))


def read_model(folder: Path) -> Model:
    """The model in a folder; nothing in its files is executed.

    Raises:
        TrainingError: the files are not what `write_model` writes.
    """
    try:
        settings = json.loads((folder / SETTINGS).read_text())
        with (folder / ARRAYS).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            scorer = Scorer(
                Head(arrays["frozen_weights"], arrays["frozen_bias"]),
                Head(arrays["tuned_weights"], arrays["tuned_bias"]),
                Bank(
                    arrays["bank_vectors"].astype(np.float32),
                    arrays["bank_labels"].astype(np.int64),
                ),
            )
        blend = settings["blend"]
        model = Model(
            tuple(settings["names"]),
            settings["fingerprint"],
            scorer,
            Blend(tuple(blend["weights"]), blend["temperature"], blend["threshold"]),
        )
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise TrainingError(f"The classifier in {folder} cannot be read ({error}).") from error
    _check(model, folder)
    return model


def _check(model: Model, folder: Path) -> None:
    scorer, intents = model.scorer, len(model.names)
    arrays = (
        scorer.frozen.weights, scorer.frozen.bias, scorer.tuned.weights, scorer.tuned.bias,
        scorer.bank.vectors,
    )  # fmt: skip
    is_whole = (
        intents > 1
        and len(scorer.frozen.bias) == len(scorer.tuned.bias) == intents
        and len(scorer.bank.vectors) == len(scorer.bank.labels) > 0
        and int(scorer.bank.labels.min()) >= 0
        and int(scorer.bank.labels.max()) < intents
        and all(np.isfinite(array).all() for array in arrays)
        and all(map(math.isfinite, (*model.blend.weights, *astuple(model.blend)[1:])))
    )
    if not is_whole:
        raise TrainingError(f"The classifier in {folder} does not fit together. Train it again.")
