"""Tests of sessions_app/services: bans reach everywhere at once, and every act against others is written down."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction

from sessions_app.errors import SeanceError
from sessions_app.inputs import UpdateSession
from sessions_app.models import Act, AuditEntry, Connection, Participant, RefreshToken, Session, User
from sessions_app.services.accounts import issue_tokens, refresh_tokens
from sessions_app.services.audit import record
from sessions_app.services.bans import ban, sign_out, unban
from sessions_app.services.messages import delete_message
from sessions_app.services.sessions import end_session, update_session
from tests.services.helpers import Told, body, make_account, make_guest, make_session, say, sit

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> User:
    return make_account("Sol", is_staff=True)


def refused(act: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(SeanceError) as caught:
        act(*args, **more)
    return str(caught.value.code)


def acts() -> list[tuple[Any, ...]]:
    return list(AuditEntry.objects.order_by("id").values_list("act", "actor", "target"))


def test_a_ban_frees_the_seats_closes_the_sockets_and_ends_the_tokens(
    staff: User, process_id: UUID, told: Told
) -> None:
    ada = make_account("Ada")
    rooms = [make_session(), make_session()]
    for room in rooms:
        sit(room, process_id, ada)
    tokens = issue_tokens(ada)
    told.commit()

    ban(actor=staff, user_id=ada.id)

    notices = told.commit()
    left = [body(notice).reason for notice in notices if notice.event == "user_left"]
    assert left == ["kicked", "kicked"]
    assert {notice.close_code for notice in notices if notice.close} == {4503}
    assert set(Connection.objects.values_list("close_code", flat=True)) == {4503}
    assert Participant.objects.filter(left_at=None).count() == 0
    assert refused(refresh_tokens, tokens.refresh) == "UNAUTHORIZED"
    assert refused(sit, rooms[0], process_id, ada) == "UNAUTHORIZED"
    assert acts() == [("ban", staff.id, ada.id)]


def test_a_banned_host_is_followed(staff: User, process_id: UUID) -> None:
    ada, bob = make_account("Ada"), make_account("Bob")
    room = make_session(ada)
    sit(room, process_id, ada)
    sit(room, process_id, bob)

    ban(actor=staff, user_id=ada.id)

    assert Session.objects.get().host_id == bob.id


def test_banning_twice_is_banning_once_and_a_ban_can_end(staff: User, process_id: UUID) -> None:
    ada, room = make_account("Ada"), make_session()

    ban(actor=staff, user_id=ada.id)
    ban(actor=staff, user_id=ada.id)
    unban(actor=staff, user_id=ada.id)

    sit(room, process_id, ada)
    assert acts() == [("ban", staff.id, ada.id), ("unban", staff.id, ada.id)]


def test_who_may_ban_whom(staff: User) -> None:
    boss = make_account("Root", is_staff=True, is_superuser=True)
    ada, other = make_account("Ada"), make_account("Other", is_staff=True)

    assert refused(ban, actor=None, user_id=ada.id) == "UNAUTHORIZED"
    assert refused(ban, actor=ada, user_id=staff.id) == "FORBIDDEN"
    assert refused(ban, actor=staff, user_id=other.id) == "FORBIDDEN"
    assert refused(ban, actor=staff, user_id=boss.id) == "FORBIDDEN"
    assert refused(ban, actor=boss, user_id=boss.id) == "FORBIDDEN"
    assert refused(ban, actor=staff, user_id=UUID(int=5)) == "NOT_FOUND"
    assert ban(actor=boss, user_id=other.id).is_active is False


def test_signing_somebody_out_lets_them_come_back(staff: User, process_id: UUID) -> None:
    ada, room = make_account("Ada"), make_session()
    sit(room, process_id, ada)
    issue_tokens(ada)

    sign_out(actor=staff, user=ada)

    assert Connection.objects.get().close_code == 4001
    assert RefreshToken.objects.filter(revoked_at=None).count() == 0
    sit(room, process_id, ada)


# --- The audit log ----------------------------------------------------------------------------------------------------


def test_acts_of_a_host_are_written_without_what_was_typed(process_id: UUID) -> None:
    host, guest = make_guest("Ada"), make_guest("Grete")
    room = make_session(host)
    sit(room, process_id, guest)
    message = say(room, guest, "A secret word").message
    own = say(room, guest, "Mine").message

    delete_message(actor=host, session_id=room.id, message_id=message.id)
    delete_message(actor=host, session_id=room.id, message_id=message.id)
    delete_message(actor=guest, session_id=room.id, message_id=own.id)
    update_session(actor=host, session_id=room.id, values=UpdateSession(name="Hidden name"))
    update_session(actor=host, session_id=room.id, values=UpdateSession(name="Hidden name"))
    end_session(actor=host, session_id=room.id)
    end_session(actor=host, session_id=room.id)

    assert [act for act, _, _ in acts()] == ["delete_message", "update_session", "end_session"]
    assert AuditEntry.objects.get(act="update_session").details == {"fields": ["name"]}
    written = str(list(AuditEntry.objects.values()))
    assert "secret" not in written
    assert "Hidden" not in written


def test_an_entry_is_part_of_what_it_tells_of(staff: User) -> None:
    ada = make_account("Ada")

    with transaction.atomic():
        ban(actor=staff, user_id=ada.id)
        transaction.set_rollback(True)

    assert acts() == []
    ada.refresh_from_db()
    assert ada.is_active


def test_an_entry_is_never_changed_nor_taken_away(staff: User) -> None:
    record(Act.BAN, actor=staff)
    row = AuditEntry.objects.get()

    for change in (row.save, row.delete, AuditEntry.objects.all().delete, lambda: AuditEntry.objects.update(act="x")):
        with pytest.raises(TypeError):
            change()

    assert AuditEntry.objects.count() == 1


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="the trigger is PostgreSQL's")
@pytest.mark.parametrize("sql", ["UPDATE audit_log SET act = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log"])
def test_the_database_itself_refuses(staff: User, sql: str) -> None:
    record(Act.BAN, actor=staff)
    with connection.cursor() as cursor:  # until the end of this test: others switch it off to clean up
        cursor.execute("ALTER TABLE audit_log ENABLE TRIGGER USER")

    with pytest.raises(DatabaseError, match="only added to"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)
