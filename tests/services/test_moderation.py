"""Tests of sessions_app/services: what a host may do to those who sit there, and who follows a host."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from sessions_app.errors import SeanceError
from sessions_app.models import AuditEntry, Connection, Participant, Session, SpiritTurn, User
from sessions_app.services.moderation import kick, kick_user, mute, set_role
from sessions_app.services.sessions import end_session
from sessions_app.services.turns import Claim, claim
from tests.services.helpers import Told, body, hang_up, make_account, make_guest, make_session, say, sit

pytestmark = pytest.mark.django_db


@pytest.fixture
def host() -> User:
    return make_account("Ada")


@pytest.fixture
def room(host: User) -> Session:
    return make_session(host, max_users=3)


@pytest.fixture
def guest() -> User:
    return make_guest("Grete")


def place(room: Session, user: User) -> Participant:
    return Participant.objects.get(session=room, user=user)


def acted(act: Any, actor: User | None, room: Session, whom: User | UUID, **more: Any) -> Any:
    """Do it to somebody's place."""
    key = place(room, whom).id if isinstance(whom, User) else whom
    return act(actor=actor, session_id=room.id, participant_id=key, **more)


def refusal(act: Any, *args: Any, **more: Any) -> SeanceError:
    with pytest.raises(SeanceError) as caught:
        act(*args, **more)
    return caught.value


# --- Out --------------------------------------------------------------------------------------------------------------


def test_whoever_is_kicked_loses_seat_and_sockets_and_the_room_hears_why(
    room: Session, host: User, guest: User, process_id: UUID, told: Told
) -> None:
    sit(room, process_id, guest)
    socket = Connection.objects.get()
    told.commit()

    data = acted(kick, host, room, guest)

    left, close = (notice for notice in told.commit() if notice.event != "turn_waits")
    assert (data.is_present, data.left_at is not None) == (False, True)
    assert (left.event, body(left).reason, body(left).id) == ("user_left", "kicked", guest.id)
    assert (close.close, close.close_code) == (str(socket.id), 4503)
    socket.refresh_from_db()
    assert socket.close_code == 4503
    assert place(room, guest).kicked_at is not None


def test_the_door_stays_shut(room: Session, host: User, guest: User, process_id: UUID) -> None:
    sit(room, process_id, guest)
    acted(kick, host, room, guest)

    again, speech = refusal(sit, room, process_id, guest), refusal(say, room, guest)

    assert (again.code, again.close_code) == ("FORBIDDEN", 4503)
    assert speech.code == "FORBIDDEN"


def test_kicking_twice_is_kicking_once(room: Session, host: User, guest: User, process_id: UUID, told: Told) -> None:
    sit(room, process_id, guest)
    acted(kick, host, room, guest)
    first = place(room, guest).kicked_at
    told.commit()

    acted(kick, host, room, guest)

    assert told.names() == []
    assert place(room, guest).kicked_at == first
    assert AuditEntry.objects.filter(act="kick").count() == 1


def test_a_person_who_has_left_can_still_be_shut_out(
    room: Session, host: User, guest: User, process_id: UUID, told: Told
) -> None:
    sit(room, process_id, guest)
    hang_up(room, guest)
    told.commit()

    kick_user(actor=host, session_id=room.id, whom=guest.id)

    assert "user_left" not in told.names()
    assert refusal(sit, room, process_id, guest).close_code == 4503


def test_open_questions_of_the_kicked_are_withdrawn_and_the_spirit_forgets_the_words(
    host: User, guest: User, process_id: UUID
) -> None:
    room = make_session(host, spirit_mode="open")
    sit(room, process_id, guest)
    say(room, guest, "Whose secret is this?")

    acted(kick, host, room, guest)

    assert SpiritTurn.objects.get().state == "withdrawn"
    say(room, host, "Who is there?")
    found = claim(room.id)
    assert isinstance(found, Claim)
    assert [line.text for line in found.history] == []


@pytest.mark.parametrize("act", ["kick", "mute"])
def test_nobody_does_it_to_the_host(room: Session, host: User, process_id: UUID, act: str) -> None:
    sit(room, process_id, host)
    staff = make_account("Sol", is_staff=True)
    work, more = (kick, {}) if act == "kick" else (mute, {"muted": True})

    assert refusal(acted, work, staff, room, host, **more).code == "FORBIDDEN"


def test_staff_do_not_send_themselves_away(room: Session, process_id: UUID) -> None:
    staff = make_account("Sol", is_staff=True)
    sit(room, process_id, staff)

    assert refusal(acted, kick, staff, room, staff).code == "FORBIDDEN"


def test_who_may_not_moderate_learns_no_more_than_that(
    room: Session, guest: User, process_id: UUID, host: User
) -> None:
    sit(room, process_id, guest)

    assert refusal(acted, kick, guest, room, uuid7()).code == "FORBIDDEN"
    assert refusal(acted, kick, None, room, uuid7()).code == "UNAUTHORIZED"
    assert refusal(acted, kick, host, room, uuid7()).code == "NOT_FOUND"


def test_after_the_end_nobody_is_moderated(room: Session, host: User, guest: User, process_id: UUID) -> None:
    sit(room, process_id, guest)
    end_session(actor=host, session_id=room.id)

    codes = {
        refusal(acted, kick, host, room, guest).code,
        refusal(acted, mute, host, room, guest, muted=True).code,
        refusal(acted, set_role, host, room, guest, role="observer").code,
    }

    assert codes == {"SESSION_ENDED"}


