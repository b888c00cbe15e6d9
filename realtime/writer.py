"""realtime, group commit: while a transaction is under way, new work gathers; the next transaction takes it all.

An idle process commits at once, a busy one shares a commit among many. There is no timer, but for joins and releases
that come in crowds: a thousand people who lost their connection shall not cost the database a thousand transactions.
What a locked session keeps waiting moves to a lane of its own, so that nobody waits for a stranger's room.
"""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import structlog

from realtime import metrics
from realtime.bridge import Bridge
from sessions_app import spans
from sessions_app.errors import Code, SeanceError
from sessions_app.services.log import Busy

log = structlog.get_logger(__name__)


class Item(Protocol):
    """Work on one session."""

    @property
    def session_id(self) -> UUID: ...


TRIES = 7  # of an item in a crowd whose session is locked, before it takes a lane
NAMED = 20  # items of a transaction whose sessions its lines name
CROWD, ENOUGH = 3, 128  # items in one transaction from which on the next waits, and for how many it waits at most
QUIET_SECONDS = 0.02  # in which nobody came: all are here
AGAIN_SECONDS = 0.2  # the same while some wait whose session was locked, and twice as long after each further try
# Seconds for which a lane tries where too many wait for locks already (as many as the database would let it wait), and
# between its tries.
PATIENCE, FIRST_PAUSE, LONGEST_PAUSE = 2.0, 0.01, 0.4

T = TypeVar("T", bound=Item)
R = TypeVar("R")
Done = Callable[[R | SeanceError], None]
Entry = tuple[T, Done[R]]


