"""Tests of the operator's commands on people: who there is, and who may come in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from sessions_app.models import Act, AuditEntry, User
from sessions_app.services.accounts import create_guest
from tests.commands.test_commands import run, run_json

pytestmark = pytest.mark.django_db


@pytest.fixture
def account() -> User:
    return User.objects.create_user("ana@example.org", None, name="Ana")


def test_users_are_listed_by_kind_the_newest_first(account: User) -> None:
    guest = create_guest(name="Grete")
    admin = User.objects.create_superuser("root@example.org", "a long password 123")
    User.objects.filter(pk=account.pk).update(joined_at=account.joined_at - timedelta(hours=1))

    assert [one["id"] for one in run_json("list_users")] == [str(admin.id), str(guest.id), str(account.id)]
    assert [one["kind"] for one in run_json("list_users", "--guests")] == ["guest"]
    assert [one["name"] for one in run_json("list_users", "--staff")] == ["Admin"]
    assert [one["name"] for one in run_json("list_users", "--accounts", "--search", "ANA@")] == ["Ana"]
    assert run("list_users", "--guests").splitlines()[1].split()[:2] == [str(guest.id), "Grete"]


def test_users_are_listed_in_one_query(account: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    create_guest(name="Grete")

    with django_assert_num_queries(1):
        run("list_users")


def test_a_ban_is_written_down_and_can_be_lifted(account: User) -> None:
    banned = run_json("ban", "ana@example.org")
    listed = run_json("list_users", "--banned")
    lifted = run_json("ban", str(account.id), "--lift")

    assert (banned["is_banned"], lifted["is_banned"]) == (True, False)
    assert [one["id"] for one in listed] == [str(account.id)]
    assert list(AuditEntry.objects.order_by("at").values_list("act", "actor", "target")) == [
        (Act.BAN, None, account.id),
        (Act.UNBAN, None, account.id),
    ]
    assert all(entry.details == {"by": "operator"} for entry in AuditEntry.objects.all())


def test_a_token_of_somebody_is_written_down_and_one_of_a_fresh_guest_is_not(account: User) -> None:
    run("issue_token", "ana@example.org", "--minutes", "5")
    run("issue_token", "--guest", "Grete")

    entry = AuditEntry.objects.get()
    assert (entry.act, entry.target, entry.details) == (
        Act.ISSUE_TOKEN, account.id, {"minutes": 5, "by": "operator"},
    )  # fmt: skip


def test_an_operator_bans_staff_too() -> None:
    admin = User.objects.create_superuser("root@example.org", "a long password 123")

    run("ban", str(admin.id))

    admin.refresh_from_db()
    assert not admin.is_active
