"""Tests of sessions_app/services: into a locked room nobody new comes."""

from __future__ import annotations

from uuid import UUID

import pytest

from sessions_app.errors import SeanceError
from sessions_app.inputs import NewInvite, UpdateSession
from sessions_app.models import AuditEntry
from sessions_app.services.invites import create_invite
from sessions_app.services.sessions import update_session
from tests.services.helpers import hang_up, make_account, make_guest, make_session, sit

pytestmark = pytest.mark.django_db


def test_a_locked_room_lets_in_whoever_took_part_and_nobody_new(process_id: UUID) -> None:
    host, guest, staff = make_account("Ada"), make_guest(), make_account("Sol", is_staff=True)
    room = make_session(host)
    sit(room, process_id, guest)
    hang_up(room, guest)
    code = create_invite(actor=host, session_id=room.id, values=NewInvite()).code

    told = update_session(actor=host, session_id=room.id, values=UpdateSession(is_locked=True))

    assert told.is_locked
    for stranger in ({"user": make_guest()}, {"user": make_account("New")}, {"secret": "1"}, {"invite": code}):
        with pytest.raises(SeanceError) as caught:
            sit(room, process_id, **stranger)
        assert (caught.value.code, caught.value.message) == ("FORBIDDEN", "The host has locked the room.")
    for known in (guest, host, staff):
        sit(room, process_id, known)
    assert AuditEntry.objects.get(act="update_session").details == {"fields": ["is_locked"]}


def test_an_unlocked_room_is_open_again(process_id: UUID) -> None:
    host = make_account("Ada")
    room = make_session(host, is_locked=True)

    update_session(actor=host, session_id=room.id, values=UpdateSession(is_locked=False))

    assert sit(room, process_id, make_guest())
