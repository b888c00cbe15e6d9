"""sessions_app, the kitchen: what the server can reach, asked within two seconds.

Each thing is asked in a thread of its own, never in those that serve requests: a database that hangs keeps its thread
and nothing else, and further probes wait for the same answer in place of piling up.
"""

import asyncio
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, NamedTuple

import redis
import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection

log = structlog.get_logger("seance.health")

# Set by the server when it begins to send its clients away.
draining = False

PATIENCE = 2.0
REDIS_PATIENCE = 0.5
State = Literal["connected", "disconnected", "memory"]


class Found(NamedTuple):
    """What answered."""

    database: Literal["connected", "disconnected"]
    cache: State
    channel_layer: State


class _Probe:
    """One question, asked by at most one thread at a time."""

    def __init__(self, name: str, ask: Callable[[], State]) -> None:
        self.name = name
        self.ask = ask
        self.pool = ThreadPoolExecutor(1, thread_name_prefix=f"health-{name}")
        self.lock = threading.Lock()
        self.asked: Future[State] | None = None

    async def result(self) -> State:
        """What it answers in time; silence is `disconnected`."""
        with self.lock:
            if self.asked is None or self.asked.done():
                self.asked = self.pool.submit(self._run)
            asked = self.asked
        done, _ = await asyncio.wait([asyncio.wrap_future(asked)], timeout=PATIENCE)
        return asked.result() if done else "disconnected"

    def _run(self) -> State:
        try:
            return self.ask()
        except Exception as error:  # noqa: BLE001  whatever it is, the thing does not answer
            log.warning("unreachable", what=self.name, error=type(error).__name__)
            return "disconnected"


def _database() -> State:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return "connected" if cursor.fetchone() == (1,) else "disconnected"
    finally:
        connection.close()


def _cache() -> State:
    if not settings.CACHES["default"]["BACKEND"].endswith("RedisCache"):
        return "memory"
    # The cache itself swallows errors, so only a value that comes back proves anything.
    value = secrets.token_hex(8)
    cache.set("health", value, 10)
    return "connected" if cache.get("health") is not None else "disconnected"


def _channel_layer() -> State:
    if "InMemory" in settings.CHANNEL_LAYERS["default"]["BACKEND"]:
        return "memory"
    options = {"socket_timeout": REDIS_PATIENCE, "socket_connect_timeout": REDIS_PATIENCE}
    with redis.Redis.from_url(settings.SEANCE.redis_url, **options) as client:
        client.ping()
    return "connected"


_PROBES = (_Probe("database", _database), _Probe("cache", _cache), _Probe("channel_layer", _channel_layer))


async def look() -> Found:
    """Ask everything at once."""
    database, in_cache, layer = await asyncio.gather(*(probe.result() for probe in _PROBES))
    return Found("connected" if database == "connected" else "disconnected", in_cache, layer)
