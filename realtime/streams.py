"""realtime, the streams of this process: how many one user may follow, whether their readers may still read, and their
rows, by which an operator sees them and asks them to end.

A row is written with the head poll and not when a stream begins or ends: readers that come and go in crowds cost one
statement, and what a database that was away did not hear is said again.
"""

from collections import Counter
from uuid import UUID

from django.conf import settings

from realtime.bridge import Bridge
from realtime.room import Socket
from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.selectors.streams import Opening, may_stay
from sessions_app.services.streams import OpenStream, enter_streams

RETRY_MS = 5_000
TOKEN_EXPIRED = 4001


class Streams:
    """Works on the event loop; whoever entered leaves."""

    def __init__(self, process_id: UUID) -> None:
        self._process_id = process_id
        self._followed: dict[UUID, tuple[Socket, Opening]] = {}
        self._rows: dict[UUID, OpenStream] = {}
        self._written: set[UUID] = set()
        self._of: Counter[UUID] = Counter()

    def enter(self, socket: Socket, opening: Opening) -> None:
        """One more stream; raises `RATE_LIMITED` beyond SOCKETS_PER_USER of a known reader.

        The newest is refused and not the oldest closed: a browser would open that one anew, and so for ever.
        """
        limits, user_id = settings.SEANCE, opening.user_id
        if user_id is not None:
            if limits.rate_limits_enabled and self._of[user_id] >= limits.sockets_per_user:
                raise SeanceError(Code.RATE_LIMITED, retry_after_ms=RETRY_MS)
            self._of[user_id] += 1
        key = socket.connection_id
        self._followed[key] = (socket, opening)
        self._rows[key] = OpenStream(key, opening.session_id, user_id, events.now())

    def leave(self, socket: Socket) -> None:
        """One less, if it was counted."""
        _, opening = self._followed.pop(socket.connection_id, (None, None))
        if opening is None:
            return
        del self._rows[socket.connection_id]
        user_id = opening.user_id
        if user_id is not None:
            self._of[user_id] -= 1
            if not self._of[user_id]:
                del self._of[user_id]

    async def check(self, bridge: Bridge) -> None:
        """Write down what began and ended, and end the streams of those who may not read any more."""
        await self._write(bridge)
        known = [(socket, opening.reader) for socket, opening in self._followed.values() if opening.reader is not None]
        if known:
            stays = await bridge.call(may_stay, [reader for _, reader in known])
            for (socket, _), may in zip(known, stays, strict=True):
                if not may:
                    socket.close(TOKEN_EXPIRED)

    async def _write(self, bridge: Bridge) -> None:
        open_ = set(self._rows)
        begun, ended = open_ - self._written, self._written - open_
        if not begun and not ended:
            return
        rows = [self._rows[key] for key in begun]
        is_written = await bridge.call(
            enter_streams, process_id=self._process_id, begun=rows, ended=list(ended)
        )  # fmt: skip
        # A process that was taken for dead has no rows any more; it comes back with the next renewal of its lease.
        self._written = open_ if is_written else set()
