"""Tests of the REST door: guests, accounts, tokens, and leaving for good."""

import json
import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.core import mail
from django.test import override_settings
from django.utils import timezone

from sessions_app.models import (
    Connection,
    Message,
    OneTimeToken,
    Participant,
    RefreshToken,
    ServerProcess,
    Session,
    User,
)
from tests.api.conftest import Caller

REFRESH = "/api/auth/token/refresh"
ADA = {"email": "Ada@Example.org", "password": "correct horse 7", "name": "Ada"}


@pytest.fixture
def verification(settings: Any) -> Any:
    changed = msgspec.structs.replace(settings.SEANCE, email_verification=True)
    with override_settings(SEANCE=changed):
        yield changed


@pytest.fixture
def signed_in(nobody: Caller) -> dict[str, Any]:
    data: dict[str, Any] = nobody.post("/api/auth/register", ADA).data
    return data


def bearer(data: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {data['access']}"}


def test_a_guest_comes_in(nobody: Caller) -> None:
    answer = nobody.post("/api/auth/guest", {"name": " Grete "})

    assert (answer.status, answer.response["Location"]) == (201, "/api/auth/me")
    assert (answer.data["user"]["name"], answer.data["user"]["is_guest"]) == ("Grete", True)
    assert nobody.get("/api/auth/me", **bearer(answer.data)).data == answer.data["user"]
    assert list(answer.data["user"]) == ["id", "name", "joined_at", "is_guest"]


@pytest.mark.parametrize("name", [None, 1, "", "   ", "x" * 51, "a\x00", "a\u202eb", {}, True])
def test_a_guest_needs_a_name_that_is_one(nobody: Caller, name: Any) -> None:
    answer = nobody.post("/api/auth/guest", {"name": name})

    assert (answer.outcome, list(answer.error["details"])) == ((400, "VALIDATION_ERROR"), ["name"])


def test_an_account_is_made_and_comes_in(nobody: Caller) -> None:
    made = nobody.post("/api/auth/register", ADA)
    came = nobody.post("/api/auth/token", {"email": " ada@example.ORG ", "password": ADA["password"]})

    assert (made.status, came.status) == (201, 200)
    assert made.data["user"] == came.data["user"]
    assert made.data["user"]["is_guest"] is False


@pytest.mark.parametrize(
    ("change", "field"),
    [({"email": "x"}, "email"), ({"email": 1}, "email"), ({"email": "a\x00@b.org"}, "email"),
     ({"email": None}, "email"), ({"email": "x" * 250 + "@example.org"}, "email"), ({"password": "short"}, "password"),
     ({"password": "12345678901"}, "password"), ({"password": "ada@example.org"}, "password"),
     ({"password": 12345678}, "password"), ({"password": "a\x00bcdefghij"}, "password"), ({"name": ""}, "name")],
)  # fmt: skip
@pytest.mark.parametrize("verifies", [False, True])
def test_a_wrong_registration_names_the_field(
    nobody: Caller, settings: Any, change: dict[str, Any], field: str, verifies: bool
) -> None:
    with override_settings(SEANCE=msgspec.structs.replace(settings.SEANCE, email_verification=verifies)):
        answer = nobody.post("/api/auth/register", {**ADA, **change})

    assert (answer.outcome, list(answer.error["details"])) == ((400, "VALIDATION_ERROR"), [field])
    assert (User.objects.count(), len(mail.outbox)) == (0, 0)


def test_a_taken_address_is_refused_where_nothing_is_verified(nobody: Caller, signed_in: dict[str, Any]) -> None:
    assert nobody.post("/api/auth/register", {**ADA, "name": "Eve"}).outcome == (400, "VALIDATION_ERROR")


def test_with_verification_the_answer_never_tells_who_has_an_address(nobody: Caller, verification: Any) -> None:
    User.objects.create_user("taken@example.org", "correct horse 7", name="Tom")

    free, taken = (
        nobody.post("/api/auth/register", {**ADA, "email": one}) for one in ("free@example.org", "taken@example.org")
    )

    assert (free.status, taken.status) == (202, 202)
    assert free.data == taken.data == {"verification_sent": True}
    assert [sent.to for sent in mail.outbox] == [["free@example.org"], ["taken@example.org"]]
    assert "already" in mail.outbox[1].body
    assert User.objects.count() == 1


def code_in_mail() -> str:
    words: list[str] = re.findall(r"\S+", str(mail.outbox[0].body))
    return max(words, key=len)


def test_the_code_of_the_mail_makes_the_account_once(nobody: Caller, verification: Any) -> None:
    nobody.post("/api/auth/register", ADA)
    code = code_in_mail()

    made, again = (nobody.post("/api/auth/verify", {"token": code}) for _ in range(2))

    assert (made.status, made.data["user"]["name"]) == (200, "Ada")
    assert (again.outcome, list(again.error["details"])) == ((400, "VALIDATION_ERROR"), ["token"])
    assert nobody.post("/api/auth/token", {"email": ADA["email"], "password": ADA["password"]}).status == 200


def test_a_code_is_good_for_a_day(nobody: Caller, verification: Any) -> None:
    nobody.post("/api/auth/register", ADA)
    OneTimeToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert nobody.post("/api/auth/verify", {"token": code_in_mail()}).status == 400


@pytest.mark.parametrize("token", ["", "x", "a:b:c", "\x00", 1, None, "é"])
def test_a_forged_code_is_refused(nobody: Caller, token: Any) -> None:
    answer = nobody.post("/api/auth/verify", {"token": token})

    assert (answer.outcome, list(answer.error["details"])) == ((400, "VALIDATION_ERROR"), ["token"])


@pytest.mark.parametrize("address", ["free@example.org", "taken@example.org"])
def test_a_mail_server_that_is_away_is_a_503_for_everybody(nobody: Caller, verification: Any, address: str) -> None:
    User.objects.create_user("taken@example.org", None, name="Tom")
    with override_settings(
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_HOST="127.0.0.1", EMAIL_PORT=1
    ):
        answer = nobody.post("/api/auth/register", {**ADA, "email": address})

    assert answer.outcome == (503, "UNAVAILABLE")


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.org", "wrong"),
        ("nobody@example.org", "wrong"),
        ("\x00", "x"),
        ("", ""),
        ("ada@example.org", "a\x00"),
    ],
)
def test_a_wrong_login_is_always_the_same_401(nobody: Caller, signed_in: Any, email: str, password: str) -> None:
    answer = nobody.post("/api/auth/token", {"email": email, "password": password})

    assert answer.outcome == (401, "UNAUTHORIZED")
    assert answer.error["message"] == "The address or the password is wrong."
    assert answer.response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["guest", "register", "verify", "token", "token/refresh", "token/revoke"])