class Batcher(Generic[T, R]):
    """Runs `work(items, wait=…)` in a database thread, one call at a time, each with all that has gathered.

    With wait=False `work` answers `Busy` for an item whose session somebody else has locked. After a crowd the next
    transaction begins when enough have gathered, or up to `pause` seconds after the last began; items whose session
    was locked are among them.
    """

    def __init__(
        self,
        bridge: Bridge,
        work: Callable[..., Sequence[R | SeanceError]],
        *,
        name: str,
        largest: int = 500,
        pause: float = 0.0,
    ) -> None:
        self._bridge, self._work, self._name, self._largest = bridge, work, name, largest
        self._title = f"transaction {name}"
        self._pause, self._not_before = pause, 0.0  # seconds, and on the loop's clock
        self._enough = asyncio.Event()
        self._waiting: list[Entry[T, R]] = []
        self._lanes: dict[UUID, list[Entry[T, R]]] = {}
        self._links: dict[int, Any] = {}  # the spans that items came from, where somebody traces them
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = False
        self._size, self._seconds = metrics.BATCH_SIZE.labels(name), metrics.COMMIT_SECONDS.labels(name)

    def put(self, item: T, done: Done[R]) -> None:
        """Queue one item; `done` is called on the loop, right after the commit, with its result or its refusal."""
        if (from_ := spans.here()) is not None:
            self._links[id(item)] = from_
        lane = self._lanes.get(item.session_id)
        if lane is not None:
            lane.append((item, done))
            return
        self._waiting.append((item, done))
        if len(self._waiting) == ENOUGH:
            self._enough.set()
        if not self._running:
            self._running = True
            self._spawn(self._run())

    def submit(self, item: T) -> asyncio.Future[R]:
        """Queue one item; the future ends with its result, or with the `SeanceError` that refused it."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()

        def done(result: R | SeanceError) -> None:
            if future.done():
                return
            if isinstance(result, SeanceError):
                future.set_exception(result)
            else:
                future.set_result(result)

        self.put(item, done)
        return future

    async def drain(self) -> None:
        """Wait until nothing is queued or under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        # Whoever came first shall not sign what is done for all: `_commit` says whose work it is.
        task = asyncio.get_running_loop().create_task(coroutine, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        now, tries, quiet = asyncio.get_running_loop().time, dict[int, int](), QUIET_SECONDS
        try:
            while self._waiting:
                await self._gather(self._not_before, quiet)
                quiet = QUIET_SECONDS
                began = now()
                batch, self._waiting = self._waiting[: self._largest], self._waiting[self._largest :]
                self._size.observe(len(batch))
                busy = await self._commit(batch, wait=False)
                if self._pause and len(batch) >= CROWD:
                    # Not in step with the other processes, which would meet at the same locks each time.
                    self._not_before = began + self._pause * random.uniform(0.6, 1)
                    # Again with the next ones, some times, each after a longer wait: a lane would be a transaction of
                    # its own.
                    tries = {id(entry): tries.get(id(entry), 0) + 1 for entry in busy}
                    again = [entry for entry in busy if tries[id(entry)] < TRIES]
                    self._waiting[:0] = again
                    if again:
                        quiet = AGAIN_SECONDS * 2 ** (max(tries[id(entry)] for entry in again) - 1)
                    busy = [entry for entry in busy if tries[id(entry)] >= TRIES]
                for entry in busy:
                    self._to_lane(entry)
                if self._lanes:  # what came meanwhile for the same sessions stays behind, whether or not the lock does
                    behind = [entry for entry in self._waiting if entry[0].session_id in self._lanes]
                    self._waiting = [entry for entry in self._waiting if entry[0].session_id not in self._lanes]
                    for entry in behind:
                        self._to_lane(entry)
        finally:
            self._running = False

    async def _gather(self, until: float, quiet: float) -> None:
        """Wait until `until`, for enough, or for a time in which nobody comes: then all who were to come are here."""
        self._enough.clear()
        now, count = asyncio.get_running_loop().time, -1
        while count < len(self._waiting) < ENOUGH and (left := until - now()) > 0:
            count, began = len(self._waiting), time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(left, quiet)):
                    await self._enough.wait()
            if time.monotonic() - began > 2 * quiet:  # too busy to see who stands at the door: that was no silence
                count = -1

    def _to_lane(self, entry: Entry[T, R]) -> None:
        session_id = entry[0].session_id
        if session_id not in self._lanes:
            self._lanes[session_id] = []
            self._spawn(self._run_lane(session_id))
        self._lanes[session_id].append(entry)

    async def _run_lane(self, session_id: UUID) -> None:
        lane = self._lanes[session_id]
        while lane:
            batch, lane[:] = lane[: self._largest], lane[self._largest :]
            if self._bridge.waiting.locked():
                await self._try(batch, lane)
            else:
                async with self._bridge.waiting:
                    await self._commit(batch, wait=True)
        del self._lanes[session_id]

    async def _try(self, batch: list[Entry[T, R]], lane: list[Entry[T, R]]) -> None:
        """Without a thread that waits: now and then, for as long as the database would wait, and then no more."""
        now, pause = asyncio.get_running_loop().time, FIRST_PAUSE
        until = now() + PATIENCE
        while (batch := await self._commit(batch, wait=False)) and (left := until - now()) > 0:
            await asyncio.sleep(min(left, pause))
            pause = min(2 * pause, LONGEST_PAUSE)
            if left > PATIENCE / 2 and not self._bridge.waiting.locked():
                lane[:0] = batch  # it may wait after all; later that would be longer than anybody should
                return
        if batch:
            refused, lane[:] = [*batch, *lane], []  # nothing passes what came before it
            self._came_from([item for item, _ in refused])
            for _, done in refused:
                done(SeanceError(Code.UNAVAILABLE, retry_after_ms=1000))

    def _came_from(self, items: Sequence[T]) -> Sequence[Any]:
        return [self._links.pop(id(item), None) for item in items] if self._links else ()

    async def _commit(self, batch: list[Entry[T, R]], *, wait: bool) -> list[Entry[T, R]]:
        """One transaction; returns the entries whose session is locked by somebody else."""
        items = [item for item, _ in batch]
        spans.ids.set(partial(_ids, self._name, items))
        began = time.perf_counter()
        try:
            with spans.span(self._title, {"seance.items": len(items)}, links=self._came_from(items)):
                results: Sequence[R | SeanceError | None] = await self._bridge.call(self._work, items, wait=wait)
        except SeanceError as refused:
            results = [refused.kept()] * len(batch)
        except Exception:
            if len(batch) > 1:  # one of them is hostile in a way that no rule foresaw: its neighbours shall not suffer
                return [busy for entry in batch for busy in await self._commit([entry], wait=wait)]
            log.exception("batch_failed", work=self._name)
            results = [SeanceError(Code.INTERNAL_ERROR)]
        self._seconds.observe(time.perf_counter() - began)
        busy = []
        for entry, result in zip(batch, results, strict=True):
            if isinstance(result, Busy):
                busy.append(entry)
            else:
                entry[1](result)  # type: ignore[arg-type]  # None is a result of some work
        return busy


def _ids(work: str, items: Sequence[Item]) -> dict[str, Any]:
    """What lines of a transaction say of whom it is for."""
    sessions = list({str(item.session_id): None for item in items[:NAMED]})
    return {"work": work, **({"session_id": sessions[0]} if len(sessions) == 1 else {"session_ids": sessions})}
