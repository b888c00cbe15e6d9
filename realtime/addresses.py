"""realtime, how many sockets each address holds open in this process, so that one cannot take them all."""

from collections import Counter
from uuid import UUID

from django.conf import settings

from sessions_app.addresses import counted_address
from sessions_app.errors import Code, SeanceError

RETRY_MS = 5_000


class Addresses:
    """Counts on the event loop; whoever entered leaves, or is counted for ever."""

    def __init__(self) -> None:
        self._of: dict[UUID, str] = {}
        self._open: Counter[str] = Counter()

    def enter(self, connection_id: UUID, address: str) -> None:
        """One more socket; raises `RATE_LIMITED` where its address has SOCKETS_PER_ADDRESS already."""
        limits, key = settings.SEANCE, counted_address(address)
        if limits.rate_limits_enabled and self._open[key] >= limits.sockets_per_address:
            raise SeanceError(Code.RATE_LIMITED, retry_after_ms=RETRY_MS)
        self._of[connection_id] = key
        self._open[key] += 1

    def leave(self, connection_id: UUID) -> None:
        """One less, if it was counted."""
        key = self._of.pop(connection_id, None)
        if key is not None:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
