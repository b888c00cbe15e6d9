"""Room: sessions_app/spirits. `generate_response`: the chain of providers, its deadlines and its checks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import structlog

from .base import (
    BoardLine,
    Degenerate,
    Degraded,
    Finish,
    ProviderError,
    Refused,
    SpiritProvider,
    SpiritRequest,
    StreamItem,
    TimedOut,
    Unavailable,
    Usage,
    VoiceDelta,
)
from .layouts import Layout, get_layout
from .prompts import guarded, recites
from .safety import output_problem
from .speech import board_line, clean, count_words, fit_words, format_response, sentences

__all__ = ["TOTAL_S", "format_response", "generate_response"]

log = structlog.get_logger(__name__)

TOTAL_S = 20.0
# A mouth that never closes a sentence would otherwise be buffered for ever.
MAX_PENDING_CHARS = 2_000


def _why(error: ProviderError) -> Degraded:
    if isinstance(error, TimedOut):
        return "timeout"
    if error.code == "budget":
        return "budget"
    return "filtered" if isinstance(error, Refused) else "provider_down"


def _call(provider: SpiritProvider, began: float) -> dict[str, str | int]:
    """What a line of the log says of one provider's part in an answer; nothing that anybody asked or heard."""
    ms = round((asyncio.get_running_loop().time() - began) * 1000)
    return {"provider": provider.name, "model": provider.model, "ms": ms}


class _Answer:
    """What has been released of one provider's answer, and what is still being checked."""

    def __init__(self, request: SpiritRequest, layout: Layout) -> None:
        limits = request.persona.limits
        self.layout = layout
        self.secrets = guarded(request)
        self.refusal = request.persona.refusal
        self.max_words = min(limits.max_words, 30)
        self.max_glyphs = min(limits.max_glyphs, 24)
        self.board: str | None = None
        self.words = 0
        self.pending = ""
        self.full = False
        self.filtered = False

    def put_board(self, text: str) -> list[StreamItem]:
        if self.board is not None:
            return []
        line = board_line(clean(text), self.layout, self.max_glyphs)
        if not line:
            raise Degenerate("a board line without a letter")
        if output_problem(line) or recites(line, self.secrets):
            raise Refused("the board line was filtered", code="filtered")
        self.board = line
        return [BoardLine(line)]

    def put_voice(self, text: str) -> list[StreamItem]:
        self.pending += text
        if len(self.pending) > MAX_PENDING_CHARS:
            raise Degenerate("a sentence without an end")
        parts = sentences(self.pending)
        # The last part may still grow: "3." may become "3.14". It waits for what follows.
        whole, self.pending = parts[:-1], (parts[-1] if parts else "")
        if parts and self.pending and text[-1:].isspace():
            self.pending += " "
        return [item for sentence in whole for item in self.release(sentence)]

    def release(self, sentence: str) -> list[StreamItem]:
        said = clean(sentence)
        if self.full or not said:
            return []
        problem = output_problem(said) or ("leak" if recites(said, self.secrets) else None)
        if problem:
            log.info("spirit_sentence_filtered", reason=problem)
            if self.board is None:
                raise Refused("the first sentence was filtered", code="filtered")
            self.full = self.filtered = True
            said = self.refusal if not self.words else ""
        if self.words + count_words(said) > self.max_words:
            self.full = True
            said = "" if self.words else fit_words(said, self.max_words)
        if not said:
            return []
        out = self.put_board(said) if self.board is None else []
        self.words += count_words(said)
        return [*out, VoiceDelta(said)]

    def flush(self) -> list[StreamItem]:
        rest, self.pending = self.pending, ""
        return [item for sentence in sentences(rest) for item in self.release(sentence)]

    def close(self) -> list[StreamItem]:
        """An answer that was cut after its board line still gets a voice: the line itself."""
        if self.words or self.board is None:
            return []
        said = self.board[:1].upper() + self.board[1:].lower() + "."
        self.words += count_words(said)
        return [VoiceDelta(said)]


