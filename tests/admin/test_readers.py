"""Tests of the admins' room: readers see all of it and change nothing, there or over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.test import Client, RequestFactory

from sessions_app.models import AuditEntry, Event, Message, Participant, Session, User
from sessions_app.roles import READERS
from sessions_app.services.accounts import access_token
from sessions_app.services.sessions import end_session
from sessions_app.services.webhooks.endpoints import create_endpoint
from tests.admin.test_pages import first_pages

PASSWORD = "a planchette of oak 77"
ADMINS = django_admin.site._registry


@pytest.fixture
def reader() -> User:
    user = User.objects.create_user("reader@example.org", PASSWORD, name="Reader")
    user.groups.add(Group.objects.get(name=READERS))
    return user


@pytest.fixture
def reading(reader: User) -> Client:
    client = Client()
    client.force_login(reader)
    return client


def lists() -> list[str]:
    return [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in ADMINS]


def test_a_reader_comes_in_by_the_door_and_an_account_does_not(reader: User) -> None:
    User.objects.create_user("account@example.org", PASSWORD, name="Account")

    def knock(email: str) -> int:
        return Client().post("/admin/login/?next=/admin/", {"username": email, "password": PASSWORD}).status_code

    assert (knock("reader@example.org"), knock("account@example.org")) == (302, 200)


def test_a_reader_sees_every_page(
    reading: Client, crowd: list[Session], admin_user: User, say: Callable[[str], Message]
) -> None:
    say("Is anyone there?")
    end_session(actor=admin_user, session_id=crowd[0].id)

    pages = [
        *lists(),
        *first_pages(),
        "/admin/",
        f"/admin/sessions_app/auditentry/{AuditEntry.objects.get().pk}/change/",
    ]

    assert {path: reading.get(path).status_code for path in pages} == dict.fromkeys(pages, 200)
    assert reading.get(f"/admin/sessions_app/session/{crowd[1].pk}/export/csv/").status_code == 200


def test_nothing_offers_itself_to_a_reader(reader: User, session: Session) -> None:
    request = RequestFactory().get("/admin/")
    request.user = reader

    for one in ADMINS.values():
        name = type(one).__name__
        assert one.has_view_permission(request), name
        assert not one.has_add_permission(request), name
        assert not one.has_change_permission(request), name
        assert not one.has_delete_permission(request), name
        assert one.get_actions(request) == {}, name


def test_a_reader_changes_nothing(reading: Client, session: Session, say: Callable[[str], Message]) -> None:
    row, seat = say("one"), Participant.objects.get()
    here = f"/admin/sessions_app/session/{session.pk}"
    before = (
        list(Session.objects.values()),
        list(Message.objects.values()),
        list(User.objects.values("id", "is_active")),
    )
    posts: list[tuple[str, dict[str, Any]]] = [
        (f"{here}/end/", {}), (f"{here}/people/{seat.pk}/kick/", {}), (f"{here}/people/{seat.pk}/ban/", {}),
        (f"{here}/people/{seat.pk}/host/", {}), (f"{here}/messages/{row.pk}/take/", {}),
        (f"{here}/delete/", {"post": "yes"}),
        (f"{here}/change/", {"name": "Other"}), (f"/admin/sessions_app/user/{seat.user_id}/change/", {"name": "Other"}),
        ("/admin/sessions_app/user/add/", {}),
    ]  # fmt: skip

    codes = [reading.post(path, body).status_code for path, body in posts]
    for page in lists():
        reading.post(page, {"action": "delete_selected", "_selected_action": [str(session.pk), str(row.pk)]})

    assert codes == [403] * len(posts)
    assert (Event.objects.count(), AuditEntry.objects.count()) == (0, 0)
    after = (
        list(Session.objects.values()),
        list(Message.objects.values()),
        list(User.objects.values("id", "is_active")),
    )
    assert after == before
    assert ">kick</a>" not in reading.get(f"{here}/change/").content.decode()


def test_what_no_page_shows_cannot_be_guessed_by_a_filter(
    reading: Client, admin_user: User, session: Session, say: Callable[[str], Message]
) -> None:
    create_endpoint(actor=admin_user, name="x", url="https://example.org/hook", kinds=["*"])
    say("one")
    here = "/admin/sessions_app"
    guesses = [
        f"{here}/webhookendpoint/?secret__startswith=g", f"{here}/webhookendpoint/?old_secret=",
        f"{here}/webhookdelivery/?endpoint__secret__startswith=g", f"{here}/user/?password__startswith=a",
        f"{here}/user/?token_version=0", f"{here}/participant/?user__password__startswith=a",
        f"{here}/session/?seed__gt=1", f"{here}/message/?text__regex=(a%2B)%2B$",
    ]  # fmt: skip
    offered = [
        f"{here}/webhookendpoint/?is_active__exact=1", f"{here}/user/?is_guest__exact=1",
        f"{here}/session/?host__id__exact={session.host_id}", f"{here}/message/?since=week",
        f"{here}/session/?created_at__gte=2026-01-01%2000:00:00%2B00:00",
        f"{here}/message/?session__id__exact={session.pk}", f"{here}/message/?deleted_at__isempty=1",
        f"{here}/personaversion/?persona__slug=the-spirit", f"{here}/participant/?user__id__exact={session.host_id}",
    ]  # fmt: skip

    assert {path: reading.get(path).status_code for path in guesses} == dict.fromkeys(guesses, 400)
    assert {path: reading.get(path).status_code for path in offered} == dict.fromkeys(offered, 200)


def test_a_reader_is_nobody_special_over_the_api(reader: User, session: Session) -> None:
    headers = {"Authorization": f"Bearer {access_token(reader)}"}

    codes = [
        Client().delete(f"/api/sessions/{session.pk}", headers=headers).status_code,
        Client().get("/api/reports", headers=headers).status_code,
    ]

    assert codes == [403, 403]


def test_the_role_follows_what_the_admin_shows() -> None:
    group = Group.objects.get(name=READERS)
    group.permissions.set(Permission.objects.filter(codename="delete_session"))

    call_command("migrate", verbosity=0)

    names = set(group.permissions.values_list("codename", flat=True))
    assert names == {f"view_{model._meta.model_name}" for model in ADMINS}
    assert "view_refreshtoken" not in names
