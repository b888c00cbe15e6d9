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

import structlog
from django.conf import settings
from django.db import connection

from sessions_app import fitness, redis_links, replica

log = structlog.get_logger("seance.health")

# Set by the server when it begins to send its clients away.
draining = False

PATIENCE = 2.0
State = Literal["connected", "disconnected", "memory"]


class Found(NamedTuple):
    """What answered, and a word for each that is not well that says why. `is_fit`: the database can be worked with."""

    database: Literal["connected", "disconnected"]
    cache: State
    channel_layer: State
    replica: replica.State | None
    is_fit: bool
    reasons: dict[str, str]


class Unfit(Exception):
    """The database answers, and cannot be worked with."""


class _Probe:
    """One question, asked by at most one thread at a time. What is wrong is said once, until it is something else."""

    def __init__(self, name: str, ask: Callable[[], State], why: Callable[[Exception], str]) -> None:
        self.name = name
        self.ask = ask
        self.why = why
        self.said = ""
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
        if not done:
            self._say("timeout", "TimeoutError")
        return asked.result() if done else "disconnected"

    def _run(self) -> State:
        try:
            found = self.ask()
        except Unfit as unfit:
            self._say(str(unfit), type(unfit).__name__)
            return "connected"
        except Exception as error:  # noqa: BLE001  whatever it is, the thing does not answer
            self._say(self.why(error), type(error).__name__)
            return "disconnected"
        if self.said:
            self.said = ""
            log.info("reachable", what=self.name)
        return found

    def _say(self, why: str, error: str) -> None:
        if why != self.said:
            self.said = why
            log.warning("unreachable", what=self.name, error=error, reason=why)


def _database() -> State:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            if cursor.fetchone() != (1,):
                return "disconnected"
        if fitness.lacking():
            raise Unfit("migrations_missing")
        return "connected"
    finally:
        connection.close()


def _replica() -> State:
    try:
        replica.look()  # whose verdict is kept there, and said there
        return "connected"
    finally:
        connection.close()


def _cache() -> State:
    if not settings.CACHES["default"]["BACKEND"].endswith("RedisCache"):
        return "memory"
    client = redis_links.cache_client()
    client.set("health", secrets.token_hex(8), timeout=10)
    return "connected" if client.get("health") is not None else "disconnected"


def _channel_layer() -> State:
    if "InMemory" in settings.CHANNEL_LAYERS["default"]["BACKEND"]:
        return "memory"
    # Over a connection of its own: one that is open already would not show that no other can be made any more.
    urls = settings.SEANCE.pubsub
    with ThreadPoolExecutor(len(urls)) as threads:  # several that do not answer are waited for together
        list(threads.map(_publish, urls))
    return "connected"


def _publish(url: str) -> None:
    with redis_links.client(url) as client:
        client.publish("seance__group__health", b"")


_PROBES = (
    _Probe("database", _database, fitness.reason),
    _Probe("cache", _cache, redis_links.reason),
    _Probe("channel_layer", _channel_layer, redis_links.reason),
    _Probe("replica", _replica, fitness.reason),
)


async def look() -> Found:
    """Ask everything at once. Neither a copy nor Redis that is away makes it unfit: the database answers for them."""
    database, in_cache, layer, _ = await asyncio.gather(*(probe.result() for probe in _PROBES))
    copy = replica.verdict()
    reasons = {probe.name: probe.said for probe in _PROBES[:3] if probe.said}
    if copy and copy.why:
        reasons["replica"] = copy.why
    return Found(
        "connected" if database == "connected" else "disconnected",
        in_cache,
        layer,
        copy and copy.state,
        is_fit=database == "connected" and "database" not in reasons,
        reasons=reasons,
    )
