"""realtime, webhooks on their way: what is due is claimed and posted, beside everything else and in nobody's way.

The rows are the queue (`services.webhooks`): this postman only holds leases. It has a database thread of its own, and
each endpoint has a few places of its own, so that a slow target keeps nobody waiting but itself.
"""

import asyncio
import random
import time
from collections import Counter
from uuid import UUID

import structlog

from realtime import metrics
from realtime.bridge import Bridge, outliving
from sessions_app import outbox
from sessions_app.services.webhooks import queue
from sessions_app.services.webhooks.queue import Claim
from sessions_app.webhooks.sending import Sender
from sessions_app.webhooks.signing import headers

log = structlog.get_logger("seance.webhooks")

PAUSE_SECONDS, IDLE_SECONDS = 0.5, 2.0  # between two looks, with an active endpoint and without one
PRUNE_SECONDS = 3600.0
AGENT = {"content-type": "application/json", "user-agent": "seance-webhooks/1", "accept-encoding": "identity"}


class Postman:
    """Delivers what is due, for as long as its process lives."""

    def __init__(self, shared: Bridge) -> None:
        self._shared, self._bridge = shared, Bridge(1)  # a thread that is made with the first endpoint
        self._sender = Sender()
        self._under_way: Counter[UUID] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._prune_at = time.monotonic() + PRUNE_SECONDS * random.uniform(0, 1)

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Let requests under way end, for a moment; what is not settled is claimed again by another process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=2)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._sender.aclose()
        self._bridge.close()

    async def _run(self) -> None:
        while True:
            pause = IDLE_SECONDS
            with outliving("webhook_look_failed"):
                pause = await self._look()
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))

    async def _look(self) -> float:
        """One round; returns for how many seconds to wait."""
        if time.monotonic() > self._prune_at:
            pruned = await self._shared.call(queue.prune)
            self._prune_at = time.monotonic() + (PRUNE_SECONDS if pruned < queue.PRUNE_MAX else 1)
        if not await self._shared.call(outbox.is_wanted):
            return IDLE_SECONDS
        found = await self._bridge.call(queue.work, dict(self._under_way))
        if found is None:
            return IDLE_SECONDS
        metrics.WEBHOOK_LAG.set(found.lag)
        for claim in found.claims:
            self._under_way[claim.endpoint_id] += 1
            task = asyncio.create_task(self._deliver(claim))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return 0.01 if found.is_more or found.claims else PAUSE_SECONDS

    async def _deliver(self, claim: Claim) -> None:
        try:
            with outliving("webhook_not_settled", delivery=str(claim.delivery_id)):  # due again when its lease is over
                message_id = str(claim.event_id)
                signed = headers(claim.secrets, message_id, int(time.time()), claim.body)
                outcome = await self._sender.post(claim.url, AGENT | signed, claim.body)
                end = await self._bridge.call(queue.settle, claim, outcome)
                metrics.WEBHOOK_DELIVERIES.labels(end).inc()
                metrics.WEBHOOK_SECONDS.observe(outcome.seconds)
                if end != "delivered":
                    log.info("webhook_not_delivered", delivery=str(claim.delivery_id), end=end, error=outcome.error)
        finally:
            self._under_way[claim.endpoint_id] -= 1
            if not self._under_way[claim.endpoint_id]:
                del self._under_way[claim.endpoint_id]
