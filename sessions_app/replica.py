"""sessions_app, the kitchen: reading from a copy of the database, where that is as good as the database itself.

What is read there is read in threads of its own, so that a copy that hangs holds nobody for longer than `PATIENCE`.
Whatever it cannot do in time, or has not got yet, is read from the database. A caller who must see what was written
before says how the copy shows that it has it; without that it may be `LAG_SECONDS` old.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any, Literal, NamedTuple, TypeVar

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, connections

from sessions_app.fitness import reason

R = TypeVar("R")
log = structlog.get_logger("seance.replica")

ALIAS = "replica"
LAG_SECONDS = 10.0
LOOK_EVERY, AWAY_FOR = 1.0, 5.0  # seconds for which a verdict holds: a good one, a bad one
LOOK_PATIENCE, PATIENCE = 1.0, 3.0

State = Literal["connected", "behind", "disconnected"]
# Hears of each read where it was answered, and why not there: `replica`, `behind` or `disconnected`.
tell: Callable[[str], None] = lambda _: None  # noqa: E731  a hook

_here = threading.local()


def alias() -> str:
    """The database that this thread reads."""
    return ALIAS if getattr(_here, "reads", False) else "default"


class Router:
    """Django's DATABASE_ROUTERS, where there is a copy: it is read by its own threads, and never written."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        """Where this thread reads."""
        return alias()

    def db_for_write(self, model: Any, **hints: Any) -> str:
        """The database."""
        return "default"

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        """Rows of the copy are rows of the database."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """The copy gets its tables by itself."""
        return db == "default"


class Verdict(NamedTuple):
    """How the copy does; `why` is a word where it is not read."""

    state: State
    why: str = ""


class _Threads:
    """Those that read the copy. They may hang: nobody waits for their end, not even that of the process."""

    def __init__(self, count: int) -> None:
        self._work: queue.SimpleQueue[tuple[Context, Future[Any], Callable[[], Any]]] = queue.SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._run, name=f"replica-{number}", daemon=True).start()

    def ask(self, work: Callable[[], R], seconds: float) -> R:
        """What `work` returns or raises; `TimeoutError` where it does not in time."""
        future: Future[R] = Future()
        self._work.put((copy_context(), future, work))
        try:
            return future.result(seconds)
        finally:
            future.cancel()

    def _run(self) -> None:
        _here.reads = True
        while True:
            context, future, work = self._work.get()
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(context.run(_on_a_living_connection, work))
                except BaseException as error:  # noqa: BLE001  it is the asker's
                    future.set_exception(error)


def _on_a_living_connection(work: Callable[[], R]) -> R:
    """A connection that was kept may be dead; a new one that fails means what it says."""
    copy = connections[ALIAS]
    was_kept = copy.connection is not None
    try:
        return work()
    except (DatabaseError, InterfaceError):
        with suppress(DatabaseError, InterfaceError):
            copy.close()
        if not was_kept:
            raise
    return work()


class _Copy:
    def __init__(self, threads: int) -> None:
        self._threads, self._looking = _Threads(threads), threading.Lock()
        self.verdict, self._until = Verdict("connected"), 0.0

    def read(self, work: Callable[[], R], has_all: Callable[[], bool]) -> R:
        """From the copy, or from the database."""
        state = self.look().state
        if state == "connected":
            try:
                found = self._threads.ask(lambda: (work(),) if has_all() else None, PATIENCE)
            except (DatabaseError, InterfaceError, TimeoutError) as error:
                state = "disconnected"
                self._judge(Verdict(state, reason(error, ALIAS)))
            else:
                if found is not None:
                    tell("replica")
                    return found[0]
                state = "behind"
        tell(state)
        return work()

    def look(self) -> Verdict:
        """The verdict, which one caller at a time renews when it is old."""
        if time.monotonic() >= self._until and self._looking.acquire(blocking=False):
            try:
                self._judge(self._ask())
            finally:
                self._looking.release()
        return self.verdict

    def _ask(self) -> Verdict:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_lsn()::text")
            (written,) = cursor.fetchone()
        try:
            is_copy, lag = self._threads.ask(lambda: _lag(written), LOOK_PATIENCE)
        except (DatabaseError, InterfaceError, TimeoutError) as error:
            return Verdict("disconnected", reason(error, ALIAS))
        if not is_copy:
            return Verdict("disconnected", "takes_writes")
        if lag is None or lag > LAG_SECONDS:
            return Verdict("behind", "behind")
        return Verdict("connected")

    def _judge(self, verdict: Verdict) -> None:
        is_news = verdict != self.verdict
        self._until = time.monotonic() + (LOOK_EVERY if verdict.state == "connected" else AWAY_FOR)
        self.verdict = verdict
        if is_news and verdict.why:
            log.warning("replica_not_read", reason=verdict.why)
        elif is_news:
            log.info("replica_read_again")


def _lag(written: str) -> tuple[bool, float | None]:
    """Whether it is a copy, and by how many seconds it may be behind; None where nobody knows."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "SELECT pg_is_in_recovery(), CASE WHEN pg_last_wal_replay_lsn() >= %s::pg_lsn THEN 0"
            " ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float END",
            [written],
        )
        return tuple(cursor.fetchone())


_copy: _Copy | None = None
_making = threading.Lock()


def _the_copy() -> _Copy:
    global _copy  # noqa: PLW0603  one process, one copy
    with _making:
        if _copy is None:
            _copy = _Copy(settings.SEANCE.database_threads)
        return _copy


def read(work: Callable[[], R], has_all: Callable[[], bool] = lambda: True) -> R:
    """What `work` reads: in a thread on the copy where there is one that is well and `has_all`, else here."""
    return _the_copy().read(work, has_all) if settings.SEANCE.database_replica_url else work()


def look() -> None:
    """Ask how the copy does, where there is one and the last answer is old."""
    if settings.SEANCE.database_replica_url:
        _the_copy().look()


def verdict() -> Verdict | None:
    """How the copy did when it was last asked or read; None where there is none."""
    return _the_copy().verdict if settings.SEANCE.database_replica_url else None
