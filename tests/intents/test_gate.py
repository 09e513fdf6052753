"""The gate on real candidates: sabotaged ones are refused with the count that failed, good ones
pass. All share the default encoder as their tuned one, so that each is fitted in a second."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from bot.encoder import Encoder, Vectors
from bot.intents import judging
from bot.intents.catalog import load_catalog
from bot.intents.dataset import Example, Origin, examples_of, names_of, split
from bot.intents.fitting import fit_blend, fit_head
from bot.intents.gate import Count, decide, refusal
from bot.intents.judging import HeldOut, Judgement, judge
from bot.intents.model import ARRAYS, Model, read_model, write_model
from bot.intents.pairing import Cases
from bot.intents.scoring import Bank, Scorer
from tests.intents.predicted import predicted_as

OUTSIDE = (
    "what is the capital of mongolia", "sing me a lullaby", "who won the chess world cup",
    "translate good night into welsh", "is it going to rain on sunday", "tell me a joke about cats",
    "how do I bake sourdough bread", "what is the square root of 1764", "play some jazz",
    "write a poem about the sea", "recommend a film for tonight", "how tall is mount everest",
)  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """What candidates are made from and judged by."""

    names: tuple[str, ...]
    labels: np.ndarray
    vectors: Vectors
    tests: HeldOut
    encoder: Encoder
    folder: Path
    where: Path

    async def judged(self, candidate: Path, live: Path | None) -> Judgement:
        return await judge(self.encoder, candidate, live, self.tests, self.names)

    def version(
        self,
        name: str,
        rows: Sequence[int] | np.ndarray,
        labels: np.ndarray | None = None,
        strength: float = 30.0,
    ) -> Path:
        """A version fitted on these rows, its blend on predictions by cross-validation."""
        rows = np.asarray(rows)
        labels = (self.labels if labels is None else labels)[rows]
        vectors = self.vectors[rows]
        half = np.arange(len(rows)) % 2 == 0
        there = self._scorer(vectors[half], labels[half], strength)
        blend = fit_blend(there.views(vectors[~half], vectors[~half]), labels[~half], 0.97)
        target = self.where / name
        shutil.copytree(self.folder, target)
        scorer = self._scorer(vectors, labels, strength)
        write_model(target, Model(self.names, self.encoder.manifest.fingerprint, scorer, blend))
        return target

    def _scorer(self, vectors: Vectors, labels: np.ndarray, strength: float) -> Scorer:
        head = fit_head(vectors, labels, strength)
        weights = np.zeros((len(self.names), vectors.shape[1]), np.float32)
        bias = np.full(len(self.names), -20, np.float32)
        weights[np.unique(labels)], bias[np.unique(labels)] = head.weights, head.bias
        whole = replace(head, weights=weights, bias=bias)
        return Scorer(whole, whole, Bank(vectors, labels))


@pytest.fixture(scope="module")
def material(
    encoder: Encoder, encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Bench:
    """The default catalog; its hold-out and the messages of another writer as tests."""
    catalog = load_catalog()
    data = split(examples_of(catalog))
    training = (*data.training, *names_of(catalog))
    written = yaml.safe_load((Path(__file__).parent / "holdout.yaml").read_text())
    others = [
        Example(text, intent, Origin.SETTLED if number % 2 else Origin.CONFIRMED)
        for intent, texts in written.items()
        for number, text in enumerate(texts)
    ]
    texts = tuple(example.text for example in training)
    labels = np.array([catalog.names.index(example.intent) for example in training])
    vectors = asyncio.run(encoder.encode(texts))
    return Bench(
        catalog.names, labels, vectors, HeldOut((*data.test, *others), OUTSIDE), encoder,
        encoder_folder, tmp_path_factory.getbasetemp(),
    )  # fmt: skip


@pytest.fixture
def bench(material: Bench, tmp_path: Path) -> Bench:
    """That, with a folder of the test's own for versions."""
    return replace(material, where=tmp_path)


def shuffled(bench: Bench) -> Path:
    labels = np.random.default_rng(1).permutation(bench.labels)
    return bench.version("candidate", np.arange(len(labels)), labels)


def swapped(bench: Bench) -> Path:
    order = np.arange(len(bench.names))
    order[[0, 2]] = order[[2, 0]]
    return bench.version("candidate", np.arange(len(bench.labels)), order[bench.labels])


