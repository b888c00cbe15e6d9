"""Tests of sessions_app/services: an invite lets its bearer in, so often and so long as it says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from sessions_app.errors import SeanceError
from sessions_app.inputs import NewInvite, UpdateSession
from sessions_app.models import AuditEntry, Invite, Session, User
from sessions_app.selectors.sessions import get_session
from sessions_app.services.invites import create_invite, revoke_invite
from sessions_app.services.moderation import kick_user
from sessions_app.services.seats import join_sessions
from sessions_app.services.sessions import end_session, update_session
from tests.services.helpers import code, hang_up, make_account, make_guest, make_session, request, say, sit

pytestmark = pytest.mark.django_db


@pytest.fixture
def host() -> User:
    return make_guest("Ada")


@pytest.fixture
def room(host: User) -> Session:
    return make_session(host, access="invite")


def invite(room: Session, actor: User | None, **values: Any) -> str:
    return create_invite(actor=actor, session_id=room.id, values=NewInvite(**values)).code


def uses() -> int:
    return Invite.objects.get().uses


def refused(act: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(SeanceError) as caught:
        act(*args, **more)
    return str(caught.value.code)


def test_an_invite_lets_a_stranger_know_and_join(room: Session, host: User, process_id: UUID) -> None:
    shown = invite(room, host)

    assert refused(get_session, room.id, None) == "SESSION_NOT_FOUND"
    assert get_session(room.id, None, shown).id == room.id
    assert refused(sit, room, process_id, secret="x") == "SESSION_NOT_FOUND"
    assert sit(room, process_id, secret="x", invite=shown).session.participant_count == 1
    assert uses() == 1


def test_the_code_itself_is_stored_nowhere(room: Session, host: User) -> None:
    shown = invite(room, host)

    assert shown not in str(list(Invite.objects.values()) + list(AuditEntry.objects.values()))


def test_a_person_counts_once_and_needs_it_once(room: Session, host: User, process_id: UUID) -> None:
    shown = invite(room, host, max_uses=1)
    sit(room, process_id, secret="x", invite=shown)

    sit(room, process_id, secret="x", invite=shown)
    sit(room, process_id, secret="x")

    assert uses() == 1
    assert refused(sit, room, process_id, secret="y", invite=shown) == "SESSION_NOT_FOUND"


def test_a_batch_admits_as_many_as_the_invite_says(room: Session, host: User, process_id: UUID) -> None:
    shown = invite(room, host, max_uses=3)

    results = join_sessions([request(room, process_id, secret=str(n), invite=shown) for n in range(5)])

    assert [code(result) for result in results] == ["", "", "", "SESSION_NOT_FOUND", "SESSION_NOT_FOUND"]
    assert uses() == 3


def test_a_join_that_is_refused_uses_nothing_up(host: User, process_id: UUID) -> None:
    room = make_session(host, access="invite", max_users=2)
    shown = invite(room, host)
    sit(room, process_id, secret="1", invite=shown)
    sit(room, process_id, secret="2", invite=shown)

    assert refused(sit, room, process_id, secret="3", invite=shown) == "SESSION_FULL"
    assert sit(room, process_id, secret="4", invite=shown, role="observer").participant.role == "observer"
    assert uses() == 3


def test_who_may_come_anyway_uses_nothing_up(room: Session, host: User, process_id: UUID) -> None:
    shown = invite(room, host)
    open_room, members = make_session(host), make_session(host, access="members")

    sit(room, process_id, host, invite=shown)
    sit(room, process_id, make_account(is_staff=True), invite=shown)
    sit(open_room, process_id, secret="x", invite=shown)
    sit(members, process_id, make_account(), invite=shown)

    assert uses() == 0


def test_it_opens_a_members_session_to_a_guest_and_to_nobody(host: User, process_id: UUID) -> None:
    room = make_session(host, access="members")
    shown = invite(room, host)

    assert refused(get_session, room.id, None) == "UNAUTHORIZED"
    assert refused(get_session, room.id, make_guest()) == "FORBIDDEN"
    assert get_session(room.id, None, shown).id == room.id
    sit(room, process_id, secret="x", invite=shown)
    assert uses() == 1


@pytest.mark.parametrize("flaw", ["expired", "used up", "revoked", "another's", "made up", "hostile"])
def test_a_bad_invite_is_worth_nothing(room: Session, host: User, process_id: UUID, flaw: str) -> None:
    shown = invite(room, host, max_uses=1)
    if flaw == "expired":
        Invite.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    elif flaw == "used up":
        Invite.objects.update(uses=1)
    elif flaw == "revoked":
        revoke_invite(actor=host, session_id=room.id, code=shown)
    elif flaw == "another's":
        shown = invite(make_session(host, access="invite"), host)
    else:
        shown = "made-up" if flaw == "made up" else "\x00\ud800"

    assert refused(get_session, room.id, None, shown) == "SESSION_NOT_FOUND"
    assert refused(sit, room, process_id, secret="x", invite=shown) == "SESSION_NOT_FOUND"


def test_revoking_twice_is_the_same_as_once_and_those_who_are_in_stay(
    room: Session, host: User, process_id: UUID
) -> None:
    shown = invite(room, host)
    guest = make_guest()
    sit(room, process_id, guest, invite=shown)

    first = revoke_invite(actor=host, session_id=room.id, code=shown).revoked_at
    second = revoke_invite(actor=host, session_id=room.id, code=shown).revoked_at

    assert first == second
    say(room, guest)
    assert AuditEntry.objects.filter(act="revoke_invite").count() == 1
    other = make_session(host)
    assert refused(revoke_invite, actor=host, session_id=other.id, code=shown) == "NOT_FOUND"


def test_only_host_and_staff_make_and_revoke_them(room: Session, host: User, process_id: UUID) -> None:
    shown, staff, guest = invite(room, host), make_account(is_staff=True), make_guest()
    sit(room, process_id, guest, invite=shown)

    assert refused(invite, room, guest) == "FORBIDDEN"
    assert refused(invite, room, None) == "SESSION_NOT_FOUND"
    assert refused(invite, room, make_guest()) == "SESSION_NOT_FOUND"
    assert refused(revoke_invite, actor=guest, session_id=room.id, code=shown) == "FORBIDDEN"
    assert invite(room, staff)


def test_an_ended_session_makes_no_more_invites(room: Session, host: User) -> None:
    shown = invite(room, host)
    end_session(actor=host, session_id=room.id)

    assert refused(invite, room, host) == "SESSION_ENDED"
    assert revoke_invite(actor=host, session_id=room.id, code=shown).revoked_at is not None


def test_no_invite_opens_the_door_to_who_was_sent_away(room: Session, host: User, process_id: UUID) -> None:
    shown, guest = invite(room, host), make_guest()
    sit(room, process_id, guest, invite=shown)
    kick_user(actor=host, session_id=room.id, whom=guest.id)

    assert refused(get_session, room.id, guest, shown) == "SESSION_NOT_FOUND"
    assert refused(sit, room, process_id, guest, invite=shown) == "FORBIDDEN"


def test_locking_a_room_keeps_those_who_are_in_and_keeps_others_out(host: User, process_id: UUID) -> None:
    room, guest = make_session(host), make_guest()
    sit(room, process_id, guest)

    update_session(actor=host, session_id=room.id, values=UpdateSession(access="invite"))

    say(room, guest)
    hang_up(room, guest)
    sit(room, process_id, guest)
    assert get_session(room.id, guest).id == room.id
    assert refused(sit, room, process_id, secret="late") == "SESSION_NOT_FOUND"
