"""sessions_app, webhooks: the kinds of events that are told, and the shape in which they are."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

# The event that sockets get -> its kind. Its data is the same.
KINDS = {
    "session_updated": "session.updated",
    "session_ended": "session.ended",
    "user_joined": "presence.joined",
    "user_left": "presence.left",
    "message_received": "message.created",
    "message_deleted": "message.deleted",
    "spirit_response": "spirit.answered",
    "spirit_cancelled": "spirit.cancelled",
    "spirit_failed": "spirit.failed",
}
CREATED = "session.created"
PING = "webhook.ping"  # sent by an admin, to try an endpoint
ALL = (CREATED, *KINDS.values())
PATTERNS = ("*", *dict.fromkeys(f"{kind.partition('.')[0]}.*" for kind in ALL), *ALL)


def wants(patterns: Iterable[str], kind: str) -> bool:
    """Whether an endpoint with these patterns is told of a kind; a ping it always is."""
    family = f"{kind.partition('.')[0]}.*"
    return kind == PING or any(pattern in ("*", family, kind) for pattern in patterns)


class Body(msgspec.Struct, frozen=True):
    """What is posted, as JSON. `seq` is the entry's place in the log of its session, 0 where it has none."""

    id: UUID
    type: str
    timestamp: datetime
    session_id: UUID
    seq: int
    data: Any
