"""sessions_app, reads: what the rollups tell of all sessions by day, and of one session."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef

from sessions_app import figures, histogram, policies, replica
from sessions_app.figures import COUNTS, RETURN_DAYS
from sessions_app.models import (
    Connection,
    DayRollup,
    LatencyHour,
    LatencyKind,
    PersonDay,
    RollupLease,
    Session,
    SessionHour,
    SessionRollup,
    User,
)
from sessions_app.selectors.sessions import visible_session

MS = timedelta(milliseconds=1)


class Sum:
    """Rows of rollups, added up: their counts and their buckets."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self.buckets: defaultdict[str, list[histogram.Stored]] = defaultdict(list)

    def add(self, row: Any) -> "Sum":
        """One more row that has the counts and the latency of answers."""
        for name in COUNTS:
            self.counts[name] += getattr(row, name)
        self.buckets["latency"].append(row.latency)
        return self

    def activity(self, people: int) -> dict[str, Any]:
        """The fields of `figures.Activity`."""

        def told(name: str) -> figures.Latency:
            return figures.latency(histogram.merged(self.buckets[name]))

        return {
            **self.counts,
            "people": people,
            "messages_per_person": figures.ratio(self.counts["messages"], people),
            "answer_latency": told("latency"),
            "ack": told(LatencyKind.ACK),
            "delivery": told(LatencyKind.DELIVERY),
        }


def overview(actor: User | None, *, since: date, until: date) -> figures.Overview:
    """All sessions on each day from `since` to `until`, for staff; raises `UNAUTHORIZED`, `FORBIDDEN`."""
    policies.require_staff(actor)
    now = live()
    return replica.read(lambda: _overview(since, until, now))


def _overview(since: date, until: date, now: figures.Live) -> figures.Overview:
    found = {row.day: row for row in DayRollup.objects.filter(day__gte=since, day__lte=until)}
    days = [since + timedelta(days=after) for after in range((until - since).days + 1)]
    rows = [found.get(day) or DayRollup(day=day) for day in days]
    there = PersonDay.objects.filter(day__gte=since, day__lte=until)
    later = PersonDay.objects.filter(
        user=OuterRef("user"), day__gt=OuterRef("day"), day__lte=OuterRef("day") + timedelta(days=RETURN_DAYS)
    )
    people, returning = (
        one.aggregate(n=Count("user", distinct=True))["n"] for one in (there, there.filter(Exists(later)))
    )
    return figures.Overview(
        since=since,
        until=until,
        as_of=RollupLease.objects.values_list("done_at", flat=True).first(),
        live=now,
        total=figures.Totals(**_totals(rows, people, returning)),
        days=[figures.DayFigures(day=row.day, **_totals([row], row.people, row.returning)) for row in rows],
    )


def _totals(rows: Iterable[DayRollup], people: int, returning: int) -> dict[str, Any]:
    whole, opened, ended, duration_us, person_us, peak = Sum(), 0, 0, 0, 0, 0
    for row in rows:
        whole.add(row)
        whole.buckets[LatencyKind.ACK].append(row.ack)
        whole.buckets[LatencyKind.DELIVERY].append(row.delivery)
        opened, ended = opened + row.sessions_opened, ended + row.sessions_ended
        duration_us, person_us = duration_us + row.ended_us, person_us + row.ended_person_us
        peak = max(peak, row.ended_peak)
    return {
        **whole.activity(people),
        "returning": returning,
        "sessions_opened": opened,
        "sessions_ended": ended,
        "mean_duration_ms": figures.ratio(duration_us / 1000, ended),
        "mean_people": figures.ratio(person_us, duration_us),
        "peak_people": peak,
    }


def live() -> figures.Live:
    """Who is connected now."""
    people = Count("participant__user", distinct=True)
    rooms = Count("participant__session", distinct=True)
    return figures.Live(**Connection.objects.aggregate(sessions=rooms, people=people, sockets=Count("pk")))


def of_session(actor: User | None, session_id: UUID) -> figures.SessionFigures:
    """One session, for its host and staff; raises `UNAUTHORIZED`, `FORBIDDEN`, `SESSION_NOT_FOUND`."""
    session = visible_session(session_id, actor)
    policies.may_manage(session, actor)
    return replica.read(lambda: _of_session(session))


def _of_session(session: Session) -> figures.SessionFigures:
    rollup = SessionRollup.objects.filter(pk=session.pk).first() or SessionRollup(session=session)
    until = rollup.ended_at or rollup.as_of
    duration = until - session.created_at if until is not None else timedelta()
    whole, days = Sum().add(rollup), defaultdict[date, Sum](Sum)
    for hour in SessionHour.objects.filter(session=session):
        days[hour.hour.astimezone(UTC).date()].add(hour)
    for measured in LatencyHour.objects.filter(session=session):
        for one in (whole, days[measured.hour.astimezone(UTC).date()]):
            one.buckets[measured.kind].append(measured.buckets)
    people = dict(PersonDay.objects.filter(session=session).values_list("day").annotate(n=Count("user")))
    return figures.SessionFigures(
        **whole.activity(rollup.people),
        session_id=session.pk,
        as_of=rollup.as_of,
        started_at=session.created_at,
        ended_at=session.ended_at,
        duration_ms=duration / MS if until is not None else None,
        present=rollup.present,
        peak_people=rollup.peak,
        mean_people=figures.ratio(rollup.person_us, duration / timedelta(microseconds=1)),
        days=[
            figures.SessionDay(day=day, **days[day].activity(people.get(day, 0))) for day in sorted({*days, *people})
        ],
    )
