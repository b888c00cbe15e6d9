"""Tests of sessions_app/services: who is gone for good is gone everywhere, and a host is followed."""

from __future__ import annotations

from uuid import UUID

import pytest

from sessions_app.errors import SeanceError
from sessions_app.models import (
    Connection,
    EndedFamily,
    Identity,
    OneTimeToken,
    Participant,
    RefreshToken,
    Session,
    User,
)
from sessions_app.models import Report as ReportRow
from sessions_app.publish import REWRITTEN
from sessions_app.security import verify_token
from sessions_app.selectors.people import bearer
from sessions_app.services.accounts import issue_tokens, revoke
from sessions_app.services.bans import ban, sign_out
from sessions_app.services.departures import erase
from sessions_app.services.moderation import set_role
from sessions_app.services.tokens import access_token, purge
from tests.services.helpers import Told, body, make_account, make_guest, make_session, say, sit

pytestmark = pytest.mark.django_db


def is_good(access: str) -> bool:
    try:
        bearer(verify_token(access))
    except SeanceError:
        return False
    return True


def test_an_erased_host_is_followed_and_the_seats_are_free(process_id: UUID, told: Told) -> None:
    ada, bob = make_account("Ada"), make_account("Bob")
    here, away = make_session(ada), make_session(ada)
    for room in (here, away):
        sit(room, process_id, bob)
    sit(here, process_id, ada)
    told.commit()

    erase(actor=ada)

    notices = told.commit()
    left = [body(notice) for notice in notices if notice.event == "user_left"]
    assert [(one.id, one.reason) for one in left] == [(ada.id, "left")]
    assert {notice.close_code for notice in notices if notice.close} == {4500}
    assert set(Session.objects.values_list("host_id", flat=True)) == {bob.id}
    assert Connection.objects.get(participant__user=ada).close_code == 4500
    assert Participant.objects.get(user=ada).left_at is not None


def test_nothing_of_the_erased_is_left_but_what_others_heard(process_id: UUID) -> None:
    ada, room = make_account("Ada"), make_session()
    sit(room, process_id, ada)
    say(room, ada, "I was here")
    tokens = issue_tokens(ada)
    Identity.objects.create(user=ada, provider="house", subject="ada-1")
    ReportRow.objects.create(session=room, reporter=ada, reason="spam", note="mine", created_at=room.created_at)

    erase(actor=ada)

    assert not is_good(tokens.access)
    assert (RefreshToken.objects.count(), Identity.objects.count(), OneTimeToken.objects.count()) == (0, 0, 0)
    assert (ReportRow.objects.get().reporter_id, ReportRow.objects.get().note) == (None, "")
    assert (room.messages.get().text, room.messages.get().user_name) == ("I was here", "Someone")
    assert User.objects.get(pk=ada.pk).name == "Someone"


@pytest.mark.parametrize("how", ["inherited", "handed over"])
def test_an_erased_host_who_spoke_and_never_sat_is_named_no_more(how: str, process_id: UUID, told: Told) -> None:
    ada, bob = make_account("Ada"), make_account("Bob")
    room = make_session(ada)
    sit(room, process_id, bob)
    say(room, ada, "I was here")
    if how == "handed over":
        seat = Participant.objects.get(user=bob)
        set_role(actor=ada, session_id=room.id, participant_id=seat.id, role="host")
    told.commit()

    erase(actor=ada)

    said, place = room.messages.get(), Participant.objects.get(user=ada)
    assert (said.text, said.user_id, said.user_name) == ("I was here", None, "Someone")
    assert (place.name, place.role, place.joined_at, place.left_at) == (
        "Someone", "participant", said.timestamp, said.timestamp,
    )  # fmt: skip
    assert [notice.session for notice in told.commit() if notice.event == REWRITTEN] == [str(room.id)]


def test_a_former_host_who_never_spoke_nor_sat_was_not_there(process_id: UUID) -> None:
    ada, bob = make_account("Ada"), make_account("Bob")
    room = make_session(ada)
    sit(room, process_id, bob)

    erase(actor=ada)

    assert [row.user_id for row in room.participants.all()] == [bob.id]


def test_a_banned_host_who_is_not_there_is_followed_too(process_id: UUID) -> None:
    staff, ada, bob = make_account("Sol", is_staff=True), make_account("Ada"), make_account("Bob")
    room = make_session(ada)
    sit(room, process_id, bob)

    ban(actor=staff, user_id=ada.id)

    assert Session.objects.get(pk=room.id).host_id == bob.id


def test_a_logout_ends_its_own_access_tokens_and_closes_every_socket(process_id: UUID) -> None:
    ada, room = make_account("Ada"), make_session()
    here, other = issue_tokens(ada), issue_tokens(ada)
    sit(room, process_id, ada)

    revoke(here.refresh)
    revoke(here.refresh)

    assert (is_good(here.access), is_good(other.access)) == (False, True)
    assert Connection.objects.get().close_code == 4001
    assert EndedFamily.objects.count() == 1


def test_a_join_by_an_ended_sign_in_is_refused_and_by_another_is_not(process_id: UUID) -> None:
    ada, room = make_account("Ada"), make_session()
    ended, good = issue_tokens(ada), issue_tokens(ada)
    revoke(ended.refresh)

    with pytest.raises(SeanceError) as caught:
        sit(room, process_id, ada, family=verify_token(ended.access).family)

    assert caught.value.code == "UNAUTHORIZED"
    assert sit(room, process_id, ada, family=verify_token(good.access).family)


def test_signing_out_ends_tokens_without_a_family_and_what_was_mailed(process_id: UUID) -> None:
    staff, ada, room = make_account("Sol", is_staff=True), make_account("Ada"), make_session()
    before = access_token(ada)

    sign_out(actor=staff, user=ada)

    ada.refresh_from_db()
    assert (is_good(before), is_good(access_token(ada))) == (False, True)
    with pytest.raises(SeanceError):
        sit(room, process_id, ada, version=0)
    assert sit(room, process_id, ada)


def test_what_has_expired_is_purged_and_nothing_else() -> None:
    guest = make_guest()
    old, new = issue_tokens(guest), issue_tokens(guest)
    family = verify_token(old.access).family
    assert family is not None
    revoke(old.refresh)
    RefreshToken.objects.filter(family=family).update(expires_at=guest.joined_at)
    EndedFamily.objects.update(until=guest.joined_at)

    assert purge() == 2

    assert RefreshToken.objects.count() == 1
    assert is_good(new.access)
