"""realtime, the streams of this process: how many one user may follow, and whether their readers may still read.

A stream has no row that could be asked to close, as a socket has; so each head poll asks for all of them at once.
"""

from collections import Counter
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from realtime.bridge import Bridge
from realtime.room import Socket
from sessions_app.errors import Code, SeanceError
from sessions_app.selectors.streams import Reader, may_stay

RETRY_MS = 5_000
TOKEN_EXPIRED = 4001


class _Followed(NamedTuple):
    socket: Socket
    reader: Reader


class Streams:
    """Works on the event loop; whoever entered leaves."""

    def __init__(self) -> None:
        self._followed: dict[UUID, _Followed] = {}
        self._of: Counter[UUID] = Counter()

    def enter(self, socket: Socket, reader: Reader) -> None:
        """One more stream of a known reader; raises `RATE_LIMITED` beyond SOCKETS_PER_USER.

        The newest is refused and not the oldest closed: a browser would open that one anew, and so for ever.
        """
        user_id, limits = reader.claims.user_id, settings.SEANCE
        if limits.rate_limits_enabled and self._of[user_id] >= limits.sockets_per_user:
            raise SeanceError(Code.RATE_LIMITED, retry_after_ms=RETRY_MS)
        self._followed[socket.connection_id] = _Followed(socket, reader)
        self._of[user_id] += 1

    def leave(self, socket: Socket) -> None:
        """One less, if it was counted."""
        followed = self._followed.pop(socket.connection_id, None)
        if followed is not None:
            user_id = followed.reader.claims.user_id
            self._of[user_id] -= 1
            if not self._of[user_id]:
                del self._of[user_id]

    async def check(self, bridge: Bridge) -> None:
        """End the streams of those who may not read any more."""
        followed = list(self._followed.values())
        if followed:
            stays = await bridge.call(may_stay, [one.reader for one in followed])
            for one, may in zip(followed, stays, strict=True):
                if not may:
                    one.socket.close(TOKEN_EXPIRED)
