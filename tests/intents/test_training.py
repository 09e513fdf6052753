"""Real training runs, small ones, and what they write."""

from pathlib import Path

import numpy as np
import pytest

from bot.encoder import Encoder
from bot.errors import EncoderError, TrainingError
from bot.intents.catalog import Catalog
from bot.intents.dataset import Example, Origin, examples_of
from bot.intents.model import ARRAYS, SETTINGS, read_model
from bot.intents.registry import load
from bot.intents.training import Plan, train
from bot.messages import OUT_OF_SCOPE
from tests.intents.conftest import trained_on

SAID = {
    "good afternoon!": "greeting",
    "what is the price of the small plan?": "question",
    "may I talk to someone, a human": "talk_to_a_person",
}


async def test_what_was_learnt_holds_for_other_words(
    version_folder: Path, encoder: Encoder
) -> None:
    classifier = load(1, version_folder)
    for text, intent in SAID.items():
        prediction = await classifier.classify(text, await encoder.encode_question(text))
        assert prediction.intent == intent
        assert prediction.version == 1
        assert len(prediction.alternatives) == 2
        shares = [prediction.confidence, *(share for _, share in prediction.alternatives)]
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=0.01)
    classifier.close()


async def test_what_is_far_from_every_utterance_is_out_of_scope(
    version_folder: Path, encoder: Encoder
) -> None:
    classifier = load(1, version_folder)
    text = "sing a lullaby about the seventh moon of jupiter"
    prediction = await classifier.classify(text, await encoder.encode_question(text))
    assert prediction.intent == OUT_OF_SCOPE
    assert {name for name, _ in prediction.alternatives} == set(classifier.names)
    classifier.close()


async def test_the_same_data_gives_the_same_classifier(
    version_folder: Path, catalog: Catalog, encoder_folder: Path, tmp_path: Path
) -> None:
    again, trained = await trained_on(catalog, encoder_folder, tmp_path)
    first, second = read_model(version_folder), read_model(again)
    assert trained.steps_per_second > 0
    np.testing.assert_allclose(
        first.scorer.tuned.weights, second.scorer.tuned.weights, rtol=0.05, atol=0.05
    )
    assert first.blend.weights == second.blend.weights


async def test_an_intent_without_examples_is_named(
    catalog: Catalog, encoder: Encoder, tmp_path: Path
) -> None:
    examples = [example for example in examples_of(catalog) if example.intent != "greeting"]
    with pytest.raises(TrainingError, match="greeting"):
        await train(examples, catalog.names, encoder, Plan("all-MiniLM-L6-v2"), tmp_path / "v")


async def test_nasty_texts_can_be_trained_on_and_the_progress_never_goes_back(
    catalog: Catalog, encoder: Encoder, tmp_path: Path
) -> None:
    nasty = ["word " * 2000, "\u202e🙂\u0301" * 50, "x", "[SEP] [CLS] [PAD]", "  \n ", "",
             "nul\0nul", "half \ud83d of a pair", *["the same again"] * 3]  # fmt: skip
    examples = [*examples_of(catalog)[::2], *(Example(text, "question") for text in nasty)]
    excluded = [Example("hello, how much is it", "greeting", Origin.EXCLUDED, 0.5)] * 2
    plan = Plan("all-MiniLM-L6-v2", seed=3)
    told: list[float] = []
    trained = await train(
        [*excluded, *examples], catalog.names, encoder, plan, tmp_path / "version",
        lambda share, _note: told.append(share), threads=1,
    )  # fmt: skip
    model = read_model(tmp_path / "version")
    assert len(model.scorer.bank.labels) == len(examples)
    assert told == sorted(told)
    assert told[0] == 0.0
    assert told[-1] < 1.0
    assert trained.seed == 3


def broken(version_folder: Path, target: Path) -> Path:
    """A copy of a version to break."""
    target.mkdir()
    for path in version_folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (ARRAYS, b""),
        (ARRAYS, b"PK\x03\x04 not a zip"),
        (SETTINGS, b"{}"),
        (SETTINGS, b'{"names": 1}'),
        (SETTINGS, b"\xff"),
        ("model.onnx", b"pickle"),
        ("encoder.json", b"{}"),
        ("tokenizer.json", b"{}"),
    ],
)
def test_a_damaged_file_is_refused_with_a_sentence(
    version_folder: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    folder = broken(version_folder, tmp_path / "broken")
    (folder / name).write_bytes(content)
    with pytest.raises((TrainingError, EncoderError)):
        load(1, folder)


def test_arrays_that_do_not_fit_or_are_no_numbers_are_refused(
    version_folder: Path, tmp_path: Path
) -> None:
    folder = broken(version_folder, tmp_path / "broken")
    with np.load(folder / ARRAYS) as arrays:
        kept = dict(arrays)
    for name, wrong in (
        ("tuned_bias", np.full(3, np.nan, np.float32)),
        ("bank_labels", kept["bank_labels"] + 7),
        ("frozen_bias", np.zeros(2, np.float32)),
        ("bank_labels", np.array([object()] * len(kept["bank_labels"]))),
    ):
        np.savez(folder / ARRAYS, **(kept | {name: wrong}))
        with pytest.raises(TrainingError):
            read_model(folder)


def save_tiny(folder: Path, kind: str) -> str:
    """A small, untrained network of that kind with the default model's tokenizer."""
    from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel

    from bot.encoder_export import load_tokenizer

    sizes = {"vocab_size": 30522, "hidden_size": 32, "num_hidden_layers": 2}
    if kind == "bert":
        config = BertConfig(**sizes, num_attention_heads=2, intermediate_size=64)
        BertModel(config).save_pretrained(folder)
    else:
        DistilBertModel(
            DistilBertConfig(vocab_size=30522, dim=32, n_layers=2, n_heads=2, hidden_dim=64)
        ).save_pretrained(folder)
    load_tokenizer("all-MiniLM-L6-v2").save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizerFast"}')
    return str(folder)


async def test_any_bert_can_be_fine_tuned_beside_the_retrieval_encoder(
    catalog: Catalog, encoder: Encoder, tmp_path: Path
) -> None:
    plan = Plan(save_tiny(tmp_path / "tiny", "bert"))
    await train(examples_of(catalog), catalog.names, encoder, plan, tmp_path / "version")
    classifier = load(1, tmp_path / "version")
    prediction = await classifier.classify("hello", await encoder.encode_question("hello"))
    assert prediction.intent in (*classifier.names, OUT_OF_SCOPE)
    assert read_model(tmp_path / "version").scorer.bank.vectors.shape[1] == 32
    classifier.close()


async def test_a_model_of_another_family_is_refused_by_name(
    catalog: Catalog, encoder: Encoder, tmp_path: Path
) -> None:
    plan = Plan(save_tiny(tmp_path / "tiny", "distilbert"))
    with pytest.raises(TrainingError, match="distilbert"):
        await train(examples_of(catalog), catalog.names, encoder, plan, tmp_path / "version")
