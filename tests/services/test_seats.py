"""Tests of sessions_app/services: seats are taken one by one, and nobody sees another's secret."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import Settings
from uuid_utils.compat import uuid7

from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Connection, Participant, Session, User
from sessions_app.services.messages import delete_message
from sessions_app.services.seats import Joined, guest_id, join_sessions
from tests.services.helpers import (
    Told,
    body,
    code,
    hang_up,
    make_account,
    make_guest,
    make_session,
    request,
    say,
    sit,
    with_settings,
)

pytestmark = pytest.mark.django_db


def refused(session: Session, process_id: UUID, user: User | None = None, **fields: object) -> SeanceError:
    with pytest.raises(SeanceError) as caught:
        sit(session, process_id, user, **fields)
    return caught.value


# --- Who one is -------------------------------------------------------------------------------------------------------


def test_a_stranger_becomes_a_guest_called_anonymous(process_id: UUID) -> None:
    room = make_session()

    joined = sit(room, process_id)

    user = User.objects.get(pk=joined.participant.user_id)
    assert (user.name, user.is_guest, joined.participant.name) == ("Anonymous", True, "Anonymous")
    assert joined.participant.role == "participant"
    assert joined.participant.is_present


def test_two_strangers_without_an_id_are_two(process_id: UUID) -> None:
    room = make_session()

    first, second = sit(room, process_id), sit(room, process_id)

    assert first.participant.user_id != second.participant.user_id
    assert second.session.participant_count == 2


def test_a_guest_who_comes_back_with_the_same_secret_is_the_same_participant(process_id: UUID) -> None:
    room = make_session()

    first = sit(room, process_id, secret="1", name="User1")
    second = sit(room, process_id, secret="1")

    assert second.participant.id == first.participant.id
    assert second.participant.user_id == first.participant.user_id
    assert second.participant.name == "User1"
    assert second.session.participant_count == 1


def test_the_id_that_others_see_gives_the_secret_away_nowhere(process_id: UUID) -> None:
    room = make_session()
    secret = str(uuid7())

    joined = sit(room, process_id, secret=secret, name="Eve")

    assert secret not in str(joined)
    assert not User.objects.filter(pk=UUID(secret)).exists()
    assert joined.participant.user_id == guest_id(room.id, secret)


def test_a_guest_s_id_is_stable_in_a_session_and_another_in_the_next() -> None:
    here, there = uuid7(), uuid7()

    ids = [guest_id(here, "1"), guest_id(here, "1"), guest_id(there, "1"), guest_id(here, "2"), guest_id(here, "11")]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert all(found.version == 4 for found in ids)


def test_a_guest_s_id_needs_the_server_s_key(settings: Settings) -> None:
    session_id = uuid7()
    before = guest_id(session_id, "1")

    settings.SECRET_KEY = "another key altogether, thirty-two bytes"

    assert guest_id(session_id, "1") != before


def test_a_secret_of_any_characters_makes_an_id() -> None:
    session_id = uuid7()

    ids = {guest_id(session_id, secret) for secret in ("\x00", "\ud800", "é", "e\u0301", " ")}

    assert len(ids) == 5


def test_showing_somebody_s_public_id_does_not_make_one_that_person(process_id: UUID) -> None:
    room = make_session()
    victim = sit(room, process_id, secret="hidden", name="Victim")

    thief = sit(room, process_id, secret=str(victim.participant.user_id), name="Thief")

    assert thief.participant.user_id != victim.participant.user_id


def test_a_token_wins_over_a_secret(process_id: UUID) -> None:
    room, ada = make_session(), make_account("Ada")

    joined = sit(room, process_id, ada, secret="1")

    assert joined.participant.user_id == ada.id
    assert joined.participant.name == "Ada"


def test_a_token_of_nobody_is_unauthorized(process_id: UUID) -> None:
    room = make_session()

    assert refused(room, process_id, user_id=uuid7()).code == Code.UNAUTHORIZED


def test_a_banned_account_is_unauthorized(process_id: UUID) -> None:
    room, ada = make_session(), make_account(is_active=False)

    assert refused(room, process_id, ada).code == Code.UNAUTHORIZED


def test_a_banned_guest_cannot_come_back_with_the_secret(process_id: UUID) -> None:
    room = make_session()
    joined = sit(room, process_id, secret="1")
    User.objects.filter(pk=joined.participant.user_id).update(is_active=False)

    assert refused(room, process_id, secret="1").code == Code.UNAUTHORIZED


def test_where_guests_are_not_wanted_a_stranger_is_unauthorized(process_id: UUID, settings: Settings) -> None:
    settings.SEANCE = with_settings(allow_anonymous=False)
    room, ada = make_session(), make_account()

    assert refused(room, process_id, secret="1").code == Code.UNAUTHORIZED
    assert sit(room, process_id, ada).participant.user_id == ada.id


# --- Names and roles --------------------------------------------------------------------------------------------------


def test_a_name_is_normalised_and_stripped(process_id: UUID) -> None:
    joined = sit(make_session(), process_id, name="  Zoe\u0308 ")

    assert joined.participant.name == "Zoë"


@pytest.mark.parametrize("name", ["", "   ", "\u200b\u2060", "a\x00b", "a\nb", "x" * 51, "\u202eevil", "\ud800"])
def test_a_name_that_cannot_be_one_is_refused(name: str, process_id: UUID) -> None:
    room = make_session()

    error = refused(room, process_id, name=name)

    assert error.code == Code.VALIDATION_ERROR
    assert "name" in error.details
    assert not Participant.objects.exists()
    assert not User.objects.exists()


def test_a_seat_keeps_its_name_while_it_is_taken(process_id: UUID) -> None:
    room = make_session()
    first = sit(room, process_id, secret="1", name="Old")

    second = sit(room, process_id, secret="1", name="New")

    assert second.participant.name == "Old"
    assert second.participant.joined_at == first.participant.joined_at
    assert Participant.objects.get().name == "Old"


def test_who_comes_back_after_leaving_may_have_another_name(process_id: UUID) -> None:
    room = make_session()
    first = sit(room, process_id, secret="1", name="Old").participant
    hang_up(room, User.objects.get(pk=first.user_id))

    second = sit(room, process_id, secret="1", name="New")

    assert second.participant.name == second.joined.name == "New"
    assert Participant.objects.get().name == "New"


def test_the_host_is_host_whatever_role_is_wished(process_id: UUID) -> None:
    ada = make_account()
    room = make_session(ada)

    roles = [
        sit(room, process_id, ada, role=role).participant.role for role in (None, "observer", "participant", "host")
    ]

    assert roles == ["host"] * 4


def test_nobody_else_becomes_host_by_asking(process_id: UUID) -> None:
    room = make_session(make_account())

    assert refused(room, process_id, make_account("Eve"), role="host").code == Code.FORBIDDEN


def test_who_was_observer_stays_observer_until_another_role_is_wished(process_id: UUID) -> None:
    room, ada = make_session(), make_account()

    roles = [sit(room, process_id, ada, role=role).participant.role for role in ("observer", None, "participant", None)]

    assert roles == ["observer", "observer", "participant", "participant"]


# --- Seats ------------------------------------------------------------------------------------------------------------


def test_the_last_seat_goes_to_one(process_id: UUID) -> None:
    room = make_session(max_users=2)
    sit(room, process_id, secret="1")

    last = sit(room, process_id, secret="2")

    assert last.session.participant_count == 2
    assert refused(room, process_id, secret="3").code == Code.SESSION_FULL


def test_of_a_batch_as_many_sit_down_as_there_are_seats(process_id: UUID) -> None:
    room = make_session(max_users=3)

    results = join_sessions([request(room, process_id, secret=str(number)) for number in range(5)])

    assert [code(result) for result in results] == ["", "", "", "SESSION_FULL", "SESSION_FULL"]
    assert Participant.objects.filter(session=room, left_at=None).count() == 3


def test_one_refused_neighbour_costs_the_others_of_the_batch_nothing(process_id: UUID, told: Told) -> None:
    room, other = make_session(), make_session(is_active=False, ended_at=timezone.now())
    wishes = [
        request(room, process_id, secret="1", name="First"),
        request(room, process_id, secret="2", name="\x00"),
        request(other, process_id, secret="3"),
        request(room, process_id, secret="4", role="host"),
        request(room, process_id, session_id=uuid7()),
        request(room, process_id, secret="5", name="Last"),
    ]

    results = join_sessions(wishes)

    assert [code(result) for result in results] == [
        "", "VALIDATION_ERROR", "SESSION_ENDED", "FORBIDDEN", "SESSION_NOT_FOUND", "",
    ]  # fmt: skip
    assert [body(notice).name for notice in told.commit()] == ["First", "Last"]
    assert isinstance(results[-1], Joined)
    assert [person.name for person in results[-1].participants] == ["First", "Last"]


def test_two_sockets_of_one_guest_in_a_batch_are_one_participant(process_id: UUID, told: Told) -> None:
    room = make_session(max_users=2)

    results = join_sessions([request(room, process_id, secret="1", name="Twice") for _ in range(3)])

    assert [code(result) for result in results] == ["", "", ""]
    assert Participant.objects.count() == 1
    assert Connection.objects.count() == 3
    assert told.names() == ["user_joined"]


def test_an_observer_takes_no_seat(process_id: UUID) -> None:
    room = make_session(max_users=2)
    sit(room, process_id, secret="1")
    sit(room, process_id, secret="2")

    watcher = sit(room, process_id, secret="3", role="observer")

    assert watcher.participant.role == "observer"
    assert watcher.session.participant_count == 2
    assert len(watcher.participants) == 3


def test_an_observer_finds_no_seat_in_a_full_room(process_id: UUID) -> None:
    room = make_session(max_users=2)
    sit(room, process_id, secret="watcher", role="observer")
    sit(room, process_id, secret="1")
    sit(room, process_id, secret="2")

    assert refused(room, process_id, secret="watcher", role="participant").code == Code.SESSION_FULL


def test_a_seat_that_is_held_is_found_again_in_a_full_room(process_id: UUID) -> None:
    room = make_session(max_users=2)
    first = sit(room, process_id, secret="1")
    sit(room, process_id, secret="2")
    hang_up(room, User.objects.get(pk=first.participant.user_id), for_good=False)

    again = sit(room, process_id, secret="1")

    assert again.participant.id == first.participant.id
    assert Participant.objects.get(pk=again.participant.id).away_since is None


def test_a_seat_given_back_may_be_gone(process_id: UUID) -> None:
    room = make_session(max_users=2)
    first = sit(room, process_id, secret="1")
    sit(room, process_id, secret="2")
    hang_up(room, User.objects.get(pk=first.participant.user_id))
    sit(room, process_id, secret="3")

    assert refused(room, process_id, secret="1").code == Code.SESSION_FULL


def test_who_left_and_comes_back_keeps_the_participant_and_is_announced_again(process_id: UUID, told: Told) -> None:
    room = make_session()
    first = sit(room, process_id, secret="1", name="Ghost")
    Participant.objects.update(joined_at=timezone.now() - timedelta(hours=1))
    hang_up(room, User.objects.get(pk=first.participant.user_id))

    again = sit(room, process_id, secret="1")

    assert told.names() == ["user_joined", "user_left", "user_joined"]
    assert again.participant.id == first.participant.id
    assert again.participant.name == "Ghost"
    assert again.participant.left_at is None
    assert again.participant.joined_at >= first.participant.joined_at


def test_a_second_socket_of_a_user_is_not_announced(process_id: UUID, told: Told) -> None:
    room, ada = make_session(), make_account()

    first, second = sit(room, process_id, ada), sit(room, process_id, ada)

    assert told.names() == ["user_joined"]
    assert first.joined == second.joined
    assert first.presence == second.presence == 1


def test_every_join_and_leave_makes_a_presence_version(process_id: UUID, told: Told) -> None:
    room, ada = make_session(), make_account()

    sit(room, process_id, ada)
    hang_up(room, ada)
    joined = sit(room, process_id, make_guest())

    assert [notice.presence for notice in told.commit()] == [1, 2, 3]
    assert joined.presence == 3
    room.refresh_from_db()
    assert room.presence_version == 3


def test_in_a_batch_each_welcome_knows_those_before_it_and_has_its_version(process_id: UUID) -> None:
    room = make_session()

    results = join_sessions([request(room, process_id, secret=str(number)) for number in range(3)])

    assert all(isinstance(result, Joined) for result in results)
    assert [(len(result.participants), result.presence) for result in results if isinstance(result, Joined)] == [
        (1, 1), (2, 2), (3, 3),
    ]  # fmt: skip


def test_a_welcome_has_the_latest_messages_and_the_position(process_id: UUID, settings: Settings) -> None:
    settings.SEANCE = with_settings(recent_messages=2)
    ada = make_account()
    room = make_session(ada)
    posted = [say(room, ada, f"Message {number}") for number in range(4)]
    delete_message(actor=ada, session_id=room.id, message_id=posted[2].message.id)

    joined = sit(room, process_id)

    assert [message.text for message in joined.recent] == ["Message 1", "Message 3"]
    assert joined.seq == joined.session.last_seq == 5
    assert joined.epoch == room.epoch


def test_a_seat_that_waits_for_its_owner_is_shown_as_not_present(process_id: UUID) -> None:
    room, ada = make_session(), make_account("Away")
    sit(room, process_id, ada)
    hang_up(room, ada, for_good=False)

    joined = sit(room, process_id, name="Here")

    assert {person.name: person.is_present for person in joined.participants} == {"Away": False, "Here": True}


# --- Doors ------------------------------------------------------------------------------------------------------------


def test_an_ended_session_lets_nobody_in(process_id: UUID) -> None:
    ada = make_account()
    room = make_session(ada, is_active=False, ended_at=timezone.now())

    assert refused(room, process_id, ada).code == Code.SESSION_ENDED


def test_an_unknown_session_is_not_found(process_id: UUID) -> None:
    assert refused(make_session(), process_id, session_id=uuid7()).code == Code.SESSION_NOT_FOUND


def test_a_members_session_asks_for_an_account(process_id: UUID) -> None:
    room = make_session(make_account(), access="members")

    assert refused(room, process_id).code == Code.UNAUTHORIZED
    assert refused(room, process_id, make_guest()).code == Code.FORBIDDEN
    assert sit(room, process_id, make_account("Member")).participant.name == "Member"


def test_an_invite_session_is_nothing_to_strangers(process_id: UUID) -> None:
    host = make_account()
    room = make_session(host, access="invite")

    assert refused(room, process_id).code == Code.SESSION_NOT_FOUND
    assert refused(room, process_id, make_account("Stranger")).code == Code.SESSION_NOT_FOUND
    assert refused(room, process_id, invite="guessed").code == Code.SESSION_NOT_FOUND
    assert sit(room, process_id, host).participant.role == "host"
    assert sit(room, process_id, make_account("Staff", is_staff=True)).participant.role == "participant"


def test_who_sat_there_before_it_was_closed_comes_back_in(process_id: UUID) -> None:
    room = make_session(make_account())
    first = sit(room, process_id, secret="1")
    Session.objects.filter(pk=room.id).update(access="invite")

    assert sit(room, process_id, secret="1").participant.id == first.participant.id


def test_who_was_kicked_is_forbidden_for_good(process_id: UUID) -> None:
    room, eve = make_session(), make_account("Eve")
    sit(room, process_id, eve)
    Participant.objects.update(kicked_at=timezone.now(), left_at=timezone.now())

    error = refused(room, process_id, eve)

    assert (error.code, error.close_code) == (Code.FORBIDDEN, 4503)


# --- Sockets ----------------------------------------------------------------------------------------------------------


def test_a_socket_too_many_costs_the_oldest(process_id: UUID, told: Told, settings: Settings) -> None:
    settings.SEANCE = with_settings(sockets_per_user=2, rate_limits_enabled=True)
    rooms, ada = [make_session(), make_session()], make_account()
    wishes = [request(rooms[number % 2], process_id, ada) for number in range(4)]
    for wish in wishes:
        assert code(join_sessions([wish])[0]) == ""

    closed = [(notice.close, notice.close_code, notice.session) for notice in told.commit() if notice.close]

    assert closed == [(str(wish.connection_id), 4507, str(wish.session_id)) for wish in wishes[:2]]
    open_ = Connection.objects.filter(close_code=None).values_list("id", flat=True)
    assert set(open_) == {wish.connection_id for wish in wishes[2:]}


def test_without_rate_limits_a_user_may_open_any_number(process_id: UUID, told: Told, settings: Settings) -> None:
    settings.SEANCE = with_settings(sockets_per_user=2, rate_limits_enabled=False)
    room, ada = make_session(), make_account()

    for count in (1, 3):
        results = join_sessions([request(room, process_id, ada) for _ in range(count)])
        assert [code(result) for result in results] == [""] * count

    assert not any(notice.close for notice in told.commit())
    assert Connection.objects.filter(close_code=None).count() == 4


def test_what_is_announced_has_its_shape(process_id: UUID, told: Told) -> None:
    joined = sit(make_session(), process_id, name="Shape")

    announced = body(told.one("user_joined"))

    assert announced == joined.joined
    assert isinstance(announced, events.UserJoined)
