"""Tests of the REST door: the envelope, its headers, and every error that has nothing to do with a session."""

import json
from datetime import datetime
from typing import Any
from unittest.mock import patch

import pytest
from django.db import InterfaceError, OperationalError
from django.test import Client, override_settings
from rest_framework.exceptions import ParseError, Throttled, ValidationError

from sessions_app.api import base, errors
from sessions_app.errors import Code, SeanceError
from sessions_app.models import User
from tests.api.conftest import Caller

PATHS = ["/api/sessions", "/api/spirits", "/api/spirits/the-spirit", "/api/board/layouts/classic-en@1"]


@pytest.mark.parametrize("path", [*PATHS, "/health", "/health/live", "/health/ready", "/docs", "/openapi.json"])
def test_both_slash_forms_answer_without_a_redirect(nobody: Caller, path: str) -> None:
    bare, slashed = nobody.get(path), nobody.get(f"{path}/")

    assert (bare.status, slashed.status) == (200, 200)


@pytest.mark.parametrize("tail", ["", "/history", "/participants", "/transcript"])
def test_both_slash_forms_of_a_session_answer(nobody: Caller, path: str, tail: str) -> None:
    assert [nobody.get(path + tail + slash).status for slash in ("", "/")] == [200, 200]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_post_survives_both_slash_forms(nobody: Caller, slash: str) -> None:
    assert nobody.post(f"/api/sessions{slash}", {"name": "Friday"}).status == 201


def test_a_success_has_data_and_a_time_in_utc(nobody: Caller) -> None:
    answer = nobody.get("/api/spirits")

    assert list(answer.body) == ["success", "data", "meta"]
    assert datetime.fromisoformat(answer.meta["timestamp"]).utcoffset().total_seconds() == 0  # type: ignore[union-attr]
    assert answer.response["Content-Type"] == "application/json"
    assert answer.response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nothing", "/api/sessions/x/y/z", "/nothing", "/health/x", "/api//"]
)
@pytest.mark.parametrize("debug", [False, True])
def test_an_unknown_path_is_a_json_404(nobody: Caller, path: str, debug: bool) -> None:
    if debug and not path.startswith("/api"):
        pytest.skip("outside /api, DEBUG shows Django's own page")
    with override_settings(DEBUG=debug):
        answer = nobody.get(path)

    assert answer.outcome == (404, "NOT_FOUND")
    assert set(answer.error) == {"code", "message", "details"}
    assert answer.response["X-Request-ID"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/api/sessions"), ("DELETE", "/api/spirits"), ("POST", "/health"), ("PUT", "/docs"), ("POST", "/"),
     ("TRACE", "/api/auth/me"), ("POST", "/health/live"), ("GET", "/api/auth/token"), ("FOO", "/api/sessions")],
)  # fmt: skip
def test_a_wrong_method_is_a_405_that_says_what_is_right(nobody: Caller, method: str, path: str) -> None:
    answer = nobody(method, path)

    assert answer.outcome == (405, "METHOD_NOT_ALLOWED")
    assert answer.response["Allow"]


