"""Room: sessions_app/spirits. Answers that may be given again: exact keys, one maker at a time, honest sources.

A hit is replayed through the ordinary path. Never stored: degraded, filtered, cancelled or cut answers.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import unicodedata
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, suppress
from typing import Protocol

import msgspec

from .base import BoardLine, Finish, SpiritRequest, StreamItem, VoiceDelta
from .prompts import ChatMessage, build_messages

TTL_S = 6 * 3600
JITTER = 0.10


class Cached(msgspec.Struct, frozen=True):
    """A whole answer, ready to be replayed."""

    board: str
    voice: tuple[str, ...]
    provider: str
    model: str


class Store(Protocol):
    """Where answers are kept. A Redis store outside this room has the same two methods."""

    async def get(self, key: str) -> Cached | None: ...

    async def put(self, key: str, answer: Cached, ttl_s: float) -> None: ...


Lock = Callable[[str], AbstractAsyncContextManager[None]]


class MemoryStore:
    """At most `size` answers in this process, the least recently used leave first."""

    def __init__(self, size: int = 1024, clock: Callable[[], float] | None = None) -> None:
        self._size = size
        self._clock = clock or (lambda: asyncio.get_running_loop().time())
        self._kept: OrderedDict[str, tuple[float, Cached]] = OrderedDict()

    async def get(self, key: str) -> Cached | None:
        found = self._kept.get(key)
        if found is None or found[0] <= self._clock():
            self._kept.pop(key, None)
            return None
        self._kept.move_to_end(key)
        return found[1]

    async def put(self, key: str, answer: Cached, ttl_s: float) -> None:
        self._kept[key] = (self._clock() + ttl_s, answer)
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)


class LocalLocks:
    """One lock per key in this process; a key's lock is forgotten when nobody holds or waits for it."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def __call__(self, key: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]


def _normal(messages: list[ChatMessage]) -> list[ChatMessage]:
    return [
        ChatMessage(role=m["role"], content=" ".join(unicodedata.normalize("NFC", m["content"]).split()))
        for m in messages
    ]


def cache_key(request: SpiritRequest, *, revision: str, sampling: str, layout: str) -> str:
    """SHA-256 (hex) over persona, provider revision, sampling, layout, locale and the normalised prompt.

    The session is part of it unless the prompt has neither history nor theme nor names that others may not hear.
    """
    named = any(name and name.casefold() in request.question.casefold() for name in (*request.people, request.asker))
    private = bool(request.history) or bool(request.persona.theme) or named
    body = [
        request.persona.digest(),
        revision,
        sampling,
        layout,
        request.persona.locale,
        request.session_id if private else "",
        _normal(build_messages(request)),
    ]
    return hashlib.sha256(json.dumps(body, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def ttl_for(key: str, ttl_s: float = TTL_S) -> float:
    """The time to live in seconds, ± 10 % by the key: what was stored together does not expire together."""
    draw = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest(), "big") / 2**32
    return ttl_s * (1 - JITTER + 2 * JITTER * draw)


class AnswerCache:
    """Puts a store and a lock in front of `generate_response`. `counts` has hits, misses, stored and coalesced."""

    def __init__(self, store: Store | None = None, lock: Lock | None = None, ttl_s: float = TTL_S) -> None:
        self._store = store or MemoryStore()
        self._lock = lock or LocalLocks()
        self._ttl_s = ttl_s
        self._silent_at = float("-inf")  # when models last let a maker's deadline pass
        self.counts: Counter[str] = Counter()

    async def answer(
        self, key: str, make: Callable[[float], AsyncGenerator[StreamItem, None]], total_s: float
    ) -> AsyncGenerator[StreamItem, None]:
        """The items of the stored answer, or those of `make(seconds)`, stored when they are whole. While one caller
        makes an answer, others with the same key wait for it; when it fails or is cancelled, the next one makes it.
        `seconds` is what the wait has left of `total_s`: nothing for whoever waited in vain, or for silent models."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        ends_at = began + total_s
        found = await self._store.get(key)
        waited = found is None
        if found is None:
            async with AsyncExitStack() as holding:
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(ends_at):
                        await holding.enter_async_context(self._lock(key))
                found = await self._store.get(key)
                if found is None:
                    self.counts["misses"] += 1
                    made: list[StreamItem] = []
                    # Nobody's deadline is spent twice, nor cut so short that a breaker learns nothing from it.
                    seconds = 0.0 if self._silent_at > began else ends_at - loop.time()
                    async with aclosing(make(seconds)) as stream:
                        async for item in stream:
                            made.append(item)
                            if isinstance(item, Finish):
                                if seconds > 0 and item.source == "oracle" and item.degraded == "timeout":
                                    self._silent_at = loop.time()
                                await self._keep(key, made)
                            yield item
                    return
        self.counts["coalesced" if waited else "hits"] += 1
        yield BoardLine(found.board)
        for sentence in found.voice:
            yield VoiceDelta(sentence)
        yield Finish("cache", None, found.provider, found.model)

    async def _keep(self, key: str, made: list[StreamItem]) -> None:
        finish = made[-1]
        board = next((item.text for item in made if isinstance(item, BoardLine)), "")
        voice = tuple(item.text for item in made if isinstance(item, VoiceDelta))
        # A cut answer has a reason in `degraded`; the oracle is faster than any store and never the same twice.
        if isinstance(finish, Finish) and finish.degraded is None and finish.source == "llm" and board and voice:
            await self._store.put(key, Cached(board, voice, finish.provider, finish.model), ttl_for(key, self._ttl_s))
            self.counts["stored"] += 1
