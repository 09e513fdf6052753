"""A language model by its name in the settings, reached through LlamaIndex; opened at first use."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from bot.errors import LanguageModelError

if TYPE_CHECKING:
    from llama_index.core.llms import LLM

# Anthropic wants a limit in every request; Ollama's own context of 4,096 tokens cuts prompts.
MAX_TOKENS = 2048
CONTEXT_TOKENS = 8192


class Provider(NamedTuple):
    """A provider: the extra that brings it, its LlamaIndex module and class, and its key."""

    extra: str
    module: str
    kind: str
    variable: str


PROVIDERS = {
    "openai": Provider("openai", "llama_index.llms.openai_like", "OpenAILike", "OPENAI_API_KEY"),
    "anthropic": Provider(
        "anthropic", "llama_index.llms.anthropic", "Anthropic", "ANTHROPIC_API_KEY"
    ),
    "ollama": Provider("ollama", "llama_index.llms.ollama", "Ollama", ""),
}


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Which model: `name` such as "openai/gpt-5-mini"; `base_url` that of another server."""

    name: str
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 60.0

    @property
    def provider(self) -> Provider:
        """The provider in front of the slash."""
        return PROVIDERS[self.name.partition("/")[0]]

    def check(self) -> None:
        """Look whether the model can be opened, without importing anything of it.

        Raises:
            LanguageModelError: its package or its key is missing.
        """
        provider = self.provider
        if not _is_installed(provider.module):
            raise LanguageModelError(
                f"The language model {self.name} needs packages that are not installed. Run: "
                f"pip install '.[{provider.extra}]'"
            )
        if provider.variable and not self.api_key and self.base_url is None:
            raise LanguageModelError(
                f"The language model {self.name} needs a key. Write {provider.variable}=… into "
                ".env, or delete `llm` in supportbot.toml to be answered with quotes."
            )


class LanguageModel:
    """Streams what a model says; LlamaIndex is imported by the first use, in a thread."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self._opening: asyncio.Future[LLM] | None = None

    async def stream(self, system: str, said: str) -> AsyncGenerator[str]:
        """The pieces of the model's reply to `said` under the rules `system`.

        Raises what the provider's client raises; `bot.rag.failures` tells it apart.
        """
        llm = await self._opened()
        from llama_index.core.llms import ChatMessage, MessageRole

        messages = [
            ChatMessage(role=MessageRole.SYSTEM, content=system),
            ChatMessage(role=MessageRole.USER, content=said),
        ]
        is_whole = self.spec.provider is not PROVIDERS["openai"]
        # The stream closes its connection only when it is closed itself.
        async with aclosing(await llm.astream_chat(messages)) as replies:
            async for reply in replies:
                is_whole = is_whole or _is_last(reply.raw)
                if reply.delta:
                    yield reply.delta
        if not is_whole:
            raise ConnectionError("The stream ended before the reply did.")

    async def complete(self, system: str, said: str) -> str:
        """The whole reply."""
        async with aclosing(self.stream(system, said)) as pieces:
            return "".join([piece async for piece in pieces])

    async def _opened(self) -> "LLM":
        if self._opening is None:
            self._opening = asyncio.ensure_future(asyncio.to_thread(open_llm, self.spec))
        return await asyncio.shield(self._opening)


def open_llm(spec: ModelSpec) -> "LLM":
    """The LlamaIndex LLM of a spec; it retries nothing, as the writer knows what was shown."""
    spec.check()
    maker: Any = getattr(import_module(spec.provider.module), spec.provider.kind)
    llm: LLM = maker(**_arguments(spec))
    return llm


def _arguments(spec: ModelSpec) -> dict[str, Any]:
    name, _, model = spec.name.partition("/")
    if name == "ollama":
        address = {"base_url": spec.base_url} if spec.base_url else {}
        return address | {
            "model": model,
            "request_timeout": spec.timeout_seconds,
            "context_window": CONTEXT_TOKENS,
        }
    shared = {
        "model": model,
        "api_key": spec.api_key or "none",
        "timeout": spec.timeout_seconds,
        "max_retries": 0,
        # A handshake more per answer, and no connection that died in a pool or is never closed.
        "default_headers": {"Connection": "close"},
    }
    if name == "anthropic":
        address = {"base_url": spec.base_url} if spec.base_url else {}
        return shared | address | {"max_tokens": MAX_TOKENS}
    if spec.base_url:
        return shared | {"api_base": spec.base_url, "is_chat_model": True, "temperature": 0.1}
    # OpenAI's reasoning models refuse any temperature but 1.
    return shared | {
        "api_base": "https://api.openai.com/v1", "is_chat_model": True, "temperature": 1.0
    }  # fmt: skip


def _is_last(chunk: Any) -> bool:
    """Whether a chunk of OpenAI's protocol says that the reply is over."""
    return any(choice.finish_reason for choice in getattr(chunk, "choices", None) or ())


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