@pytest.mark.parametrize("path", ["/api/sessions", "/docs"])
def test_a_name_that_the_server_does_not_go_by_is_said_to_be_one(db: None, path: str) -> None:
    answer = Client(raise_request_exception=False).get(path, headers={"host": "192.0.2.7"})

    assert answer.status_code == 400
    assert "ALLOWED_HOSTS" in answer.json()["error"]["details"]["host"][0]


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "*/*;q=0", "text/plain, image/png"])
def test_an_accept_that_excludes_json_is_a_406_in_json(nobody: Caller, accept: str) -> None:
    answer = nobody.get("/api/sessions", Accept=accept)

    assert answer.outcome == (406, "NOT_ACCEPTABLE")
    assert answer.response["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "accept", ["*/*", "application/*", "application/json", "text/html, */*;q=0.8", "Application/JSON; charset=utf-8"]
)
def test_an_accept_that_includes_json_is_answered(nobody: Caller, accept: str) -> None:
    assert nobody.get("/api/sessions", Accept=accept).status == 200


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
def test_a_body_that_is_not_json_is_a_415(nobody: Caller, kind: str) -> None:
    response = nobody.client.generic("POST", "/api/sessions", b"name=Friday", content_type=kind)

    assert (response.status_code, response.json()["error"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "raw",
    [b"{", b"nonsense", b'{"name": NaN}', b'{"name": "\xff"}', b'{"name": "\\ud800 lonely"}',
     b'{"name": "\xed\xa0\x80"}', b"[" * 100_000, b'{"name": 1e999}', b"\xef\xbb\xbf{}", b"{} {}"],
)  # fmt: skip
def test_malformed_json_is_a_validation_error(nobody: Caller, raw: bytes) -> None:
    answer = nobody.post("/api/sessions", raw)

    assert answer.outcome == (400, "VALIDATION_ERROR")
    assert list(answer.error["details"]) == ["non_field_errors"]


@pytest.mark.parametrize("body", [[], "text", 1, None, [{"name": "Friday"}]])
def test_a_body_that_is_no_object_is_a_validation_error(nobody: Caller, body: Any) -> None:
    answer = nobody.post("/api/sessions", json.dumps(body).encode())

    assert answer.outcome == (400, "VALIDATION_ERROR")


def test_an_empty_body_lacks_its_fields(nobody: Caller) -> None:
    answer = nobody.post("/api/sessions")

    assert answer.error["details"] == {"name": ["This field is required."]}


def test_a_huge_body_is_a_validation_error(nobody: Caller) -> None:
    answer = nobody.post("/api/sessions", b'{"name": "' + b"x" * (1 << 20) + b'"}')

    assert answer.outcome == (400, "VALIDATION_ERROR")


def test_a_foreign_host_name_is_a_400_in_the_envelope(nobody: Caller) -> None:
    answer = nobody.get("/api/sessions", Host="evil.example")

    assert answer.outcome == (400, "VALIDATION_ERROR")
    assert "evil" not in answer.response.content.decode()


def test_a_crash_tells_nothing_of_itself(nobody: Caller, caplog: pytest.LogCaptureFixture) -> None:
    with patch("sessions_app.api.spirits.cards", side_effect=RuntimeError("the inner secret")):
        answer = nobody.get("/api/spirits")

    assert answer.outcome == (500, "INTERNAL_ERROR")
    assert "secret" not in answer.response.content.decode()
    assert "RuntimeError" in caplog.text


def test_a_crash_outside_the_views_is_in_the_envelope_too(nobody: Caller) -> None:
    with patch("sessions_app.api.health.health.look", side_effect=RuntimeError("the inner secret")):
        answer = nobody.get("/health")

    assert answer.outcome == (500, "INTERNAL_ERROR")


@pytest.mark.parametrize("error", [OperationalError("no route"), InterfaceError("closed")])
def test_a_database_that_is_away_is_a_503(nobody: Caller, error: Exception) -> None:
    with patch("sessions_app.api.sessions.listed_sessions", side_effect=error):
        answer = nobody.get("/api/sessions")

    assert answer.outcome == (503, "UNAVAILABLE")
    assert answer.response["Retry-After"] == "1"
    assert answer.error["details"] == {"retry_after_ms": 1000}
    assert "route" not in answer.response.content.decode()


def test_a_throttled_request_says_when_to_come_back(nobody: Caller) -> None:
    refused = SeanceError(Code.RATE_LIMITED, retry_after_ms=2300)
    with patch.object(base.Door, "check_throttles", side_effect=refused):
        answer = nobody.get("/api/sessions")

    assert answer.outcome == (429, "RATE_LIMITED")
    assert answer.response["Retry-After"] == "3"
    assert answer.error["details"] == {"retry_after_ms": 2300}


@pytest.mark.parametrize("code", list(Code))
def test_every_code_of_the_kitchen_becomes_a_code_of_this_door(code: Code) -> None:
    found = errors.translate(SeanceError(code))

    assert found.status >= 400
    if code in (Code.EMPTY_MESSAGE, Code.MESSAGE_TOO_LONG):
        assert (found.code, list(found.details)) == (Code.VALIDATION_ERROR, ["text"])


def test_what_drf_itself_raises_is_translated() -> None:
    throttled, forever = errors.translate(Throttled(wait=1.5)), errors.translate(Throttled())
    fields = errors.translate(ValidationError({"name": ["bad", "worse"], "deep": {"er": ["x"]}}))
    flat = errors.translate(ValidationError("bad"))

    assert (throttled.retry_after_ms, forever.retry_after_ms) == (2000, 1000)  # DRF rounds up
    assert fields.details == {"name": ["bad", "worse"], "deep": ['{"er": ["x"]}']}
    assert flat.details == {"non_field_errors": ["bad"]}
    assert errors.translate(ParseError()).code == Code.VALIDATION_ERROR


def test_a_missing_csrf_token_is_a_403_in_the_envelope() -> None:
    from sessions_app.api.refusals import csrf_failure, forbidden

    assert json.loads(csrf_failure(None).content)["error"]["code"] == "FORBIDDEN"  # type: ignore[arg-type]
    assert forbidden(None).status_code == 403  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path", ["/health", "/health/live", "/health/ready", "/docs", "/openapi.json", "/api/sessions/"]
)
def test_no_door_asks_for_a_csrf_token(path: str) -> None:
    caller = Caller()
    caller.client = Client(enforce_csrf_checks=True)

    assert caller("PUT", path).outcome == (405, "METHOD_NOT_ALLOWED")


def test_head_is_get_without_a_body(nobody: Caller, path: str) -> None:
    for place in ("/api/sessions", path, f"{path}/history", f"{path}/transcript", "/health", "/docs"):
        answer = nobody("HEAD", place)
        assert (answer.status, answer.response.getvalue()) == (200, b"")


def test_options_says_what_can_be_done(nobody: Caller, path: str) -> None:
    answer = nobody("OPTIONS", path)

    assert answer.data == {"methods": ["GET", "PATCH", "DELETE", "HEAD", "OPTIONS"]}
    assert answer.response["Allow"] == "GET, PATCH, DELETE, HEAD, OPTIONS"


@override_settings(CORS_ALLOWED_ORIGINS=["https://front.example"])
def test_a_preflight_from_a_listed_origin_is_allowed(nobody: Caller) -> None:
    asked = {"Origin": "https://front.example", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "authorization,idempotency-key,content-type"}  # fmt: skip
    answer = nobody("OPTIONS", "/api/sessions", **asked)

    assert answer.status == 200
    assert answer.response["Access-Control-Allow-Origin"] == "https://front.example"
    assert "idempotency-key" in answer.response["Access-Control-Allow-Headers"]


def test_a_request_id_is_echoed(nobody: Caller) -> None:
    assert nobody.get("/api/sessions", X_Request_ID="my-id.1").response["X-Request-ID"] == "my-id.1"


def test_the_log_line_may_know_who_called(as_guest: Caller, guest: User) -> None:
    answer = as_guest.get("/api/sessions")

    assert answer.response.wsgi_request.authenticated_user == guest