def test_every_body_is_strict(nobody: Caller, path: str) -> None:
    fields = nobody.post(f"/api/auth/{path}", {}).error["details"]
    typed = nobody.post(f"/api/auth/{path}", dict.fromkeys(fields, 5)).error["details"]

    assert set(fields) == set(typed) != set()


def test_a_refresh_token_works_once_and_then_ends_its_family(nobody: Caller, signed_in: dict[str, Any]) -> None:
    first = nobody.post(REFRESH, {"refresh": signed_in["refresh"]})
    RefreshToken.objects.filter(used_at__isnull=False).update(used_at=timezone.now() - timedelta(seconds=1))
    again = nobody.post(REFRESH, {"refresh": signed_in["refresh"]})
    child = nobody.post(REFRESH, {"refresh": first.data["refresh"]})

    assert (first.status, first.data["user"]) == (200, signed_in["user"])
    assert again.outcome == child.outcome == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    ("remote", "is_theft"),
    [
        ({"REMOTE_ADDR": "192.0.2.7", "REMOTE_PORT": "4711"}, True),
        ({"REMOTE_ADDR": "192.0.2.7"}, False),
        ({"REMOTE_ADDR": "", "REMOTE_PORT": ""}, False),
        ({"REMOTE_ADDR": None}, False),  # as some servers put it
    ],
)
def test_a_second_refresh_at_once_is_a_theft_only_over_a_connection_that_can_be_told(
    nobody: Caller, signed_in: dict[str, Any], remote: dict[str, Any], *, is_theft: bool
) -> None:
    def refresh(token: str) -> Any:
        body = json.dumps({"refresh": token})
        return nobody.client.generic("POST", REFRESH, body, content_type="application/json", **remote)

    won = refresh(signed_in["refresh"]).json()["data"]

    assert refresh(signed_in["refresh"]).status_code == 401
    assert refresh(won["refresh"]).status_code == (401 if is_theft else 200)


def test_a_revoked_token_is_worth_nothing(nobody: Caller, signed_in: dict[str, Any]) -> None:
    revoked = nobody.post("/api/auth/token/revoke", {"refresh": signed_in["refresh"]})

    assert (revoked.status, revoked.data) == (200, {"revoked": True})
    assert nobody.post(REFRESH, {"refresh": signed_in["refresh"]}).status == 401
    assert nobody.post("/api/auth/token/revoke", {"refresh": "unknown"}).status == 200


def test_one_can_take_another_name(nobody: Caller, signed_in: dict[str, Any]) -> None:
    who = bearer(signed_in)

    assert nobody.patch("/api/auth/me", {"name": " Ada L. "}, **who).data["name"] == "Ada L."
    assert nobody.patch("/api/auth/me", {}, **who).data["name"] == "Ada L."
    assert nobody.patch("/api/auth/me", {"name": 5}, **who).outcome == (400, "VALIDATION_ERROR")
    assert nobody.get("/api/auth/me", **who).data["name"] == "Ada L."


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_nobody_is_nobody(nobody: Caller, method: str) -> None:
    assert nobody(method, "/api/auth/me", {}).outcome == (401, "UNAUTHORIZED")


def test_who_erases_themselves_leaves_a_nameless_shell(nobody: Caller, signed_in: dict[str, Any]) -> None:
    user = User.objects.get()
    session = Session.objects.create(name="Friday", host=user, last_seq=1)
    Message.objects.create(session=session, seq=1, text="I was here", user=user, user_name="Ada")
    person = Participant.objects.create(session=session, user=user, name="Ada")
    process = ServerProcess.objects.create(name="p", started_at=session.created_at, lease_until=session.created_at)
    socket = Connection.objects.create(participant=person, process=process)

    answer = nobody.delete("/api/auth/me", **bearer(signed_in))

    assert (answer.status, answer.data["name"]) == (200, "Someone")
    user.refresh_from_db()
    socket.refresh_from_db()
    assert (user.email, user.is_active, user.has_usable_password(), socket.close_code) == (None, False, False, 4500)
    assert RefreshToken.objects.count() == 0
    (message,) = nobody.get(f"/api/sessions/{session.id}/history").data
    assert (message["text"], message["user_id"], message["user_name"]) == ("I was here", None, "Someone")
    assert nobody.get(f"/api/sessions/{session.id}/participants").data[0]["name"] == "Someone"
    assert nobody.get("/api/auth/me", **bearer(signed_in)).status == 401
    assert nobody.post("/api/auth/token", {"email": ADA["email"], "password": ADA["password"]}).status == 401
    assert nobody.post("/api/auth/register", ADA).status == 201
