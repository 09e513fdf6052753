"""The protocol against a real OpenAI-compatible server: a tiny model whose words are noise."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from bot.messages import Confidence, Outcome
from bot.rag.generative import Writer
from bot.rag.language_model import LanguageModel, ModelSpec
from tests.rag.test_extractive import passage

FOUND = [passage(1, ("s", "Refunds take five days.", 0.7))]
START_SECONDS = 120

SAVE = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
vocabulary = {token: number for number, token in enumerate(["<s>", "</s>", *alphabet])}
tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
fast.chat_template = "{% for m in messages %}{{ m['content'] }}\\n{% endfor %}"
fast.save_pretrained(sys.argv[1])
LlamaForCausalLM(LlamaConfig(
    vocab_size=len(vocabulary), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=2, max_position_embeddings=8192, bos_token_id=0, eos_token_id=1,
)).save_pretrained(sys.argv[1])
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of `transformers serve` and the name of the model it serves."""
    command = shutil.which("transformers", path=Path(sys.executable).parent)
    assert command, "the extra dev brings transformers"
    model = str(tmp_path_factory.mktemp("models") / "tiny")
    environment = {
        **os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1"
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "-c", SAVE, model], env=environment, check=True, capture_output=True
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (Path(model).parent / "serve.log").open("wb")
    process = subprocess.Popen(
        [command, "serve", model, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
        env=environment, stdout=log, stderr=log,
    )  # fmt: skip
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, Path(log.name))
        yield f"http://127.0.0.1:{port}/v1", model
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(log.read_text())


def model_of(served: tuple[str, str], timeout_seconds: float = 60.0) -> LanguageModel:
    url, name = served
    return LanguageModel(ModelSpec(f"openai/{name}", url, None, timeout_seconds))


async def test_a_real_server_streams_its_reply_in_pieces(served: tuple[str, str]) -> None:
    pieces = []
    async with aclosing(model_of(served).stream("Rules.", "Hello?")) as stream:
        async for piece in stream:
            pieces.append(piece)
            if len(pieces) == 5:
                break
    assert len(pieces) == 5
    assert all(pieces)


async def test_a_real_server_is_left_at_a_stop_and_answers_the_next(
    served: tuple[str, str],
) -> None:
    model = model_of(served)
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.3, stop.set)
    started = time.monotonic()
    answer = await Writer(model).write("How long?", FOUND, Confidence(0.9, 0.9), None, stop)
    assert answer.is_stopped
    assert time.monotonic() - started < 15
    async with aclosing(model.stream("Rules.", "Again?")) as stream:
        assert await anext(stream)


async def test_a_real_server_that_is_too_slow_ends_in_quotes(served: tuple[str, str]) -> None:
    writer = Writer(model_of(served), timeout_seconds=0.2)
    answer = await writer.write("How long?", FOUND, Confidence(0.9, 0.9))
    assert answer.outcome is Outcome.ANSWERED
    assert "did not answer in time" in answer.text
    assert "Refunds take five days. [1]" in answer.text


async def test_noise_of_a_real_model_is_never_shown(served: tuple[str, str]) -> None:
    answer = await Writer(model_of(served), 20.0).write("How long?", FOUND, Confidence(0.9, 0.9))
    assert answer.text.endswith("Refunds take five days. [1]")
    assert answer.text.startswith("*The language model ")
