"""Tests of the REST door: people are sent away, muted, given roles; invites are made, shown and revoked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from sessions_app.models import Participant, Session, User
from tests.api.conftest import Caller


@pytest.fixture
def person(seat: Callable[..., Participant], guest: User) -> Participant:
    return seat(guest)


def test_a_kick_answers_with_the_participant(path: str, as_host: Caller, person: Participant, guest: User) -> None:
    answer = as_host.post(f"{path}/participants/{person.id}/kick")

    assert answer.status == 200
    assert (answer.data["id"], answer.data["is_present"]) == (str(person.id), False)
    assert answer.data["left_at"] is not None
    assert Caller(guest).post(f"{path}/messages", {"text": "Still here"}).outcome == (403, "FORBIDDEN")


def test_a_mute_holds_for_the_next_message(path: str, as_host: Caller, person: Participant, as_guest: Caller) -> None:
    answer = as_host.post(f"{path}/participants/{person.id}/mute", {"muted": True})

    assert (answer.status, answer.data["is_muted"]) == (200, True)
    assert as_guest.post(f"{path}/messages", {"text": "x"}).outcome == (403, "FORBIDDEN")
    as_host.post(f"{path}/participants/{person.id}/mute", {"muted": False})
    assert as_guest.post(f"{path}/messages", {"text": "x"}).status == 201


def test_a_role_is_given(path: str, as_host: Caller, person: Participant, guest: User) -> None:
    assert as_host.post(f"{path}/participants/{person.id}/role", {"role": "observer"}).data["role"] == "observer"
    assert as_host.post(f"{path}/participants/{person.id}/role", {"role": "host"}).data["role"] == "host"

    assert as_host.get(path).data["host_id"] == str(guest.id)
    assert as_host.post(f"{path}/participants/{person.id}/kick").outcome == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    ("act", "body", "field"),
    [
        ("mute", {}, "muted"), ("mute", {"muted": 1}, "muted"), ("mute", {"muted": "true"}, "muted"),
        ("role", {}, "role"), ("role", {"role": "king"}, "role"), ("role", {"role": None}, "role"),
        ("kick", [], "non_field_errors"),
    ],
)  # fmt: skip
def test_a_wrong_body_names_the_field(
    path: str, as_host: Caller, person: Participant, act: str, body: Any, field: str
) -> None:
    answer = as_host.post(f"{path}/participants/{person.id}/{act}", body)

    assert answer.outcome == (400, "VALIDATION_ERROR")
    assert list(answer.error["details"]) == [field]


@pytest.mark.parametrize("act", ["kick", "mute", "role"])
def test_nobody_there_and_no_uuid_are_not_found(path: str, as_host: Caller, act: str) -> None:
    body = {"mute": {"muted": True}, "role": {"role": "observer"}}.get(act)

    outcomes = {as_host.post(f"{path}/participants/{key}/{act}", body).outcome for key in (uuid4(), "x", "%00")}

    assert outcomes == {(404, "NOT_FOUND")}


# --- Invites ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def hidden(session: Session) -> Session:
    session.access = "invite"
    session.save()
    return session


def test_an_invite_is_shown_once_and_opens_every_read(
    hidden: Session, path: str, as_host: Caller, nobody: Caller, say: Callable[..., Any]
) -> None:
    say("Hello")

    made = as_host.post(f"{path}/invites", {"max_uses": 2, "expires_in": 3600})

    assert made.status == 201
    assert (made.data["max_uses"], made.data["uses"]) == (2, 0)
    where = urlsplit(made.data["url"])
    assert nobody.get(f"{where.path}?{where.query}").data["id"] == str(hidden.id)
    for read in ("", "/history", "/participants", "/transcript"):
        assert nobody.get(f"{path}{read}?invite={made.data['code']}").status == 200, read
        assert nobody.get(f"{path}{read}").outcome == (404, "SESSION_NOT_FOUND")
        assert nobody.get(f"{path}{read}?invite={'x' * 300}").outcome == (404, "SESSION_NOT_FOUND")


def test_an_invite_does_not_speak(hidden: Session, path: str, as_host: Caller, as_guest: Caller) -> None:
    code = as_host.post(f"{path}/invites").data["code"]

    answer = as_guest.post(f"{path}/messages?invite={code}", {"text": "x"})

    assert answer.outcome == (404, "SESSION_NOT_FOUND")


def test_a_revoked_invite_opens_nothing(hidden: Session, path: str, as_host: Caller, nobody: Caller) -> None:
    made = as_host.post(f"{path}/invites")
    place = made.response["Location"]

    ended = as_host.delete(place)

    assert (ended.status, ended.data["code"]) == (200, made.data["code"])
    assert as_host.delete(place).data == ended.data
    assert nobody.get(f"{path}?invite={made.data['code']}").outcome == (404, "SESSION_NOT_FOUND")
    assert as_host.delete(f"{path}/invites/of-nothing").outcome == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"max_uses": 0}, "max_uses"), ({"max_uses": 1001}, "max_uses"), ({"max_uses": "2"}, "max_uses"),
        ({"expires_in": 59}, "expires_in"), ({"expires_in": 1e9}, "expires_in"), ({"expires_in": None}, "expires_in"),
    ],
)  # fmt: skip
def test_a_wrong_invite_names_the_field(path: str, as_host: Caller, body: Any, field: str) -> None:
    answer = as_host.post(f"{path}/invites", body)

    assert answer.outcome == (400, "VALIDATION_ERROR")
    assert list(answer.error["details"]) == [field]


@pytest.mark.parametrize("body", [{"text": "x"}, {"text": ""}, {}, {"text": 5}, [], {"text": "x" * 501}])
@pytest.mark.parametrize("with_token", [True, False])
def test_a_hidden_session_answers_every_stranger_s_post_as_nothing_does(
    hidden: Session, path: str, as_guest: Caller, nobody: Caller, body: Any, with_token: bool
) -> None:
    caller = as_guest if with_token else nobody

    there, nowhere = caller.post(f"{path}/messages", body), caller.post(f"/api/sessions/{uuid4()}/messages", body)

    assert (there.status, there.error) == (nowhere.status, nowhere.error)
