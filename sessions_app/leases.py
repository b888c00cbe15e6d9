"""sessions_app, the kitchen: what a process has taken from a count over all processes, ahead of need.

A count over all processes is a round trip to Redis for each of its rates. A process that has counted one for a key
lately counts two with the next question, then four and so on up to a tenth of the limit, and lets so many through
without asking. What is not used soon is lost: as soon as the limit's shortest window is over, or half a minute.
"""

import threading
import time
from collections.abc import Hashable

SHARE = 10  # of a limit no more than this part is taken at once
EXACT = 50  # a limit below this is asked for each
LEASE_SECONDS = 30.0
FULL_SECONDS = 60.0  # then it is asked again, whatever was said
ASKING_SECONDS = 1.0  # in which a question should be answered
KEPT = 10_000  # keys, from which on those whose time is over are forgotten


class Lease:
    """For one key: how many may still go through, until when; or until when it is full. Moments are monotonic."""

    __slots__ = ("asked_until", "full_until", "left", "room_at", "size", "until")

    def __init__(self) -> None:
        self.left, self.size, self.until = 0, 0, 0.0
        self.full_until, self.room_at = 0.0, 0.0  # until when it is not asked again, and when there is room
        self.asked_until = 0.0  # while one thread asks for many, the others ask for one


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
            return lease.room_at - now if now < lease.full_until else None

    def wanted(self, key: Hashable, amount: int, window: float) -> int:
        """How many to ask for, of a limit of `amount` in so many seconds: twice as many as the last time where these
        were used up early, half as many for each time that was too long for them."""
        with self._lock:
            lease = self._of.get(key)
            if lease is None:
                self._forget()
                lease = self._of[key] = Lease()
            now = time.monotonic()
            if amount < EXACT or now < lease.asked_until:
                return 1
            late = now - lease.until
            size = lease.size * 2 if late < 0 else lease.size >> (1 + int(late / _time_of(window)))
            lease.size = max(1, min(size, amount // SHARE))
            if lease.size > 1:
                lease.asked_until = now + ASKING_SECONDS
            return lease.size

    def granted(self, key: Hashable, wanted: int, counted: int, window: float, full_for: float) -> None:
        """What the answer was: `counted` of `wanted`, of which one is used now; or none, and for how many seconds."""
        with self._lock:
            lease = self._of.get(key)
            if lease is None:
                return
            now = time.monotonic()
            if wanted > 1:
                lease.asked_until = 0.0
            if counted < wanted:
                lease.size = max(1, counted)
            if counted:
                left = lease.left if now < lease.until else 0  # another thread may have asked in the same moment
                lease.left, lease.until = left + counted - 1, now + _time_of(window)
            else:
                lease.full_until, lease.room_at = now + min(full_for, FULL_SECONDS), now + full_for

    def drop(self, key: Hashable) -> None:
        """Know nothing of it any more."""
        with self._lock:
            self._of.pop(key, None)

    def _forget(self) -> None:
        if len(self._of) >= self._forget_at:
            now = time.monotonic()
            self._of = {
                key: lease
                for key, lease in self._of.items()
                if max(lease.until, lease.full_until, lease.asked_until) > now
            }
            self._forget_at = max(KEPT, 2 * len(self._of))


def _time_of(window: float) -> float:
    """For how many seconds a lease holds: what was counted in one window is not to be used in the next."""
    return min(window, LEASE_SECONDS)
