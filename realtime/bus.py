"""realtime, between processes: the channel layer. The process is a member of the group of each session it serves.

Nothing here is needed for the truth: what Redis loses, the hub finds in the database. So nothing here waits long, and
nothing raises.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog
from channels.layers import get_channel_layer
from django.conf import settings

from realtime import metrics
from sessions_app import publish, redis_links
from sessions_app.publish import Notice

log = structlog.get_logger(__name__)

JOIN_WAIT_SECONDS = 1.0
RETRY_SECONDS = 1.0
PROCESSES = "processes"  # not a session: the group in which every process is


class Lane:
    """What waits for one server of Redis, and whether that is away: so that the others wait for none of it."""

    def __init__(self) -> None:
        self.outbox: list[Notice] = []
        self.more = asyncio.Event()
        self.is_sending = self.is_away = False
        # Until when, on the loop's clock, nothing is expected from it: what others said did not come in time.
        self.deaf_until = 0.0


class Bus:
    """One process's membership of the channel layer; with `enabled` False, of nothing."""

    def __init__(self, process_id: str, *, enabled: bool) -> None:
        self.process_id, self.enabled = process_id, enabled
        self._layer: Any = get_channel_layer() if enabled else None
        self._channel = ""
        self._groups: set[str] = set()
        self._lanes = [Lane() for _ in range(getattr(self._layer, "lanes", 1))]
        self._retrying: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # Nobody is told what nobody hears: with no other process alive, Redis is not troubled. The book of processes is
        # read at every poll, and a process that starts says hello; what is missed in between, its own poll finds.
        self.is_alone = False

    async def start(self, deliver: Callable[[Sequence[Notice]], None]) -> None:
        """Begin to listen and to send; `deliver` gets what other processes say."""
        if self.enabled:
            self._channel = f"seance.process.{self.process_id}"
            self._tasks = {asyncio.create_task(self._sender(lane)) for lane in self._lanes}
            self._tasks.add(asyncio.create_task(self._listen(deliver)))
            await asyncio.sleep(0)  # the listener's first step makes the channel that joins a group
            await self.join(PROCESSES)
            self.send([Notice(PROCESSES, "process_started", "")])

    async def stop(self) -> None:
        """Send what is left, and leave."""
        if self.enabled:
            deadline = asyncio.get_running_loop().time() + JOIN_WAIT_SECONDS
            while self._has_more and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  once in a life
                await asyncio.sleep(0.01)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def join(self, session: str) -> None:
        """Become a member of a session's group; where Redis does not answer soon, later."""
        self._groups.add(session)
        if self.enabled and not await self._call(self._layer.group_add, session) and session not in self._retrying:
            self._retrying.add(session)
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._retry, session)

    async def leave(self, session: str) -> None:
        """Be a member no more."""
        self._groups.discard(session)
        if self.enabled:
            await self._call(self._layer.group_discard, session)

    def is_deaf(self, session: str) -> bool:
        """Whether waiting for what other processes say in a session is in vain."""
        return self.enabled and asyncio.get_running_loop().time() < self._lane(session).deaf_until

    def missed(self, session: str) -> None:
        """Something of a session was waited for in vain: for a while, or until something comes, nothing is expected."""
        self._lane(session).deaf_until = asyncio.get_running_loop().time() + settings.SEANCE.head_poll_seconds

    def send(self, notices: Sequence[Notice]) -> None:
        """Queue notices for the other processes."""
        if self.enabled and not self.is_alone:
            if len(self._lanes) == 1:
                self._queue(self._lanes[0], notices)
                return
            for notice in notices:
                self._queue(self._lane(notice.session), [notice])

    def _queue(self, lane: Lane, notices: Sequence[Notice]) -> None:
        lane.outbox.extend(notices)
        lane.more.set()

    @property
    def _has_more(self) -> bool:
        return any(lane.outbox or lane.is_sending for lane in self._lanes)

    def _lane(self, session: str) -> Lane:
        return self._lanes[self._layer.lane(publish.group_name(session)) if len(self._lanes) > 1 else 0]

    def _retry(self, session: str) -> None:
        self._retrying.discard(session)
        if session in self._groups:
            task = asyncio.get_running_loop().create_task(self.join(session))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _call(self, method: Callable[[str, str], Any], session: str) -> bool:
        try:
            async with asyncio.timeout(JOIN_WAIT_SECONDS):
                await method(publish.group_name(session), self._channel)
        except Exception as error:  # noqa: BLE001  any trouble of Redis is the same trouble here
            self._note(self._lane(session), error)
            return False
        return True

    async def _listen(self, deliver: Callable[[Sequence[Notice]], None]) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
                origin, notices = publish.decode(message["body"])
                if origin != self.process_id:
                    self.is_alone = False
                    for lane in {self._lane(notice.session) for notice in notices}:
                        lane.deaf_until = 0.0
                    deliver(notices)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001  see above
                self._note(self._lanes[0], error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _sender(self, lane: Lane) -> None:
        while True:
            await lane.more.wait()
            lane.more.clear()
            while lane.outbox:
                batch, lane.outbox, lane.is_sending = lane.outbox, [], True
                try:
                    async with asyncio.timeout(JOIN_WAIT_SECONDS):
                        await publish.send(self.process_id, batch)
                    lane.is_away = False
                except Exception as error:  # noqa: BLE001  see above
                    metrics.PUBLISH_FAILURES.inc()
                    self._note(lane, error)
                lane.is_sending = False

    def _note(self, lane: Lane, error: Exception) -> None:
        if not lane.is_away:
            lane.is_away = True
            log.warning(
                "channel_layer_unavailable",
                error=type(error).__name__, reason=redis_links.reason(error), server=self._lanes.index(lane) + 1,
            )  # fmt: skip
