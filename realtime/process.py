"""realtime, one server process: its parts, how they start, and how they leave without losing anything."""

import asyncio
import os
import random
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from uuid import UUID
from weakref import WeakValueDictionary

import structlog
from django.conf import settings
from django.db import connection
from uuid_utils.compat import uuid7

from realtime import metrics
from realtime.addresses import Addresses
from realtime.bridge import Bridge
from realtime.bus import Bus
from realtime.connections import ConnectionManager
from realtime.presence import Keeper
from realtime.rollups import Bookkeeper
from realtime.streams import Streams
from realtime.turns import TurnRunner
from realtime.webhooks import Postman
from realtime.writer import Batcher
from sessions_app import events, health, limits, publish, replica
from sessions_app.errors import SeanceError
from sessions_app.limits import Pace
from sessions_app.publish import Notice
from sessions_app.selectors import cached
from sessions_app.services import store
from sessions_app.services.messages import Draft, Posted, post_messages
from sessions_app.services.presence import Release, release_connections, unregister_process
from sessions_app.services.seats import Joined, JoinRequest, join_sessions

log = structlog.get_logger(__name__)

RETRY_SECONDS = 2.0
WARMED = 200  # sessions at the start
CROWD_PAUSE = 0.5  # seconds from one transaction of joins or releases to the next, while they come in crowds


