"""Reads a folder that `bot.intents.sharing` wrote, or a stranger: safetensors and JSON only.

Every byte is hashed before it is looked at, nothing is unpickled, no code of the folder is run and
nothing is fetched.
"""

import hashlib
import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.encoder import read_manifest
from bot.encoder_export import Export, export_network, network_of
from bot.errors import VersionError
from bot.intents.model import Model, write_model
from bot.intents.scoring import Bank, Blend, Head, Scorer
from bot.intents.sharing import (
    ABOUT,
    CONFIG,
    FORMAT,
    HEADS,
    NETWORK,
    POOLING,
    README,
    TOKENIZER,
    TOKENIZER_CONFIG,
    hash_of,
    keep_weights,
)

HASHED = (CONFIG, NETWORK, HEADS, TOKENIZER, TOKENIZER_CONFIG)
HARMLESS = {ABOUT, README, ".gitattributes", ".gitignore"}
PICKLES = {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz", ".h5"}
MAX_BYTES = 2 * 2**30
MAX_JSON_BYTES = 64 * 2**20
KINDS = ("bert", "roberta", "xlm-roberta", "camembert")
PRECISIONS = ("int8", "fp32")
# All that is read of config.json, each a whole number up to its limit.
SIZES = {
    "vocab_size": 1_000_000, "hidden_size": 4096, "num_hidden_layers": 48,
    "num_attention_heads": 64, "intermediate_size": 16_384, "max_position_embeddings": 8192,
    "type_vocab_size": 16, "pad_token_id": 1_000_000,
}  # fmt: skip
ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu")
# Keys by which transformers runs code that is not its own.
CODE = ("auto_map", "custom_pipelines", "trust_remote_code", "_attn_implementation",
        "attn_implementation", "quantization_config")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an imported version must fit: the catalog's intents, the retrieval encoder's fingerprint
    and dimension."""

    names: Collection[str]
    fingerprint: str
    dimension: int


@dataclass(frozen=True, slots=True)
class Shared:
    """A version as a folder holds it, checked."""

    model: Model
    how: Export
    fingerprint: str
    config: dict[str, Any]
    weights: dict[str, Any]
    tokenizer: bytes
    lineage: dict[str, Any]


def read_shared(folder: Path, wanted: Wanted) -> Shared:
    """The version in a folder.

    Raises:
        VersionError: it is not whole, not safe or for something else; the message says why.
    """
    try:
        return _read(folder, wanted)
    except VersionError as error:
        raise VersionError(f"{folder} is not imported: {error}") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, OSError) as error:
        raise VersionError(
            f"{folder} is not imported: its files are not those of an export ({error!r})."
        ) from None


def rebuild(shared: Shared, target: Path, base: str) -> None:
    """Write the version's files, as a training from the model `base` does, into the new folder
    `target`.

    Raises:
        VersionError: the weights are not those of the config, or not the ones that were exported.
    """
    from tokenizers import Tokenizer

    try:
        network = network_of(shared.config, shared.weights)
    except (RuntimeError, ValueError) as error:
        first = " ".join(str(error).split())[:200]
        raise VersionError(f"Its weights do not fit its {CONFIG}: {first}") from None
    try:
        tokenizer = Tokenizer.from_str(shared.tokenizer.decode())
    except Exception as error:  # noqa: BLE001 the library raises nothing narrower
        raise VersionError(f"Its {TOKENIZER} cannot be read: {error}") from None
    if tokenizer.get_vocab_size() > shared.config["vocab_size"]:
        raise VersionError(f"Its {TOKENIZER} has more tokens than the network.")
    export_network(network, tokenizer, shared.how, target)
    if read_manifest(target).fingerprint != shared.fingerprint:
        raise VersionError("Its weights are not those that were exported.")
    write_model(target, shared.model)
    keep_weights(network, target, base if base == shared.how.model else None)


def _read(folder: Path, wanted: Wanted) -> Shared:
    _check_names(folder)
    about = _json(_content(folder / ABOUT, MAX_JSON_BYTES), ABOUT)
    if about.get("format") != FORMAT:
        raise VersionError(f"{ABOUT} is of another format than this supportbot reads, {FORMAT}.")
    if about.get("sha256") != hash_of(about):
        raise VersionError(f"{ABOUT} was altered or is damaged: its SHA-256 is another one.")
    contents = {}
    for name in HASHED:
        content = _content(folder / name, MAX_BYTES)
        if hashlib.sha256(content).hexdigest() != about["files"][name]:
            raise VersionError(f"{name} was altered or is damaged: its SHA-256 is another one.")
        contents[name] = content
    config = _config(_json(contents[CONFIG], CONFIG), about["names"])
    _json(contents[TOKENIZER], TOKENIZER)
    weights = _arrays(contents[NETWORK], NETWORK, {"float32", "int64"})
    _check_size(weights, config)
    model = _model(about, _arrays(contents[HEADS], HEADS, {"float32", "float16", "int16"}))
    _check_fit(model, config, wanted)
    network = about["network"]
    how = Export(str(network["model"])[:200], network["precision"], POOLING, network["max_tokens"])
    if (
        how.precision not in PRECISIONS
        or network["pooling"] != POOLING
        or not _is_whole(how.max_tokens, config["max_position_embeddings"])
    ):
        raise VersionError(f"{ABOUT} says that it runs in a way that is unknown here.")
    lineage = {key: about["lineage"][key] for key in ("version", "data")}
    return Shared(
        model, how, network["fingerprint"], config, weights, contents[TOKENIZER], lineage
    )  # fmt: skip


def _check_names(folder: Path) -> None:
    """Only known files lie there, and those are files."""
    if not folder.is_dir():
        raise VersionError("it is no folder.")
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICKLES:
            raise VersionError(
                f"{path.name} is there, a format that can run code when it is read. Only "
                "safetensors and JSON are taken. Delete it if the rest is whole without it."
            )
        if path.name not in {*HASHED, *HARMLESS}:
            raise VersionError(f"{path.name} is there, which no export writes. Delete it.")
        if path.is_symlink() or not path.is_file():
            raise VersionError(f"{path.name} is no plain file.")
    for name in (ABOUT, *HASHED):
        if not (folder / name).is_file():
            raise VersionError(f"{name} is missing; `supportbot export` writes it.")


def _content(path: Path, limit: int) -> bytes:
    if path.stat().st_size > limit:
        raise VersionError(f"{path.name} is larger than {limit // 2**20} MiB.")
    return path.read_bytes()


def _json(content: bytes, name: str) -> dict[str, Any]:
    if len(content) > MAX_JSON_BYTES:
        raise VersionError(f"{name} is larger than {MAX_JSON_BYTES // 2**20} MiB.")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise VersionError(f"{name} is not JSON ({error}).") from None
    if not isinstance(found, dict):
        raise VersionError(f"{name} is not a JSON object.")
    return found


def _config(written: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """What is taken of config.json; the rest, and what its values could reach, is not."""
    for key in CODE:
        if written.get(key):
            raise VersionError(f"{CONFIG} has `{key}`, by which code of others would be run.")
    kind, activation = written.get("model_type"), written.get("hidden_act")
    if kind not in KINDS or activation not in ACTIVATIONS:
        raise VersionError(
            f"{CONFIG} is of a {str(kind)[:50]!r} with {str(activation)[:50]!r}; taken are "
            f"{', '.join(KINDS)}."
        )
    for key, limit in SIZES.items():
        if not _is_whole(written.get(key), limit, least=0 if key == "pad_token_id" else 1):
            raise VersionError(f"{CONFIG} has no `{key}` from 1 to {limit}.")
    epsilon = written.get("layer_norm_eps")
    if not isinstance(epsilon, float) or not 0 < epsilon < 1:
        raise VersionError(f"{CONFIG} has no `layer_norm_eps` between 0 and 1.")
    if written.get("id2label") != {str(number): name for number, name in enumerate(names)}:
        raise VersionError(f"the intents of {CONFIG} and {ABOUT} differ.")
    return {
        "model_type": kind, "hidden_act": activation, "layer_norm_eps": epsilon,
        **{key: written[key] for key in SIZES},
    }  # fmt: skip


def _arrays(content: bytes, name: str, kinds: Collection[str]) -> dict[str, Any]:
    """The arrays of a safetensors file, all of them numbers."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
    except SafetensorError as error:
        raise VersionError(f"{name} is not a whole safetensors file ({error}).") from None
    if not {str(array.dtype) for array in arrays.values()} <= set(kinds):
        raise VersionError(f"{name} holds another kind of numbers than exports do.")
    for key, array in arrays.items():
        if not np.isfinite(array).all():
            raise VersionError(f"{name} holds what is no number, in {key[:100]}.")
    return dict(arrays)


def _check_size(weights: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """The config describes about as many weights as there are, before they are allocated."""
    size, layers = config["hidden_size"], config["num_hidden_layers"]
    tokens = config["vocab_size"] + config["max_position_embeddings"] + config["type_vocab_size"]
    described = size * tokens + layers * size * (4 * size + 2 * config["intermediate_size"])
    there = sum(array.size for array in weights.values())
    if size % config["num_attention_heads"] or not described <= there <= 1.2 * described + size**2:
        raise VersionError(f"{NETWORK} has other shapes than {CONFIG} describes.")


def _model(about: Mapping[str, Any], heads: Mapping[str, Any]) -> Model:
    blend = about["blend"]
    return Model(
        tuple(about["names"]),
        about["encoder"],
        Scorer(
            Head(heads["frozen_weights"], heads["frozen_bias"]),
            Head(heads["tuned_weights"], heads["tuned_bias"]),
            Bank(
                heads["bank_vectors"].astype(np.float32), heads["bank_labels"].astype(np.int64)
            ),
        ),
        Blend(tuple(blend["weights"]), blend["temperature"], blend["threshold"]),
    )  # fmt: skip


def _check_fit(model: Model, config: Mapping[str, Any], wanted: Wanted) -> None:
    """The heads fit the network, the intents, and what serves here."""
    known, names = set(model.names), set(wanted.names)
    if known != names or len(known) != len(model.names):
        lacking, surplus = sorted(names - known)[:5], sorted(map(str, known - names))[:5]
        raise VersionError(
            "it was trained for other intents than the catalog's"
            + (f"; it lacks {', '.join(lacking)}" if lacking else "")
            + (f"; the catalog lacks {', '.join(surplus)}" if surplus else "")
            + "."
        )
    if model.fingerprint != wanted.fingerprint:
        raise VersionError("it was trained beside another retrieval encoder than this one.")
    intents, size, scorer = len(names), config["hidden_size"], model.scorer
    shapes = (
        scorer.frozen.weights.shape == (intents, wanted.dimension),
        scorer.tuned.weights.shape == (intents, size),
        scorer.frozen.bias.shape == scorer.tuned.bias.shape == (intents,),
        scorer.bank.vectors.ndim == 2 and scorer.bank.vectors.shape[1] == size,
        scorer.bank.labels.shape == scorer.bank.vectors.shape[:1] != (0,),
    )
    if not all(shapes):
        raise VersionError(f"the arrays of {HEADS} have shapes that do not fit together.")
    if scorer.bank.labels.min() < 0 or scorer.bank.labels.max() >= intents:
        raise VersionError(f"{HEADS} has examples of intents that there are not.")
    numbers = (*model.blend.weights, model.blend.temperature, model.blend.threshold)
    is_blend = (
        len(model.blend.weights) == 3
        and all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
        and min(model.blend.weights) >= 0
        and abs(sum(model.blend.weights) - 1) < 1e-6
        and 0.01 <= model.blend.temperature <= 100
    )
    if not is_blend:
        raise VersionError(f"the blend in {ABOUT} is none.")


def _is_whole(value: Any, limit: int, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= limit
