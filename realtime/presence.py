"""realtime, the process's clockwork: its lease, the head poll, the reaper, and the watch on slow readers."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import structlog
from django.conf import settings

from realtime import metrics
from realtime.bridge import Bridge, outliving
from realtime.bus import Bus
from realtime.connections import ConnectionManager
from sessions_app.services.presence import poll, reap, register_process, renew_lease

log = structlog.get_logger(__name__)

SERVER_ERROR = 4000
TICK_SECONDS = 0.5


class Keeper:
    """Keeps what is stored about this process true, and this process true to what is stored."""

    def __init__(self, process_id: UUID, name: str, bridge: Bridge, hub: ConnectionManager, bus: Bus) -> None:
        self._process_id, self._name, self._bus = process_id, name, bus
        self._bridge, self._hub = bridge, hub
        self._tasks: list[asyncio.Task[None]] = []
        self._watches: list[Callable[[Bridge], Awaitable[None]]] = []

    def watch(self, check: Callable[[Bridge], Awaitable[None]]) -> None:
        """Have something else looked after with each head poll."""
        self._watches.append(check)

    async def register(self) -> None:
        """Enter the process in the book; what a former self of the same name left there goes."""
        await self._bridge.call(register_process, process_id=self._process_id, name=self._name)

    def start(self) -> None:
        """Wind it up."""
        self._tasks = [asyncio.create_task(work()) for work in (self._renew, self._poll, self._tick)]

    async def stop(self) -> None:
        """Stop it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(settings.SEANCE.presence_renew_seconds)
            with outliving("lease_not_renewed"):
                if not await self._bridge.call(renew_lease, self._process_id):
                    await self._come_back()

    async def _come_back(self) -> None:
        """Others took this process for dead, and its seats. Its people shall come back and take theirs anew."""
        log.warning("lease_lost", process=self._name)
        await self.register()
        for socket in self._hub.sockets():
            socket.close(SERVER_ERROR)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(settings.SEANCE.head_poll_seconds * random.uniform(0.8, 1.2))  # noqa: S311  no secret
            with outliving("poll_failed"):
                await self.poll_once()

    async def poll_once(self) -> None:
        """Compare every room with the database, close what shall be closed, free the seats that nobody holds."""
        found = await self._bridge.call(poll, process_id=self._process_id, session_ids=self._hub.session_ids())
        self._bus.is_alone = found.is_alone
        await self._hub.compare(found.heads)
        self._hub.close_connections(found.close_codes)
        for check in self._watches:
            await check(self._bridge)
        if self._bridge.waiting.locked():
            return  # the next time
        if reaped := await self._bridge.call_locking(reap, process_id=self._process_id):
            metrics.LEASES_EXPIRED.inc(reaped)
            log.info("seats_reaped", count=reaped)

    async def _tick(self) -> None:
        while True:
            due = time.perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            metrics.LOOP_LAG.observe(max(0.0, time.perf_counter() - due))
            with outliving("tick_failed"):
                self._hub.check_readers()
                self._hub.report()
