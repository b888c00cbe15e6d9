"""sessions_app, the kitchen: how often something may be done."""

import time

from sessions_app.errors import Code, SeanceError


class Pace:
    """`burst` at once, `per_minute` in the long run (GCRA): one float of state, exact, without a timer."""

    __slots__ = ("__weakref__", "_gap", "_slack", "_until")

    def __init__(self, *, burst: int, per_minute: int) -> None:
        self._gap = 60.0 / per_minute
        self._slack = self._gap * (burst - 1)
        self._until = 0.0

    def wait(self, now: float | None = None) -> float:
        """Count one more; returns 0.0, or without counting it the seconds until it would be allowed."""
        moment = time.monotonic() if now is None else now
        due = max(self._until, moment)
        if due - moment > self._slack + 1e-9:
            return due - moment - self._slack
        self._until = due + self._gap
        return 0.0

    def hit(self) -> None:
        """Count one more; raises `RATE_LIMITED` with `retry_after_ms` where it is too many."""
        if (seconds := self.wait()) > 0:
            raise SeanceError(Code.RATE_LIMITED, retry_after_ms=max(1, round(seconds * 1000)))