async def _play(
    provider: SpiritProvider, request: SpiritRequest, answer: _Answer, ends_at: float | None
) -> AsyncGenerator[StreamItem, None]:
    """One provider's checked items and its `Finish`. The deadline becomes `TimedOut`, surprises `Unavailable`."""
    finish: Finish | None = None
    async with aclosing(provider.stream(request)) as stream:
        while finish is None and not answer.full:
            try:
                async with asyncio.timeout_at(ends_at):
                    item = await anext(stream)
            except StopAsyncIteration:
                break
            except TimeoutError as error:
                raise TimedOut(f"{provider.name} did not answer in time") from error
            except ProviderError:
                raise
            except Exception as error:
                log.exception("spirit_provider_crashed", provider=provider.name, model=provider.model)
                raise Unavailable(f"{provider.name} broke its contract") from error
            match item:
                case BoardLine(text=text):
                    released = answer.put_board(text)
                case VoiceDelta(text=text):
                    released = answer.put_voice(text)
                case Usage():
                    released = [item]
                case Finish():
                    finish = item
                    released = answer.flush()
            for out in released:
                yield out
    for out in answer.flush():
        yield out
    if answer.board is None:
        raise Degenerate(f"{provider.name} said nothing")
    yield finish or Finish("oracle" if provider.name == "oracle" else "llm", None, provider.name, provider.model)


async def generate_response(
    request: SpiritRequest,
    providers: Sequence[SpiritProvider],
    *,
    degraded: Degraded | None = None,
    layout: str | Layout = "classic-en@1",
    total_s: float = TOTAL_S,
) -> AsyncGenerator[StreamItem, None]:
    """Answer one question: one `BoardLine`, then checked sentences as `VoiceDelta`, `Usage` if known, one `Finish`.

    Providers are tried in order, any named "oracle" last (see `registry.build_providers`). A provider that has
    released its board line is never replaced: if it breaks off, the answer ends there and `degraded` says why.
    `degraded` is the caller's own reason (e.g. "budget") to start with. `total_s`, in seconds, is for all before the
    oracle together; how long one may be silent is its own affair, since its breaker learns from that. Where even the
    oracle's answer was filtered, the persona's refusal is given. Raises the last `ProviderError` when nobody answered.
    Close the generator (`aclose`) to cancel: the provider's stream is closed with it.
    """
    board = get_layout(layout) if isinstance(layout, str) else layout
    chain = sorted(providers, key=lambda provider: provider.name == "oracle")
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + total_s
    last: ProviderError = Unavailable("no provider was given")
    for provider in chain:
        answer = _Answer(request, board)
        began = loop.time()
        # The oracle is the last resort, and waits for nobody: what the others used up is not taken from it.
        until = None if provider.name == "oracle" else ends_at
        if until is not None and until <= began:
            degraded = degraded or "timeout"
            continue
        play = _play(provider, request, answer, until)
        try:
            async with aclosing(play):
                async for item in play:
                    if isinstance(item, Finish):
                        for out in answer.close():
                            yield out
                        why: Degraded | None = "filtered" if answer.filtered else degraded or item.degraded
                        if provider.name != "oracle":
                            log.info("spirit_provider_answered", **_call(provider, began), filtered=answer.filtered)
                        yield Finish(item.source, why, item.provider, item.model)
                        return
                    yield item
        except ProviderError as error:
            log.warning("spirit_provider_failed", **_call(provider, began), status=error.status, reason=error.code)
            last, reason = error, _why(error)
            if answer.board is not None:
                for out in [*answer.flush(), *answer.close()]:
                    yield out
                yield Finish("oracle" if provider.name == "oracle" else "llm", reason, provider.name, provider.model)
                return
            degraded = degraded or reason
    if not (chain and chain[-1].name == "oracle" and isinstance(last, Refused)):
        raise last
    # Somebody's name, or words said back, made the oracle's own answer one that may not be given: it declines.
    persona = request.persona
    yield BoardLine(board_line(persona.refusal, board, persona.limits.max_glyphs).upper())
    yield VoiceDelta(persona.refusal)
    yield Finish("oracle", "filtered", "oracle", f"{persona.slug}@{persona.version}")