def one_given_to_another(bench: Bench) -> Path:
    labels = np.where(bench.labels == 5, 6, bench.labels)
    return bench.version("candidate", np.arange(len(labels)), labels)


def half_of_one_relabelled(bench: Bench) -> Path:
    labels = bench.labels.copy()
    labels[np.flatnonzero(labels == 0)[::2]] = 10
    labels[np.flatnonzero(labels == 3)[::2]] = 2
    return bench.version("candidate", np.arange(len(labels)), labels)


def truncated(bench: Bench) -> Path:
    rows = [i for n in range(len(bench.names)) for i in np.flatnonzero(bench.labels == n)[:4]]
    return bench.version("candidate", rows)


def only_the_first_intents(bench: Bench) -> Path:
    return bench.version("candidate", np.flatnonzero(bench.labels < 7))


def overfitted(bench: Bench) -> Path:
    """Its blend was learnt from what it was trained on: only neighbours, and always sure."""
    return altered(bench, weights=(0.0, 0.0, 1.0), temperature=0.05)


def out_of_scope_always(bench: Bench) -> Path:
    return altered(bench, threshold=0.9)


def altered(bench: Bench, name: str = "candidate", **blend: object) -> Path:
    folder = bench.version(name, np.arange(len(bench.labels)))
    model = read_model(folder)
    write_model(folder, replace(model, blend=replace(model.blend, **blend)))
    return folder


def weights_that_are_no_numbers(bench: Bench) -> Path:
    folder = bench.version("candidate", np.arange(len(bench.labels)))
    with np.load(folder / ARRAYS) as arrays:
        kept = dict(arrays)
    kept["tuned_weights"][3, 5] = np.nan
    np.savez(folder / ARRAYS, **kept)
    return folder


def a_stale_catalog(bench: Bench) -> Path:
    folder = bench.version("candidate", np.arange(len(bench.labels)))
    model = read_model(folder)
    write_model(folder, replace(model, names=("formerly", *model.names[1:])))
    return folder


def cut_short(bench: Bench) -> Path:
    folder = bench.version("candidate", np.arange(len(bench.labels)))
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1000])
    return folder


SABOTAGED: dict[Callable[[Bench], Path], str] = {
    shuffled: "macro F1",
    swapped: "macro F1",
    one_given_to_another: "never predicts",
    half_of_one_relabelled: "macro F1",
    truncated: "macro F1",
    only_the_first_intents: "never predicts",
    overfitted: "calibration error",
    out_of_scope_always: "kept in scope",
    weights_that_are_no_numbers: "cannot be used",
    a_stale_catalog: "another catalog",
    cut_short: "cannot be used",
}


@pytest.mark.parametrize("sabotage", SABOTAGED, ids=lambda sabotage: sabotage.__name__)
async def test_a_sabotaged_candidate_is_refused_by_the_count_that_failed(
    bench: Bench, sabotage: Callable[[Bench], Path]
) -> None:
    live = bench.version("live", np.arange(len(bench.labels)))
    judged = await bench.judged(sabotage(bench), live)
    assert judged.refusal
    assert SABOTAGED[sabotage] in " ".join(count.problem for count in judged.counts)
    assert judged.live_metrics is not None


async def test_a_candidate_that_notices_nothing_out_of_scope_is_refused(bench: Bench) -> None:
    live = altered(bench, "live", threshold=0.5)
    judged = await bench.judged(altered(bench, threshold=-1.0), live)
    assert "out-of-scope recall is 0.0%" in judged.refusal
    assert judged.live_metrics is not None
    assert judged.live_metrics.refused_outside


@pytest.mark.parametrize("sabotage", [shuffled, one_given_to_another, a_stale_catalog])
async def test_without_a_live_version_a_bad_candidate_is_refused_too(
    bench: Bench, sabotage: Callable[[Bench], Path]
) -> None:
    assert (await bench.judged(sabotage(bench), None)).refusal
    good = bench.version("good", np.arange(len(bench.labels)))
    assert (await bench.judged(good, None)).refusal == ""


