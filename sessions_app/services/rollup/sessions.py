"""sessions_app, writes: the rollup of sessions: those whose log or presence moved on are counted anew from their rows.

A session's `last_seq` and `presence_version` are read before its rows: what is written in between moves them on, and so
the session is found again by the next run.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
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
from sessions_app.services.rollup.fold import Invitation, Stretch, Turn, counted, day_of, person_days, presence


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
    SessionRollup.objects.filter(session__in=sessions).update(last_seq=STALE)


def prepare(ids: Sequence[UUID]) -> None:
    """See to it that each has a row, which `count_sessions` locks; to be committed before it."""
    SessionRollup.objects.bulk_create([SessionRollup(session_id=one) for one in ids], ignore_conflicts=True)


def count_sessions(ids: Sequence[UUID]) -> None:
    """Count these sessions anew, and mark the days that this changes. Within a transaction."""
    rollups = {row.session_id: row for row in SessionRollup.objects.select_for_update().filter(pk__in=ids)}
    sessions = list(Session.objects.filter(pk__in=ids))
    now = events.now()
    raw = _Raw([row.id for row in sessions])
    hours: list[SessionHour] = []
    people: list[PersonDay] = []
    for row in sessions:
        rollup = rollups[row.id]
        found = raw.of(row)
        rollup.last_seq, rollup.presence_version = row.last_seq, row.presence_version
        rollup.started_at, rollup.ended_at, rollup.as_of = row.created_at, row.ended_at, row.ended_at or now
        there = presence(found.stretches, begin=row.created_at, end=rollup.as_of)
        rollup.present, rollup.peak, rollup.person_us = there.present, there.peak, there.person_us
        rollup.people = found.people
        whole, by_hour = counted(found.spoken, found.turns, found.invites)
        for name, value in whole.as_dict().items():
            setattr(rollup, name, value)
        hours += [SessionHour(session=row, hour=hour, **one.as_dict()) for hour, one in sorted(by_hour.items())]
        people += [
            PersonDay(session=row, user_id=who, day=day, messages=messages)
            for (who, day), messages in found.days.items()
        ]
    _mark_days(ids, sessions, hours, people)
    SessionHour.objects.filter(session__in=ids).delete()
    PersonDay.objects.filter(session__in=ids).delete()
    SessionHour.objects.bulk_create(hours, batch_size=1000)
    PersonDay.objects.bulk_create(people, batch_size=1000)
    names = [field.name for field in SessionRollup._meta.concrete_fields if not field.primary_key]
    # Each is there. An upsert is made several times faster than `bulk_update`, which has a CASE for every field.
    SessionRollup.objects.bulk_create(
        rollups.values(), batch_size=100, update_conflicts=True, unique_fields=["session"], update_fields=names
    )


class _Found:
    """One session's raw rows."""

    def __init__(self, raw: "_Raw", row: Session) -> None:
        stays = [Stretch(*one) for one in raw.stays[row.id]]
        self.stretches = stays + [Stretch(came, left) for _, came, left in raw.participants[row.id]]
        self.spoken = [(hour, n) for hour, _, n in raw.messages[row.id]]
        self.turns = [Turn(*one) for one in raw.turns[row.id]]
        self.invites = [Invitation(*one) for one in raw.invites[row.id]]
        came = [(user, came) for user, came, _ in raw.participants[row.id]] + raw.came[row.id]
        spoke = [(user, day_of(hour), n) for hour, user, n in raw.messages[row.id] if user is not None]
        self.days = person_days(came, spoke)
        # A host may speak over REST without ever taking a seat.
        self.people = len({user for user, *_ in came} | {user for user, *_ in spoke})


class _Raw:
    """The raw rows of some sessions, by session."""

    def __init__(self, ids: Sequence[UUID]) -> None:
        said = Message.objects.filter(session__in=ids, is_spirit=False).annotate(
            hour=TruncHour("timestamp", tzinfo=UTC)
        )
        self.messages = _by_session(
            said.order_by().values_list("session", "hour", "user").annotate(n=Count("pk")).iterator(2000)
        )
        self.turns = _by_session(
            SpiritTurn.objects.filter(session__in=ids)
            .values_list("session", "created_at", "ended_at", "state", "degraded")
            .iterator(2000)
        )
        self.participants = _by_session(
            Participant.objects.filter(session__in=ids).values_list("session", "user", "joined_at", "left_at")
        )
        former = Stay.objects.filter(participant__session__in=ids)
        self.stays = _by_session(former.values_list("participant__session", "joined_at", "left_at"))
        self.came = _by_session(former.values_list("participant__session", "participant__user", "joined_at"))
        self.invites = _by_session(Invite.objects.filter(session__in=ids).values_list("session", "created_at", "uses"))

    def of(self, row: Session) -> _Found:
        """Those of one."""
        return _Found(self, row)


def _by_session(rows: Iterable[tuple[Any, ...]]) -> defaultdict[UUID, list[Any]]:
    found: defaultdict[UUID, list[Any]] = defaultdict(list)
    for session, *rest in rows:
        found[session].append(tuple(rest))
    return found


def _mark_days(
    ids: Sequence[UUID], sessions: Sequence[Session], hours: Sequence[SessionHour], people: Sequence[PersonDay]
) -> None:
    """Before the old rows go: every day that had, or will have, something of these sessions."""
    days = {day_of(hour) for hour in SessionHour.objects.filter(session__in=ids).values_list("hour", flat=True)}
    days |= {day_of(row.hour) for row in hours}
    days |= {day_of(at) for row in sessions for at in (row.created_at, row.ended_at) if at is not None}
    there = set(PersonDay.objects.filter(session__in=ids).values_list("day", flat=True)) | {row.day for row in people}
    mark_days(days | {day - timedelta(days=back) for day in there for back in range(RETURN_DAYS + 1)})


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
