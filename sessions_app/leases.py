"""sessions_app, the kitchen: what a process has taken from a count over all processes, ahead of need.

A count over all processes is a round trip to Redis for each of its rates. A process that has counted one for a key
lately counts two with the next question, then four and so on up to a tenth of the limit, and lets so many through
without asking. What is not used up soon is lost; a limit is never exceeded by it, but for what the last half minute
left over.
"""

import threading
import time
from collections.abc import Hashable

SHARE = 10  # of a limit no more than this part is taken at once
EXACT = 50  # a limit below this is asked for each
LEASE_SECONDS = 30.0
FULL_SECONDS = 60.0  # then it is asked again, whatever was said
KEPT = 10_000  # keys, from which on those whose time is over are forgotten


class Lease:
    """For one key: how many may still go through, until when; or until when it is full. Moments are monotonic."""

    __slots__ = ("full_until", "left", "size", "until")

    def __init__(self) -> None:
        self.left, self.size, self.until, self.full_until = 0, 1, 0.0, 0.0


class Leases:
    """Of one process; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[Hashable, Lease] = {}
        self._forget_at = KEPT

    def take(self, key: Hashable) -> float | None:
        """0.0: one more goes through. Else the seconds until there is room again, or None where that must be asked."""
        with self._lock:
            lease = self._of.get(key)
            if lease is None:
                return None
            now = time.monotonic()
            if lease.left and now < lease.until:
                lease.left -= 1
                return 0.0
            return max(0.0, lease.full_until - now) or None

    def wanted(self, key: Hashable, amount: int) -> int:
        """How many to ask for, of a limit of `amount`: twice as many as the last time where these were used up early,
        half as many for each time that was too long for them."""
        if amount < EXACT:
            return 1
        with self._lock:
            lease = self._of.get(key)
            if lease is None:
                return 1
            late = time.monotonic() - lease.until
            size = lease.size * 2 if late < 0 else lease.size >> (1 + int(late / LEASE_SECONDS))
            return max(1, min(size, amount // SHARE))

    def granted(self, key: Hashable, wanted: int, counted: int, full_for: float) -> None:
        """What the answer was: `counted` of `wanted`, of which one is used now; else there is room in `full_for`
        seconds."""
        with self._lock:
            lease = self._of.get(key)
            if lease is None:
                self._forget()
                lease = self._of[key] = Lease()
            now = time.monotonic()
            if counted:
                left = lease.left if now < lease.until else 0  # another thread may have asked in the same moment
                lease.left, lease.size, lease.until = left + counted - 1, wanted, now + LEASE_SECONDS
            else:
                lease.full_until = now + min(full_for, FULL_SECONDS)

    def drop(self, key: Hashable) -> None:
        """Know nothing of it any more."""
        with self._lock:
            self._of.pop(key, None)

    def _forget(self) -> None:
        if len(self._of) >= self._forget_at:
            now = time.monotonic()
            self._of = {key: lease for key, lease in self._of.items() if max(lease.until, lease.full_until) > now}
            self._forget_at = max(KEPT, 2 * len(self._of))