# --- Silent -----------------------------------------------------------------------------------------------------------


def test_a_muted_person_is_silent_from_the_next_message_on_until_unmuted(
    room: Session, host: User, guest: User, process_id: UUID
) -> None:
    sit(room, process_id, guest)
    say(room, guest)

    assert acted(mute, host, room, guest, muted=True).is_muted is True
    assert refusal(say, room, guest).code == "FORBIDDEN"
    assert acted(mute, host, room, guest, muted=False).is_muted is False

    say(room, guest)
    acts = AuditEntry.objects.order_by("id").values_list("act", "actor", "session", "target")
    assert list(acts) == [("mute", host.id, room.id, guest.id), ("unmute", host.id, room.id, guest.id)]


def test_leaving_and_coming_back_does_not_unmute(room: Session, host: User, guest: User, process_id: UUID) -> None:
    sit(room, process_id, guest)
    acted(mute, host, room, guest, muted=True)
    hang_up(room, guest)

    assert sit(room, process_id, guest).participant.is_muted


# --- Roles ------------------------------------------------------------------------------------------------------------


def test_making_an_observer_frees_the_seat_and_takes_the_voice(
    room: Session, host: User, guest: User, process_id: UUID
) -> None:
    sit(room, process_id, guest)
    for name in ("Bo", "Cy"):
        sit(room, process_id, make_guest(name))
    late = make_guest("Late")
    assert refusal(sit, room, process_id, late).code == "SESSION_FULL"

    acted(set_role, host, room, guest, role="observer")

    assert sit(room, process_id, late).session.participant_count == 3
    assert refusal(say, room, guest).code == "FORBIDDEN"
    assert refusal(acted, set_role, host, room, guest, role="participant").code == "SESSION_FULL"


@pytest.mark.parametrize("wanted", [None, "participant"])
def test_an_observer_made_by_the_host_stays_one(
    room: Session, host: User, guest: User, process_id: UUID, wanted: str | None
) -> None:
    sit(room, process_id, guest)
    acted(set_role, host, room, guest, role="observer")
    hang_up(room, guest)

    assert sit(room, process_id, guest, role=wanted).participant.role == "observer"
    acted(set_role, host, room, guest, role="participant")
    assert sit(room, process_id, guest).participant.role == "participant"


def test_an_observer_of_one_s_own_choice_may_sit_down(room: Session, guest: User, process_id: UUID) -> None:
    sit(room, process_id, guest, role="observer")

    assert sit(room, process_id, guest, role="participant").participant.role == "participant"


def test_the_host_s_seat_is_handed_over_and_everybody_is_told(
    room: Session, host: User, guest: User, process_id: UUID, told: Told
) -> None:
    sit(room, process_id, host)
    sit(room, process_id, guest)
    acted(mute, host, room, guest, muted=True)
    told.commit()

    data = acted(set_role, host, room, guest, role="host")

    change = told.one("session_updated")
    assert (data.role, data.is_muted) == ("host", False)
    assert (body(change).session.host_id, body(change).session.last_seq, change.seq) == (guest.id, 1, 1)
    assert body(change).session.participant_count == 2
    assert (place(room, host).role, place(room, guest).role) == ("participant", "host")
    assert refusal(acted, mute, host, room, guest, muted=True).code == "FORBIDDEN"
    assert acted(mute, guest, room, host, muted=True).is_muted
    assert AuditEntry.objects.get(act="host").details == {"former": str(host.id)}


def test_the_host_s_seat_goes_to_nobody_who_is_not_there(
    room: Session, host: User, guest: User, process_id: UUID
) -> None:
    sit(room, process_id, guest)
    hang_up(room, guest)

    assert refusal(acted, set_role, host, room, guest, role="host").code == "VALIDATION_ERROR"


def test_the_host_cannot_become_less(room: Session, host: User, process_id: UUID) -> None:
    sit(room, process_id, host)

    assert acted(set_role, host, room, host, role="host").role == "host"
    assert refusal(acted, set_role, host, room, host, role="observer").code == "FORBIDDEN"
    assert AuditEntry.objects.count() == 0


# --- Who follows a host -----------------------------------------------------------------------------------------------


def test_a_host_who_leaves_for_good_is_followed_by_the_longest_seated_account(
    room: Session, host: User, process_id: UUID, told: Told
) -> None:
    sit(room, process_id, host)
    sit(room, process_id, make_guest())
    sit(room, process_id, make_account("Watcher"), role="observer")
    bob = make_account("Bob")
    sit(room, process_id, bob)
    told.commit()

    hang_up(room, host)

    left, change = told.commit()
    assert (left.event, body(left).reason) == ("user_left", "left")
    assert body(change).session.host_id == bob.id
    assert place(room, bob).role == "host"
    assert sit(room, process_id, host).participant.role == "participant"
    assert AuditEntry.objects.get().actor is None


def test_where_nobody_has_an_account_the_host_stays_the_host(
    room: Session, host: User, guest: User, process_id: UUID, told: Told
) -> None:
    sit(room, process_id, host)
    sit(room, process_id, guest)
    told.commit()

    hang_up(room, host)

    assert told.names() == ["user_left"]
    assert sit(room, process_id, host).participant.role == "host"


def test_a_host_whose_connection_dropped_is_not_followed(room: Session, host: User, process_id: UUID) -> None:
    sit(room, process_id, host)
    sit(room, process_id, make_account("Bob"))

    hang_up(room, host, for_good=False)

    assert Session.objects.get().host_id == host.id
