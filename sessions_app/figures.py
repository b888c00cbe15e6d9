"""sessions_app, the kitchen: the shapes of the analytics, and the arithmetic between a rollup and what is told of it.

Days are those of UTC; durations are milliseconds. A mean or a share of nothing is null.
"""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from msgspec import Struct

from sessions_app import histogram

RETURN_DAYS = 7  # within which somebody has returned
# What rollups of hours, days and sessions have alike, beside the latency of answers.
COUNTS = ("messages", "questions", "answers", "degraded", "failed", "invites", "invites_used", "invite_joins")


class Latency(Struct, frozen=True):
    """How long something took: how often it was measured, and percentiles, each told within 4.8 %."""

    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Activity(Struct, frozen=True, kw_only=True):
    """What happened in some time, in one session or in all.

    `people` came or spoke. `degraded` are answers that were not what they should be, `failed` questions without one.
    `answer_latency` is from a question to its answer, `ack` from a message's arrival to its ack, `delivery` from an
    event's time to its being written to a socket. `invite_joins` are the joins that the `invites` made then led to.
    """

    people: int
    messages: int
    messages_per_person: float | None
    questions: int
    answers: int
    degraded: int
    failed: int
    answer_latency: Latency
    invites: int
    invites_used: int
    invite_joins: int
    ack: Latency
    delivery: Latency


class Totals(Activity, frozen=True, kw_only=True):
    """All sessions. `returning` are those of `people` who were there again on one of the seven days after such a day.

    `mean_duration_ms`, `mean_people` and `peak_people` are those of the sessions that ended.
    """

    returning: int
    sessions_opened: int
    sessions_ended: int
    mean_duration_ms: float | None
    mean_people: float | None
    peak_people: int


class DayFigures(Totals, frozen=True, kw_only=True):
    """All sessions on one day."""

    day: date


class Live(Struct, frozen=True):
    """Who is connected now."""

    sessions: int
    people: int
    sockets: int


class Overview(Struct, frozen=True, kw_only=True):
    """All sessions from `since` to `until`, both included, as they were last counted at `as_of` (null: never)."""

    since: date
    until: date
    as_of: datetime | None
    live: Live
    total: Totals
    days: list[DayFigures]


class SessionDay(Activity, frozen=True, kw_only=True):
    """One session on one day."""

    day: date


class SessionFigures(Activity, frozen=True, kw_only=True):
    """One session, as it was last counted at `as_of`; null: not yet, and all the numbers are those of nothing.

    `duration_ms` is up to its end or to `as_of`, and `mean_people` over that time.
    """

    session_id: UUID
    as_of: datetime | None
    started_at: datetime
    ended_at: datetime | None
    duration_ms: float | None
    present: int
    peak_people: int
    mean_people: float | None
    days: list[SessionDay]


def latency(buckets: Mapping[int, int] | histogram.Stored) -> Latency:
    """The percentiles of durations in buckets."""
    found = [histogram.percentile(buckets, share) for share in (0.5, 0.95, 0.99)]
    return Latency(sum(buckets.values()), *(None if ms is None else round(ms, 2) for ms in found))


def ratio(part: float, whole: float) -> float | None:
    """A mean or a share, to three places; None of nothing."""
    return round(part / whole, 3) if whole else None
