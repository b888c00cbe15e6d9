"""sessions_app, reads: what the admin's front page shows: how it goes now, and how it went, from the rollups."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Max, Sum

from sessions_app import events, figures, histogram
from sessions_app.models import (
    CloseHour,
    DayRollup,
    Report,
    ReportState,
    RollupLease,
    Session,
    SessionHour,
    SpiritTurn,
    TurnState,
)
from sessions_app.selectors.analytics import live

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Span(NamedTuple):
    """How far back is looked, in steps of an hour or a day."""

    title: str
    steps: int
    step: timedelta


SPANS = {
    "day": Span("24 hours", 24, HOUR),
    "week": Span("7 days", 7 * 24, HOUR),
    "month": Span("30 days", 30, DAY),
    "year": Span("365 days", 365, DAY),
}


class Moment(NamedTuple):
    """One step: what was said, asked and answered in it."""

    at: datetime
    messages: int
    answers: int
    degraded: int
    failed: int
    buckets: histogram.Buckets

    @property
    def latency(self) -> figures.Latency:
        """From questions to answers."""
        return figures.latency(self.buckets)


class Busy(NamedTuple):
    """A session in which much was said."""

    session: Session
    messages: int
    answers: int
    peak: int


class Board(NamedTuple):
    """All of it."""

    live: figures.Live
    questions: int
    reports: int
    as_of: datetime | None
    moments: list[Moment]
    total: Moment
    closes: list[tuple[int, int]]
    busiest: list[Busy]


def board(span: Span) -> Board:
    """How it goes, and how it went up to now."""
    first = _floor(events.now(), span.step) - (span.steps - 1) * span.step
    found = _by_hour(first) if span.step == HOUR else _by_day(first)
    nothing = Moment(first, 0, 0, 0, 0, {})
    moments = [found.get(at) or nothing._replace(at=at) for at in (first + n * span.step for n in range(span.steps))]
    closes = (
        CloseHour.objects.filter(hour__gte=first).values_list("code").annotate(n=Sum("count")).order_by("-n", "code")
    )
    return Board(
        live=live(),
        questions=SpiritTurn.objects.filter(state__in=[TurnState.QUEUED, TurnState.ACTIVE]).count(),
        reports=Report.objects.filter(state=ReportState.OPEN).count(),
        as_of=RollupLease.objects.values_list("done_at", flat=True).first(),
        moments=moments,
        total=_sum(first, moments),
        closes=list(closes),
        busiest=_busiest(first),
    )


def _floor(at: datetime, step: timedelta) -> datetime:
    begin = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return begin if step == HOUR else begin.replace(hour=0)


def _sum(at: datetime, rows: Iterable[Any]) -> Moment:
    rows = list(rows)
    messages, answers, degraded, failed = (
        sum(getattr(row, name) for row in rows) for name in ("messages", "answers", "degraded", "failed")
    )
    merged = histogram.merged(row.buckets if isinstance(row, Moment) else row.latency for row in rows)
    return Moment(at, messages, answers, degraded, failed, merged)


def _by_hour(first: datetime) -> dict[datetime, Moment]:
    hours = defaultdict(list)
    columns = ("hour", "messages", "answers", "degraded", "failed", "latency")
    for row in SessionHour.objects.filter(hour__gte=first).values_list(*columns, named=True):
        hours[row.hour].append(row)
    return {at: _sum(at, rows) for at, rows in hours.items()}


def _by_day(first: datetime) -> dict[datetime, Moment]:
    rows = DayRollup.objects.filter(day__gte=first.date())
    days = {datetime.combine(row.day, datetime.min.time(), UTC): row for row in rows}
    return {at: _sum(at, [row]) for at, row in days.items()}


def _busiest(first: datetime, limit: int = 10) -> list[Busy]:
    sums = (
        SessionHour.objects.filter(hour__gte=first)
        .values_list("session")
        .annotate(said=Sum("messages"), answered=Sum("answers"), peak=Max("session__rollup__peak"))
        .order_by("-said", "session")[:limit]
    )
    found = {key: rest for key, *rest in sums}
    sessions = Session.objects.in_bulk(found)  # those that were deleted are not told of
    return [
        Busy(sessions[key], said, answered, peak or 0)
        for key, (said, answered, peak) in found.items()
        if key in sessions
    ]
