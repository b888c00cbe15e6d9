"""sessions_app, writes: what a server process measured since it last said so, added to what all have measured."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import F

from sessions_app import histogram
from sessions_app.models import CloseHour, LatencyHour, LatencyKind
from sessions_app.services.rollup.fold import day_of
from sessions_app.services.rollup.sessions import mark_days

ACK, DELIVERY = LatencyKind.ACK.value, LatencyKind.DELIVERY.value


class Key(NamedTuple):
    """Whose latencies; the fields in the order in which rows are locked."""

    session: UUID
    hour: datetime
    kind: str


@transaction.atomic
def add_measures(latencies: Mapping[Key, histogram.Buckets], closes: Mapping[tuple[datetime, int], int]) -> None:
    """Add durations, in buckets, and sockets that ended, by hour and close code."""
    keys = sorted(latencies)
    LatencyHour.objects.bulk_create(
        [LatencyHour(session_id=key.session, hour=key.hour, kind=key.kind) for key in keys], ignore_conflicts=True
    )
    rows = LatencyHour.objects.filter(
        session__in={key.session for key in keys}, hour__in={key.hour for key in keys}
    ).order_by("session_id", "hour", "kind")
    changed = []
    for row in rows.select_for_update():
        more = latencies.get(Key(row.session_id, row.hour, row.kind))
        if more:
            row.buckets = histogram.stored(histogram.merged([row.buckets, more]))
            changed.append(row)
    LatencyHour.objects.bulk_update(changed, ["buckets"], batch_size=200)
    for (hour, code), times in sorted(closes.items()):
        CloseHour.objects.bulk_create([CloseHour(hour=hour, code=code)], ignore_conflicts=True)
        CloseHour.objects.filter(hour=hour, code=code).update(count=F("count") + times)
    mark_days({day_of(key.hour) for key in keys})
