"""Examples that weigh unequally, and those that say only what a text is not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bot.encoder import Encoder
from bot.encoder_export import load_tokenizer
from bot.errors import TrainingError
from bot.intents import finetuning
from bot.intents.catalog import Catalog
from bot.intents.dataset import Example, Origin, examples_of
from bot.intents.finetuning import Lesson, Recipe
from bot.intents.fitting import fit_head
from bot.intents.material import balanced
from bot.intents.network import Lower, LowerStates, Tokens, load_bert, losses
from bot.intents.progress import Phases
from bot.intents.scoring import Probabilities, softmax
from bot.intents.training import Plan, train
from tests.intents.test_training import save_tiny

TEXTS = ("refund please", "hello there", "a human please", "where is it")
RECIPE = Recipe(epochs=8, batch_size=4, body_rate=1e-3, dropout=0.0)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small, untrained network."""
    torch.manual_seed(0)
    return save_tiny(tmp_path_factory.mktemp("tiny"), "bert")


def lesson(labels: list[int], weights: list[float], excluded: list[bool]) -> Lesson:
    texts = [TEXTS[number % len(TEXTS)] for number in range(len(labels))]
    return Lesson(texts, np.array(labels), np.array(weights, np.float32), np.array(excluded, bool))


def learnt(model: str, what: Lesson) -> Probabilities:
    """The probabilities of TEXTS after a fine-tuning on a lesson."""
    vectors = finetuning.embed(model, TEXTS)
    head = fit_head(vectors, np.array([0, 1, 2, 0]), 10.0)
    tuned = finetuning.fine_tune(model, head, what, None, RECIPE)
    return softmax(tuned.head.logits(finetuning.embed(model, TEXTS, tuned.network)))


def test_the_heavier_of_two_contradicting_examples_wins_in_a_linear_head() -> None:
    vectors = np.eye(3, 8, dtype=np.float32)[[0, 1, 2, 0, 0]]
    labels = np.array([0, 1, 2, 0, 1])
    for light, heavy in ((3, 4), (4, 3)):
        weights = np.ones(5, np.float32)
        weights[heavy], weights[light] = 9.0, 0.1
        head = fit_head(vectors, labels, 100.0, weights)
        assert head.logits(vectors[:1]).argmax() == (labels[heavy] if heavy == 4 else 0)


def test_the_heavier_of_two_contradicting_examples_wins_in_the_fine_tuning(tiny: str) -> None:
    labels = [0, 1, 2, 0, 1]
    is_known = [False] * 5
    for weights, winner in (([0.1, 1, 1, 1, 9], 1), ([9, 1, 1, 1, 0.1], 0)):
        assert learnt(tiny, lesson(labels, weights, is_known))[0].argmax() == winner


def test_an_excluded_intent_becomes_less_likely_and_nothing_stops_being_a_number(
    tiny: str,
) -> None:
    known = lesson([0, 1, 2, 0], [1] * 4, [False] * 4)
    before = learnt(tiny, known)[3]
    excluded = Lesson([TEXTS[3]], np.array([0]), np.array([2.0], np.float32), np.ones(1, bool))
    without_it = lesson([0, 1, 2], [1] * 3, [False] * 3)
    after = learnt(tiny, without_it + excluded)[3]
    assert after[0] < 0.5 < before[0]
    assert np.isfinite(after).all()


def test_what_is_excluded_costs_the_logarithm_of_all_the_others_even_where_it_is_certain() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0], [80.0, 0.0, 0.0]], requires_grad=True)
    found = losses(logits, torch.tensor([0, 0]), torch.tensor([True, True]))
    others = 1 - torch.softmax(logits.detach()[0], 0)[0]
    expected = [-float(torch.log(others)), 80 - np.log(2)]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)
    found.sum().backward()
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())
    known = losses(logits, torch.tensor([1, 1]), torch.tensor([False, False]))
    assert torch.equal(
        known, torch.nn.functional.cross_entropy(logits, torch.tensor([1, 1]), reduction="none")
    )


def test_a_loss_that_is_no_number_ends_the_training_with_a_sentence(tiny: str) -> None:
    with pytest.raises(TrainingError, match="no number any more"):
        learnt(tiny, lesson([0, 1, 2, 0], [1, np.nan, 1, 1], [False] * 4))


def test_states_for_which_there_is_no_memory_are_computed_again(tiny: str) -> None:
    network = load_bert(tiny)
    lower = Lower(network.embeddings, network.encoder.layer[:1]).eval()
    tokens = Tokens(load_tokenizer(tiny), TEXTS)
    kept, again = (LowerStates(lower, tokens, limit=limit) for limit in (2**20, 0))
    (states, mask), (computed, same_mask) = kept.padded([2, 0]), again.padded([2, 0])
    assert torch.equal(mask, same_mask)
    torch.testing.assert_close(states[mask == 1], computed[mask == 1], atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize(
    ("added", "said"),
    [
        (Example("hello", "farewell"), "farewell"),
        (Example("hello", "greeting", weight=0.0), "weight 0.0"),
        (Example("hello", "greeting", weight=float("nan")), "weight nan"),
    ],
)
async def test_examples_that_cannot_be_trained_on_are_named(
    catalog: Catalog, encoder: Encoder, tmp_path: Path, added: Example, said: str
) -> None:
    examples = [*examples_of(catalog), added]
    with pytest.raises(TrainingError, match=said):
        await train(examples, catalog.names, encoder, Plan("all-MiniLM-L6-v2"), tmp_path / "v")


async def test_what_a_text_is_not_makes_no_example_of_an_intent(
    catalog: Catalog, encoder: Encoder, tmp_path: Path
) -> None:
    examples = [example for example in examples_of(catalog) if example.intent != "greeting"]
    examples += [Example("where is my refund", "greeting", Origin.EXCLUDED)] * 5
    with pytest.raises(TrainingError, match="no examples of greeting"):
        await train(examples, catalog.names, encoder, Plan("all-MiniLM-L6-v2"), tmp_path / "v")


async def test_one_intent_alone_cannot_be_told_from_others(
    encoder: Encoder, tmp_path: Path
) -> None:
    examples = [Example(f"hello {number}", "greeting") for number in range(9)]
    with pytest.raises(TrainingError, match="two intents"):
        await train(examples, ["greeting"], encoder, Plan("all-MiniLM-L6-v2"), tmp_path / "v")


def test_rarely_seen_intents_are_raised_by_the_root_of_their_rarity() -> None:
    labels = np.array([0] * 16 + [1] * 4 + [2] * 1)
    weights = balanced(labels, np.ones(21, np.float32))
    assert weights[20] / weights[0] == pytest.approx(4.0)
    assert weights[16] / weights[0] == pytest.approx(2.0)
    even = balanced(np.array([0, 1, 0, 1]), np.full(4, 0.5, np.float32))
    assert even.tolist() == pytest.approx([0.5] * 4)


def test_the_progress_of_phases_is_in_proportion_to_the_time_they_take() -> None:
    told: list[tuple[float, str]] = []
    phases = Phases(lambda share, note: told.append((share, note)), {"first": 1.0, "second": 3.0})
    phases.begin("first")
    phases.of("first")(0.5, "half")
    phases.of("second", "now: ")(0.5, "half")
    phases.of("second")(1.5, "late")
    assert told == [(0.0, "first"), (0.125, "half"), (0.625, "now: half"), (1.0, "late")]