async def test_of_ten_good_candidates_nine_or_more_pass(bench: Bench) -> None:
    count = len(bench.labels)
    chance = np.random.default_rng(2)
    live = bench.version("live", chance.permutation(count)[: int(0.75 * count)])
    passed, said = 0, []
    for number in range(10):
        rows = chance.permutation(count)[: int(count * (0.9, 1.0)[number % 2])]
        candidate = bench.version(f"{number}", rows, strength=(10.0, 30.0, 100.0)[number % 3])
        judged = await bench.judged(candidate, live)
        passed += not judged.refusal
        said.append(judged.refusal)
    assert passed >= 9, said


async def test_a_slower_candidate_is_refused_only_where_every_round_shows_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = bench.version("live", np.arange(len(bench.labels)))
    rounds = iter([(9.0, 3.0), (3.2, 3.0), *[(9.0, 3.0)] * judging.ROUNDS])

    async def measured(*_: object) -> tuple[float, float]:
        return next(rounds)

    monkeypatch.setattr(judging, "_round", measured)
    assert (await bench.judged(live, live)).refusal == ""
    assert (await bench.judged(live, live)).refusal == (
        "The candidate takes 9.00 ms a message, the live version 3.00 ms; 10% more is the most."
    )


async def test_a_changed_catalog_is_compared_on_the_intents_that_both_know(bench: Bench) -> None:
    old = bench.version("old", np.arange(len(bench.labels)))
    model = read_model(old)
    write_model(old, replace(model, names=("formerly", *model.names[1:])))
    good = bench.version("good", np.arange(len(bench.labels)))
    judged = await bench.judged(good, old)
    assert judged.refusal == ""
    assert f"recall of `{bench.names[0]}`" not in {count.name for count in judged.counts}
    assert f"recall of `{bench.names[1]}`" in {count.name for count in judged.counts}
    assert "macro F1" in (await bench.judged(swapped(bench), old)).refusal


def counts_of(lost: int, gained: int, cases: int = 200, intents: int = 4) -> list[Count]:
    """What the gate says of a candidate that loses and gains so many of the first intent."""
    right = np.arange(cases) % intents
    live, candidate = right.copy(), right.copy()
    first = np.flatnonzero(right == 0)
    candidate[first[:lost]] = 1
    live[first[lost : lost + gained]] = 1
    names = tuple(f"i{number}" for number in range(intents))
    return decide(
        predicted_as(candidate, names), predicted_as(live, names),
        Cases(tuple(names[label] for label in right), (Origin.CATALOG,) * cases), names,
    )  # fmt: skip


def test_one_lost_example_blocks_nobody_and_the_figures_of_a_loss_are_told() -> None:
    assert refusal(counts_of(lost=1, gained=0, cases=24)) == ""
    assert refusal(counts_of(lost=6, gained=6)) == ""
    said = refusal(counts_of(lost=10, gained=0))
    assert "recall of `i0` is 80.0%, the live version's 100.0%, of 50 examples." in said
    assert "macro F1 is 9" in said


def test_on_a_large_test_a_loss_of_a_point_is_no_chance() -> None:
    assert refusal(counts_of(lost=60, gained=5, cases=6000))
    assert refusal(counts_of(lost=8, gained=5, cases=6000)) == ""


def test_what_people_corrected_stands_for_what_they_only_called_wrong() -> None:
    right = np.arange(110) % 4
    live, candidate = right.copy(), right.copy()
    live[100:] = (right[100:] + 1) % 4
    candidate[:20] = (right[:20] + 1) % 4
    names = ("a", "b", "c", "d")
    origins = (Origin.CONFIRMED,) * 100 + (Origin.CORRECTED,) * 10

    def said(correction_weight: float) -> str:
        cases = Cases(tuple(names[label] for label in right), origins, correction_weight)
        return refusal(
            decide(predicted_as(candidate, names), predicted_as(live, names), cases, names)
        )

    assert "macro F1" in said(1.0)
    assert said(2.0) == ""


def test_what_is_no_number_is_refused() -> None:
    names = ("a", "b")
    labels = np.array([0, 1, 0, 1])
    good = predicted_as(labels, names)
    cases = Cases(("a", "b", "a", "b"), (Origin.CATALOG,) * 4)
    for bad in (
        replace(good, threshold=float("nan")),
        replace(good, nearness=good.nearness * np.inf),
        replace(good, probabilities=good.probabilities * np.float32("nan")),
    ):
        assert "no number" in refusal(decide(bad, good, cases, names))
