"""sessions_app, writes: open sockets and streams that shall be closed, wherever they are.

The row says so, which each process reads within its head poll; the notice only makes it faster.
"""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from sessions_app import policies
from sessions_app.models import Act, Connection, Stream, User
from sessions_app.publish import Notice, publish
from sessions_app.selectors.sockets import OpenSocket
from sessions_app.services.audit import record

KICKED, SIGNED_OUT, RELOAD = 4503, 4001, 4006
AT_ONCE = 500  # rows in one statement


def close_sockets(rows: QuerySet[Connection], code: int) -> list[Notice]:
    """Ask for these sockets to be closed with `code`; returns what to publish."""
    found = list(rows.values_list("id", "participant__session_id"))
    Connection.objects.filter(pk__in=[key for key, _ in found]).update(close_code=code)
    return _notices(found, code)


def _close_streams(rows: QuerySet[Stream], code: int) -> list[Notice]:
    found = list(rows.values_list("id", "session"))
    Stream.objects.filter(pk__in=[key for key, _ in found]).update(close_code=code)
    return _notices(found, code)


def _notices(found: Sequence[tuple[UUID, UUID]], code: int) -> list[Notice]:
    return [Notice(str(session_id), "", "", close=str(key), close_code=code) for key, session_id in found]


@transaction.atomic
def drop_sockets(*, actor: User | None, sockets: Sequence[OpenSocket]) -> int:
    """Ask these to come in anew, all at once, and write that down; staff. Returns how many were still open."""
    policies.require_staff(actor)
    ids = [one.id for one in sockets]
    closed = sum(reload_sockets(ids[at : at + AT_ONCE]) for at in range(0, len(ids), AT_ONCE))
    if closed:
        _record(Act.DROP_SOCKETS, actor, sockets, sockets=closed)
    return closed


@transaction.atomic
def plan_reload(*, actor: User | None, sockets: Sequence[OpenSocket], seconds: float) -> None:
    """Write down that these will be asked to come in anew within so many seconds; staff.

    The caller then asks them, a part at a time: an entry for each part would drown the log in one act.
    """
    policies.require_staff(actor)
    if sockets:
        _record(Act.RELOAD_SOCKETS, actor, sockets, sockets=len(sockets), seconds=round(seconds))


@transaction.atomic
def reload_sockets(ids: Sequence[UUID]) -> int:
    """Ask these sockets to come in anew: each is told when, and closed with 4006. Returns how many were still open."""
    notices = close_sockets(Connection.objects.filter(pk__in=ids, close_code__isnull=True), RELOAD)
    notices += _close_streams(Stream.objects.filter(pk__in=ids, close_code__isnull=True), RELOAD)
    publish(notices)
    return len(notices)


def _record(act: Act, actor: User | None, found: Sequence[OpenSocket], **details: int) -> None:
    """An entry; where all are of one session or of one person, that is what it is found by."""
    rooms, people = {one.session_id for one in found}, {one.user_id for one in found}
    session, target = (next(iter(ids)) if len(ids) == 1 else None for ids in (rooms, people))
    record(act, actor=actor, session=session, target=target, **details)


def sockets_of(user: User) -> QuerySet[Connection]:
    """Every open socket of a person."""
    return Connection.objects.filter(participant__user=user)
