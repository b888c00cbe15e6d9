"""Tests of the REST door: sessions are opened, read, listed, changed and ended."""

import unicodedata
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from seance_project.env import Env
from sessions_app.models import Participant, Session, User
from tests.api.conftest import Caller

FIELDS = [
    "id", "name", "created_at", "max_users", "is_active", "ended_at", "host_id", "access", "is_listed",
    "participant_count", "last_seq", "spirit", "is_locked",
]  # fmt: skip


def with_setting(base: Env, **changes: Any) -> Any:
    import msgspec

    return override_settings(SEANCE=msgspec.structs.replace(base, **changes))


def test_anybody_may_open_a_session_and_becomes_its_host(nobody: Caller) -> None:
    answer = nobody.post("/api/sessions", {"name": "  Friday  "})

    assert answer.status == 201
    assert list(answer.data) == FIELDS
    assert (answer.data["name"], answer.data["max_users"], answer.data["access"]) == ("Friday", 6, "open")
    assert answer.data["spirit"] == {"persona": "the-spirit", "mode": "open", "pace": "ritual"}
    assert answer.response["Location"] == f"/api/sessions/{answer.data['id']}"
    token = {"Authorization": f"Bearer {answer.meta['host_token']}"}
    assert nobody.get("/api/auth/me", **token).data["id"] == answer.data["host_id"]
    assert nobody.patch(answer.response["Location"], {"name": "Saturday"}, **token).status == 200


def test_with_a_token_the_caller_is_the_host(as_guest: Caller, guest: User) -> None:
    answer = as_guest.post("/api/sessions", {"name": "Friday", "max_users": 3, "access": "invite", "is_listed": True})

    assert answer.data["host_id"] == str(guest.id)
    assert list(answer.meta) == ["timestamp"]


