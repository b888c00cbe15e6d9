"""realtime, the one place where the event loop meets the database: the database is sync, sockets are async.

All of a process's database work runs in a fixed number of threads, each with a connection of its own that lives as
long as the thread. A database that is away, or a lock that is not to be had, becomes `UNAVAILABLE`.
"""

import asyncio
import select
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

import structlog
from django.db import DatabaseError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from realtime import metrics
from sessions_app.errors import Code, SeanceError
from sessions_app.outage import OUTAGE

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger(__name__)


class Bridge:
    """A process's database threads; half of them may wait for locks, with a place in `waiting`."""

    def __init__(self, threads: int) -> None:
        self.waiting = asyncio.Semaphore(max(1, threads // 2))
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="database")

    def begin(self) -> None:
        """Start all threads now, where their connections cost memory and nothing else.

        The executor starts one when all others are busy: the last of them, and what its connection keeps, would come
        hours later, and in a moment that is busy enough without.
        """
        all_there = threading.Barrier(self._threads)
        for _ in range(self._threads):
            self._executor.submit(all_there.wait, 10.0)

    async def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a service in a database thread; raises what it raises, and `UNAVAILABLE` where the database is away."""
        return await asyncio.wrap_future(self._submit(function, time.perf_counter(), args, kwargs))

    async def call_locking(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """`call` for a service that may wait for a lock; no more of them at a time than there are places."""
        queued_at, loop = time.perf_counter(), asyncio.get_running_loop()
        await self.waiting.acquire()
        under_way = self._submit(function, queued_at, args, kwargs)
        # Not before the thread is free, even where nobody wants the answer any more.
        under_way.add_done_callback(lambda _: loop.call_soon_threadsafe(self.waiting.release))
        return await asyncio.wrap_future(under_way)

    def _submit(
        self, function: Callable[..., R], queued_at: float, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> "Future[R]":
        # With the caller's context, so that lines written in the thread say whose work it is.
        return self._executor.submit(copy_context().run, partial(run, function, queued_at, args, kwargs))

    def close(self) -> None:
        """Let the work under way end, and close every connection."""
        self._executor.shutdown(wait=True)


def run(function: Callable[..., R], queued_at: float, args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
    """The database thread's side of `Bridge.call`."""
    metrics.DATABASE_WAIT.observe(time.perf_counter() - queued_at)
    drop_dead_connections()
    try:
        return function(*args, **kwargs)
    except OUTAGE as error:
        log.warning("database_unavailable", error=type(error).__name__, cause=type(error.__cause__).__name__)
        raise SeanceError(Code.UNAVAILABLE, retry_after_ms=1000) from error
    finally:
        close_broken_connections()


@contextmanager
def outliving(event: str, **fields: object) -> Iterator[None]:
    """Around one round of work that must go on whatever befalls it: what a service refuses is a line of the log, and
    what nobody foresaw is one with its traceback."""
    try:
        yield
    except SeanceError as error:
        log.warning(event, code=error.code, **fields)
    except Exception:
        log.exception(event, **fields)


def drop_dead_connections() -> None:
    """Close connections that the server has closed meanwhile.

    A server that restarts, or ends an idle session, leaves a readable socket: looking for that costs a microsecond,
    where Django's own health check costs a query.
    """
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and connection.vendor == "postgresql" and _is_dead(connection):
            connection.close()


def _is_dead(connection: BaseDatabaseWrapper) -> bool:
    raw = connection.connection.pgconn
    if raw.status != 0:  # ConnStatus.OK
        return True
    poller = select.poll()
    poller.register(raw.socket, select.POLLIN)
    return bool(poller.poll(0))


def close_broken_connections() -> None:
    """Close connections that an error has left unusable, so that the next piece of work begins with a new one."""
    for connection in connections.all(initialized_only=True):
        if connection.errors_occurred or connection.in_atomic_block:
            try:
                if connection.in_atomic_block or not connection.is_usable():
                    connection.close()
                connection.errors_occurred = False
            except DatabaseError:
                log.warning("connection_close_failed")
