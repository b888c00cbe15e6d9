"""sessions_app, writes: the session's row is the lock, and its counter gives every durable event its place.

The lock is held to the COMMIT, so the order of commits is the order of `seq`, without holes. SQLite ignores
`FOR UPDATE`; there BEGIN IMMEDIATE (settings) lets one writer in at a time.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection

from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Event, Session, User
from sessions_app.prepared import Prepared, columns, instance
from sessions_app.publish import Notice
from sessions_app.selectors.sessions import check_knows
from sessions_app.selectors.shapes import session_data


class Busy(SeanceError):
    """Somebody else holds the lock of the session, and the caller did not want to wait."""

    def __init__(self) -> None:
        super().__init__(Code.UNAVAILABLE, retry_after_ms=1000)


_locked = Prepared(
    lambda ids, _, skip: (
        Session.objects.select_for_update(skip_locked=skip, no_key=connection.features.has_select_for_no_key_update)
        .filter(pk__in=ids)
        .order_by("pk")
        .values_list(*columns(Session))
    )
)


def lock_sessions(ids: Iterable[UUID], *, wait: bool = True) -> dict[UUID, Session]:
    """The rows of the sessions that exist, locked in the order of their ids so that nobody waits in a circle.

    With wait=False those that somebody else has locked are missing, as if they did not exist.
    """
    return locks(ids, wait=wait)()


def locks(ids: Iterable[UUID], *, wait: bool) -> Callable[[], dict[UUID, Session]]:
    """Ask what `lock_sessions` does, together with what else is sent within `pipelined`; call for the answer."""
    skip = not wait and connection.features.has_select_for_update_skip_locked
    asked = _locked.ask_of(sorted(ids), skip=skip)
    return lambda: {row.id: row for row in (instance(Session, values) for values in asked())}


def lock_session(session_id: UUID) -> Session:
    """One session's row, locked; raises `SESSION_NOT_FOUND`."""
    row = lock_sessions([session_id]).get(session_id)
    if row is None:
        raise SeanceError(Code.SESSION_NOT_FOUND)
    return row


def lock_known(session_id: UUID, actor: User | None) -> Session:
    """One session's row, locked, if this actor may know of it: a stranger meets what there is of no session at all."""
    row = lock_session(session_id)
    check_knows(row, actor)
    return row


def append_event(session: Session, event: str, data: msgspec.Struct, at: datetime) -> Notice:
    """Write an event that is no message into the log of a locked session; returns what to publish.

    The caller saves `session.last_seq`, which this advances.
    """
    session.last_seq += 1
    Event.objects.create(
        session=session, seq=session.last_seq, type=event, data=msgspec.to_builtins(data), timestamp=at
    )
    text = events.frame(event, data, at=at, seq=session.last_seq)
    return Notice(str(session.id), event, text, session.last_seq)


def append_change(session: Session, event: str, taken: int, at: datetime) -> Notice:
    """Write `session_updated` or `session_ended` into the log: the locked session as it is now, at its own `seq`."""
    told = msgspec.structs.replace(session_data(session, taken), last_seq=session.last_seq + 1)
    return append_event(session, event, events.SessionChanged(told), at)
