"""sessions_app, the terminal client: our messages on their way. One at a time, until it is acknowledged.

Each has a `client_msg_id` from the beginning, so sending one again is always safe: the server stores it once. The next
goes out when the one before is stored, which keeps them in order whatever is refused, delayed or cut.
"""

import uuid
from collections import deque
from dataclasses import dataclass, field

RETRY_SECONDS = 1.0


@dataclass
class Draft:
    """A message that is not acknowledged yet. `not_before` is on the client's clock."""

    text: str
    client_msg_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    not_before: float = 0.0
    in_flight: bool = False


class Outbox:
    """A queue of drafts, of which only the first is ever under way."""

    def __init__(self) -> None:
        self._drafts: deque[Draft] = deque()

    def __len__(self) -> int:
        return len(self._drafts)

    def add(self, text: str) -> None:
        """Queue a message."""
        self._drafts.append(Draft(text))

    def take(self, now: float) -> Draft | None:
        """The draft to send now, if there is one."""
        head = self._drafts[0] if self._drafts else None
        if head is None or head.in_flight or head.not_before > now:
            return None
        head.in_flight = True
        return head

    def due(self) -> float | None:
        """When the next is to be sent; None where there is nothing to send."""
        head = self._drafts[0] if self._drafts else None
        return None if head is None or head.in_flight else head.not_before

    def is_ours(self, client_msg_id: str | None) -> bool:
        """Whether this is the id of the draft that is under way."""
        return bool(self._drafts) and self._drafts[0].client_msg_id == client_msg_id

    def settle(self, client_msg_id: str | None) -> bool:
        """The draft is stored, or refused for good: forget it. False where it is not ours."""
        if not self.is_ours(client_msg_id):
            return False
        self._drafts.popleft()
        return True

    def postpone(self, now: float, retry_after_ms: int | None) -> None:
        """The draft under way was refused for now: send it again later."""
        wait = RETRY_SECONDS if retry_after_ms is None else retry_after_ms / 1000
        self._drafts[0].in_flight, self._drafts[0].not_before = False, now + wait

    def connection_lost(self) -> None:
        """Nobody knows what arrived: the draft under way is to be sent again, under its id."""
        if self._drafts:
            self._drafts[0].in_flight = False
