"""Tests of the admins' room: what was done to others can be read there by superusers, and changed by nobody."""

from __future__ import annotations

from django.test import Client

from sessions_app.models import AuditEntry, Session, User
from sessions_app.services.sessions import end_session

PAGE = "/admin/sessions_app/auditentry/"


def test_a_ban_and_its_end_in_the_admin_are_written_down(admin: Client, admin_user: User, host: User) -> None:
    admin.post("/admin/sessions_app/user/", {"action": "ban", "_selected_action": [str(host.pk)]})
    form = {"name": host.name, "initial-name": host.name, "is_active": "on", "initial-is_active": "False"}
    admin.post(f"/admin/sessions_app/user/{host.pk}/change/", form)

    host.refresh_from_db()
    acts = AuditEntry.objects.order_by("id").values_list("act", "actor", "target")
    assert list(acts) == [("ban", admin_user.pk, host.pk), ("unban", admin_user.pk, host.pk)]
    assert host.is_active


def test_other_rights_are_written_down_by_the_names_of_the_fields(admin: Client, admin_user: User) -> None:
    account = User.objects.create_user("ana@example.org", None, name="Ana")
    body = {"name": "Ana", "email": "ana@example.org", "is_active": "on"}
    body |= {f"initial-{name}": value for name, value in body.items()} | {"is_staff": "on"}

    assert admin.post(f"/admin/sessions_app/user/{account.pk}/change/", body).status_code == 302

    entry = AuditEntry.objects.get()
    assert (entry.act, entry.actor, entry.target) == ("update_user", admin_user.pk, account.pk)
    assert entry.details == {"fields": ["is_staff"]}


def test_the_log_is_read_and_searched_and_not_written(admin: Client, admin_user: User, session: Session) -> None:
    end_session(actor=admin_user, session_id=session.id)
    row = AuditEntry.objects.get()

    page = admin.get(PAGE, {"q": str(session.pk)}).content.decode()
    one = admin.get(f"{PAGE}{row.pk}/change/").content.decode()

    assert "session ended" in page
    assert str(session.pk) in one
    assert 'name="_save"' not in one
    assert admin.get(f"{PAGE}add/").status_code == 403
    assert admin.post(f"{PAGE}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert AuditEntry.objects.count() == 1


def test_staff_below_superusers_do_not_read_it(host: User) -> None:
    clerk, client = User.objects.create_user("clerk@example.org", None, name="Clerk", is_staff=True), Client()
    client.force_login(clerk)

    assert client.get(PAGE).status_code == 403
