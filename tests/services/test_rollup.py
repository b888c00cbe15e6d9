"""Tests of sessions_app/services/rollup: random raw rows, counted a second way and compared exactly."""

from __future__ import annotations

import gc
import random
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connection
from uuid_utils.compat import uuid7

from sessions_app import histogram
from sessions_app.models import (
    CloseHour,
    DayRollup,
    Invite,
    LatencyHour,
    Message,
    Participant,
    PersonDay,
    RollupLease,
    Session,
    SessionHour,
    SessionRollup,
    SpiritTurn,
    Stay,
    User,
)
from sessions_app.services.departures import erase
from sessions_app.services.measures import Key, add_measures
from sessions_app.services.messages import Draft, post_message
from sessions_app.services.rollup import lease, refresh, rollup
from sessions_app.services.rollup.sessions import changed, count_sessions, prepare
from sessions_app.services.sessions import delete_session, end_session
from tests.services.helpers import hang_up, make_account, make_guest, make_session, say, sit
from tests.services.worlds import START, percentile_by_hand, presence_by_day, scatter

pytestmark = pytest.mark.django_db


def check_day(row: DayRollup) -> None:
    """A day, counted by walking over every raw row there is."""

    def on(at: datetime | None) -> bool:
        return at is not None and at.astimezone(UTC).date() == row.day

    spoken = [one for one in Message.objects.filter(is_spirit=False) if on(one.timestamp)]
    turns = list(SpiritTurn.objects.all())
    answered = [one for one in turns if one.state == "answered" and on(one.ended_at)]
    invites = [one for one in Invite.objects.all() if on(one.created_at)]
    assert row.messages == len(spoken)
    assert row.questions == sum(on(one.created_at) for one in turns)
    assert row.answers == len(answered)
    assert row.degraded == sum(one.degraded != "" for one in answered)
    assert row.failed == sum(one.state == "failed" and on(one.ended_at) for one in turns)
    assert (row.invites, row.invites_used) == (len(invites), sum(one.uses > 0 for one in invites))
    assert row.invite_joins == sum(one.uses for one in invites)
    assert row.sessions_opened == sum(on(one.created_at) for one in Session.objects.all())
    assert row.sessions_ended == sum(on(one.ended_at) for one in Session.objects.all())
    there = presence_by_day()
    today = there.get(row.day, set())
    later = set().union(*(there.get(row.day + timedelta(days=after), set()) for after in range(1, 8)))
    assert (row.people, row.returning) == (len(today), len(today & later))
    took = [(one.ended_at - one.created_at) / timedelta(milliseconds=1) for one in answered if one.ended_at]
    assert row.latency == histogram.stored(histogram.count(took))
    for share in (0.5, 0.95) if took else ():
        exact, told = percentile_by_hand(took, share), histogram.percentile(row.latency, share)
        assert told is not None
        assert abs(told - exact) <= exact * (histogram.ERROR + 1e-9)


def check_session(row: Session) -> None:
    """A session: the time of each person added up, and the most at once among all moments at which somebody came."""
    found = SessionRollup.objects.get(pk=row.pk)
    assert found.as_of is not None
    spans = [(one.joined_at, one.left_at or found.as_of) for one in row.participants.all()]
    spans += [(stay.joined_at, stay.left_at) for one in row.participants.all() for stay in one.stays.all()]
    assert found.person_us == sum((end - begin) // timedelta(microseconds=1) for begin, end in spans)
    assert found.peak == max((sum(b <= at < e for b, e in spans) for at, _ in spans), default=0)
    sat, spoke = row.participants.values_list("user", flat=True), row.messages.filter(is_spirit=False)
    assert found.people == len({*sat, *spoke.filter(user__isnull=False).values_list("user", flat=True)})
    assert found.present == row.participants.filter(left_at__isnull=True).count()
    assert found.messages == row.messages.filter(is_spirit=False).count()
    assert found.questions == row.turns.count()
    assert found.answers == row.turns.filter(state="answered").count()


def check_everything() -> None:
    for row in Session.objects.all():
        check_session(row)
    for day in DayRollup.objects.all():
        check_day(day)
    assert set(presence_by_day()) <= set(DayRollup.objects.values_list("day", flat=True))


def tables() -> list[list[Any]]:
    names = [[f.name for f in model._meta.concrete_fields if f.name not in ("id", "as_of", "person_us")]
             for model in (SessionRollup, SessionHour, PersonDay, DayRollup)]  # fmt: skip
    models: list[Any] = [SessionRollup, SessionHour, PersonDay, DayRollup]
    return [sorted(map(str, m.objects.values_list(*n))) for m, n in zip(models, names, strict=True)]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 5))])
