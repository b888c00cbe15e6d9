"""Tests of realtime/middleware: which pages may open a socket, and where a token may stand."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from realtime.middleware import SUBPROTOCOL, arrive, origin_allowed

pytestmark = pytest.mark.once


def scope(*headers: tuple[str, str], query: str = "", subprotocols: tuple[str, ...] = ()) -> dict[str, Any]:
    named = [(b"host", b"seance.test:8000"), *((key.encode(), value.encode("latin-1")) for key, value in headers)]
    return {"type": "websocket", "headers": named, "query_string": query.encode(), "subprotocols": list(subprotocols)}


@pytest.fixture(autouse=True)
def _one_origin(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://board.example"]
    settings.CORS_ALLOW_ALL_ORIGINS = False


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://board.example", True),
        ("http://seance.test:8000", True),
        ("https://seance.test:8000", True),
        ("null", False),
        ("", False),
        ("https://board.example.evil", False),
        ("https://board.example:444", False),
        ("http://board.example", False),
        ("https://evil.example", False),
        ("https://evil.example/https://board.example", False),
        ("http://seance.test", False),
        ("http://seance.test:8000@evil.example", False),
        ("http://evil@seance.test:8000", False),
        ("http://[", False),
        ("é", False),
        ("https://board.example, https://evil.example", False),
    ],
)
def test_an_origin_is_on_the_list_or_our_own(origin: str, allowed: bool) -> None:
    assert origin_allowed(scope(("origin", origin))) is allowed


def test_a_client_that_is_no_browser_has_no_origin() -> None:
    assert origin_allowed(scope())


def test_a_cookie_without_an_origin_is_not_let_in() -> None:
    assert not origin_allowed(scope(("cookie", "seance_access=t")))
    assert origin_allowed(scope(("cookie", "theme=dark")))
    assert origin_allowed(scope(("cookie", "seance_access=t"), ("origin", "https://board.example")))


def test_in_development_every_origin_may_be_let_in(settings: Settings) -> None:
    settings.CORS_ALLOW_ALL_ORIGINS = True

    assert origin_allowed(scope(("origin", "https://evil.example")))
    assert not origin_allowed(scope(("origin", "null")))


@pytest.mark.parametrize("value", ["Bearer t.o.k", "bearer t.o.k", "BEARER  t.o.k "])
def test_a_token_in_the_authorization_header(value: str) -> None:
    assert arrive(scope(("authorization", value))).token == "t.o.k"


@pytest.mark.parametrize("value", ["", "t.o.k", "Basic dDpvaw==", "Bearert.o.k"])
def test_any_other_authorization_is_no_token(value: str) -> None:
    assert arrive(scope(("authorization", value))).token is None


def test_a_token_among_the_subprotocols() -> None:
    arrival = arrive(scope(subprotocols=("seance.v1", "bearer.t.o.k")))

    assert (arrival.token, arrival.subprotocol) == ("t.o.k", SUBPROTOCOL)


def test_the_subprotocol_is_selected_where_it_was_offered() -> None:
    assert arrive(scope(subprotocols=("other", "seance.v1"))).subprotocol == SUBPROTOCOL
    assert arrive(scope(subprotocols=("other",))).subprotocol is None
    assert arrive(scope()).subprotocol is None


def test_a_token_in_the_cookie() -> None:
    arrival = arrive(scope(("cookie", 'theme=dark; seance_access="t.o.k"'), ("origin", "https://board.example")))

    assert arrival.token == "t.o.k"


@pytest.mark.parametrize("cookie", ["seance_access", "=;=", "\x00", "seance_access=", "a=b; ;;", "é=é"])
def test_a_broken_cookie_is_none(cookie: str) -> None:
    assert not arrive(scope(("cookie", cookie), ("origin", "https://board.example"))).token


def test_the_header_wins_over_the_subprotocol_and_that_over_the_cookie() -> None:
    cookie, origin = ("cookie", "seance_access=c"), ("origin", "https://board.example")
    header, offered = ("authorization", "Bearer h"), ("seance.v1", "bearer.s")

    assert arrive(scope(header, cookie, origin, subprotocols=offered)).token == "h"
    assert arrive(scope(cookie, origin, subprotocols=offered)).token == "s"
    assert arrive(scope(cookie, origin)).token == "c"


@pytest.mark.parametrize("query", ["token=x", "access_token=x", "a=b&token=x", "token=x&token=y", "a;b&access_token=é"])
def test_a_token_in_the_query_string_is_noticed_and_not_taken(query: str) -> None:
    arrival = arrive(scope(query=query))

    assert arrival.has_token_in_url
    assert arrival.token is None


@pytest.mark.parametrize("query", ["", "tokens=x", "a=token", "&&", "%", "%ff=1"])
def test_any_other_query_is_none_of_ours(query: str) -> None:
    assert not arrive(scope(query=query)).has_token_in_url


def test_an_empty_token_in_the_query_string_is_one_too() -> None:
    assert arrive(scope(query="token=")).has_token_in_url
    assert arrive(scope(query="access_token")).has_token_in_url
