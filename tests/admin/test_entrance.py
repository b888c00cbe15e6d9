"""Tests of the admins' room: whoever guesses at its door is kept out, and reports are read and closed inside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from sessions_app import limits
from sessions_app.models import AuditEntry, Report, Session, User

PASSWORD = "a planchette of oak 77"


@pytest.fixture
def limited(settings: Settings) -> Iterator[None]:
    settings.SEANCE = msgspec.structs.replace(
        settings.SEANCE, rate_limits_enabled=True, rate_limits=("account-logins=3/day", "logins=20/day"), redis_url=""
    )
    limits.engine.cache_clear()
    yield
    limits.engine.cache_clear()


def knock(email: str, password: str, **headers: str) -> Any:
    return Client().post("/admin/login/?next=/admin/", {"username": email, "password": password}, headers=headers)


def test_guessing_at_the_admin_s_door_ends_even_with_the_right_password(limited: None) -> None:
    User.objects.create_superuser("root@example.org", PASSWORD, name="Root")

    guesses = [knock("Root@example.org ", "wrong").content.decode() for _ in range(3)]
    right = knock("root@example.org", PASSWORD)

    assert not any("Too many attempts" in page for page in guesses)
    assert right.status_code == 200
    assert "Too many attempts" in right.content.decode()


def test_an_address_that_nobody_has_is_counted_alike(limited: None) -> None:
    pages = [knock("nobody@example.org", "wrong").content.decode() for _ in range(4)]

    assert ["Too many attempts" in page for page in pages] == [False, False, False, True]


def test_both_doors_count_together(limited: None) -> None:
    User.objects.create_superuser("root@example.org", PASSWORD, name="Root")
    body = {"email": "root@example.org", "password": "wrong"}
    for _ in range(3):
        Client().post("/api/auth/token", body, content_type="application/json")

    assert "Too many attempts" in knock("root@example.org", PASSWORD).content.decode()


def test_whoever_gets_in_begins_anew(limited: None) -> None:
    User.objects.create_superuser("root@example.org", PASSWORD, name="Root")

    for _ in range(5):
        knock("root@example.org", "wrong")
        assert knock("root@example.org", PASSWORD).status_code == 302


def test_whoever_found_an_open_window_does_not_guess_the_password_there(limited: None) -> None:
    user = User.objects.create_superuser("root@example.org", PASSWORD, name="Root")
    window = Client()
    window.force_login(user)

    def guess(password: str) -> Any:
        form = {"old_password": password, "new_password1": "another oak 78", "new_password2": "another oak 78"}
        return window.post("/admin/password_change/", form)

    guesses = [guess("wrong").content.decode() for _ in range(3)]
    right = guess(PASSWORD)

    assert not any("Too many attempts" in page for page in guesses)
    assert "Too many attempts" in right.content.decode()


def test_an_address_is_limited_too_and_cannot_be_forged(limited: None) -> None:
    pages = [
        knock(f"{number}@example.org", "x", **{"X-Forwarded-For": f"198.51.100.{number}"}).content.decode()
        for number in range(21)
    ]

    assert ["Too many attempts" in page for page in pages] == [False] * 20 + [True]


def test_reports_are_closed_in_the_queue(admin: Client, admin_user: User, session: Session, host: User) -> None:
    person = session.participants.get()
    row = Report.objects.create(
        session=session, participant=person, reporter=host, reason="spam", note="<b>", created_at=timezone.now()
    )
    page = "/admin/sessions_app/report/"

    shown = admin.get(page).content.decode()
    detail = admin.get(f"{page}{row.pk}/change/").content.decode()
    admin.post(page, {"action": "dismiss", "_selected_action": [str(row.pk)]})

    assert person.name in shown
    assert "&lt;b&gt;" in detail
    row.refresh_from_db()
    assert (row.state, row.closed_by) == ("dismissed", admin_user)
    assert AuditEntry.objects.get().act == "close_report"
