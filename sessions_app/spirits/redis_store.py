"""Room: sessions_app/spirits. The answer cache over all processes: answers and locks in Redis.

A Redis that is away costs a second call to a model, never an answer: every error here means "not known", or "go on".
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import msgspec
from redis.exceptions import RedisError

from .cache import Cached, LocalLocks

if TYPE_CHECKING:
    from redis.asyncio import Redis

    Client = Redis
else:
    Client = Any

PREFIX = "seance:spirit:"
LOCK_S = 2.0  # a lock is renewed while its holder lives; one that died is waited for no longer than this
POLL_S = 0.05
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
_RENEW = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end return 0"
_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(Cached)
_AWAY = (RedisError, OSError, TimeoutError)


class RedisStore:
    """`cache.Store` in Redis."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, key: str) -> Cached | None:
        try:
            found = await self._client.get(f"{PREFIX}answer:{key}")
            return _decoder.decode(found) if found else None
        except (*_AWAY, msgspec.DecodeError):
            return None

    async def put(self, key: str, answer: Cached, ttl_s: float) -> None:
        try:
            await self._client.set(f"{PREFIX}answer:{key}", _encode(answer), px=max(1, round(ttl_s * 1000)))
        except _AWAY:
            return


class RedisLocks:
    """`cache.Lock`: first among the callers of this process, then among the processes. Who waits has the patience."""

    def __init__(self, client: Client, lock_s: float = LOCK_S) -> None:
        self._client, self._lock_s = client, lock_s
        self._local = LocalLocks()

    @asynccontextmanager
    async def __call__(self, key: str) -> AsyncIterator[None]:
        async with self._local(key):
            name, token = f"{PREFIX}lock:{key}", secrets.token_hex(8)
            keeper = None
            if await self._take(name, token):
                keeper = asyncio.get_running_loop().create_task(self._renew(name, token))
            try:
                yield
            finally:
                if keeper is not None:
                    keeper.cancel()
                    await asyncio.shield(self._ask(_RELEASE, name, token))

    async def _renew(self, name: str, token: str) -> None:
        while True:
            await asyncio.sleep(self._lock_s / 3)
            await self._ask(_RENEW, name, token, round(self._lock_s * 1000))

    async def _take(self, name: str, token: str) -> bool:
        while True:
            try:
                if await self._client.set(name, token, nx=True, px=round(self._lock_s * 1000)):
                    return True
            except _AWAY:
                return False
            await asyncio.sleep(POLL_S)

    async def _ask(self, script: str, name: str, *values: Any) -> None:
        try:
            await cast(Any, self._client.eval(script, 1, name, *values))
        except _AWAY:
            return
