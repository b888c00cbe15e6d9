"""Tests of `manage.py ensure_admin`: one admin, made once, and nobody raised by accident."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from django.core.management import CommandError, call_command

from sessions_app.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def named(settings: Any) -> None:
    admin = {"admin_email": "Root@Example.org", "admin_password": "correct horse battery"}
    settings.SEANCE = msgspec.structs.replace(settings.SEANCE, **admin)


def ensure_admin() -> str:
    out = io.StringIO()
    call_command("ensure_admin", stdout=out)
    return out.getvalue()


def test_without_the_variables_there_is_nothing_to_do(settings: Any) -> None:
    settings.SEANCE = msgspec.structs.replace(settings.SEANCE, admin_email="", admin_password="")

    assert ensure_admin() == ""
    assert not User.objects.exists()


def test_the_admin_is_made_once_and_keeps_a_changed_password(named: None) -> None:
    assert ensure_admin() == "Admin root@example.org made.\n"
    admin = User.objects.get()
    assert admin.is_superuser
    assert admin.check_password("correct horse battery")
    admin.set_password("another one 123")
    admin.save()

    assert ensure_admin() == ""

    assert User.objects.get().check_password("another one 123")


def test_somebody_who_registered_the_address_is_not_made_admin(named: None) -> None:
    User.objects.create_user("root@example.org", "a password of theirs", name="Mallory")

    with pytest.raises(CommandError, match="^ADMIN_EMAIL: "):
        ensure_admin()

    assert not User.objects.get().is_staff


def test_a_well_known_password_is_refused_in_one_line(named: None, settings: Any) -> None:
    settings.SEANCE = msgspec.structs.replace(settings.SEANCE, admin_password="123456789012")

    with pytest.raises(CommandError, match=r"^ADMIN_PASSWORD: \S[^\n]*$"):
        ensure_admin()

    assert not User.objects.exists()
