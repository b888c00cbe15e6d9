"""Tests of the REST door: reports, their queue, and bans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sessions_app.models import AuditEntry, Session, User
from tests.api.conftest import Caller


@pytest.fixture
def as_staff(staff: User) -> Caller:
    return Caller(staff)


def test_a_report_goes_to_the_queue_and_out_of_it(
    as_guest: Caller, as_host: Caller, as_staff: Caller, guest: User, path: str, say: Callable[..., Any], seat: Any
) -> None:
    person = seat(guest)
    message = say("Buy now", user=guest, user_name=guest.name)
    as_guest.delete(f"{path}/messages/{message.id}")

    made = as_host.post(f"{path}/reports", {"reason": "spam", "message_id": str(message.id), "note": "again"})
    same = as_host.post(f"{path}/reports", {"reason": "spam", "message_id": str(message.id)})
    (found,) = as_staff.get("/api/reports?state=open").data
    closed = as_staff.patch(f"/api/reports/{made.data['id']}", {"state": "acted"})

    assert (made.status, made.response["Location"]) == (201, f"/api/reports/{made.data['id']}")
    assert (same.status, same.data["id"]) == (200, made.data["id"])
    assert (found["reason"], found["note"], found["name"]) == ("spam", "again", "Grete")
    assert (found["participant_id"], found["user_id"]) == (str(person.id), str(guest.id))
    assert (found["message"]["text"], found["message"]["deleted_at"] is not None) == ("Buy now", True)
    assert (closed.data["state"], closed.data["closed_by"] is not None) == ("acted", True)
    assert as_staff.get("/api/reports?state=open").meta["total"] == 0
    assert as_staff.get("/api/reports").meta["total"] == 1


@pytest.mark.parametrize("query", ["state=new", "page=0", "per_page=101", "page=x", "state="])
def test_a_wrong_question_about_the_queue_is_a_400(as_staff: Caller, query: str) -> None:
    assert as_staff.get(f"/api/reports?{query}").outcome == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "body", [{}, {"reason": "dull"}, {"reason": "spam", "message_id": 5}, {"reason": "spam", "note": 5},
             {"reason": "spam", "participant_id": "x"}]
)  # fmt: skip
def test_a_wrong_report_is_a_400(as_guest: Caller, path: str, body: Any) -> None:
    assert as_guest.post(f"{path}/reports", body).outcome == (400, "VALIDATION_ERROR")


def test_staff_ban_and_let_in_again_and_it_is_written_down(
    as_staff: Caller, as_guest: Caller, guest: User, staff: User, session: Session
) -> None:
    banned = as_staff.post(f"/api/users/{guest.id}/ban", {})
    as_staff.post(f"/api/users/{guest.id}/ban", {})
    shut = as_guest.get("/api/auth/me").status
    freed = as_staff.post(f"/api/users/{guest.id}/unban", {})

    assert (banned.status, banned.data["id"], shut, freed.status) == (200, str(guest.id), 401, 200)
    assert as_guest.get("/api/auth/me").status == 401  # tokens from before stay refused
    assert Caller(User.objects.get(pk=guest.pk)).get("/api/auth/me").status == 200
    assert list(AuditEntry.objects.order_by("id").values_list("act", "actor", "target")) == [
        ("ban", staff.id, guest.id), ("unban", staff.id, guest.id),
    ]  # fmt: skip


def test_only_staff_learn_who_there_is_to_ban(as_guest: Caller, as_staff: Caller, guest: User, staff: User) -> None:
    nowhere = "01990000-0000-7000-8000-000000000000"

    assert as_guest.post(f"/api/users/{guest.id}/ban", {}).outcome == (403, "FORBIDDEN")
    assert as_guest.post(f"/api/users/{nowhere}/ban", {}).outcome == (403, "FORBIDDEN")
    assert as_staff.post(f"/api/users/{nowhere}/ban", {}).outcome == (404, "NOT_FOUND")
    assert as_staff.post("/api/users/x/ban", {}).outcome == (404, "NOT_FOUND")
    assert as_staff.post(f"/api/users/{staff.id}/ban", {}).outcome == (403, "FORBIDDEN")
