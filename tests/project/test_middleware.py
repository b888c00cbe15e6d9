"""Tests of seance_project.middleware: request ids and the request line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject
from structlog.testing import capture_logs

from seance_project.middleware import RequestMiddleware, known_user_id


@pytest.fixture
def lines() -> Iterator[list[Any]]:
    with capture_logs() as caught:
        yield caught


def respond(request: HttpRequest, status: int = 200) -> HttpResponseBase:
    middleware = RequestMiddleware(lambda _request: HttpResponse(status=status))
    return cast(HttpResponseBase, middleware(request))


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


def test_the_id_is_in_the_context_during_the_request_and_gone_after_it(lines: list[Any]) -> None:
    seen: list[Any] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append((structlog.contextvars.get_contextvars(), request.request_id))  # type: ignore[attr-defined]
        return HttpResponse()

    RequestMiddleware(view)(RequestFactory().get("/", headers={"X-Request-ID": "r1"}))

    assert seen == [({"request_id": "r1"}, "r1")]
    assert structlog.contextvars.get_contextvars() == {}


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


def test_an_async_neighbour_is_awaited(lines: list[Any]) -> None:
    async def view(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=204)

    middleware = RequestMiddleware(view)
    assert iscoroutinefunction(middleware)

    async def call() -> HttpResponseBase:
        return await cast(
            Awaitable[HttpResponseBase], middleware(RequestFactory().get("/", headers={"X-Request-ID": "r2"}))
        )

    response = asyncio.run(call())

    assert response["X-Request-ID"] == "r2"
    assert lines[0]["status"] == 204


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
