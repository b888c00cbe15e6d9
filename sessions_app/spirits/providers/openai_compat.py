"""Room: sessions_app/spirits/providers. Any server that speaks OpenAI's chat-completions protocol.

The SDK is imported when the first provider is built: without it Séance runs on the oracle alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any, cast

from ..base import (
    Degenerate,
    Finish,
    ProviderError,
    Refused,
    Rejected,
    SpiritRequest,
    StreamItem,
    TimedOut,
    Unavailable,
    Usage,
)
from ..breaker import Breaker
from ..prompts import STOP, build_messages
from ..registry import ProviderSettings
from .two_lines import TwoLineParser

if TYPE_CHECKING:
    from openai import AsyncOpenAI

MAX_ATTEMPTS = 2
RETRY_PAUSE_S = 0.2


class OpenAICompatProvider:
    """Streams from `settings.base_url`. Deadlines (s): connect 3, and 6 for both tries until something is released;
    the one of a whole answer is the caller's. One retry, and only while nothing was released. Raises `Rejected` when
    the SDK is not installed or no model is named."""

    def __init__(
        self, settings: ProviderSettings, *, name: str = "openai_compat", breaker: Breaker | None = None
    ) -> None:
        if not settings.model:
            raise Rejected("SPIRIT_MODEL is not set")
        self._settings, self._name = settings, name
        self._breaker = breaker or Breaker()
        self._client = _client(settings)

    @property
    def name(self) -> str:
        return self._name

    @property
    def model(self) -> str:
        return self._settings.model

    async def stream(self, request: SpiritRequest) -> AsyncGenerator[StreamItem, None]:
        loop = asyncio.get_running_loop()
        first_by = loop.time() + self._settings.first_token_s
        for attempt in range(1, MAX_ATTEMPTS + 1):
            self._breaker.enter()
            released = False
            works: bool | None = None
            try:
                async for item in self._attempt(request, first_by):
                    # Also for a caller who has heard enough, and closes us.
                    released = works = True
                    yield item
                return
            except ProviderError as error:
                # A model that declines, or rambles, is a server that works.
                works = isinstance(error, Refused | Degenerate)
                if released or not error.retryable or attempt == MAX_ATTEMPTS:
                    raise
                if loop.time() + RETRY_PAUSE_S >= first_by:
                    raise
            finally:
                self._breaker.leave(works)
            await asyncio.sleep(RETRY_PAUSE_S)

    async def _attempt(self, request: SpiritRequest, first_by: float) -> AsyncGenerator[StreamItem, None]:
        parser, finished, spoken, released = TwoLineParser(), "", False, False
        usage: Usage | None = None
        chunks: Any = None
        try:
            async with _translated(first_by):
                chunks = await self._open(request)
            reader = cast("AsyncIterator[Any]", chunks.__aiter__())
            while True:
                async with _translated(None if released else first_by):
                    chunk = await anext(reader, None)
                if chunk is None:
                    break
                usage = self._usage(chunk) or usage
                text, reason = _content(chunk)
                finished = reason or finished
                spoken = spoken or bool(text)
                for item in parser.feed(text):
                    released = True
                    yield item
                if finished and usage:
                    break
        finally:
            if chunks is not None:
                await chunks.close()
        for item in parser.close():
            yield item
        if finished == "content_filter":
            raise Refused("the model's filter stopped the answer")
        if not finished:
            raise Unavailable("the answer was cut off", code="cut")
        if not spoken:
            raise Degenerate("the model said nothing")
        if usage:
            yield usage
        yield Finish("llm", None, self.name, self.model)

    async def _open(self, request: SpiritRequest) -> Any:
        settings = self._settings
        return await self._client.chat.completions.create(
            model=settings.model,
            messages=cast(Any, build_messages(request)),
            stream=True,
            stream_options={"include_usage": True},
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            stop=list(STOP),
            seed=request.seed % 2**31,
        )

    def _usage(self, chunk: Any) -> Usage | None:
        used = getattr(chunk, "usage", None)
        if used is None:
            return None
        prompt, completion = int(used.prompt_tokens or 0), int(used.completion_tokens or 0)
        cost = prompt * self._settings.prompt_price + completion * self._settings.completion_price
        return Usage(prompt, completion, cost // 1000)

    async def probe(self) -> None:
        """Lists the server's models. Raises `ProviderError`."""
        loop = asyncio.get_running_loop()
        async with _translated(loop.time() + self._settings.first_token_s):
            await self._client.models.list()

    async def aclose(self) -> None:
        await self._client.close()


def _client(settings: ProviderSettings) -> AsyncOpenAI:
    try:
        from openai import AsyncOpenAI, Timeout
    except ImportError as error:
        raise Rejected("the package `openai` is not installed", code="not_installed") from error
    # The SDK's own defaults are 600 s and two retries that obey any Retry-After: all of that is ours here.
    timeout = Timeout(settings.total_s, connect=settings.connect_s)
    client = AsyncOpenAI(
        base_url=settings.base_url or None, api_key=settings.api_key or "none", max_retries=0, timeout=timeout
    )
    # Imported by the SDK at the first use: in the middle of the first question, with every socket waiting.
    _ = client.chat.completions
    return client


def _content(chunk: Any) -> tuple[str, str]:
    """(text, finish reason) of one chunk. Raises `Refused` for a refusal, `Degenerate` for a chunk of no shape."""
    choices = getattr(chunk, "choices", None)
    if choices is None:
        raise Degenerate("a chunk without choices", code="malformed")
    if not choices:
        return "", ""
    delta = choices[0].delta
    if delta is not None and getattr(delta, "refusal", None):
        raise Refused("the model declined")
    text = (delta.content if delta is not None else "") or ""
    return str(text), str(choices[0].finish_reason or "")


class _translated:  # noqa: N801 - reads as a statement
    """`async with _translated(deadline)`: every error inside comes out as a `ProviderError`."""

    def __init__(self, deadline: float | None) -> None:
        self._timeout = asyncio.timeout_at(deadline)

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise TimedOut("the model did not answer in time") from error
        if isinstance(error, Exception) and not isinstance(error, ProviderError | StopAsyncIteration):
            raise _provider_error(error) from error


def _provider_error(error: Exception) -> ProviderError:
    import openai

    # The SDK has changed its HTTP library once already: its errors are known by name, whoever they belong to.
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, openai.APITimeoutError) or "TimeoutException" in kinds:
        return TimedOut("the connection timed out")
    if isinstance(error, openai.APIStatusError):
        status = error.status_code
        if status >= 500:
            return Unavailable(f"the server answered {status}", code=f"http_{status}", status=status)
        return Rejected(f"the server answered {status}", code=f"http_{status}", status=status)
    if isinstance(error, openai.APIConnectionError) or "HTTPError" in kinds or isinstance(error, OSError):
        return Unavailable("no connection, or it broke")
    if isinstance(error, ValueError | AttributeError | TypeError):
        return Degenerate("the server's answer has no sense", code="malformed")
    return Unavailable(f"{type(error).__name__} in the provider's client")
