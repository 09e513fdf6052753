"""A classifier version as a folder in the manner of Hugging Face: safetensors and JSON alone.

`model.safetensors` and `config.json` are the fine-tuned BERT in full precision, for `AutoModel`.
What the version adds to it, `heads.safetensors` and `supportbot.json`, holds all that an import
needs to build the very same version again.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bot.encoder import read_manifest
from bot.encoder_export import Export, fingerprint_of, load_network, network_of
from bot.errors import VersionError
from bot.intents.model import Model, read_model

# What the fine-tuning changed, beside a version's files; a process that serves does not fetch it.
WEIGHTS = "weights.safetensors"
FORMAT = 1
ABOUT = "supportbot.json"
CONFIG, NETWORK, HEADS = "config.json", "model.safetensors", "heads.safetensors"
TOKENIZER, TOKENIZER_CONFIG, README = "tokenizer.json", "tokenizer_config.json", "README.md"
POOLING = "mean"

TEXT = """\
---
library_name: transformers
pipeline_tag: text-classification
---
# Intent classifier, version {version}

Exported by `supportbot export`; `supportbot import` makes a candidate of it again.

`config.json` and `model.safetensors` are the fine-tuned encoder, for `AutoModel`. It is not a
`BertForSequenceClassification`: its head reads the mean of the last hidden states over the
attention mask, brought to length 1, instead of the pooled first token. By the fine-tuned head alone
the intent is

```python
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

tokenizer, network = AutoTokenizer.from_pretrained("."), AutoModel.from_pretrained(".")
heads = load_file("heads.safetensors")
tokens = tokenizer(
    texts, padding=True, truncation=True, max_length={max_tokens}, return_tensors="pt"
)
with torch.inference_mode():
    hidden = network(**tokens).last_hidden_state
mask = tokens["attention_mask"].unsqueeze(-1)
vectors = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)
logits = vectors @ heads["tuned_weights"].T + heads["tuned_bias"]
intents = [network.config.id2label[int(row)] for row in logits.argmax(1)]
```

What supportbot serves blends three views: this head, `frozen_*`, a head on the vectors of the
retrieval encoder, and the votes of the nearest of `bank_*`, the vectors of the examples. Their
weights, the temperature and the threshold of what is out of scope stand in `supportbot.json`.
"""


@dataclass(frozen=True, slots=True)
class Lineage:
    """What an export says of its version: its number and the SHA-256 of its data, hexadecimal."""

    version: int
    data: str | None


def keep_weights(network: Any, folder: Path, base: str | None) -> None:
    """Write what of a fine-tuned network differs from its base model, without one all, as WEIGHTS
    into a version's folder."""
    from safetensors.numpy import save_file

    arrays = arrays_of(network)
    if base is not None:
        former = arrays_of(load_network(base))
        arrays = {
            name: array
            for name, array in arrays.items()
            if name not in former or not np.array_equal(array, former[name])
        }
    about = {"base": base or "", "config": json.dumps(network.config.to_diff_dict(), default=str)}
    save_file(arrays, folder / WEIGHTS, metadata=about)


def arrays_of(network: Any) -> dict[str, Any]:
    """The weights of a network by name, numpy arrays."""
    return {
        name: np.ascontiguousarray(tensor.detach().numpy())
        for name, tensor in network.state_dict().items()
    }


def export_version(folder: Path, target: Path, lineage: Lineage) -> None:
    """Write the version in `folder`, its WEIGHTS included, into the new folder `target`.

    Raises:
        VersionError: it cannot be exported; `target` is not written then.
        TrainingError, EncoderError: its files cannot be used.
    """
    model, manifest = read_model(folder), read_manifest(folder)
    how = Export(manifest.model, manifest.precision, POOLING, manifest.max_tokens)
    network = _network(folder)
    if fingerprint_of(network, how) != manifest.fingerprint:
        raise VersionError(
            f"Version {lineage.version} was fine-tuned from other weights than {how.model!r} has "
            "now. Bring that model back, or retrain and export the new version."
        )
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise VersionError(f"{target} exists already. Name a folder that does not.")
    target.mkdir(parents=True, exist_ok=True)
    _write(network, model, target)
    (target / TOKENIZER).write_bytes((folder / TOKENIZER).read_bytes())
    (target / TOKENIZER_CONFIG).write_text(
        json.dumps(
            {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": how.max_tokens,
             "pad_token": "[PAD]", "unk_token": "[UNK]"}, indent=2,
        )
    )  # fmt: skip
    text = TEXT.format(version=lineage.version, max_tokens=how.max_tokens)
    (target / README).write_text(text, encoding="utf-8")
    about: dict[str, Any] = {
        "format": FORMAT,
        "lineage": asdict(lineage),
        "network": asdict(how) | {"fingerprint": manifest.fingerprint},
        "encoder": model.fingerprint,
        "names": model.names,
        "blend": asdict(model.blend),
        "files": {
            name: hashlib.sha256((target / name).read_bytes()).hexdigest()
            for name in (CONFIG, NETWORK, HEADS, TOKENIZER, TOKENIZER_CONFIG)
        },
    }
    about["sha256"] = hash_of(about)
    (target / ABOUT).write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")


def hash_of(about: Mapping[str, Any]) -> str:
    """The SHA-256 of what stands in ABOUT beside it, hexadecimal."""
    content = {key: value for key, value in about.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _network(folder: Path) -> Any:
    """The fine-tuned network of a version, in full precision."""
    from safetensors import safe_open
    from safetensors.numpy import load_file

    path = folder / WEIGHTS
    if not path.is_file():
        raise VersionError(
            "Its full-precision weights were not kept, as it was trained by an older supportbot. "
            "Retrain, then export the new version."
        )
    tuned = load_file(path)
    with safe_open(path, framework="numpy") as file:
        about = file.metadata()
    if not about["base"]:
        return network_of(json.loads(about["config"]), tuned)
    network = load_network(about["base"])
    return network_of(network.config.to_diff_dict(), arrays_of(network) | tuned)


def _write(network: Any, model: Model, target: Path) -> None:
    from safetensors.numpy import save_file

    scorer = model.scorer
    config = network.config.to_diff_dict() | {
        "architectures": [type(network).__name__],
        "id2label": dict(enumerate(model.names)),
        "label2id": {name: number for number, name in enumerate(model.names)},
    }
    (target / CONFIG).write_text(json.dumps(config, indent=2, default=str), encoding="utf-8")
    save_file(arrays_of(network), target / NETWORK, metadata={"format": "pt"})
    heads = {
        "frozen_weights": scorer.frozen.weights,
        "frozen_bias": scorer.frozen.bias,
        "tuned_weights": scorer.tuned.weights,
        "tuned_bias": scorer.tuned.bias,
        "bank_vectors": scorer.bank.vectors.astype(np.float16),
        "bank_labels": scorer.bank.labels.astype(np.int16),
    }
    save_file(
        {name: np.ascontiguousarray(array) for name, array in heads.items()},
        target / HEADS, metadata={"format": "pt"},
    )  # fmt: skip
