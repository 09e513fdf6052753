"""Text to vectors: a sentence encoder in ONNX Runtime, on one thread away from the event loop."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from tokenizers import Encoding, Tokenizer

from bot.errors import EncoderError

Vectors = npt.NDArray[np.float32]

DEFAULT_MODEL = "all-MiniLM-L6-v2"
DEFAULT_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MANIFEST = "encoder.json"

# Tokens a batch. Measured on two cores, tokens a second: 512 22,500, 1,024 24,800, 2,048 24,700,
# 4,096 20,100, 8,192 16,800 (activations fall out of the caches); a smaller batch lets a waiting
# question in sooner.
BATCH_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an exported encoder is; `fingerprint` names its vector space."""

    model: str
    precision: str
    dimension: int
    max_tokens: int
    fingerprint: str
    files: dict[str, str]


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the exported encoder in `folder`, its files checked against it.

    Raises:
        EncoderError: a file is missing or is not what was exported.
    """
    try:
        manifest = Manifest(**json.loads((folder / MANIFEST).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise EncoderError(
            f"{folder / MANIFEST} cannot be read ({error}). Delete the folder {folder} and start "
            "again: it is built anew."
        ) from error
    for name, expected in manifest.files.items():
        path = folder / name
        if not path.is_file() or sha256_of(path) != expected:
            raise EncoderError(
                f"{path} is damaged: its SHA-256 is not the one it was exported with. Delete the "
                f"folder {folder} and start again: it is built anew."
            )
    return manifest


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        EncoderError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise EncoderError(f"{path} cannot be read: {error.strerror}.") from error


class Encoder:
    """An exported sentence encoder; vectors have length 1, so their dot product is the cosine."""

    def __init__(self, folder: Path, threads: int = 2) -> None:
        """Check the encoder in `folder`; `threads` are for bulk work, a question takes one.

        A question is about ten tokens: with two threads, handing over costs more than the second
        one brings (measured: 1.3 ms with one, 1.8 ms with two).
        """
        self.manifest = read_manifest(folder)
        self._threads = threads
        self._folder = folder
        self._tokenizer = self._load_tokenizer()
        self._tokenizer.enable_truncation(self.manifest.max_tokens)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="encoder")

    @property
    def dimension(self) -> int:
        """How long a vector is."""
        return self.manifest.dimension

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, without the encoder's own marks."""
        return [
            len(encoding.ids)
            for encoding in self._counter.encode_batch(list(texts), add_special_tokens=False)
        ]

    async def encode_question(self, text: str) -> Vectors:
        """The vector of one question, float32[dimension]."""
        vectors: Vectors = await self._submit(self._encode_one, text)
        question: Vectors = vectors[0]
        return question

    async def encode(self, texts: Sequence[str]) -> Vectors:
        """The vectors of many texts, float32[len(texts), dimension].

        Batches hold texts of like length. Each is handed to the encoder's thread by itself, so
        that a question waits for one batch at most.
        """
        encodings = await self._submit(self._tokenizer.encode_batch, list(texts))
        vectors = np.empty((len(texts), self.dimension), np.float32)
        for batch in _batches([len(encoding.ids) for encoding in encodings]):
            vectors[batch] = await self._submit(self._encode_many, [encodings[i] for i in batch])
        return vectors

    def close(self) -> None:
        """End the encoder's thread."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _submit(self, work: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    @cached_property
    def _single(self) -> onnxruntime.InferenceSession:
        return self._session(threads=1)

    @cached_property
    def _bulk(self) -> onnxruntime.InferenceSession:
        return self._session(self._threads)

    def _session(self, threads: int) -> onnxruntime.InferenceSession:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning threads take the processor from Postgres and the event loop beside them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return onnxruntime.InferenceSession(
            str(self._folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    @cached_property
    def _counter(self) -> Tokenizer:
        tokenizer = self._load_tokenizer()
        tokenizer.no_truncation()
        return tokenizer

    def _load_tokenizer(self) -> Tokenizer:
        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.no_padding()
        return tokenizer

    def _encode_one(self, text: str) -> Vectors:
        return self._run(self._single, [self._tokenizer.encode(text)])

    def _encode_many(self, encodings: list[Encoding]) -> Vectors:
        return self._run(self._bulk, encodings)

    def _run(self, session: onnxruntime.InferenceSession, encodings: list[Encoding]) -> Vectors:
        longest = max(len(encoding.ids) for encoding in encodings)
        ids = np.zeros((len(encodings), longest), np.int64)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding.ids)] = encoding.ids
            mask[row, : len(encoding.ids)] = 1
        vectors: Vectors = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        if not np.isfinite(vectors).all():
            raise EncoderError(
                f"The encoder {self.manifest.model!r} gave a vector that is no number."
            )
        return vectors


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """Indices in order of length, cut so that no padded batch exceeds BATCH_TOKENS."""
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        last = batches[-1] if batches else []
        if last and (len(last) + 1) * lengths[index] <= BATCH_TOKENS:
            last.append(index)
        else:
            batches.append([index])
    return batches
