"""sessions_app, writes: the rollup of sessions: those whose log or presence moved on are counted anew from their rows.

A session's `last_seq` and `presence_version` are read before its rows: what is written in between moves them on, and so
the session is found again by the next run.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import TruncHour

from sessions_app import events
from sessions_app.figures import RETURN_DAYS
from sessions_app.models import (
    STALE,
    DayRollup,
    Invite,
    Message,
    Participant,
    PersonDay,
    Session,
    SessionHour,
    SessionRollup,
    SpiritTurn,
    Stay,
)
from sessions_app.prepared import Prepared
from sessions_app.services.rollup import people
from sessions_app.services.rollup.fold import Invitation, Stretch, Turn, counted, day_of, presence

CHUNK = 1000  # rows that are read ahead


def changed(limit: int, after: UUID | None) -> list[UUID]:
    """The next sessions, in the order of their ids, whose rollup is missing or out of date."""
    fresh = SessionRollup.objects.filter(
        session=OuterRef("pk"), last_seq=OuterRef("last_seq"), presence_version=OuterRef("presence_version")
    )
    rows = Session.objects.filter(~Exists(fresh))
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.order_by("pk").values_list("pk", flat=True)[:limit])


def mark_stale(sessions: Any) -> None:
    """Have these sessions counted anew: something changed of which neither their log nor their presence tells."""
    rows = SessionRollup.objects.filter(session__in=sessions)
    list(rows.select_for_update().order_by("pk").values_list("pk"))  # in the order of `count_sessions`
    rows.update(last_seq=STALE)


def prepare(ids: Sequence[UUID]) -> None:
    """See to it that each has a row, which `count_sessions` locks; to be committed before it."""
    SessionRollup.objects.bulk_create([SessionRollup(session_id=one) for one in ids], ignore_conflicts=True)


def count_sessions(ids: Sequence[UUID]) -> None:
    """Count these sessions anew, and mark the days that this changes. Within a transaction."""
    rows = SessionRollup.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    locked = {row.session_id: row for row in rows}
    # What was deleted since it was found has been counted before that, and keeps its figures.
    sessions = list(Session.objects.filter(pk__in=ids).order_by("pk"))
    if not sessions:
        return
    ids, rollups = [row.id for row in sessions], [locked[row.id] for row in sessions]
    days, now = _days(ids), events.now()
    people.count_people(ids)
    raw = _Raw(ids)
    hours: list[SessionHour] = []
    for row, rollup in zip(sessions, rollups, strict=True):
        rollup.last_seq, rollup.presence_version = row.last_seq, row.presence_version
        rollup.started_at, rollup.ended_at, rollup.as_of = row.created_at, row.ended_at, row.ended_at or now
        there = presence(raw.stretches(row.id), begin=row.created_at, end=rollup.as_of)
        rollup.present, rollup.peak, rollup.person_us = there.present, there.peak, there.person_us
        rollup.people = raw.people.get(row.id, 0)
        whole, by_hour = counted(raw.spoken.of(row.id), raw.turns(row.id), raw.invites(row.id))
        for name, value in whole.as_dict().items():
            setattr(rollup, name, value)
        hours += [SessionHour(session=row, hour=hour, **one.as_dict()) for hour, one in sorted(by_hour.items())]
    SessionHour.objects.filter(session__in=ids).delete()
    SessionHour.objects.bulk_create(hours, batch_size=1000)
    names = [field.name for field in SessionRollup._meta.concrete_fields if not field.primary_key]
    # Each is there. An upsert is made several times faster than `bulk_update`, which has a CASE for every field.
    SessionRollup.objects.bulk_create(
        rollups, batch_size=100, update_conflicts=True, unique_fields=["session"], update_fields=names
    )
    mark_days(days | _days(ids) | {day_of(at) for row in sessions for at in (row.created_at, row.ended_at) if at})


# Each in the order of the sessions' ids.
_spoken = Prepared(
    lambda ids, _: (
        Message.objects.filter(session__in=ids, is_spirit=False)
        .annotate(hour=TruncHour("timestamp", tzinfo=UTC))
        .order_by("session_id")
        .values_list("session_id", "hour")
        .annotate(n=Count("pk"))
    )
)
_turns = Prepared(
    lambda ids, _: (
        SpiritTurn.objects.filter(session__in=ids)
        .order_by("session_id")
        .values_list("session_id", "created_at", "ended_at", "state", "degraded")
    )
)
_latest = Prepared(
    lambda ids, _: (
        Participant.objects.filter(session__in=ids)
        .order_by("session_id", "joined_at")
        .values_list("session_id", "joined_at", "left_at")
    )
)
_former = Prepared(
    lambda ids, _: (
        Stay.objects.filter(participant__session__in=ids)
        .order_by("participant__session_id", "joined_at")
        .values_list("participant__session_id", "joined_at", "left_at")
    )
)
_invites = Prepared(
    lambda ids, _: (
        Invite.objects.filter(session__in=ids).order_by("session_id").values_list("session_id", "created_at", "uses")
    )
)


class _Rows:
    """Rows of several sessions in the order of their ids, handed out in that order and not kept: a session may have
    had a hundred thousand people."""

    def __init__(self, query: Prepared, ids: Sequence[UUID], name: str) -> None:
        self._groups = groupby(query.stream(ids, name=name, chunk=CHUNK), key=itemgetter(0))
        self._next = next(self._groups, None)

    def of(self, session: UUID) -> Iterator[tuple[Any, ...]]:
        """Those of one session, without its id."""
        while self._next is not None and self._next[0] < session:
            self._next = next(self._groups, None)
        if self._next is not None and self._next[0] == session:
            yield from (row[1:] for row in self._next[1])


class _Raw:
    """The raw rows of some sessions."""

    def __init__(self, ids: Sequence[UUID]) -> None:
        self.spoken = _Rows(_spoken, ids, "spoken")
        self._turns = _Rows(_turns, ids, "turns")
        self._latest = _Rows(_latest, ids, "latest")
        self._former = _Rows(_former, ids, "former")
        self._invites = _Rows(_invites, ids, "invites")
        there = PersonDay.objects.filter(session__in=ids).values_list("session_id")
        self.people: dict[UUID, int] = dict(there.annotate(n=Count("user", distinct=True)))

    def stretches(self, session: UUID) -> Iterator[Stretch]:
        """In the order in which they began."""
        return merge(
            (Stretch(*one) for one in self._latest.of(session)),
            (Stretch(*one) for one in self._former.of(session)),
            key=itemgetter(0),
        )

    def turns(self, session: UUID) -> Iterator[Turn]:
        """What was asked."""
        return (Turn(*one) for one in self._turns.of(session))

    def invites(self, session: UUID) -> Iterator[Invitation]:
        """What was given out."""
        return (Invitation(*one) for one in self._invites.of(session))


def _days(ids: Sequence[UUID]) -> set[date]:
    """Every day that has something of these sessions, in the rollups as they are."""
    days = {day_of(hour) for hour in SessionHour.objects.filter(session__in=ids).values_list("hour", flat=True)}
    there = PersonDay.objects.filter(session__in=ids).values_list("day", flat=True).distinct()
    return days | {day - timedelta(days=back) for day in there for back in range(RETURN_DAYS + 1)}


def mark_days(days: Iterable[date]) -> None:
    """Have these days added up anew."""
    DayRollup.objects.bulk_create(
        [DayRollup(day=day, is_stale=True) for day in sorted(days)],
        update_conflicts=True, unique_fields=["day"], update_fields=["is_stale"],
    )  # fmt: skip


def mark_since(day: date) -> None:
    """Have everything counted anew that touches this day or a later one."""
    begin = datetime.combine(day, datetime.min.time(), UTC)
    later = Q(started_at__gte=begin) | Q(ended_at__isnull=True) | Q(ended_at__gte=begin)
    SessionRollup.objects.filter(later).update(last_seq=STALE)
    DayRollup.objects.filter(day__gte=day).update(is_stale=True)
