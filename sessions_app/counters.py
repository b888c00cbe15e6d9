"""sessions_app, the kitchen: the engine that counts what is limited: in Redis for all processes, or in this process.

A Redis that is away is said once, and counted here meanwhile: nothing is let through uncounted, and nobody is locked
out. It is asked again a few seconds later, so that a request pays for its absence only now and then.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import structlog
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from sessions_app import redis_links
from sessions_app.leases import Leases

log = structlog.get_logger(__name__)

R = TypeVar("R")
RETRY_SECONDS = 5.0
parse = cache(parse_many)


class Engine:
    """Counts; atomic, from any thread. What counts for all processes is taken from Redis in leases. What is `strict` is
    counted one by one, and here too: a Redis that goes away, or comes back empty, makes nobody begin anew.
    """

    def __init__(self, redis_url: str) -> None:
        self.is_shared = bool(redis_url)
        self._url = redis_url
        self._near = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._far: SlidingWindowCounterRateLimiter | None = None
        self._leases = Leases()
        self._is_away, self._ask_at = False, 0.0

    def hit(self, rates: str, key: tuple[str, ...], *, strict: bool = False) -> float:
        """Count one more of each of the rates; returns 0.0, or the seconds until the first that is full has room."""
        items = parse(rates)
        if strict:
            return _hit(self._near, items, key) or self._ask(lambda limiter: _hit(limiter, items, key), float)
        known = self.hit_at_once(rates, key)
        return self._lease(items, key) if known is None else known

    def hit_at_once(self, rates: str, key: tuple[str, ...]) -> float | None:
        """The same where it takes no round trip, of what is not strict; else None, and nothing is counted."""
        return self._leases.take(key) if self.is_shared else _hit(self._near, parse(rates), key)

    def forget(self, rates: str, key: tuple[str, ...]) -> None:
        """Begin anew."""

        def clear(limiter: SlidingWindowCounterRateLimiter) -> None:
            for item in parse(rates):
                limiter.clear(item, *key)

        clear(self._near)
        self._leases.drop(key)
        self._ask(clear, lambda: None)

    def _lease(self, items: list[RateLimitItem], key: tuple[str, ...]) -> float:
        amount, window = min(item.amount for item in items), min(item.get_expiry() for item in items)
        wanted = self._leases.wanted(key, amount, window)

        def count(limiter: SlidingWindowCounterRateLimiter) -> tuple[int, float]:
            cost = wanted
            while cost > 1 and not _hit_several(limiter, items, key, cost):
                cost //= 2
            if cost > 1:
                return cost, 0.0
            seconds = _hit(limiter, items, key)
            return int(not seconds), seconds

        counted, seconds = self._ask(count, lambda: count(self._near))
        if self._is_away:  # what is full here may not be full there
            seconds = min(seconds, RETRY_SECONDS)
        self._leases.granted(key, wanted, counted, window, seconds)
        return seconds

    def _ask(self, work: Callable[[SlidingWindowCounterRateLimiter], R], near: Callable[[], R]) -> R:
        """Work with the shared count, or where there is none do what is to be done here."""
        if self.is_shared and time.monotonic() >= self._ask_at:
            try:
                answer = work(self._connected())
            except StorageError as error:
                self._ask_at = time.monotonic() + RETRY_SECONDS
                if not self._is_away:
                    self._is_away = True
                    cause = error.storage_error
                    log.warning("limits_without_redis", error=type(cause).__name__, reason=redis_links.reason(cause))
            else:
                if self._is_away:
                    self._is_away = False
                    log.info("limits_with_redis")
                return answer
        return near()

    def _connected(self) -> SlidingWindowCounterRateLimiter:
        if self._far is None:
            pool = redis_links.client(self._url).connection_pool
            storage = RedisStorage("redis://", connection_pool=pool, wrap_exceptions=True, key_prefix="seance-limits")
            self._far = SlidingWindowCounterRateLimiter(storage)
        return self._far


def _hit(limiter: SlidingWindowCounterRateLimiter, items: list[RateLimitItem], key: tuple[str, ...]) -> float:
    for item in items:
        if not limiter.hit(item, *key):
            return max(0.05, limiter.get_window_stats(item, *key).reset_time - time.time())
    return 0.0


def _hit_several(
    limiter: SlidingWindowCounterRateLimiter, items: list[RateLimitItem], key: tuple[str, ...], cost: int
) -> bool:
    if len(items) > 1 and not all(limiter.test(item, *key, cost=cost) for item in items):
        return False  # else the first would count what the second refuses
    return all(limiter.hit(item, *key, cost=cost) for item in items)
