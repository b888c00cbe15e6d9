"""Room: sessions_app/spirits. A circuit breaker: closed, open, and half-open for one try at a time."""

from __future__ import annotations

import time
from collections.abc import Callable

from .base import Unavailable


class Breaker:
    """Opens after `threshold` failures in a row, for `cooldown_s`; then lets one caller try. One per provider and
    process; not thread-safe, since providers live in one event loop."""

    def __init__(
        self, *, threshold: int = 4, cooldown_s: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._cooldown_s = cooldown_s
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._trying = False

    @property
    def state(self) -> str:
        """`closed`, `open` or `half_open`."""
        if self._opened_at is None:
            return "closed"
        return "half_open" if self._clock() - self._opened_at >= self._cooldown_s else "open"

    def enter(self) -> None:
        """Ask to go through. Raises `Unavailable` (code `breaker_open`) when closed to us."""
        state = self.state
        if state == "open" or (state == "half_open" and self._trying):
            raise Unavailable("the provider rests after repeated failures", code="breaker_open", retryable=False)
        self._trying = state == "half_open"

    def succeeded(self) -> None:
        self._failures, self._opened_at, self._trying = 0, None, False

    def failed(self) -> None:
        self._failures += 1
        if self._trying or self._failures >= self._threshold:
            self._opened_at = self._clock()
        self._trying = False

    def leave(self, works: bool | None) -> None:
        """Tell how it went. None: the caller went away before that was known; the try is free again."""
        if works is None:
            self._trying = False
        elif works:
            self.succeeded()
        else:
            self.failed()
