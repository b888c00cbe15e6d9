"""sessions_app, writes: sockets that close, processes that die, seats that nobody came back to.

Leases are on the database's clock, so that a host with a wrong clock evicts nobody.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from sessions_app import events
from sessions_app.errors import SeanceError
from sessions_app.models import Connection, Participant, ServerProcess, Session, Stream
from sessions_app.prepared import Prepared, columns, delete, instance, pipelined, update
from sessions_app.publish import publish
from sessions_app.services.hosts import inherit
from sessions_app.services.log import Busy, lock_sessions, locks
from sessions_app.services.seats import leave


class Release(NamedTuple):
    """A socket that closed; `for_good` gives the seat back at once, otherwise it is kept for the grace time."""

    session_id: UUID
    connection_id: UUID
    for_good: bool


def _sitting(**which: object) -> QuerySet[Participant]:
    """Seated participants without an open socket."""
    open_ = Connection.objects.filter(participant_id=OuterRef("pk"))
    return Participant.objects.filter(~Exists(open_), left_at__isnull=True, **which)


def _locked(participant_ids: Iterable[UUID]) -> dict[UUID, Session]:
    """Lock the sessions of these participants."""
    rows = Participant.objects.filter(pk__in=list(participant_ids))
    return lock_sessions(rows.values_list("session_id", flat=True))


def _attach(rows: Iterable[Participant], sessions: dict[UUID, Session]) -> list[Participant]:
    found = []
    for row in rows:
        row.session = sessions[row.session_id]
        found.append(row)
    return found


# All sockets of the people whose these are, and their seats with the database's time.
_sockets = Prepared(
    lambda ids, _: Connection.objects.filter(
        participant__in=Connection.objects.filter(pk__in=ids).values("participant")
    ).values_list("id", "participant_id")
)
_seats = Prepared(
    lambda ids, _: (
        Participant.objects.filter(
            pk__in=Connection.objects.filter(pk__in=ids).values("participant"), left_at__isnull=True
        )
        .annotate(now=Now())
        .values_list(*columns(Participant), "now")
    )
)


@transaction.atomic
def release_connections(releases: Sequence[Release], *, wait: bool = True) -> list[SeanceError | None]:
    """Forget sockets that closed; whoever has none left loses the seat, at once or after the grace time.

    With wait=False a socket of a session that somebody else has locked gets `Busy`, and nothing was done about it.
    """
    ids = [release.connection_id for release in releases]
    with pipelined():  # the fewer the round trips, the shorter the lock
        locked = locks((release.session_id for release in releases), wait=wait)
        sockets, seats = _sockets.ask_of(ids), _seats.ask_of(ids)
    sessions = locked()
    ends = {item.connection_id: item.for_good for item in releases if wait or item.session_id in sessions}
    gone, leaving, staying = list[UUID](), set[UUID](), set[UUID]()
    for key, participant_id in sockets():
        if key not in ends:
            staying.add(participant_id)
            continue
        gone.append(key)
        if ends[key]:
            leaving.add(participant_id)
    left, away = list[Participant](), list[Participant]()
    for *values, now in seats():
        row = instance(Participant, values)
        if row.id in staying or row.session_id not in sessions:
            continue
        row.session = sessions[row.session_id]
        if row.id in leaving:
            left.append(row)
        elif row.away_since is None:
            row.away_since = now
            away.append(row)
    at = events.now()
    with pipelined():
        delete(Connection, gone)
        publish(leave(left, "left", at))
        update(away, "away_since")
    publish(inherit(left, at))
    return [None if item.session_id in sessions or wait else Busy() for item in releases]


@transaction.atomic
def register_process(*, process_id: UUID, name: str) -> None:
    """Enter a server process; the sockets of a former one of the same name are gone, and their seats wait."""
    _strike(ServerProcess.objects.filter(name=name).exclude(pk=process_id))
    lease = Now() + timedelta(seconds=settings.SEANCE.presence_lease_seconds)
    ServerProcess.objects.create(id=process_id, name=name, started_at=Now(), lease_until=lease)


def renew_lease(process_id: UUID) -> bool:
    """Renew the lease of a process, and with it of all its sockets; False where it was taken for dead meanwhile."""
    lease = Now() + timedelta(seconds=settings.SEANCE.presence_lease_seconds)
    return ServerProcess.objects.filter(pk=process_id).update(lease_until=lease) == 1


@transaction.atomic
def reap(*, process_id: UUID | None = None) -> int:
    """Take the seats of those who did not come back, and of dead processes; returns how many.

    Every process may call it at any time: it works under the locks of the sessions concerned. The process that calls is
    alive, whatever a clock that jumped makes of its lease.
    """
    dead = ServerProcess.objects.filter(lease_until__lt=Now())
    if process_id is not None:
        dead = dead.exclude(pk=process_id)
    found = list(dead.values_list("pk", flat=True))
    lost = list(Connection.objects.filter(process__in=found).values_list("participant_id", flat=True))
    grace = Now() - timedelta(seconds=settings.SEANCE.seat_grace_seconds)
    late = list(_sitting(away_since__lte=grace).values_list("id", flat=True))
    if not found and not late:
        return 0
    sessions = _locked({*lost, *late})
    # Only those that were looked at, and nobody came to since: with the others sockets would go of whose seats nobody
    # here knows, and nobody would look at those again. They are for the next time.
    still = set(dead.filter(pk__in=found).select_for_update().values_list("pk", flat=True))
    since = Connection.objects.filter(process__in=still).exclude(participant__in=lost)
    ServerProcess.objects.filter(pk__in=still - set(since.values_list("process", flat=True))).delete()
    rows = [*_sitting(pk__in=lost), *_sitting(pk__in=set(late) - set(lost), away_since__lte=grace)]
    publish(leave(_attach(rows, sessions), "timeout", events.now()))
    return len(rows)


@transaction.atomic
def unregister_process(process_id: UUID) -> None:
    """Take a process that ends out of the book; the seats of its sockets wait for the grace time."""
    _strike(ServerProcess.objects.filter(pk=process_id))


def _strike(processes: QuerySet[ServerProcess]) -> None:
    """Delete processes with their sockets, under the locks of the sessions: whose other socket closed elsewhere
    meanwhile would keep the seat for the sake of this one, and nobody would ever look at it again."""
    orphans = list(Connection.objects.filter(process__in=processes).values_list("participant_id", flat=True))
    _locked(orphans)
    processes.delete()
    _sitting(pk__in=orphans).update(away_since=Now())


class Head(NamedTuple):
    """Where a session's log ends, as the database says."""

    last_seq: int
    epoch: str


class Poll(NamedTuple):
    """The heads of a process's sessions, the code of each socket or stream that shall be closed, and its neighbours."""

    heads: dict[UUID, Head]
    close_codes: dict[UUID, int]
    is_alone: bool


def poll(*, process_id: UUID, session_ids: Sequence[UUID]) -> Poll:
    """What a process should know of what others have written."""
    heads = Session.objects.filter(pk__in=session_ids).values_list("id", "last_seq", "epoch")
    sockets, streams = (
        model.objects.filter(process_id=process_id, close_code__isnull=False).values_list("id", "close_code")
        for model in (Connection, Stream)
    )
    return Poll(
        heads={key: Head(seq, epoch) for key, seq, epoch in heads},
        close_codes={key: code for key, code in sockets.union(streams, all=True) if code is not None},
        is_alone=not ServerProcess.objects.exclude(pk=process_id).filter(lease_until__gt=Now()).exists(),
    )
