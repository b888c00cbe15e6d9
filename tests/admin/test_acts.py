"""Tests of what admins do: through the services, so that the rooms hear of it, and never behind their backs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from sessions_app.admin.forms import UserForm
from sessions_app.models import Connection, Event, Message, Participant, RefreshToken, ServerProcess, Session, User
from sessions_app.services.accounts import access_token, change_password, issue_tokens, login
from sessions_app.services.departures import erase
from sessions_app.services.messages import Draft, post_message
from sessions_app.services.sessions import end_session

SESSIONS, MESSAGES, USERS = (f"/admin/sessions_app/{name}/" for name in ("session", "message", "user"))


def act(client: Client, page: str, action: str, *rows: Any) -> Any:
    return client.post(page, {"action": action, "_selected_action": [str(row.pk) for row in rows]}, follow=True)


@pytest.fixture
def account() -> User:
    return User.objects.create_user("ana@example.org", "correct horse battery", name="Ana")


@pytest.fixture
def socket(session: Session, account: User) -> Connection:
    now = timezone.now()
    process = ServerProcess.objects.create(name="one", started_at=now, lease_until=now + timedelta(minutes=1))
    seat = Participant.objects.create(session=session, user=account, name="Ana")
    return Connection.objects.create(participant=seat, process=process)


@pytest.fixture
def session_form(session: Session) -> dict[str, Any]:
    """What a browser sends."""
    return {
        "name": session.name, "max_users": 6, "access": "open", "spirit_persona": "the-spirit",
        "spirit_mode": "open", "spirit_pace": "ritual",
    }  # fmt: skip


def test_ending_sessions_is_told_to_their_rooms(admin: Client, admin_user: User, session: Session) -> None:
    other = Session.objects.create(name="Saturday")

    response = act(admin, SESSIONS, "end_selected", session, other)

    assert "2 ended." in response.content.decode()
    assert Session.objects.filter(is_active=True).count() == 0
    assert Event.objects.filter(type="session_ended").count() == 2
    assert LogEntry.objects.filter(user=admin_user, change_message="Ended.").count() == 2


def test_a_change_of_a_session_is_told_to_its_room(
    admin: Client, session: Session, session_form: dict[str, Any]
) -> None:
    response = admin.post(
        f"{SESSIONS}{session.pk}/change/", session_form | {"name": " Midnight ", "spirit_pace": "brisk"}
    )

    event = Event.objects.get()
    assert response.status_code == 302
    assert event.type == "session_updated"
    assert event.data["session"]["name"] == "Midnight"
    assert event.data["session"]["spirit"]["pace"] == "brisk"
    session.refresh_from_db()
    assert (session.name, session.last_seq) == ("Midnight", 1)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "a\u202eb", "Direction controls are not allowed."),
        ("max_users", 1, "from 2 to"),
        ("max_users", 1001, "from 2 to"),
        ("spirit_persona", "nobody", "not one of the available choices"),
    ],
)
def test_a_wrong_change_is_said_at_its_field(
    admin: Client, session: Session, session_form: dict[str, Any], field: str, value: Any, said: str
) -> None:
    response = admin.post(f"{SESSIONS}{session.pk}/change/", session_form | {field: value})

    assert said in response.content.decode()
    assert Event.objects.count() == 0


def test_a_session_cannot_shrink_below_its_people(
    admin: Client, session: Session, session_form: dict[str, Any]
) -> None:
    for name in ("Bo", "Cy", "Di"):
        guest = User.objects.create(name=name, is_guest=True)
        Participant.objects.create(session=session, user=guest, name=name)

    response = admin.post(f"{SESSIONS}{session.pk}/change/", session_form | {"max_users": 3})

    assert "4 seats are taken." in response.content.decode()


def test_an_active_session_cannot_be_deleted(admin: Client, session: Session) -> None:
    response = admin.post(f"{SESSIONS}{session.pk}/delete/", {"post": "yes"})
    act(admin, SESSIONS, "delete_selected", session)

    assert response.status_code == 403
    assert Session.objects.count() == 1


def test_an_ended_session_is_read_only_and_can_be_deleted_with_all_that_was_said(
    admin: Client, admin_user: User, session: Session, session_form: dict[str, Any], say: Callable[[str], Message]
) -> None:
    say("Is anyone there?")
    end_session(actor=admin_user, session_id=session.pk)
    changed = admin.post(f"{SESSIONS}{session.pk}/change/", session_form | {"name": "Other"})

    asked = admin.get(f"{SESSIONS}{session.pk}/delete/").content.decode()
    admin.post(f"{SESSIONS}{session.pk}/delete/", {"post": "yes"})

    assert changed.status_code == 403
    assert "1 messages" in asked
    assert (Session.objects.count(), Message.objects.count()) == (0, 0)


def test_taking_messages_away_is_told_to_their_room(
    admin: Client, admin_user: User, say: Callable[[str], Message]
) -> None:
    one, two = say("one"), say("two")

    response = act(admin, MESSAGES, "delete_through_the_service", one, two)
    act(admin, MESSAGES, "delete_through_the_service", one)

    assert "2 taken away." in response.content.decode()
    deletions = Event.objects.filter(type="message_deleted").order_by("seq")
    assert [event.data["message_id"] for event in deletions] == [str(one.pk), str(two.pk)]
    assert {event.data["by"] for event in deletions} == {str(admin_user.pk)}


def test_a_body_cannot_be_written(admin: Client, say: Callable[[str], Message]) -> None:
    row = say("one")

    response = admin.post(f"{MESSAGES}{row.pk}/change/", {"text": "two"})

    assert response.status_code == 403
    assert Message.objects.get().text == "one"


@pytest.mark.parametrize("name", ["message", "participant", "event", "spiritturn", "session"])
def test_nothing_of_a_room_is_made_by_hand(admin: Client, name: str) -> None:
    assert admin.get(f"/admin/sessions_app/{name}/add/").status_code == 403


def test_an_account_is_added_with_its_password(admin: Client) -> None:
    form = {"email": "New@Example.org", "name": "New", "password1": "correct horse battery"}

    admin.post(f"{USERS}add/", form | {"password2": "correct horse battery"})

    user = login(email="new@example.org", password="correct horse battery")
    assert (user.name, user.is_guest, user.is_staff) == ("New", False, False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("password1", "12345678"),
        ("password2", "another one"),
        ("email", "ANA@example.org"),
        ("email", ""),
        ("name", "\u200b"),
    ],
)
def test_a_wrong_account_is_not_added(admin: Client, account: User, field: str, value: str) -> None:
    password = "correct horse battery"
    form = {"email": "new@example.org", "name": "New", "password1": password, "password2": password}

    response = admin.post(f"{USERS}add/", form | {field: value})

    assert response.status_code == 200
    assert User.objects.filter(name="New").count() == 0


def user_form(user: User, **changes: Any) -> dict[str, Any]:
    """The form of a person as the page shows it, and as it comes back."""
    form = {"name": user.name, "email": user.email or "", "is_active": "on", **changes}
    shown = {f"initial-{name}": getattr(user, name) for name in ("name", "is_active", "is_staff", "is_superuser")}
    return (
        {key: value for key, value in form.items() if value is not None} | shown | {"initial-email": user.email or ""}
    )


def test_a_ban_closes_the_sockets_and_ends_the_tokens(admin: Client, account: User, socket: Connection) -> None:
    issue_tokens(account)

    admin.post(f"{USERS}{account.pk}/change/", user_form(account, is_active=None))

    account.refresh_from_db()
    socket.refresh_from_db()
    assert not account.is_active
    assert socket.close_code == 4503
    assert RefreshToken.objects.get().revoked_at is not None


def test_many_are_banned_at_once_but_never_oneself(
    admin: Client, admin_user: User, account: User, host: User, socket: Connection
) -> None:
    response = act(admin, USERS, "ban", account, host, admin_user)

    assert "2 banned." in response.content.decode()
    assert list(User.objects.filter(is_active=True)) == [admin_user]
    assert Connection.objects.get().close_code == 4503


def test_a_new_password_ends_what_the_old_one_opened(admin: Client, account: User, socket: Connection) -> None:
    issue_tokens(account)
    page, password = f"{USERS}{account.pk}/password/", "another horse battery"

    response = admin.post(page, {"password1": password, "password2": password})

    socket.refresh_from_db()
    assert response.status_code == 302
    assert login(email="ana@example.org", password=password) == account
    assert socket.close_code == 4001
    assert RefreshToken.objects.get().revoked_at is not None


def test_another_password_of_one_s_own_ends_what_the_old_one_opened(
    admin: Client, admin_user: User, session: Session
) -> None:
    old, new = "correct horse battery", "another horse battery"
    admin_user.set_password(old)
    admin_user.save()
    admin.force_login(admin_user)
    issue_tokens(admin_user)
    before = access_token(admin_user)
    now = timezone.now()
    process = ServerProcess.objects.create(name="one", started_at=now, lease_until=now + timedelta(minutes=1))
    seat = Participant.objects.create(session=session, user=admin_user, name="Root")
    Connection.objects.create(participant=seat, process=process)

    form = {"old_password": old, "new_password1": new, "new_password2": new}
    response = admin.post("/admin/password_change/", form)

    api = Client().get("/api/auth/me", headers={"Authorization": f"Bearer {before}"})
    assert response.status_code == 302
    assert login(email="admin@example.org", password=new) == admin_user
    assert api.status_code == 401
    assert RefreshToken.objects.get().revoked_at is not None
    assert Connection.objects.get().close_code == 4001
    assert admin.get("/admin/").status_code == 200  # this one came with the new one, so to say


def test_a_guest_gets_neither_address_nor_password_nor_rights(admin: Client, host: User) -> None:
    password = "correct horse battery"

    changed = admin.post(f"{USERS}{host.pk}/change/", user_form(host, email="x@example.org", is_staff="on"))
    refused = admin.post(f"{USERS}{host.pk}/password/", {"password1": password, "password2": password})

    host.refresh_from_db()
    assert changed.status_code == 302
    assert (host.email, host.is_staff, host.password) == (None, False, "")
    assert refused.status_code == 403


def test_a_page_that_was_open_meanwhile_brings_nobody_back(admin: Client, account: User, session: Session) -> None:
    page = f"{USERS}{account.pk}/change/"
    shown = admin.get(page).content.decode()
    before = user_form(account)
    erase(actor=account)

    response = admin.post(page, before)

    account.refresh_from_db()
    assert all(f'name="initial-{name}"' in shown for name in ("name", "email", "is_active", "is_staff", "is_superuser"))
    assert response.status_code == 302
    assert (account.name, account.email, account.is_active, account.is_guest) == ("Someone", None, False, True)


def test_another_name_undoes_no_new_password(admin: Client, account: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def meanwhile(form: UserForm) -> str:
        person = User.objects.get(pk=account.pk)
        change_password(actor=person, current="correct horse battery", password="a new planchette")
        return "Anna"

    monkeypatch.setattr(UserForm, "clean_name", meanwhile)
    admin.post(f"{USERS}{account.pk}/change/", user_form(account, name="Anna"))

    account.refresh_from_db()
    assert login(email="ana@example.org", password="a new planchette").name == "Anna"
    assert account.token_version == 1


def test_nobody_is_named_who_is_erased_while_the_form_is_read(
    admin: Client, account: User, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(form: UserForm) -> str:
        erase(actor=User.objects.get(pk=account.pk))
        return "Anna"

    monkeypatch.setattr(UserForm, "clean_name", meanwhile)
    response = admin.post(f"{USERS}{account.pk}/change/", user_form(account, name="Anna"), follow=True)

    account.refresh_from_db()
    assert account.name == "Ana"  # what was done meanwhile is undone with the rest, being of one transaction here
    assert "not the same any more" in response.content.decode()


def test_nobody_is_deleted_here(admin: Client, account: User) -> None:
    response = admin.post(f"{USERS}{account.pk}/delete/", {"post": "yes"})

    assert response.status_code == 403
    assert User.objects.filter(pk=account.pk).exists()


@pytest.fixture
def clerk() -> Client:
    """Staff who may change people, and are no superuser."""
    user = User.objects.create_user("clerk@example.org", None, name="Clerk", is_staff=True)
    wanted = ["view_user", "change_user", "view_message", "view_session"]
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client = Client()
    client.force_login(user)
    return client


def test_staff_cannot_rise_by_their_own_hand(clerk: Client, account: User, admin_user: User) -> None:
    clerk.post(f"{USERS}{account.pk}/change/", user_form(account, is_staff="on", is_superuser="on", name="Anna"))
    password = {"password1": "correct horse battery", "password2": "correct horse battery"}
    stolen = clerk.post(f"{USERS}{admin_user.pk}/password/", password)
    act(clerk, USERS, "ban", admin_user)

    account.refresh_from_db()
    admin_user.refresh_from_db()
    assert (account.name, account.is_staff, account.is_superuser) == ("Anna", False, False)
    assert stolen.status_code == 403
    assert admin_user.is_active


def test_whoever_may_only_look_does_nothing(clerk: Client, session: Session, say: Callable[[str], Message]) -> None:
    row = say("one")

    act(clerk, SESSIONS, "end_selected", session)
    act(clerk, MESSAGES, "delete_through_the_service", row)

    assert Event.objects.count() == 0
    assert clerk.get("/admin/admin/logentry/").status_code == 403


def test_the_admins_log_names_nobody_who_was_erased(admin: Client, account: User, session: Session) -> None:
    Participant.objects.create(session=session, user=account, name="Ana")
    said = post_message(Draft(session.id, account.id, "one")).message
    admin.post(f"{USERS}{account.pk}/change/", user_form(account, name="Ana Maria"))
    act(admin, MESSAGES, "delete_through_the_service", Message.objects.get(pk=said.id))
    act(admin, USERS, "ban", account)
    account.refresh_from_db()

    erase(actor=account)

    told = set(LogEntry.objects.values_list("object_repr", flat=True))
    assert told == {"Someone (guest)", f"message #{said.seq}"}
    assert LogEntry.objects.count() == 3
