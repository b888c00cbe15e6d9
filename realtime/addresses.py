"""realtime, how many sockets each address holds open in this process, so that one cannot take them all.

And which addresses came too often. They are refused here until their time is over, without asking anybody; at first in
words, over an open socket, and whoever goes on and on by a bare 429, which costs little and leaves nothing behind.
"""

import time
from collections import Counter
from uuid import UUID

from django.conf import settings

from sessions_app.addresses import counted_address
from sessions_app.errors import Code, SeanceError
from sessions_app.limits import Pace

RETRY_MS = 5_000
TOLD_AT_ONCE, TOLD_PER_MINUTE = 50, 300  # refusals of one address over an open socket
SHUT_MS = 60_000  # then it is asked about again
SHUT_OUT = 10_000  # addresses, from which on those whose time is over are forgotten


class Addresses:
    """Counts on the event loop; whoever entered leaves, or is counted for ever."""

    def __init__(self) -> None:
        self._of: dict[UUID, str] = {}
        self._open: Counter[str] = Counter()
        self._idle: set[UUID] = set()  # those that have not joined
        self._unjoined: Counter[str] = Counter()
        self._shut: dict[str, tuple[float, Pace]] = {}  # until when, and how often it is told so

    def enter(self, connection_id: UUID, address: str, *, is_in: bool = False) -> None:
        """One more socket, which with `is_in` has joined. Raises `RATE_LIMITED` where its address has
        SOCKETS_PER_ADDRESS already, or UNJOINED_PER_ADDRESS that have not joined and this one has not either.
        """
        limits, key = settings.SEANCE, counted_address(address)
        too_many = self._open[key] >= limits.sockets_per_address
        if limits.rate_limits_enabled and (
            too_many or (not is_in and self._unjoined[key] >= limits.unjoined_per_address)
        ):
            raise SeanceError(Code.RATE_LIMITED, retry_after_ms=RETRY_MS)
        self._of[connection_id] = key
        self._open[key] += 1
        if not is_in:
            self._idle.add(connection_id)
            self._unjoined[key] += 1

    def joined(self, connection_id: UUID) -> None:
        """One of them is in."""
        if connection_id in self._idle:
            self._idle.remove(connection_id)
            self._take(self._unjoined, self._of[connection_id])

    def shut(self, address: str, retry_ms: int) -> None:
        """It came too often: for so long it is not asked about any more."""
        now, key = time.monotonic(), counted_address(address)
        if len(self._shut) >= SHUT_OUT:
            self._shut = {one: kept for one, kept in self._shut.items() if kept[0] > now}
        told = self._shut[key][1] if key in self._shut else Pace(burst=TOLD_AT_ONCE, per_minute=TOLD_PER_MINUTE)
        self._shut[key] = (now + min(retry_ms, SHUT_MS) / 1000, told)

    def shut_for(self, address: str) -> int:
        """For how many milliseconds more; 0: it may come."""
        until, _ = self._shut.get(counted_address(address), (0.0, None)) if self._shut else (0.0, None)
        return max(0, round((until - time.monotonic()) * 1000))

    def floods(self, address: str) -> int:
        """The same for whoever was told often enough; 0: it may come, or is to be told in words."""
        wait = self.shut_for(address)
        return wait if wait and self._shut[counted_address(address)][1].wait() else 0

    def leave(self, connection_id: UUID) -> None:
        """One less, if it was counted."""
        self.joined(connection_id)
        key = self._of.pop(connection_id, None)
        if key is not None:
            self._take(self._open, key)

    @staticmethod
    def _take(counts: Counter[str], key: str) -> None:
        counts[key] -= 1
        if not counts[key]:
            del counts[key]