class Process:
    """Everything that one server process keeps for its sockets."""

    def __init__(self) -> None:
        self.id: UUID = uuid7()
        # Stable over a restart, so that a process finds what its former self left behind.
        self.name = os.environ.get("SEANCE_PROCESS_NAME") or f"{socket.gethostname()}:{os.getpid()}"
        # Requests have threads of their own, so that a slow report never waits in front of a message, nor the reverse.
        self.bridge = Bridge(settings.SEANCE.database_threads)
        self.http_bridge = Bridge(settings.SEANCE.database_threads)
        self.slow_bridge = Bridge(2)
        self.probe_bridge = Bridge(2)
        self.limits_bridge = Bridge(2)
        self.door_bridge = Bridge(2)  # nor do those who are in wait for those who knock
        self.bus = Bus(str(self.id), enabled=bool(settings.SEANCE.redis_url))
        self.hub = ConnectionManager(self.bridge, self.bus)
        self.posts: Batcher[Draft, Posted] = Batcher(self.bridge, post_messages, name="post")
        self.joins: Batcher[JoinRequest, Joined] = Batcher(self.bridge, join_sessions, name="join", pause=CROWD_PAUSE)
        self.releases: Batcher[Release, None] = Batcher(
            self.bridge, release_connections, name="release", pause=CROWD_PAUSE
        )
        self.keeper = Keeper(self.id, self.name, self.bridge, self.hub, self.bus)
        self.turns = TurnRunner(self.bridge, self.hub)
        self.postman = Postman(self.bridge)
        self.bookkeeper = Bookkeeper()
        self.draining = False
        self._entering = 0  # sockets that are about to have joined
        self.addresses = Addresses()
        self.streams = Streams(self.id)
        self.keeper.watch(self.streams.check)
        self.keeper.watch(_look_at_the_store)
        self._message_paces: WeakValueDictionary[UUID, Pace] = WeakValueDictionary()
        self._unheard: list[Release] = []  # which the database has not heard

    def message_pace(self, user_id: UUID) -> Pace:
        """How often a user may speak: one count for all sockets of the user here, as long as there is one."""
        pace = self._message_paces.get(user_id)
        if pace is None:
            env = settings.SEANCE
            pace = Pace(burst=env.messages_burst, per_minute=env.messages_per_minute)
            self._message_paces[user_id] = pace
        return pace

    async def count(self, *counts: tuple[str, str]) -> None:
        """Count one more of limits of the table, each for its key; raises `RATE_LIMITED`. Only a round trip is worth a
        thread."""
        for name, key in counts:
            if not limits.hit_at_once(name, key):
                bridge = self.door_bridge if limits.TABLE[name].scope == "address" else self.limits_bridge
                await bridge.call(limits.hit, name, key)

    async def start(self) -> None:
        """Enter the process in the book and begin."""
        loop = asyncio.get_running_loop()

        def sink(notices: Sequence[Notice]) -> None:
            # What is begun by hearing of it, such as a turn, is nobody's request.
            loop.call_soon_threadsafe(self.hub.publish, notices, context=Context())

        if connection.vendor == "sqlite":  # a connection is 1.5 MB of our own, and no place that a server has to give
            self.bridge.begin()
        await _look_at_the_store(self.bridge)  # before anybody resumes
        await self.keeper.register()
        publish.connect(sink)
        replica.tell = lambda end: metrics.REPLICA_READS.labels(end).inc()
        cached.tell = lambda what, end: metrics.READ_CACHE.labels(what, end).inc()
        await self.bus.start(self.hub.broadcast)
        self.keeper.start()
        self.turns.start()
        self.postman.start()
        self.bookkeeper.start()
        self._warming = asyncio.create_task(self._warm())
        log.info("process_started", process=self.name, channel_layer="redis" if self.bus.enabled else "memory")

    async def _warm(self) -> None:
        """What people will ask for when they come back; nobody waits for it."""
        try:
            if count := await self.slow_bridge.call(cached.warm, WARMED):
                log.info("read_cache_warmed", sessions=count)
        except SeanceError as error:
            log.warning("read_cache_not_warmed", code=error.code)

    def release(self, item: Release) -> None:
        """Give a closed socket's place back; again and again until the database has heard it."""

        def ended(future: "asyncio.Future[None]") -> None:
            if not future.cancelled() and (error := future.exception()) is not None:
                if not self._unheard:  # one line and one timer for all: in an outage they are thousands
                    log.warning("release_failed", error=str(error))
                    future.get_loop().call_later(RETRY_SECONDS, self._release_again)
                self._unheard.append(item)

        self.releases.submit(item).add_done_callback(ended)

    def _release_again(self) -> None:
        unheard, self._unheard = self._unheard, []
        for item in unheard:
            self.release(item)

    @contextmanager
    def somebody_enters(self) -> Iterator[None]:
        """Around a join: the drain waits for its end, which is a goodbye then."""
        self._entering += 1
        try:
            yield
        finally:
            self._entering -= 1

    def goodbye(self) -> events.Goodbye:
        """What a late comer is told when this process goes: when to come back, spread over the drain window."""
        return events.Goodbye("draining", random.randint(0, _window_ms()), 0)

    async def drain(self) -> None:
        """Send everybody away, spread over the drain window, and finish what was accepted."""
        self.draining = health.draining = True
        sockets = self.hub.sockets()
        log.info("draining", sockets=len(sockets))
        for item in sockets:
            self.hub.dismiss(item, "draining", _window_ms())
        await self.posts.drain()
        now = asyncio.get_running_loop().time
        deadline = now() + 5
        while (self.hub.sockets() or self._entering) and now() < deadline:  # noqa: ASYNC110  once in a life
            await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End the parts; what is left in the database is for the grace time, or for another process to take over."""
        self._warming.cancel()
        await self.turns.stop()
        await self.postman.stop()
        await self.keeper.stop()
        for batcher in (self.posts, self.joins, self.releases):
            await batcher.drain()
        await self.bookkeeper.stop()
        publish.connect(None)
        await self.bus.stop()
        try:
            await self.bridge.call(unregister_process, self.id)
        except Exception as error:  # noqa: BLE001  the lease ends what could not be said
            log.warning("unregister_failed", error=type(error).__name__)
        self.probe_bridge.close()
        self.door_bridge.close()
        self.limits_bridge.close()
        self.slow_bridge.close()
        self.http_bridge.close()
        self.bridge.close()
        log.info("process_stopped", process=self.name)


async def _look_at_the_store(bridge: Bridge) -> None:
    """Where the database was restored, its logs get new epochs, which the next head poll finds."""
    await bridge.call(store.look)


def _window_ms() -> int:
    return round(settings.SEANCE.drain_seconds * 1000)


_current: Process | None = None
_starting: asyncio.Lock | None = None


async def current() -> Process:
    """This process's parts, started at the first need: by the lifespan, or without one by the first connection."""
    global _current, _starting  # noqa: PLW0603  one process, one of them
    if _current is not None:
        return _current
    if _starting is None:
        _starting = asyncio.Lock()
    async with _starting:
        if _current is None:
            process = Process()
            await process.start()
            _current = process
    return _current


def running() -> Process | None:
    """The same where it has started."""
    return _current


async def drain() -> None:
    """Send the sockets of this process away."""
    if _current is not None:
        await _current.drain()


async def shutdown() -> None:
    """End this process's parts."""
    global _current  # noqa: PLW0603  see above
    if _current is not None:
        process, _current = _current, None
        await process.stop()
