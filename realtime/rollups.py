"""realtime, the process's bookkeeper: stores what was measured, and has the rollups brought up to date.

Every process wakes up as often; the lease in the database lets one of them count. It works in threads of its own, so
that no message waits for it.
"""

import asyncio
import random
from contextlib import suppress

import structlog
from django.conf import settings

from realtime import measures
from realtime.bridge import Bridge, outliving
from sessions_app.services.measures import add_measures
from sessions_app.services.rollup import refresh

log = structlog.get_logger(__name__)


class Bookkeeper:
    """Does it every ROLLUP_SECONDS; with 0 it measures for nobody, and only forgets."""

    def __init__(self) -> None:
        self._bridge = Bridge(1)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Store what is left; a run under way ends with its transaction, and is for another process to go on with."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._store()
        self._bridge.close()

    async def _run(self) -> None:
        while True:
            every = settings.SEANCE.rollup_seconds
            # Not in step with the other processes.
            await asyncio.sleep((every or 60) * random.uniform(0.8, 1.2))  # noqa: S311  no secret
            await self._store()
            if every:
                await self._count(every)

    async def _store(self) -> None:
        latencies, closes = measures.take()
        if not settings.SEANCE.rollup_seconds or not (latencies or closes):
            return
        with outliving("measures_not_stored"):
            try:
                await self._bridge.call(add_measures, latencies, closes)
            except Exception:
                measures.put_back(latencies, closes)
                raise

    async def _count(self, every: float) -> None:
        with outliving("rollups_not_refreshed"):
            if (done := await self._bridge.call(refresh, every=every)) is not None and any(done):
                log.debug("rollups_refreshed", sessions=done.sessions, days=done.days)
