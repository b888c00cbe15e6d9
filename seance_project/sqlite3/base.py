"""seance_project: Django's engine for SQLite, but the threads of a process wait for each other in the order they came.

SQLite lets one transaction write at a time. Whoever finds it taken sleeps a little and looks again, up to a tenth of a
second each time: who comes then is luck, and with a slow disk some wait until they give up ("database is locked").
Here the next in line is woken when the one before is done. Other processes, such as commands, wait as SQLite has it.
"""

import threading
from collections import deque
from typing import Any

from django.db import OperationalError
from django.db.backends.sqlite3 import base


class Line:
    """A lock that goes to those who wait for it in the order in which they came."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._is_taken = False

    def wait(self, seconds: float) -> bool:
        """Take it; False where it was not to be had in so many seconds."""
        with self._mutex:
            if not self._is_taken:
                self._is_taken = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=seconds):
            return True
        with self._mutex:
            if turn not in self._waiting:  # it came in this very moment
                return True
            self._waiting.remove(turn)
            return False

    def done(self) -> None:
        """Give it to the next."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._is_taken = False


_lines: dict[str, Line] = {}  # for each file


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose transactions wait in the line of its file."""

    _line: Line | None = None  # while it has the turn

    def _start_transaction_under_autocommit(self) -> None:
        if self.is_in_memory_db():  # a test's
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
            return
        line = _lines.setdefault(str(self.settings_dict["NAME"]), Line())
        if not line.wait(self.settings_dict["OPTIONS"].get("timeout", 5)):
            raise OperationalError("database is locked")
        self._line = line
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._step_aside()
            raise

    def _commit(self) -> Any:
        try:
            return super()._commit()  # type: ignore[misc]
        finally:
            self._step_aside()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._step_aside()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self._step_aside()

    def _step_aside(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.done()
