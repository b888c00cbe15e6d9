"""Tests of the REST door: new passwords, guests who become accounts, and what nobody learns by asking."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from sessions_app import limits
from sessions_app.models import Connection, Message, OneTimeToken, Participant, Session, User
from tests.api.conftest import Caller

OLD, NEW = "correct horse 7", "another horse 8"
EMAIL = "ada@example.org"


@pytest.fixture
def ada() -> User:
    return User.objects.create_user(EMAIL, OLD, name="Ada")


@pytest.fixture
def verifies(settings: Settings) -> None:
    settings.SEANCE = msgspec.structs.replace(settings.SEANCE, email_verification=True)


def mailed(number: int = -1) -> str:
    words: list[str] = re.findall(r"\S+", str(mail.outbox[number].body))
    return max(words, key=len)


def login(caller: Caller, password: str) -> int:
    return caller.post("/api/auth/token", {"email": EMAIL, "password": password}).status


def test_a_new_password_is_set_by_mail_and_ends_every_sign_in(nobody: Caller, ada: User) -> None:
    before = nobody.post("/api/auth/token", {"email": EMAIL, "password": OLD}).data

    asked = nobody.post("/api/auth/password/reset", {"email": " ADA@example.org "})
    done = nobody.post("/api/auth/password/set", {"token": mailed(), "password": NEW})

    assert (asked.status, asked.data, mail.outbox[0].to) == (202, {"reset_sent": True}, [EMAIL])
    assert (done.status, done.data["user"]["name"]) == (200, "Ada")
    assert (login(nobody, OLD), login(nobody, NEW)) == (401, 200)
    assert nobody.get("/api/auth/me", Authorization=f"Bearer {before['access']}").status == 401
    assert nobody.post("/api/auth/token/refresh", {"refresh": before["refresh"]}).status == 401
    assert nobody.get("/api/auth/me", Authorization=f"Bearer {done.data['access']}").status == 200


def test_whoever_asks_learns_nothing(nobody: Caller, ada: User) -> None:
    known, unknown = (
        nobody.post("/api/auth/password/reset", {"email": email}) for email in (EMAIL, "nobody@example.org")
    )

    assert (known.status, known.data) == (unknown.status, unknown.data)
    assert [sent.to for sent in mail.outbox] == [[EMAIL], ["nobody@example.org"]]
    assert "no account" in mail.outbox[1].body
    assert OneTimeToken.objects.count() == 2


def test_the_mail_s_token_works_once_and_for_an_hour(nobody: Caller, ada: User) -> None:
    nobody.post("/api/auth/password/reset", {"email": EMAIL})
    token = mailed()
    weak = nobody.post("/api/auth/password/set", {"token": token, "password": "short"})
    first, again = (nobody.post("/api/auth/password/set", {"token": token, "password": NEW}) for _ in range(2))
    nobody.post("/api/auth/password/reset", {"email": EMAIL})
    OneTimeToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    late = nobody.post("/api/auth/password/set", {"token": mailed(), "password": OLD})

    assert (weak.outcome, list(weak.error["details"])) == ((400, "VALIDATION_ERROR"), ["password"])
    assert first.status == 200
    for answer in (again, late):
        assert (answer.outcome, list(answer.error["details"])) == ((400, "VALIDATION_ERROR"), ["token"])


def test_a_token_for_one_thing_does_no_other(nobody: Caller, ada: User, verifies: None) -> None:
    nobody.post("/api/auth/password/reset", {"email": EMAIL})
    nobody.post("/api/auth/register", {"email": "eve@example.org", "password": OLD, "name": "Eve"})

    assert nobody.post("/api/auth/verify", {"token": mailed(0)}).status == 400
    assert nobody.post("/api/auth/password/set", {"token": mailed(1), "password": NEW}).status == 400


def test_no_mail_holds_anything_but_a_random_token(nobody: Caller, ada: User, verifies: None) -> None:
    nobody.post("/api/auth/register", {"email": "eve@example.org", "password": OLD, "name": "Eve"})
    row = OneTimeToken.objects.get()

    body = str(mail.outbox[0].body)

    assert re.fullmatch(r"[\w-]{43}", mailed())
    assert "argon2" not in body
    assert mailed().encode() not in bytes(row.digest)
    assert row.password.startswith("argon2$")


def test_mails_to_one_address_are_counted_whoever_has_it(nobody: Caller, ada: User, settings: Settings) -> None:
    settings.SEANCE = msgspec.structs.replace(
        settings.SEANCE, rate_limits_enabled=True, rate_limits=("mails=2/day",), redis_url=""
    )
    limits.engine.cache_clear()

    asked = [
        [nobody.post("/api/auth/password/reset", {"email": email}).status for _ in range(3)]
        for email in (EMAIL, "nobody@example.org")
    ]

    limits.engine.cache_clear()
    assert asked == [[202, 202, 429]] * 2


def test_a_password_is_changed_with_the_present_one(nobody: Caller, ada: User, session: Session) -> None:
    own = nobody.post("/api/auth/token", {"email": EMAIL, "password": OLD}).data
    who = {"Authorization": f"Bearer {own['access']}"}

    wrong = nobody.post("/api/auth/password", {"current_password": "x", "password": NEW}, **who)
    weak = nobody.post("/api/auth/password", {"current_password": OLD, "password": "12345678"}, **who)
    done = nobody.post("/api/auth/password", {"current_password": OLD, "password": NEW}, **who)

    assert (wrong.outcome, list(wrong.error["details"])) == ((400, "VALIDATION_ERROR"), ["current_password"])
    assert (weak.outcome, list(weak.error["details"])) == ((400, "VALIDATION_ERROR"), ["password"])
    assert done.status == 200
    assert nobody.get("/api/auth/me", **who).status == 401
    assert nobody.get("/api/auth/me", Authorization=f"Bearer {done.data['access']}").status == 200
    assert (login(nobody, OLD), login(nobody, NEW)) == (401, 200)


def test_a_guest_becomes_an_account_and_keeps_everything(
    nobody: Caller, as_guest: Caller, guest: User, session: Session
) -> None:
    seat = Participant.objects.create(session=session, user=guest, name=guest.name)
    Message.objects.create(session=session, seq=1, user=guest, user_name=guest.name, text="I was here")
    hosted = as_guest.post("/api/sessions", {"name": "Mine"}).data["id"]

    done = as_guest.post("/api/auth/upgrade", {"email": EMAIL, "password": OLD})

    assert (done.data["user"]["id"], done.data["user"]["is_guest"]) == (str(guest.id), False)
    assert login(nobody, OLD) == 200
    seat.refresh_from_db()
    assert (seat.user_id, Message.objects.get().user_id) == (guest.id, guest.id)
    assert as_guest.get(f"/api/sessions/{hosted}").data["host_id"] == str(guest.id)
    assert as_guest.get("/api/auth/account").data == {"email": EMAIL, "has_password": True, "providers": []}
    assert as_guest.post("/api/auth/upgrade", {"email": "x@example.org", "password": OLD}).outcome == (403, "FORBIDDEN")


def test_a_guest_cannot_take_an_address_that_is_taken(as_guest: Caller, guest: User, ada: User) -> None:
    answer = as_guest.post("/api/auth/upgrade", {"email": EMAIL, "password": NEW})

    assert (answer.outcome, list(answer.error["details"])) == ((400, "VALIDATION_ERROR"), ["email"])
    guest.refresh_from_db()
    assert guest.is_guest


def test_with_verification_the_guest_is_an_account_once_the_mail_was_read(
    nobody: Caller, as_guest: Caller, guest: User, ada: User, verifies: None
) -> None:
    free, taken = (
        as_guest.post("/api/auth/upgrade", {"email": email, "password": OLD, "name": "Grete L."})
        for email in ("grete@example.org", EMAIL)
    )
    before = User.objects.get(pk=guest.pk).is_guest

    done = nobody.post("/api/auth/verify", {"token": mailed(0)})
    again = nobody.post("/api/auth/verify", {"token": mailed(0)})

    assert (free.status, free.data) == (taken.status, taken.data) == (202, {"verification_sent": True})
    assert "already" in mail.outbox[1].body
    assert before
    assert (done.data["user"]["id"], done.data["user"]["name"]) == (str(guest.id), "Grete L.")
    assert again.status == 400


def test_an_erased_guest_s_mail_is_worth_nothing(nobody: Caller, as_guest: Caller, verifies: None) -> None:
    as_guest.post("/api/auth/upgrade", {"email": EMAIL, "password": OLD})
    as_guest.delete("/api/auth/me")

    assert nobody.post("/api/auth/verify", {"token": mailed()}).status == 400


def test_sockets_of_the_old_password_are_closed(nobody: Caller, ada: User, session: Session) -> None:
    from sessions_app.models import ServerProcess

    process = ServerProcess.objects.create(name="p", started_at=timezone.now(), lease_until=timezone.now())
    seat = Participant.objects.create(session=session, user=ada, name="Ada")
    socket = Connection.objects.create(participant=seat, process=process)
    nobody.post("/api/auth/password/reset", {"email": EMAIL})

    nobody.post("/api/auth/password/set", {"token": mailed(), "password": NEW})

    socket.refresh_from_db()
    assert socket.close_code == 4001


@pytest.mark.parametrize(
    ("path", "body"),
    [("password/reset", {"email": "x"}), ("password/reset", {"email": "a\x00@b.org"}), ("password/set", {}),
     ("password/set", {"token": "\x00", "password": NEW})],
)  # fmt: skip
def test_what_is_wrong_is_a_400(nobody: Caller, path: str, body: Any) -> None:
    assert nobody.post(f"/api/auth/{path}", body).outcome == (400, "VALIDATION_ERROR")
