"""sessions_app, reads: a session's log folded from its first entry on, and held against the rows that are its result.

What the log tells is all that clients know. So it must have each number once, and lead to the same deleted messages,
the same ends of turns and the same session as are stored.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection, transaction

from sessions_app.models import Event, Message, Session, SpiritTurn, TurnState
from sessions_app.selectors.shapes import session_data

WINDOW = 1000  # numbers that are read at once
SHOWN = 20  # differences of one kind
NOT_TOLD = {"participant_count", "last_seq"}  # of a session: as they were at that moment
ENDS = {
    TurnState.ANSWERED: "spirit_response",
    TurnState.CANCELLED: "spirit_cancelled",
    TurnState.WITHDRAWN: "spirit_cancelled",
    TurnState.FAILED: "spirit_failed",
}


class Replayed(NamedTuple):
    """How many entries were folded, and in what the result differs from what is stored: a sentence each."""

    messages: int
    events: int
    differences: list[str]


class _Entry(NamedTuple):
    """`target` is the turn that a message or an event ends, or the message that an event deletes."""

    seq: int
    kind: str
    id: UUID | None
    target: UUID | None
    is_deleted: bool
    data: dict[str, Any]


@contextmanager
def snapshot() -> Iterator[None]:
    """Everything read within is of one moment, and nobody waits for the reader."""
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")  # Django's own would shut the writers out
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")


def replay(session_id: UUID, tell: Callable[[int], None] = lambda _: None) -> Replayed:
    """Fold the log of a session that exists; `tell` hears how far it is."""
    with snapshot():
        row = Session.objects.get(pk=session_id)
        fold = _Fold()
        for after in range(0, max(row.last_seq, 1), WINDOW):
            upto = min(after + WINDOW, row.last_seq)
            for entry in _entries(row.id, after, upto):
                fold.take(entry)
            tell(upto)
        beyond = sum(model.objects.filter(session=row, seq__gt=row.last_seq).count() for model in (Message, Event))
        if beyond:
            fold.wrong.append(
                f"beyond {row.last_seq}, where the session says that its log ends, there is more: {beyond}"
            )
        differences = [
            *fold.wrong,
            *fold.in_numbers(row),
            *fold.in_messages(),
            *fold.in_turns(row),
            *fold.in_session(row),
        ]
        return Replayed(fold.messages, fold.events, differences)


def _entries(session_id: UUID, after: int, upto: int) -> list[_Entry]:
    said = Message.objects.filter(session=session_id, seq__gt=after, seq__lte=upto)
    found = [
        _Entry(seq, "spirit_response" if is_spirit else "message_received", key, turn, deleted_at is not None, {})
        for seq, key, is_spirit, deleted_at, turn in said.values_list(
            "seq", "id", "is_spirit", "deleted_at", "answer__turn"
        )
    ]
    happened = Event.objects.filter(session=session_id, seq__gt=after, seq__lte=upto)
    for seq, kind, data in happened.values_list("seq", "type", "data"):
        target = data.get("message_id" if kind == "message_deleted" else "turn_id")
        found.append(_Entry(seq, kind, None, UUID(target) if target else None, False, data))
    return sorted(found, key=lambda entry: entry.seq)


class _Fold:
    """What the entries up to now come to."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.messages = self.events = self.last = self.ended_at = 0
        self.missing: list[int] = []
        self.deleted: dict[UUID, int] = {}  # by events, at which number
        self.gone: dict[UUID, int] = {}  # by their rows
        self.ends: dict[UUID, tuple[str, int]] = {}
        self.told: dict[str, Any] | None = None

    def take(self, entry: _Entry) -> None:
        """One more."""
        if entry.seq == self.last:
            self.wrong.append(f"{entry.seq} is there twice")
        self.missing += range(self.last + 1, entry.seq)
        self.last = entry.seq
        if entry.id is not None:
            self._take_message(entry, entry.id)
        else:
            self._take_event(entry)

    def _take_message(self, entry: _Entry, key: UUID) -> None:
        self.messages += 1
        if self.ended_at:
            self.wrong.append(f"{entry.seq} was said after the end at {self.ended_at}")
        if entry.is_deleted:
            self.gone[key] = entry.seq
        if entry.target is not None:
            self._end(entry)

    def _take_event(self, entry: _Entry) -> None:
        self.events += 1
        if entry.kind == "message_deleted" and entry.target is not None:
            if entry.target in self.deleted:
                self.wrong.append(f"{entry.seq} deletes the message that {self.deleted[entry.target]} had deleted")
            self.deleted[entry.target] = entry.seq
        elif entry.kind in ("spirit_cancelled", "spirit_failed"):
            self._end(entry)
        elif entry.kind in ("session_updated", "session_ended"):
            self.told = entry.data["session"]
            if self.told["last_seq"] != entry.seq:
                self.wrong.append(f"{entry.seq} tells of the session as it was at {self.told['last_seq']}")
            if entry.kind == "session_ended":
                self.ended_at = entry.seq

    def _end(self, entry: _Entry) -> None:
        if entry.target is None:
            return
        if (before := self.ends.get(entry.target)) is not None:
            self.wrong.append(f"{entry.seq} ends the turn that {before[1]} had ended")
        self.ends[entry.target] = entry.kind, entry.seq

    def in_numbers(self, row: Session) -> Iterator[str]:
        """The counter, and the holes below it."""
        missing = [*self.missing, *range(self.last + 1, row.last_seq + 1)]
        if missing:
            yield f"of the numbers up to {row.last_seq} are missing: {_shown(missing)}"

    def in_messages(self) -> Iterator[str]:
        """What is deleted by the log, and what by its row."""
        if only_log := sorted(self.deleted[key] for key in self.deleted.keys() - self.gone.keys()):
            yield f"the log deletes messages that are not deleted, at {_shown(only_log)}"
        if only_row := sorted(self.gone[key] for key in self.gone.keys() - self.deleted.keys()):
            yield f"messages are deleted, of which the log does not tell: {_shown(only_row)}"

    def in_turns(self, row: Session) -> Iterator[str]:
        """Each turn's end, once, as the log tells it."""
        known = set()
        for key, number, state in SpiritTurn.objects.filter(session=row).values_list("id", "number", "state"):
            known.add(key)
            told, stored = self.ends.get(key, ("none", 0))[0], ENDS.get(TurnState(state), "none")
            if told != stored:
                yield f"turn {number} is {state}, and the log has {told.replace('none', 'no end of it')}"
        if strange := sorted(seq for key, (_, seq) in self.ends.items() if key not in known):
            yield f"the log ends turns that are not there, at {_shown(strange)}"

    def in_session(self, row: Session) -> Iterator[str]:
        """The session as the log left it."""
        if row.is_active == bool(self.ended_at):
            yield f"the session {'goes on' if row.is_active else 'has ended'}, and the log says otherwise"
        if self.told is None:
            return
        stored: dict[str, Any] = msgspec.to_builtins(session_data(row, 0))
        for name in sorted((stored.keys() | self.told.keys()) - NOT_TOLD):
            if stored.get(name) != self.told.get(name):
                yield f"{name} is {stored.get(name)!r}, and {self.told.get(name)!r} by the log"


def _shown(numbers: list[int]) -> str:
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return ", ".join(map(str, numbers[:SHOWN])) + more
