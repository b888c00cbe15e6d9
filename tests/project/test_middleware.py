"""Tests of seance_project.middleware: request ids and the request line."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from corsheaders.middleware import CorsMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, RequestFactory, override_settings
from django.utils.functional import SimpleLazyObject
from structlog.testing import capture_logs

from seance_project.middleware import OriginMiddleware, RequestMiddleware, known_user_id


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as caught:
        yield caught


def respond(request: HttpRequest, status: int = 200) -> HttpResponseBase:
    middleware = RequestMiddleware(lambda _request: HttpResponse(status=status))
    return middleware(request)


@pytest.mark.parametrize("given", ["abc", "A.b_c-9", "x" * 64])
def test_a_well_formed_request_id_is_echoed(given: str, lines: list[Any]) -> None:
    response = respond(RequestFactory().get("/", headers={"X-Request-ID": given}))

    assert response["X-Request-ID"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "a\nb", "é", "a/b", "<script>", "a\n"])
def test_any_other_request_id_is_replaced(given: str | None, lines: list[Any]) -> None:
    request = RequestFactory().get("/", **({"HTTP_X_REQUEST_ID": given} if given is not None else {}))  # type: ignore[arg-type]

    first, second = respond(request)["X-Request-ID"], respond(request)["X-Request-ID"]

    assert first != second
    assert len(first) == 32
    assert first.isalnum()


def test_one_line_tells_of_the_request_without_its_query(lines: list[Any]) -> None:
    respond(RequestFactory().post("/api/sessions?token=hunter2"), status=201)

    (line,) = lines
    assert line["event"] == "request"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/api/sessions", 201)
    assert line["log_level"] == "info"
    assert line["duration_ms"] >= 0
    assert "hunter2" not in str(line)


def test_a_server_error_is_an_error_line(lines: list[Any]) -> None:
    respond(RequestFactory().get("/"), status=500)

    assert lines[0]["log_level"] == "error"


def test_a_known_user_is_named_and_an_unknown_one_is_not_looked_up() -> None:
    def lookup() -> Any:
        raise AssertionError("a query for a log line")

    request = RequestFactory().get("/")
    assert known_user_id(request) is None
    request.user = cast(Any, SimpleLazyObject(lookup))
    assert known_user_id(request) is None
    request._cached_user = SimpleNamespace(pk=7)  # type: ignore[attr-defined]
    assert known_user_id(request) == "7"
    request.user = cast(Any, SimpleNamespace(pk="u1"))
    assert known_user_id(request) == "u1"


ASKED: list[dict[str, str]] = [
    {},
    {"Origin": "https://front.example"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": ""},
]


@pytest.mark.parametrize("headers", ASKED, ids=["no page", "ours", "another", "empty"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
@override_settings(CORS_ALLOWED_ORIGINS=["https://front.example"])
def test_the_answer_to_an_origin_is_that_of_django_cors_headers(method: str, headers: dict[str, str]) -> None:
    def answer(kind: type[CorsMiddleware]) -> dict[str, str]:
        asked = {**headers, "Access-Control-Request-Method": "POST"} if method == "OPTIONS" else headers
        request = RequestFactory().generic(method, "/api/sessions", headers=asked)
        told = cast(HttpResponse, kind(lambda _request: HttpResponse())(request))
        return dict(told.items())

    ours = answer(OriginMiddleware)

    assert ours == answer(CorsMiddleware)
    assert ours["Vary"] == "origin"


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "has_session"), [("/admin/login/", True), ("/api/sessions", False), ("/docs", False)])
def test_only_the_admin_has_a_session_of_django_s(client: Client, path: str, has_session: bool) -> None:
    request = cast(Any, client.get(path)).wsgi_request

    assert [hasattr(request, name) for name in ("session", "_messages")] == [has_session] * 2
