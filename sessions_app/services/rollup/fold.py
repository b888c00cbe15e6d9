"""sessions_app, writes: the rollup's arithmetic: what a session's raw rows add up to. Pure: rows in, numbers out."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from heapq import heappop, heappush
from typing import NamedTuple

from sessions_app import histogram
from sessions_app.models import TurnState

MICROSECOND = timedelta(microseconds=1)


class Stretch(NamedTuple):
    """Somebody was there from `begin` to `end`; None: still is."""

    begin: datetime
    end: datetime | None


class Presence(NamedTuple):
    """How many were there at the end, at most at once, and their time added up in microseconds."""

    present: int
    peak: int
    person_us: int


class Turn(NamedTuple):
    """A question and its end."""

    created_at: datetime
    ended_at: datetime | None
    state: str
    degraded: str


class Invitation(NamedTuple):
    """An invite, and how many people it let in."""

    created_at: datetime
    uses: int


class Count:
    """What one hour, or a whole session, has."""

    def __init__(self) -> None:
        self.messages = self.questions = self.answers = self.degraded = self.failed = 0
        self.invites = self.invites_used = self.invite_joins = 0
        self.latency: histogram.Buckets = {}

    def as_dict(self) -> dict[str, object]:
        """The fields, as the rollup tables have them."""
        return {**vars(self), "latency": histogram.stored(self.latency)}

    def add_latency(self, ms: float) -> None:
        """One more answer that took this long."""
        bucket = histogram.bucket_of(ms)
        self.latency[bucket] = self.latency.get(bucket, 0) + 1


def hour_of(moment: datetime) -> datetime:
    """The hour, in UTC, that a moment is in."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def day_of(moment: datetime) -> date:
    """The day, in UTC, that a moment is in."""
    return moment.astimezone(UTC).date()


def latency_ms(turn: Turn) -> float | None:
    """From an answered question to its answer; None where there is none."""
    if turn.state != TurnState.ANSWERED or turn.ended_at is None:
        return None
    return max(0.0, (turn.ended_at - turn.created_at) / timedelta(milliseconds=1))


def presence(stretches: Iterable[Stretch], *, begin: datetime, end: datetime) -> Presence:
    """People between `begin` and `end`, from their stretches in the order in which these began; only those who are
    there at the same time are kept. Whoever leaves at the moment in which another comes was not there with them."""
    ends: list[datetime] = []
    spent, present, peak = timedelta(), 0, 0
    for one in stretches:
        came = min(max(one.begin, begin), end)
        left = end if one.end is None else max(came, min(one.end, end))
        spent += left - came
        while ends and ends[0] <= came:
            heappop(ends)
        if one.end is None:
            present += 1
        elif left > came:
            heappush(ends, left)
        peak = max(peak, present + len(ends))
    return Presence(present, peak, spent // MICROSECOND)


def counted(
    spoken: Iterable[tuple[datetime, int]], turns: Iterable[Turn], invites: Iterable[Invitation]
) -> tuple[Count, dict[datetime, Count]]:
    """A session as a whole, and each of its hours in which anything happened. `spoken` are (hour, messages)."""
    whole, hours = Count(), dict[datetime, Count]()

    def at(moment: datetime) -> tuple[Count, Count]:
        return whole, hours.setdefault(hour_of(moment), Count())

    for hour, messages in spoken:
        for one in at(hour):
            one.messages += messages
    for turn in turns:
        for one in at(turn.created_at):
            one.questions += 1
        if turn.ended_at is None:
            continue
        ms = latency_ms(turn)
        for one in at(turn.ended_at) if ms is not None or turn.state == TurnState.FAILED else ():
            if ms is None:
                one.failed += 1
                continue
            one.answers += 1
            one.degraded += turn.degraded != ""
            one.add_latency(ms)
    for invite in invites:
        for one in at(invite.created_at):
            one.invites += 1
            one.invites_used += invite.uses > 0
            one.invite_joins += invite.uses
    return whole, hours
