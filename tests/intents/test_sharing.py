"""A version out as safetensors and JSON and in again; what is no such folder is refused."""

import hashlib
import json
import pickle
import struct
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from bot.encoder import Encoder, read_manifest
from bot.errors import VersionError
from bot.intents import importing
from bot.intents.catalog import Catalog
from bot.intents.importing import Wanted, read_shared, rebuild
from bot.intents.model import read_model
from bot.intents.registry import load
from bot.intents.sharing import (
    ABOUT,
    CONFIG,
    HEADS,
    NETWORK,
    TOKENIZER,
    Lineage,
    export_version,
    hash_of,
)

MODEL = "all-MiniLM-L6-v2"
RAN = Path("/tmp") / "an-artefact-ran-its-code"


@pytest.fixture(scope="module")
def exported(version_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained version as a folder."""
    target = tmp_path_factory.mktemp("exported") / "folder"
    export_version(version_folder, target, Lineage(7, "ab" * 32))
    return target


@pytest.fixture
def wanted(catalog: Catalog, encoder: Encoder) -> Wanted:
    return Wanted(catalog.names, encoder.manifest.fingerprint, encoder.dimension)


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy to alter."""
    target = tmp_path / "folder"
    target.mkdir()
    for path in exported.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def rehashed(folder: Path, change: Callable[[dict[str, Any]], None] = lambda _about: None) -> None:
    """The hashes made anew, as one would who means harm."""
    about = json.loads((folder / ABOUT).read_text())
    change(about)
    for name in about["files"]:
        about["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    about["sha256"] = hash_of(about)
    (folder / ABOUT).write_text(json.dumps(about))


async def test_what_is_imported_predicts_to_the_digit_what_was_exported(
    exported: Path, version_folder: Path, wanted: Wanted, encoder: Encoder, tmp_path: Path
) -> None:
    shared = read_shared(exported, wanted)
    assert shared.lineage == {"version": 7, "data": "ab" * 32}
    rebuild(shared, tmp_path / "version", MODEL)
    first, second = load(1, version_folder), load(1, tmp_path / "version")
    for text in (
        "good afternoon!",
        "what does it cost",
        "may I talk to a human",
        "moon of jupiter",
    ):
        vector = await encoder.encode_question(text)
        assert await first.classify(text, vector) == await second.classify(text, vector)
    first.close()
    second.close()
    export_version(tmp_path / "version", tmp_path / "again", Lineage(7, "ab" * 32))
    for name in (CONFIG, NETWORK, HEADS, TOKENIZER):
        assert (tmp_path / "again" / name).read_bytes() == (exported / name).read_bytes()


def test_transformers_loads_the_folder_and_its_readme_maps_the_head(
    exported: Path, version_folder: Path
) -> None:
    import re

    source = re.findall(r"```python\n(.*?)```", (exported / "README.md").read_text(), re.DOTALL)[0]
    source = source.replace('"."', repr(str(exported))).replace(
        '"heads.safetensors"', repr(str(exported / HEADS))
    )
    texts = ["good morning everybody", "how long does a refund take", "let me talk to a human"]
    scope: dict[str, Any] = {"texts": texts}
    exec(source, scope)
    assert scope["intents"] == ["greeting", "question", "talk_to_a_person"]
    model = read_model(version_folder)
    logits = model.scorer.tuned.logits(scope["vectors"].numpy())
    np.testing.assert_allclose(logits, scope["logits"].numpy(), atol=1e-3)


def test_a_version_on_other_base_weights_or_without_its_own_is_not_exported(
    version_folder: Path, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in version_folder.iterdir():
        if path.suffix != ".safetensors":
            (bare / path.name).write_bytes(path.read_bytes())
    with pytest.raises(VersionError, match="older supportbot"):
        export_version(bare, tmp_path / "target", Lineage(7, None))
    manifest = read_manifest(version_folder)
    other = json.dumps({**json.loads((bare / "encoder.json").read_text()), "fingerprint": "0"})
    (bare / "encoder.json").write_text(other)
    (bare / "weights.safetensors").write_bytes(
        (version_folder / "weights.safetensors").read_bytes()
    )
    with pytest.raises(VersionError, match="other weights than"):
        export_version(bare, tmp_path / "target", Lineage(7, None))
    assert manifest.fingerprint
    assert not (tmp_path / "target").exists()


class Runs:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (Path.touch, (RAN,))


def pickled(folder: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps(Runs()))


def config(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        written = json.loads((folder / CONFIG).read_text()) | changes
        (folder / CONFIG).write_text(json.dumps(written))
        rehashed(folder)

    return change


def about(key: str, value: Any) -> Callable[[Path], None]:
    return lambda folder: rehashed(folder, lambda written: written.update({key: value}))


def header(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The network with another safetensors header."""
    content = (folder / NETWORK).read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    written = json.loads(content[8 : 8 + length])
    change(written)
    new = json.dumps(written).encode()
    (folder / NETWORK).write_bytes(struct.pack("<Q", len(new)) + new + content[8 + length :])
    rehashed(folder)


def too_long_a_header(folder: Path) -> None:
    content = (folder / NETWORK).read_bytes()
    (folder / NETWORK).write_bytes(struct.pack("<Q", 2**63) + content[8:])
    rehashed(folder)


def overlapping(folder: Path) -> None:
    def change(written: dict[str, Any]) -> None:
        names = [name for name in written if name.endswith("query.weight")]
        written[names[0]]["data_offsets"] = written[names[1]]["data_offsets"]

    header(folder, change)


def other_shape(folder: Path) -> None:
    def change(written: dict[str, Any]) -> None:
        name = next(name for name in written if name.endswith("intermediate.dense.weight"))
        written[name]["shape"] = written[name]["shape"][::-1]

    header(folder, change)


def truncated(folder: Path, *, is_rehashed: bool) -> None:
    path = folder / NETWORK
    path.write_bytes(path.read_bytes()[:-4000])
    if is_rehashed:
        rehashed(folder)


def flipped(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)


def no_number(folder: Path) -> None:
    arrays = load_file(folder / HEADS)
    arrays["tuned_bias"][1] = np.nan
    save_file(arrays, folder / HEADS)
    rehashed(folder)


def pickle_as_safetensors(folder: Path) -> None:
    pickled(folder, NETWORK)
    rehashed(folder)


ARTEFACTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "pickled weights": (lambda f: pickled(f, "pytorch_model.bin"), "can run code"),
    "pickled checkpoint": (lambda f: pickled(f, "model.pt"), "can run code"),
    "training arguments": (lambda f: pickled(f, "training_args.bin"), "can run code"),
    "pickle by another name": (pickle_as_safetensors, "not a whole safetensors"),
    "a module": (lambda f: (f / "modeling.py").write_text("1"), "which no export writes"),
    "auto_map": (config(auto_map={"AutoModel": "modeling.Model"}), "code of others"),
    "a kernel from the hub": (config(_attn_implementation="evil/kernel"), "code of others"),
    "header of 2^63": (too_long_a_header, "not a whole safetensors"),
    "overlapping offsets": (overlapping, "not a whole safetensors"),
    "other shapes": (other_shape, "do not fit its config"),
    "cut short": (lambda f: truncated(f, is_rehashed=False), "altered or is damaged"),
    "cut short, hashes made anew": (
        lambda f: truncated(f, is_rehashed=True), "not a whole safetensors"),
    "a bit of the network": (lambda f: flipped(f, NETWORK), "altered or is damaged"),
    "a bit of the heads": (lambda f: flipped(f, HEADS), "altered or is damaged"),
    "a bit of the tokenizer": (lambda f: flipped(f, TOKENIZER), "altered or is damaged"),
    "another blend by hand": (
        lambda f: (f / ABOUT).write_text(
            (f / ABOUT).read_text().replace('"temperature": ', '"temperature": 1')),
        "altered or is damaged"),
    "no number": (no_number, "no number"),
    "other intents": (about("names", ["question", "greeting", "other"]), "intents"),
    "a huge network": (config(vocab_size=1_000_000, hidden_size=4096), "other shapes"),
    "another blend": (
        about("blend", {"weights": [9, -8, 0], "temperature": 1, "threshold": 0}), "blend"),
    "a deep nest": (lambda f: (f / ABOUT).write_text("[" * 100_000), "not JSON"),
    "nothing": (lambda f: (f / HEADS).unlink(), "is missing"),
}  # fmt: skip


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_an_artefact_is_refused_with_its_reason_and_runs_no_code(
    folder: Path, wanted: Wanted, tmp_path: Path, artefact: str
) -> None:
    spoil, reason = ARTEFACTS[artefact]
    spoil(folder)
    with pytest.raises(VersionError, match=reason):
        rebuild(read_shared(folder, wanted), tmp_path / "version", MODEL)
    assert not RAN.exists()
    assert "modeling" not in sys.modules


def test_a_version_for_other_intents_or_beside_another_encoder_is_refused(
    exported: Path, wanted: Wanted
) -> None:
    for other, reason in (
        (replace(wanted, names=(*list(wanted.names)[:-1], "else")), "it lacks else"),
        (replace(wanted, fingerprint="other"), "another retrieval encoder"),
        (replace(wanted, dimension=7), "do not fit together"),
    ):
        with pytest.raises(VersionError, match=reason):
            read_shared(exported, other)


def test_what_is_read_of_the_config_is_named_one_by_one() -> None:
    assert not set(importing.SIZES) & set(importing.CODE)
