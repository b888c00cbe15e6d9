"""sessions_app, writes: sessions that have ended go, with all that was said in them, by an admin or after a time.

What was counted of them stays in the rollups, and the audit log stays. A session about which a report is open is not
taken by time; an admin may.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from sessions_app.models import Act, Event, Message, Report, ReportState, Session, User
from sessions_app.services.audit import record
from sessions_app.services.log import lock_sessions
from sessions_app.services.rollup.sessions import count_sessions, prepare

CHUNK = 1000  # rows of a log that are deleted, with what hangs on them, at once: memory does not grow with the log


class Purged(NamedTuple):
    """How much is gone, or would go."""

    sessions: int
    messages: int


def due(ended_before: datetime) -> QuerySet[Session]:
    """The sessions that may go, the oldest first."""
    reported = Report.objects.filter(session=OuterRef("pk"), state=ReportState.OPEN)
    rows = Session.objects.filter(~Exists(reported), is_active=False, ended_at__lt=ended_before)
    return rows.order_by("ended_at", "id")


def count(ended_before: datetime) -> Purged:
    """What `purge` would take now."""
    rows = due(ended_before)
    return Purged(rows.count(), Message.objects.filter(session__in=rows.order_by().values("pk")).count())


def purge(*, actor: User, ended_before: datetime, tell: Callable[[int], None] = lambda _: None) -> Purged:
    """Delete what is due, one session a transaction; `tell` hears how many are gone. Safe to cut off and to repeat."""
    sessions = messages = 0
    for session_id in due(ended_before).values_list("pk", flat=True):
        gone = _purge(actor, session_id, ended_before)
        if gone is not None:
            sessions, messages = sessions + 1, messages + gone
            tell(sessions)
    return Purged(sessions, messages)


@transaction.atomic
def _purge(actor: User, session_id: UUID, ended_before: datetime) -> int | None:
    """Delete one session; how many messages it had, or None where it may not go any more."""
    row = lock_sessions([session_id]).get(session_id)
    if row is None or not due(ended_before).filter(pk=session_id).exists():
        return None
    return erase(row, actor=actor)


def erase(row: Session, *, actor: User | None) -> int:
    """Delete a locked session that has ended, and write that down: the one way in which a session goes.

    It is counted first, so that the rollups miss nothing of it. Returns how many messages it had.
    """
    prepare([row.id])
    count_sessions([row.id])
    messages = _delete(Message.objects.filter(session=row))
    _delete(Event.objects.filter(session=row))
    record(Act.DELETE_SESSION, actor=actor, session=row, messages=messages)
    row.delete()
    return messages


def _delete(rows: QuerySet[Any]) -> int:
    """Delete rows of a log with what hangs on them; returns how many."""
    deleted = 0
    while ids := list(rows.order_by("seq").values_list("pk", flat=True)[:CHUNK]):
        rows.filter(pk__in=ids).delete()
        deleted += len(ids)
    return deleted
