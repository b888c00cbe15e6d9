"""sessions_app, reads: the log of a session, as messages (history) and as events (replay); both read the same rows."""

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from sessions_app import events
from sessions_app.models import Event, Message, Session
from sessions_app.selectors.shapes import message_data, message_event


class Entry(NamedTuple):
    """One durable event of the log, encoded as every socket gets it."""

    seq: int
    event: str
    text: str


def _visible(session_id: UUID) -> QuerySet[Message]:
    return Message.objects.filter(session_id=session_id, deleted_at__isnull=True).select_related("answer")


def messages(
    session_id: UUID, *, limit: int, after_seq: int | None = None, before_seq: int | None = None
) -> tuple[list[events.MessageData], bool]:
    """Messages in ascending `seq`, and whether there are more on the side that was cut.

    With `after_seq` the first `limit` after it (and before `before_seq`, if that is given too), else the last `limit`.
    """
    rows = _visible(session_id)
    if before_seq is not None:
        rows = rows.filter(seq__lt=before_seq)
    if after_seq is not None:
        found = list(rows.filter(seq__gt=after_seq).order_by("seq")[: limit + 1])
        return [message_data(row) for row in found[:limit]], len(found) > limit
    found = list(rows.order_by("-seq")[: limit + 1])
    return [message_data(row) for row in reversed(found[:limit])], len(found) > limit


def entries(session_id: UUID, *, after_seq: int, upto_seq: int) -> list[Entry]:
    """Every durable event with after_seq < seq ≤ upto_seq, in order; deleted messages are left out."""
    span = {"seq__gt": after_seq, "seq__lte": upto_seq}
    found = [_message_entry(row) for row in _visible(session_id).filter(**span)]
    found += [
        Entry(row.seq, row.type, events.frame(row.type, row.data, at=row.timestamp, seq=row.seq))
        for row in Event.objects.filter(session_id=session_id, **span)
    ]
    return sorted(found)


def _message_entry(row: Message) -> Entry:
    event, data = message_event(row)
    return Entry(row.seq, event, events.frame(event, data, at=row.timestamp, seq=row.seq))


def recent(session_ids: Iterable[UUID], limit: int) -> dict[UUID, list[events.MessageData]]:
    """The latest `limit` messages of each session, oldest first."""
    return {session_id: messages(session_id, limit=limit)[0] for session_id in session_ids}


def last_seq(session_id: UUID) -> int:
    """Where the log of a session ends; 0 for one that does not exist."""
    return Session.objects.filter(pk=session_id).values_list("last_seq", flat=True).first() or 0
