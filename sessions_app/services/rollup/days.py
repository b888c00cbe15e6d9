"""sessions_app, writes: the rollup of days, added up from the sessions' hours and the people's days."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db.models import Count, DurationField, Exists, F, Max, OuterRef, Sum
from django.db.models.functions import Coalesce

from sessions_app import histogram
from sessions_app.figures import COUNTS, RETURN_DAYS
from sessions_app.models import DayRollup, LatencyHour, LatencyKind, PersonDay, SessionHour, SessionRollup

MICROSECOND = timedelta(microseconds=1)


def stale_days(limit: int) -> list[date]:
    """The next days to add up, the latest first: that is what people look at."""
    return list(DayRollup.objects.filter(is_stale=True).order_by("-day").values_list("day", flat=True)[:limit])


def count_day(day: date) -> None:
    """Add up one day anew. Within a transaction."""
    row = DayRollup.objects.select_for_update().get(pk=day)
    begin = datetime.combine(day, datetime.min.time(), UTC)
    end = begin + timedelta(days=1)
    hours = SessionHour.objects.filter(hour__gte=begin, hour__lt=end)
    sums = hours.aggregate(**{name: Coalesce(Sum(name), 0) for name in COUNTS})
    for name, value in sums.items():
        setattr(row, name, value)
    row.latency = _sum(hours.filter(answers__gt=0).values_list("latency", flat=True))
    row.sessions_opened = SessionRollup.objects.filter(started_at__gte=begin, started_at__lt=end).count()
    ended = SessionRollup.objects.filter(ended_at__gte=begin, ended_at__lt=end).aggregate(
        n=Count("pk"), took=Sum(F("ended_at") - F("started_at"), output_field=DurationField()),
        person_us=Sum("person_us"), peak=Max("peak"),
    )  # fmt: skip
    row.sessions_ended, row.ended_us = ended["n"], (ended["took"] or timedelta()) // MICROSECOND
    row.ended_person_us, row.ended_peak = ended["person_us"] or 0, ended["peak"] or 0
    there = PersonDay.objects.filter(day=day)
    later = PersonDay.objects.filter(user=OuterRef("user"), day__gt=day, day__lte=day + timedelta(days=RETURN_DAYS))
    row.people = there.aggregate(n=Count("user", distinct=True))["n"]
    row.returning = there.filter(Exists(later)).aggregate(n=Count("user", distinct=True))["n"]
    measured = LatencyHour.objects.filter(hour__gte=begin, hour__lt=end)
    row.ack = _sum(measured.filter(kind=LatencyKind.ACK).values_list("buckets", flat=True))
    row.delivery = _sum(measured.filter(kind=LatencyKind.DELIVERY).values_list("buckets", flat=True))
    row.is_stale = False
    row.save()


def _sum(several: Iterable[dict[str, int]]) -> dict[str, int]:
    return histogram.stored(histogram.merged(several))
