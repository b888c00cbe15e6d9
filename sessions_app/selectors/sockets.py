"""sessions_app, reads: which sockets and streams are open, as the processes that hold them have said."""

from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from django.db.models import F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Now

from sessions_app.models import Connection, Stream, User


class OpenSocket(NamedTuple):
    """One open socket, or stream of Server-Sent Events, whose role is `reader` and whose user may be unknown.

    `closing` is the code that it is about to be closed with.
    """

    id: UUID
    kind: Literal["socket", "stream"]
    session_id: UUID
    user_id: UUID | None
    name: str
    role: str
    process: str
    opened_at: datetime
    closing: int | None


def open_sockets(
    *, session_id: UUID | None = None, user_id: UUID | None = None, process: str | None = None
) -> list[OpenSocket]:
    """The sockets and streams of live processes, the oldest first; those of one session, user or process where that is
    given. A stream is there from the head poll after its beginning."""
    sockets = Connection.objects.annotate(
        session=F("participant__session"), user=F("participant__user"), name=F("participant__name"),
        role=F("participant__role"),
    )  # fmt: skip
    streams = Stream.objects.annotate(name=Subquery(User.objects.filter(pk=OuterRef("user")).values("name")))
    which = {"session": session_id, "user": user_id, "process__name": process}
    given = {name: value for name, value in which.items() if value is not None}
    held, read = _values(sockets.filter(**given), "role"), _values(streams.filter(**given))
    found = [OpenSocket(row[0], "socket", *row[1:]) for row in held]
    found += [OpenSocket(row[0], "stream", row[1], row[2], row[3] or "", "reader", *row[4:]) for row in read]
    return sorted(found, key=lambda one: (one.opened_at, one.id))


def _values(rows: "QuerySet[Any]", *more: str) -> list[Any]:
    live = rows.filter(process__lease_until__gt=Now())
    return list(live.values_list("id", "session", "user", "name", *more, "process__name", "opened_at", "close_code"))
