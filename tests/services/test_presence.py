"""Tests of sessions_app/services: sockets that close, processes that die, seats that nobody came back to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import Settings
from uuid_utils.compat import uuid7

from sessions_app.models import Connection, Participant, ServerProcess, Session, User
from sessions_app.selectors.sessions import participants, taken_seats
from sessions_app.services import presence
from sessions_app.services.presence import (
    Release,
    poll,
    reap,
    register_process,
    release_connections,
    renew_lease,
    unregister_process,
)
from tests.services.helpers import (
    Told,
    body,
    hang_up,
    make_account,
    make_process,
    make_session,
    say,
    sit,
    with_settings,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_account("Ada")


@pytest.fixture
def room() -> Session:
    return make_session()


def seat(user: User) -> Participant:
    return Participant.objects.get(user=user)


def connection_of(user: User) -> UUID:
    found: UUID = Connection.objects.get(participant__user=user).id
    return found


def let_time_pass(**delta: float) -> None:
    """Move what is stored into the past."""
    back = timedelta(**delta)
    for row in Participant.objects.filter(away_since__isnull=False):
        Participant.objects.filter(pk=row.pk).update(away_since=row.away_since - back)  # type: ignore[operator]
    for process in ServerProcess.objects.all():
        ServerProcess.objects.filter(pk=process.pk).update(lease_until=process.lease_until - back)


# --- Sockets ----------------------------------------------------------------------------------------------------------


def test_a_clean_end_gives_the_seat_back_at_once(room: Session, ada: User, process_id: UUID, told: Told) -> None:
    sit(room, process_id, ada)
    told.commit()

    hang_up(room, ada)

    left = body(told.one("user_left"))
    assert (left.id, left.name, left.reason) == (ada.id, "Ada", "left")
    assert seat(ada).left_at is not None
    assert taken_seats(room.id) == 0
    assert not Connection.objects.exists()


def test_any_other_end_keeps_the_seat(room: Session, ada: User, process_id: UUID, told: Told) -> None:
    sit(room, process_id, ada)
    told.commit()

    hang_up(room, ada, for_good=False)

    assert told.names() == []
    assert seat(ada).left_at is None
    assert seat(ada).away_since is not None
    assert taken_seats(room.id) == 1
    assert [person.is_present for person in participants(room.id)] == [False]


@pytest.mark.parametrize("for_good", [True, False])
def test_who_has_another_socket_stays(for_good: bool, room: Session, ada: User, process_id: UUID, told: Told) -> None:
    sit(room, process_id, ada)
    first = connection_of(ada)
    sit(room, process_id, ada)
    told.commit()

    release_connections([Release(room.id, first, for_good)])

    assert told.names() == []
    assert (seat(ada).left_at, seat(ada).away_since) == (None, None)
    assert [person.is_present for person in participants(room.id)] == [True]


def test_both_sockets_of_a_user_in_one_batch_are_one_leave(
    room: Session, ada: User, process_id: UUID, told: Told
) -> None:
    sit(room, process_id, ada)
    sit(room, process_id, ada)
    told.commit()
    ids = list(Connection.objects.values_list("id", flat=True))

    results = release_connections([Release(room.id, ids[0], True), Release(room.id, ids[1], False)])

    assert results == [None, None]
    assert told.names() == ["user_left"]


def test_releasing_what_is_gone_is_nothing(room: Session, ada: User, process_id: UUID, told: Told) -> None:
    sit(room, process_id, ada)
    told.commit()

    results = release_connections([Release(room.id, uuid7(), True), Release(uuid7(), uuid7(), True)])

    assert results == [None, None]
    assert told.names() == []
    assert seat(ada).left_at is None


# --- The grace time ---------------------------------------------------------------------------------------------------


def test_a_seat_is_kept_for_the_grace_time_and_no_longer(
    room: Session, ada: User, process_id: UUID, told: Told, settings: Settings
) -> None:
    settings.SEANCE = with_settings(seat_grace_seconds=15)
    sit(room, process_id, ada)
    hang_up(room, ada, for_good=False)
    told.commit()
    let_time_pass(seconds=14)
    assert reap() == 0
    renew_lease(process_id)
    let_time_pass(seconds=2)

    assert reap() == 1

    assert body(told.one("user_left")).reason == "timeout"
    assert seat(ada).left_at is not None
    assert reap() == 0


def test_who_comes_back_in_time_is_not_reaped(room: Session, ada: User, process_id: UUID, told: Told) -> None:
    sit(room, process_id, ada)
    hang_up(room, ada, for_good=False)
    let_time_pass(seconds=14)
    sit(room, process_id, ada)
    told.commit()
    renew_lease(process_id)

    assert reap() == 0

    assert told.names() == []
    assert (seat(ada).left_at, seat(ada).away_since) == (None, None)


def test_a_leave_has_the_version_that_the_next_welcome_knows(
    room: Session, ada: User, process_id: UUID, told: Told
) -> None:
    sit(room, process_id, ada)
    hang_up(room, ada)

    versions = [notice.presence for notice in told.commit()]

    assert versions == [1, 2]
    assert sit(room, process_id, ada).presence == 3


# --- Processes --------------------------------------------------------------------------------------------------------


def test_a_dead_process_frees_the_seats_of_its_sockets(room: Session, ada: User, told: Told) -> None:
    dead, alive = make_process("dead:1:0"), make_process("alive:1:0")
    bob = make_account("Bob")
    sit(room, dead, ada)
    sit(room, alive, bob)
    told.commit()
    let_time_pass(seconds=46)
    renew_lease(alive)

    assert reap() == 1

    assert body(told.one("user_left")).id == ada.id
    assert seat(bob).left_at is None
    assert list(ServerProcess.objects.values_list("id", flat=True)) == [alive]
    assert renew_lease(dead) is False


def test_who_has_a_socket_elsewhere_survives_a_dead_process(room: Session, ada: User, told: Told) -> None:
    dead, alive = make_process("dead:1:0"), make_process("alive:1:0")
    sit(room, dead, ada)
    sit(room, alive, ada)
    told.commit()
    let_time_pass(seconds=46)
    renew_lease(alive)

    assert reap() == 0

    assert told.names() == []
    assert seat(ada).left_at is None


def test_who_dies_or_joins_while_others_are_reaped_is_for_the_next_time(
    room: Session, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, dying, slow = (make_process(f"{name}:1:0") for name in ("dead", "dying", "slow"))
    bob, cy = make_account("Bob"), make_account("Cy")
    sit(room, dead, ada)
    sit(room, dying, bob)
    let_time_pass(seconds=46)
    renew_lease(dying)
    locked = presence._locked

    def meanwhile(ids: Iterable[UUID]) -> dict[UUID, Session]:
        monkeypatch.undo()
        ServerProcess.objects.filter(pk=dying).update(lease_until=timezone.now() - timedelta(seconds=1))
        sit(room, slow, cy)  # that process only stood still
        return locked(ids)

    monkeypatch.setattr(presence, "_locked", meanwhile)

    assert reap() == 1
    assert (seat(ada).left_at is None, seat(bob).left_at, seat(cy).left_at) == (False, None, None)
    assert reap() == 2
    assert all(seat(one).left_at for one in (ada, bob, cy))
    assert not ServerProcess.objects.exists()


def test_a_dead_process_without_sockets_is_struck_off(told: Told) -> None:
    make_process()
    let_time_pass(seconds=46)

    assert reap() == 0
    assert not ServerProcess.objects.exists()


def test_a_renewed_lease_holds(process_id: UUID, settings: Settings) -> None:
    settings.SEANCE = with_settings(presence_lease_seconds=45)
    let_time_pass(seconds=44)

    assert renew_lease(process_id) is True

    row = ServerProcess.objects.get()
    assert timedelta(seconds=40) < row.lease_until - timezone.now() < timedelta(seconds=50)


def test_a_process_finds_what_its_former_self_left(room: Session, ada: User, told: Told) -> None:
    former = make_process("here:8000:0")
    sit(room, former, ada)
    told.commit()

    make_process("here:8000:0")

    assert not Connection.objects.exists()
    assert seat(ada).away_since is not None
    assert seat(ada).left_at is None
    assert told.names() == []
    assert renew_lease(former) is False


def test_another_s_former_self_is_left_alone(room: Session, ada: User) -> None:
    other = make_process("there:8000:0")
    sit(room, other, ada)

    make_process("here:8000:0")

    assert Connection.objects.count() == 1
    assert seat(ada).away_since is None


def test_a_process_that_lost_its_lease_enters_itself_again(process_id: UUID) -> None:
    ServerProcess.objects.all().delete()

    register_process(process_id=process_id, name="here:1:0")

    assert renew_lease(process_id) is True


def test_a_process_that_ends_leaves_its_seats_waiting(room: Session, ada: User, process_id: UUID, told: Told) -> None:
    sit(room, process_id, ada)
    told.commit()

    unregister_process(process_id)

    assert not ServerProcess.objects.exists()
    assert seat(ada).away_since is not None
    assert told.names() == []


# --- The poll ---------------------------------------------------------------------------------------------------------


def test_the_poll_tells_the_heads_and_what_shall_be_closed(room: Session, ada: User, process_id: UUID) -> None:
    sit(room, process_id, ada)
    say(room, ada)
    elsewhere = make_process("there:1:0")
    sit(room, elsewhere, ada)
    Connection.objects.update(close_code=4503)
    mine = Connection.objects.get(process_id=process_id)

    found = poll(process_id=process_id, session_ids=[room.id, uuid7()])

    assert {key: tuple(head) for key, head in found.heads.items()} == {room.id: (1, room.epoch)}
    assert found.close_codes == {mine.id: 4503}


def test_the_poll_tells_whether_there_are_neighbours(process_id: UUID) -> None:
    assert poll(process_id=process_id, session_ids=[]).is_alone
    neighbour = make_process("there:1:0")
    assert not poll(process_id=process_id, session_ids=[]).is_alone

    ServerProcess.objects.filter(pk=neighbour).update(lease_until=timezone.now() - timedelta(seconds=1))

    assert poll(process_id=process_id, session_ids=[]).is_alone
