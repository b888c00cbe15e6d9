"""Tests of the whole: what clients log, and what the database holds; the checker compares the two."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from uuid import UUID


class Sent(NamedTuple):
    """A `send_message` went out; the same `client_msg_id` may go out many times. `at` is monotonic seconds."""

    at: float
    client_msg_id: str
    text: str


class Acked(NamedTuple):
    """An `ack` came in."""

    at: float
    id: str
    seq: int
    client_msg_id: str
    duplicate: bool


class Receipt(NamedTuple):
    """A durable event came in. `id` and the rest are empty where the event is no message."""

    at: float
    seq: int
    event: str
    id: str = ""
    client_msg_id: str = ""
    text: str = ""


class Presence(NamedTuple):
    """A `user_joined` or `user_left` came in."""

    at: float
    event: str
    user_id: str
    reason: str = ""


class Refusal(NamedTuple):
    """An `error` came in."""

    at: float
    code: str
    retryable: bool
    ref: str


class Closing(NamedTuple):
    """A connection ended."""

    at: float
    code: int


@dataclass
class Stream:
    """What one client was given of the log without a break: every event after `after`, over all its resumes."""

    epoch: str
    after: int
    receipts: list[Receipt] = field(default_factory=list)

    @property
    def position(self) -> int:
        return self.receipts[-1].seq if self.receipts else self.after


@dataclass
class Log:
    """The life of one client. A new stream begins with a first join, and where a resume was refused."""

    name: str
    user_id: str = ""  # the public one
    sends: list[Sent] = field(default_factory=list)
    acks: list[Acked] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    presence: list[Presence] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    closings: list[Closing] = field(default_factory=list)
    welcomes: list[float] = field(default_factory=list)
    goodbyes: list[float] = field(default_factory=list)
    failed_connects: int = 0
    strange: list[str] = field(default_factory=list)  # what the contract does not allow

    @property
    def receipts(self) -> list[Receipt]:
        """All streams in one."""
        return [receipt for stream in self.streams for receipt in stream.receipts]


class Stored(NamedTuple):
    """One row of the log in the database."""

    seq: int
    event: str
    id: str
    client_msg_id: str = ""
    text: str = ""
    user_id: str = ""
    is_deleted: bool = False


class StoredLog(NamedTuple):
    """A session's log as the database holds it."""

    epoch: str
    last_seq: int
    rows: list[Stored]


class Queries(Protocol):
    """What can be asked in SQL: a `Stack`, or the file of another one's server."""

    def query(self, statement: str, **values: object) -> list[tuple[Any, ...]]: ...


def read_log(stack: Queries, session_id: str) -> StoredLog:
    """A session's log, read with SQL and not with the code that is tested."""
    ((epoch, last_seq),) = stack.query("SELECT epoch, last_seq FROM sessions WHERE id = %(id)s", id=session_id)
    rows = [
        Stored(
            seq,
            "spirit_response" if is_spirit else "message_received",
            str(UUID(str(message_id))),
            client_msg_id or "",
            text,
            str(UUID(str(user_id))) if user_id else "",
            deleted_at is not None,
        )
        for seq, message_id, client_msg_id, text, user_id, is_spirit, deleted_at in stack.query(
            "SELECT seq, id, client_msg_id, text, user_id, is_spirit, deleted_at"
            " FROM messages WHERE session_id = %(id)s",
            id=session_id,
        )
    ]
    found = stack.query("SELECT seq, type FROM events WHERE session_id = %(id)s", id=session_id)
    rows += [Stored(seq, kind, "") for seq, kind in found]
    return StoredLog(epoch, last_seq, sorted(rows))


def spread(values: Iterable[float]) -> tuple[float, float, float]:
    """Median, 99th percentile and maximum of some numbers; zeros where there are none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0, 0.0, 0.0
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], ordered[-1]
