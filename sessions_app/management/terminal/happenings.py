"""sessions_app, the terminal client: what happened in the séance, as the client's state tells it to a view."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    """A person's message took its place in the log."""

    seq: int
    name: str
    text: str
    mine: bool = False
    off_record: bool = False


@dataclass(frozen=True)
class Answered:
    """The spirit's message took its place in the log; `board` is what the planchette spells, `moves` all its moves."""

    seq: int
    text: str
    board: str = ""
    turn_id: str | None = None
    moves: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Welcomed:
    """We sit in the session; `again` where we had before, and only the connection is new."""

    session: str
    me: str
    others: tuple[str, ...]
    recent: tuple[Said | Answered, ...]
    again: bool


@dataclass(frozen=True)
class Came:
    """Somebody took a place."""

    name: str
    role: str


@dataclass(frozen=True)
class Left:
    """Somebody gave a place back, or lost it."""

    name: str
    reason: str


@dataclass(frozen=True)
class Typing:
    """Everybody else who types now."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Thinking:
    """A turn of the spirit began."""

    turn_id: str
    asker: str


@dataclass(frozen=True)
class Queued:
    """A question has to wait; 1 is next."""

    asker: str
    position: int


@dataclass(frozen=True)
class Moved:
    """The next moves of the planchette, counted from `starts_at` on the client's own clock."""

    turn_id: str
    starts_at: float
    moves: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Unanswered:
    """A turn ended without an answer."""

    turn_id: str
    why: str


@dataclass(frozen=True)
class Acked:
    """One of our messages is stored."""

    seq: int


@dataclass(frozen=True)
class Told:
    """Anything else that a person should read; `serious` where something was refused."""

    text: str
    serious: bool = False


@dataclass(frozen=True)
class Missed:
    """What was missed cannot be sent again: read the history after this position, and hand it to `Client.caught_up`."""

    after_seq: int


@dataclass(frozen=True)
class Ended:
    """The session has ended."""


Happening = (
    Said | Answered | Welcomed | Came | Left | Typing | Thinking
    | Queued | Moved | Unanswered | Acked | Told | Missed | Ended
)  # fmt: skip
