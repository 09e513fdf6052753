"""Intent tuning sets: BANKING77 and CLINC150 from ../shared/data, the catalog's own hold-out."""

import csv
import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.datasets import DATA, SkipBenchmark
from bot.intents import dataset
from bot.intents.catalog import load_catalog
from bot.intents.dataset import Example, Origin, examples_of, names_of, place

HOLDOUT = Path(__file__).resolve().parents[1] / "tests" / "intents" / "holdout.yaml"
# Of BANKING77's published training part, as much is our test as a retraining holds back.
TEST_SHARE = dataset.TEST_SHARE


@dataclass(frozen=True, slots=True)
class IntentSet:
    """Examples to train on, others to test with, and texts that no intent covers."""

    name: str
    intents: tuple[str, ...]
    training: tuple[Example, ...]
    test: tuple[Example, ...]
    out_of_scope: tuple[str, ...] = ()


def banking77(utterances: int | None = None) -> IntentSet:
    """BANKING77 with all training utterances, or the published 10 or 5 an intent."""
    folder = _folder("banking77")
    with (folder / "train.csv").open(encoding="utf-8") as file:
        rows = [
            Example(" ".join(row["text"].split()), row["category"].lower())
            for row in csv.DictReader(file)
        ]
    test = [row for row in rows if place(row.text) < TEST_SHARE]
    training = [row for row in rows if place(row.text) >= TEST_SHARE]
    if utterances is not None:
        training = _few(folder, utterances)
        known = {_folded(example.text) for example in training}
        test = [row for row in test if _folded(row.text) not in known]
    return _named(f"banking77, {utterances or 'all'}", training, test)


def clinc150(utterances: int | None = None) -> IntentSet:
    """CLINC150, tested with its validation part, and its texts that are out of scope."""
    folder = _folder("clinc150")
    data = json.loads((folder / "tune_only.json").read_text())
    training = [Example(text, intent) for text, intent in data["train"]]
    if utterances is not None:
        training = _few(folder, utterances)
    test = [Example(text, intent) for text, intent in data["val"]]
    outside = tuple(text for text, _ in data["oos_val"] + data["oos_train"])
    return _named(f"clinc150, {utterances or 'all'}", training, test, outside)


def catalog() -> IntentSet:
    """The default catalog, tested with messages by another writer."""
    found = load_catalog()
    test = [
        Example(text, intent)
        for intent, texts in yaml.safe_load(HOLDOUT.read_text("utf-8")).items()
        for text in texts
    ]
    return IntentSet(
        "default catalog", found.names, (*examples_of(found), *names_of(found)), tuple(test)
    )


def _named(
    name: str, training: list[Example], test: list[Example], outside: tuple[str, ...] = ()
) -> IntentSet:
    """As a retraining does, with each intent's name as an example of it."""
    intents = tuple(sorted({example.intent for example in training}))
    names = [Example(intent.replace("_", " "), intent, Origin.NAME) for intent in intents]
    return IntentSet(name, intents, (*training, *names), tuple(test), outside)


def _few(folder: Path, utterances: int) -> list[Example]:
    lines = (folder / f"dnnc_train_{utterances}.tsv").read_text("utf-8").splitlines()
    pairs = [line.split("\t") for line in lines]
    return [Example(text, intent.lower()) for intent, text in pairs]


def _folded(text: str) -> str:
    return re.sub(r"\W", "", text.lower())


def _folder(name: str) -> Path:
    if not (DATA / name).is_dir():
        raise SkipBenchmark(f"{DATA / name} is absent; the tuning sets are not in the repository")
    return DATA / name
