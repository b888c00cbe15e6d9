"""Tests of the REST door: analytics, held against the raw rows, which are counted a second way."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from sessions_app import histogram
from sessions_app.models import Invite, Message, Session, SessionRollup, SpiritTurn, User
from sessions_app.services.measures import Key, add_measures
from sessions_app.services.rollup import rollup
from tests.api.conftest import Caller
from tests.services.helpers import hang_up, make_account, make_guest, make_process, make_session, say, sit
from tests.services.worlds import START, percentile_by_hand, presence_by_day, scatter

MS = timedelta(milliseconds=1)
PATH = "/api/analytics/overview"


@pytest.fixture
def as_staff(staff: User) -> Caller:
    return Caller(staff)


def near(told: float, exact: float) -> bool:
    """Whether a percentile is as close as is promised; the second half is for the rounding."""
    return abs(told - exact) <= exact * histogram.ERROR + 0.006


def check_latency(told: dict[str, Any], took: list[float]) -> None:
    assert told["count"] == len(took)
    for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        assert near(told[name], percentile_by_hand(took, share)) if took else told[name] is None


def check_activity(told: dict[str, Any], since: date, until: date, rooms: set[Any]) -> None:
    """What happened from `since` to `until` in these sessions, by walking over every raw row there is."""

    def when(at: datetime | None) -> bool:
        return at is not None and since <= at.astimezone(UTC).date() <= until

    spoken = [one for one in Message.objects.filter(is_spirit=False, session__in=rooms) if when(one.timestamp)]
    turns = list(SpiritTurn.objects.filter(session__in=rooms))
    answered = [one for one in turns if one.state == "answered" and when(one.ended_at)]
    invites = [one for one in Invite.objects.filter(session__in=rooms) if when(one.created_at)]
    assert told["messages"] == len(spoken)
    assert told["questions"] == sum(when(one.created_at) for one in turns)
    assert told["answers"] == len(answered)
    assert told["degraded"] == sum(one.degraded != "" for one in answered)
    assert told["failed"] == sum(one.state == "failed" and when(one.ended_at) for one in turns)
    assert (told["invites"], told["invites_used"]) == (len(invites), sum(one.uses > 0 for one in invites))
    assert told["invite_joins"] == sum(one.uses for one in invites)
    check_latency(told["answer_latency"], [(one.ended_at - one.created_at) / MS for one in answered if one.ended_at])
    expected = round(told["messages"] / told["people"], 3) if told["people"] else None
    assert told["messages_per_person"] == expected


def check_totals(told: dict[str, Any], since: date, until: date) -> None:
    """All sessions: their people, who came again, and how long those were that ended."""
    check_activity(told, since, until, set(Session.objects.values_list("pk", flat=True)))
    there = presence_by_day()
    days = [since + timedelta(days=n) for n in range((until - since).days + 1)]
    people = {who for day in days for who in there.get(day, ())}
    again = {
        who for day in days for who in there.get(day, ())
        if any(who in there.get(day + timedelta(days=n), ()) for n in range(1, 8))
    }  # fmt: skip
    assert (told["people"], told["returning"]) == (len(people), len(again))
    opened = [one for one in Session.objects.all() if since <= one.created_at.date() <= until]
    ended = [one for one in Session.objects.all() if one.ended_at and since <= one.ended_at.date() <= until]
    assert (told["sessions_opened"], told["sessions_ended"]) == (len(opened), len(ended))
    took = [(one.ended_at - one.created_at) / MS for one in ended if one.ended_at]
    assert told["mean_duration_ms"] == (pytest.approx(sum(took) / len(took)) if took else None)
    spans = [person_spans(one) for one in ended]
    spent = sum((end - begin) / MS for room in spans for begin, end in room)
    assert told["mean_people"] == (pytest.approx(spent / sum(took), abs=0.0006) if took else None)
    assert told["peak_people"] == max((most_at_once(room) for room in spans), default=0)


def person_spans(room: Session, until: datetime | None = None) -> list[tuple[datetime, datetime]]:
    end = room.ended_at or until
    assert end is not None
    spans = [(one.joined_at, one.left_at or end) for one in room.participants.all()]
    return spans + [(stay.joined_at, stay.left_at) for one in room.participants.all() for stay in one.stays.all()]


def most_at_once(spans: list[tuple[datetime, datetime]]) -> int:
    return max((sum(b <= at < e for b, e in spans) for at, _ in spans), default=0)


@pytest.mark.parametrize("seed", [3, 4])
def test_the_overview_is_what_the_raw_rows_add_up_to(as_staff: Caller, seed: int) -> None:
    scatter(random.Random(seed))
    rollup()
    since, until = START.date() - timedelta(days=2), START.date() + timedelta(days=20)

    told = as_staff.get(f"{PATH}?since={since}&until={until}").data
    late = max(presence_by_day())  # after which nobody came again
    rest = as_staff.get(f"{PATH}?since={late}&until={until}").data["total"]

    check_totals(rest, late, until)
    assert rest["returning"] < rest["people"]
    assert (told["since"], told["until"], len(told["days"])) == (str(since), str(until), 23)
    assert told["as_of"] is not None
    check_totals(told["total"], since, until)
    for row in told["days"]:
        check_totals(row, date.fromisoformat(row["day"]), date.fromisoformat(row["day"]))
    assert told["total"]["messages"] > 20
    assert told["total"]["returning"] > 0


def test_a_session_is_what_its_raw_rows_add_up_to(as_staff: Caller) -> None:
    scatter(random.Random(5))
    rollup()

    for room in Session.objects.all():
        told = as_staff.get(f"/api/analytics/sessions/{room.pk}").data
        as_of = datetime.fromisoformat(told["as_of"])
        spans = person_spans(room, as_of)
        spent, lasted = (
            sum((end - begin) / MS for begin, end in spans),
            ((room.ended_at or as_of) - room.created_at) / MS,
        )

        check_activity(told, date(2020, 1, 1), date(2030, 1, 1), {room.pk})
        said = room.messages.filter(is_spirit=False, user__isnull=False)
        came = room.participants.values_list("user_id", flat=True)
        assert told["people"] == len({*came, *said.values_list("user_id", flat=True)})
        assert told["present"] == room.participants.filter(left_at__isnull=True).count()
        assert told["peak_people"] == most_at_once(spans)
        assert told["duration_ms"] == pytest.approx(lasted, abs=1)
        assert told["mean_people"] == pytest.approx(spent / lasted, abs=0.0006)
        for row in told["days"]:
            day = date.fromisoformat(row["day"])
            check_activity(row, day, day, {room.pk})
        assert sum(row["messages"] for row in told["days"]) == told["messages"]


def test_measured_latencies_are_told_by_day_session_and_in_all(as_staff: Caller) -> None:
    one, other = make_session(), make_session()
    first, second = START + timedelta(hours=5), START + timedelta(hours=30)
    durations = {(one, first): [2.0] * 95 + [80.0] * 5, (other, second): [400.0] * 10}
    for (room, hour), took in durations.items():
        add_measures({Key(room.id, hour, kind): histogram.count(took) for kind in ("ack", "delivery")}, {})
    rollup()

    told = as_staff.get(f"{PATH}?since={first.date()}&until={second.date()}").data
    session = as_staff.get(f"/api/analytics/sessions/{one.pk}").data

    for kind in ("ack", "delivery"):
        check_latency(told["total"][kind], sum(durations.values(), []))
        check_latency(told["days"][0][kind], durations[one, first])
        check_latency(told["days"][1][kind], durations[other, second])
        check_latency(session[kind], durations[one, first])
        check_latency(session["days"][0][kind], durations[one, first])


def test_who_is_connected_now_is_counted_once(as_staff: Caller) -> None:
    room, other, ada = make_session(), make_session(), make_guest("Ada")
    process = make_process()
    sit(room, process, ada)
    sit(room, process, ada)
    sit(other, process, ada)
    sit(other, process, make_guest("Bob"))
    hang_up(other, ada)

    assert as_staff.get(PATH).data["live"] == {"sessions": 2, "people": 2, "sockets": 3}


def test_a_host_reads_an_own_session_and_nobody_else_s(as_host: Caller, as_guest: Caller, session: Session) -> None:
    session.access = "invite"
    session.save()

    assert as_host.get(f"/api/analytics/sessions/{session.pk}").data["session_id"] == str(session.pk)
    assert as_guest.get(f"/api/analytics/sessions/{session.pk}").outcome == (404, "SESSION_NOT_FOUND")
    assert as_host.get(PATH).outcome == (403, "FORBIDDEN")


def test_what_was_not_counted_yet_says_so(as_host: Caller, host: User, session: Session) -> None:
    told = as_host.get(f"/api/analytics/sessions/{session.pk}").data

    assert (told["as_of"], told["duration_ms"], told["messages"], told["days"]) == (None, None, 0, [])
    assert told["answer_latency"] == {"count": 0, "p50_ms": None, "p95_ms": None, "p99_ms": None}


def test_without_a_range_it_is_the_last_thirty_days(as_staff: Caller) -> None:
    host = make_account()
    say(make_session(host), host)
    rollup()

    told = as_staff.get(PATH).data

    assert len(told["days"]) == 30
    assert told["days"][-1]["messages"] == told["total"]["messages"] == 1
    assert SessionRollup.objects.get().messages == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [("since=yesterday", "since"), ("until=20261125", "until"), ("since=2026-02-30", "since"),
     ("until=1969-12-31", "until"),
     ("since=2026-03-02&until=2026-03-01", "since"), ("since=2025-03-01&until=2026-03-02", "since"),
     ("since=٢٠٢٦-٠١-٠١", "since")],
)  # fmt: skip
def test_a_wrong_range_is_said(as_staff: Caller, query: str, field: str) -> None:
    answer = as_staff.get(f"{PATH}?{query}")

    assert (answer.outcome, list(answer.error["details"])) == ((400, "VALIDATION_ERROR"), [field])


def test_a_year_and_a_day_is_a_range(as_staff: Caller) -> None:
    assert len(as_staff.get(f"{PATH}?since=2025-03-01&until=2026-03-01").data["days"]) == 366