def test_where_nobody_may_be_anonymous_a_token_is_needed(nobody: Caller, settings: Any) -> None:
    with with_setting(settings.SEANCE, allow_anonymous=False):
        opened, entered = nobody.post("/api/sessions", {"name": "x"}), nobody.post("/api/auth/guest", {"name": "x"})

    assert (opened.outcome, entered.outcome) == ((401, "UNAUTHORIZED"), (403, "FORBIDDEN"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"), ({"name": 123}, "name"), ({"name": None}, "name"), ({"name": ""}, "name"),
        ({"name": " \t"}, "name"),
        ({"name": "\u200b\u2060"}, "name"), ({"name": "x" * 101}, "name"), ({"name": "a\x00b"}, "name"),
        ({"name": "a\nb"}, "name"), ({"name": "\u202eevil"}, "name"), ({"name": ["x"]}, "name"),
        ({"name": True}, "name"),
        ({"name": "x", "max_users": "3"}, "max_users"), ({"name": "x", "max_users": 1}, "max_users"),
        ({"name": "x", "max_users": 13}, "max_users"), ({"name": "x", "max_users": 2.5}, "max_users"),
        ({"name": "x", "max_users": True}, "max_users"), ({"name": "x", "max_users": None}, "max_users"),
        ({"name": "x", "max_users": 10**30}, "max_users"), ({"name": "x", "access": "secret"}, "access"),
        ({"name": "x", "access": 1}, "access"), ({"name": "x", "is_listed": "true"}, "is_listed"),
        ({"name": "x", "is_listed": 1}, "is_listed"), ({"name": "x", "spirit": "open"}, "spirit"),
        ({"name": "x", "spirit": {"mode": "loud"}}, "spirit"),
        ({"name": "x", "spirit": {"persona": "nobody"}}, "spirit"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(nobody: Caller, body: dict[str, Any], field: str) -> None:
    answer = nobody.post("/api/sessions", body)

    assert answer.outcome == (400, "VALIDATION_ERROR")
    assert list(answer.error["details"]) == [field]
    assert all(isinstance(said, str) for said in answer.error["details"][field])
    assert Session.objects.count() == 0


def test_every_wrong_field_is_named_at_once(nobody: Caller) -> None:
    answer = nobody.post("/api/sessions", {"name": 1, "max_users": "2", "is_listed": 0})

    assert set(answer.error["details"]) == {"name", "max_users", "is_listed"}


def test_unknown_fields_are_ignored(nobody: Caller) -> None:
    answer = nobody.post("/api/sessions", {"name": "x", "id": str(uuid4()), "is_active": False, "host_id": "me"})

    assert (answer.status, answer.data["is_active"]) == (201, True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=120))
def test_a_name_is_stored_normalised_or_refused(nobody: Caller, name: str) -> None:
    answer = nobody.post("/api/sessions", {"name": name})

    if answer.status == 201:
        stored = answer.data["name"]
        assert stored == unicodedata.normalize("NFC", name).strip()
        assert 1 <= len(stored) <= 100
    else:
        assert answer.outcome == (400, "VALIDATION_ERROR")
        assert list(answer.error["details"]) == ["name"]


def test_a_session_is_read_in_at_most_one_query(
    nobody: Caller, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(1):
        answer = nobody.get(path)

    assert list(answer.data) == FIELDS


def test_a_session_is_found_in_upper_case_too(nobody: Caller, session: Session) -> None:
    assert nobody.get(f"/api/sessions/{str(session.id).upper()}").data["id"] == str(session.id)


@pytest.mark.parametrize("key", ["1", "nonsense", "{0}x", "%00", "..", "urn:uuid:{0}", "{{{0}}}", "é"])
@pytest.mark.parametrize("tail", ["", "/history", "/participants", "/transcript"])
def test_an_id_that_is_no_uuid_is_a_session_not_found(nobody: Caller, key: str, tail: str) -> None:
    answer = nobody.get(f"/api/sessions/{key.format(uuid4())}{tail}")

    assert answer.outcome == (404, "SESSION_NOT_FOUND")


def same(one: Any, other: Any) -> bool:
    """Byte for byte, the time aside."""
    import re

    strip = re.compile(rb'"timestamp":"[^"]*"')
    return strip.sub(b"", one.response.content) == strip.sub(b"", other.response.content)


@pytest.mark.parametrize(
    ("method", "tail", "body"),
    [
        ("GET", "", None), ("PATCH", "", {"name": "x"}), ("PATCH", "", {"name": 1}), ("DELETE", "", None),
        ("GET", "/history", None), ("GET", "/participants", None), ("GET", "/transcript", None),
        ("POST", "/messages", {"text": "x"}), ("POST", "/messages", {"text": ""}), ("POST", "/messages", {}),
        ("DELETE", "/messages/6f1c2a34-0000-4000-8000-000000000001", None), ("DELETE", "/messages/x", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ended", [False, True])
def test_to_a_stranger_an_invite_only_session_is_nothing(
    session: Session, guest: User, method: str, tail: str, body: Any, ended: bool
) -> None:
    Session.objects.filter(pk=session.pk).update(access="invite")
    if ended:
        Caller(session.host).delete(f"/api/sessions/{session.id}")
    for caller in (Caller(), Caller(guest)):
        here = caller(method, f"/api/sessions/{session.id}{tail}", body)
        nothing = caller(method, f"/api/sessions/{uuid4()}{tail}", body)

        assert here.status == nothing.status in (400, 404)
        assert same(here, nothing)
        assert {*here.response.headers} == {*nothing.response.headers}


def test_a_message_that_exists_in_a_hidden_session_is_nothing_either(
    session: Session, as_guest: Caller, say: Callable[..., Any]
) -> None:
    Session.objects.filter(pk=session.pk).update(access="invite")
    message = say("psst")

    here = as_guest.delete(f"/api/sessions/{session.id}/messages/{message.id}")

    assert here.outcome == (404, "SESSION_NOT_FOUND")


def test_its_people_and_staff_know_an_invite_only_session(
    session: Session, guest: User, staff: User, as_host: Caller, seat: Callable[..., Participant]
) -> None:
    Session.objects.filter(pk=session.pk).update(access="invite")
    seat(guest)

    assert [Caller(user).get(f"/api/sessions/{session.id}").status for user in (guest, staff)] == [200, 200]
    assert as_host.get(f"/api/sessions/{session.id}").status == 200


def test_a_members_session_is_for_accounts(session: Session, path: str, guest: User, member: User) -> None:
    Session.objects.filter(pk=session.pk).update(access="members")

    assert Caller().get(path).outcome == (401, "UNAUTHORIZED")
    assert Caller(guest).get(path).outcome == (403, "FORBIDDEN")
    assert Caller(member).get(path).status == 200


def test_only_host_and_staff_change_a_session(path: str, as_host: Caller, as_guest: Caller, staff: User) -> None:
    assert Caller().patch(path, {"name": "x"}).outcome == (401, "UNAUTHORIZED")
    assert as_guest.patch(path, {"name": "x"}).outcome == (403, "FORBIDDEN")
    assert as_host.patch(path, {"name": "Saturday", "spirit": {"pace": "brisk"}}).data["name"] == "Saturday"
    assert Caller(staff).patch(path, {"max_users": 4}).data["max_users"] == 4
    assert Caller().get(path).data["spirit"]["pace"] == "brisk"


@pytest.mark.parametrize(
    "body", [{"name": ""}, {"name": None}, {"max_users": "4"}, {"spirit": {"pace": 1}}, {"access": None}]
)
def test_a_wrong_change_changes_nothing(path: str, as_host: Caller, body: dict[str, Any]) -> None:
    before = as_host.get(path).data

    answer = as_host.patch(path, body)

    assert (answer.outcome, list(answer.error["details"])) == ((400, "VALIDATION_ERROR"), list(body))
    assert as_host.get(path).data == before


def test_an_empty_change_is_no_change(path: str, as_host: Caller) -> None:
    assert as_host.patch(path, {}).data["last_seq"] == 0


def test_a_session_ends_once_and_can_still_be_read(path: str, as_host: Caller, as_guest: Caller) -> None:
    assert Caller().delete(path).outcome == (401, "UNAUTHORIZED")
    assert as_guest.delete(path).outcome == (403, "FORBIDDEN")
    ended, again = as_host.delete(path), as_host.delete(path)

    assert (ended.status, ended.data["is_active"]) == (200, False)
    assert ended.data == again.data == Caller().get(path).data
    assert as_host.patch(path, {"name": "x"}).outcome == (409, "SESSION_ENDED")
    assert as_host.post(f"{path}/messages", {"text": "x"}).outcome == (409, "SESSION_ENDED")


def test_participants_are_who_is_and_was_there(path: str, guest: User, host: User, seat: Callable[..., Any]) -> None:
    seat(host, role="host")
    seat(guest, left_at="2026-01-01T00:00:00Z")

    found = Caller().get(f"{path}/participants").data

    assert [(one["name"], one["role"], one["left_at"] is None) for one in found] == [
        ("Ada", "host", True), ("Grete", "participant", False),
    ]  # fmt: skip
    assert list(found[0]) == [
        "id", "user_id", "name", "role", "joined_at", "left_at", "is_present", "is_muted", "looks_like",
    ]  # fmt: skip