def test_the_rollups_are_what_the_raw_rows_add_up_to(seed: int) -> None:
    scatter(random.Random(seed))

    done = rollup()

    assert done is not None
    assert done.sessions == 8
    check_everything()


def test_a_session_of_many_people_is_counted_without_holding_them() -> None:
    room, count = make_session(), 5000
    Session.objects.update(created_at=START)
    people = User.objects.bulk_create([User(name=f"n{number}", is_guest=True) for number in range(count)])
    came = START + timedelta(hours=1)
    Participant.objects.bulk_create(
        [Participant(session=room, user=one, name="x", joined_at=came, left_at=came + timedelta(seconds=n))
         for n, one in enumerate(people)]
    )  # fmt: skip
    rollup()  # what is loaded once is not counted
    SessionRollup.objects.update(last_seq=-1)
    gc.collect()

    tracemalloc.start()
    try:
        done = rollup()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert done is not None
    assert done.sessions == 1
    found = SessionRollup.objects.get(pk=room.pk)
    assert (found.people, found.peak, found.person_us) == (count, count - 1, sum(range(count)) * 1_000_000)
    assert peak < 3 * 2**20, f"{peak / 2**20:.1f} MiB"  # more than 5 with all people at once


@pytest.mark.parametrize("was_counted", [False, True])
def test_a_session_that_is_deleted_while_it_is_to_be_counted_keeps_its_figures(
    was_counted: bool, process_id: UUID
) -> None:
    ada = make_account("Ada")
    room = make_session(ada)
    sit(room, process_id, ada)
    say(room, ada)
    if was_counted:
        rollup()
    end_session(actor=ada, session_id=room.id)
    make_session()  # that something is left to count
    found = changed(100, None)
    prepare(found)
    delete_session(actor=make_account(is_staff=True, is_superuser=True), session_id=room.id)

    count_sessions(found)

    assert (PersonDay.objects.count(), SessionHour.objects.count()) == (1, 1)


def test_what_changes_later_is_counted_and_nothing_else_is(process_id: Any) -> None:
    scatter(random.Random(7))
    rollup()
    room, ada = make_session(), make_guest("Ada")
    sit(room, process_id, ada)
    say(room, ada)
    hang_up(room, ada)
    sit(room, process_id, ada)

    done, again = rollup(), rollup()

    assert done is not None
    assert done.sessions == 1
    assert again == (0, 0)
    assert Stay.objects.filter(participant__session=room).count() == 1
    check_everything()


def test_counting_anew_finds_the_same() -> None:
    scatter(random.Random(11))
    rollup()
    before = tables()

    done = rollup(since=date(2026, 1, 1))

    assert done is not None
    assert done.sessions == 8
    assert tables() == before


def test_a_host_who_speaks_without_a_seat_is_somebody(process_id: Any) -> None:
    host = make_account()
    room = make_session(host)
    sit(room, process_id)
    post_message(Draft(room.id, host.id, "by REST"))

    rollup()

    found = SessionRollup.objects.get(pk=room.pk)
    assert (found.people, found.messages) == (2, 1)
    check_session(room)


def test_who_was_erased_is_counted_no_more_as_a_speaker() -> None:
    scatter(random.Random(13))
    rollup()

    erase(actor=User.objects.exclude(messages=None).order_by("pk")[0])
    rollup()

    check_everything()


def test_one_counts_at_a_time_and_servers_only_when_it_is_due() -> None:
    assert lease.take(uuid7(), when_due=False)
    assert rollup() is None
    RollupLease.objects.update(lease_until=START)

    assert rollup() == (0, 0)
    assert refresh(every=60) == (0, 0)
    assert refresh(every=60) is None


def test_a_holder_that_was_taken_for_dead_stops() -> None:
    former = uuid7()
    assert lease.take(former, when_due=False)
    RollupLease.objects.update(lease_until=START)
    assert lease.take(uuid7(), when_due=False)

    with pytest.raises(lease.Lost):
        lease.renew(former)


def test_measures_of_several_processes_are_added_up() -> None:
    room, hour = make_session(), START + timedelta(hours=5)
    key = Key(room.id, hour, "ack")

    for _ in range(2):
        add_measures({key: {3: 2, 40: 1}}, {(hour, 4002): 3})
    rollup()

    assert LatencyHour.objects.get().buckets == {"3": 4, "40": 2}
    assert CloseHour.objects.get().count == 6
    assert DayRollup.objects.get(day=START.date()).ack == {"3": 4, "40": 2}


@pytest.mark.django_db(transaction=True)
def test_the_tables_go_back_and_come_again() -> None:
    call_command("migrate", "sessions_app", "0005", verbosity=0)
    gone = connection.introspection.table_names()
    call_command("migrate", verbosity=0)

    assert not {"session_rollups", "stays", "rollup_lease"} & set(gone)
    assert rollup() is not None
