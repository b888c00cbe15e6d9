"""Tests of the REST door: tokens in cookies, and what a page of another origin can do with them: nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from sessions_app.models import RefreshToken, Session, User

ADA = {"email": "ada@example.org", "password": "correct horse 7", "name": "Ada"}
FRONT_END = "https://board.example"


class Page:
    """A browser's page: keeps cookies, and sends the CSRF token where it has one."""

    def __init__(self) -> None:
        self.client = Client(raise_request_exception=False, enforce_csrf_checks=True)

    def __call__(self, method: str, path: str, body: Any = None, *, csrf: bool = True, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if csrf and "csrftoken" in self.client.cookies:
            named["X-CSRFToken"] = self.client.cookies["csrftoken"].value
        data: dict[str, Any] = (
            {"data": json.dumps(body), "content_type": "application/json"} if body is not None else {}
        )
        return self.client.generic(method, path, headers=named, **data)


@pytest.fixture
def page() -> Page:
    found = Page()
    assert found("POST", "/api/auth/register?transport=cookie", ADA).status_code == 201
    return found


def outcome(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"] if answer.status_code >= 400 else ""


def test_cookies_are_set_in_place_of_telling_the_tokens() -> None:
    answer = Page()("POST", "/api/auth/guest?transport=cookie", {"name": "Grete"})

    assert set(answer.json()["data"]) == {"user", "csrf_token"}
    access, refresh = answer.cookies["seance_access"], answer.cookies["seance_refresh"]
    assert (access["httponly"], access["samesite"], access["path"], access["max-age"]) == (True, "Lax", "/", 1800)
    assert (refresh["httponly"], refresh["samesite"], refresh["path"]) == (True, "Strict", "/api/auth")
    assert refresh["max-age"] == 14 * 86400
    assert access.value not in answer.content.decode()


def test_cookies_are_secure_in_production(settings: Settings) -> None:
    settings.SESSION_COOKIE_SECURE = True

    answer = Page()("POST", "/api/auth/guest?transport=cookie", {"name": "Grete"})

    assert all(answer.cookies[name]["secure"] for name in ("seance_access", "seance_refresh"))


@pytest.mark.parametrize("path", ["guest", "register", "token"])
@pytest.mark.parametrize("transport", ["", "header", "Cookie"])
def test_another_transport_is_none_and_leaves_nothing_behind(path: str, transport: str) -> None:
    assert outcome(Page()("POST", f"/api/auth/{path}?transport={transport}", ADA)) == (400, "VALIDATION_ERROR")
    assert User.objects.count() == 0


def test_the_cookie_says_who_calls_and_a_header_wins(page: Page) -> None:
    other = Client().post("/api/auth/guest", {"name": "Grete"}, content_type="application/json").json()["data"]

    assert page("GET", "/api/auth/me").json()["data"]["name"] == "Ada"
    assert page("GET", "/api/auth/me", Authorization=f"Bearer {other['access']}").json()["data"]["name"] == "Grete"


UNSAFE = [
    ("POST", "/api/sessions", {"name": "Friday"}), ("PATCH", "/api/auth/me", {"name": "Eve"}),
    ("DELETE", "/api/auth/me", None), ("POST", "/api/auth/token/refresh?transport=cookie", {}),
    ("POST", "/api/auth/token/revoke?transport=cookie", {}),
    ("POST", "/api/auth/password?transport=cookie", {"current_password": ADA["password"], "password": "another 77 x"}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), UNSAFE)
@pytest.mark.parametrize("token", ["", "wrong", "x" * 64])
def test_no_unsafe_method_works_without_the_csrf_token(
    page: Page, method: str, path: str, body: Any, token: str
) -> None:
    headers = {"X_CSRFToken": token} if token else {}

    assert outcome(page(method, path, body, csrf=False, **headers)) == (403, "FORBIDDEN")
    assert User.objects.get().name == "Ada"
    assert Session.objects.count() == 0
    assert page("GET", "/api/auth/me").status_code == 200


@pytest.mark.parametrize(("method", "path", "body"), UNSAFE)
def test_with_the_csrf_token_it_works(page: Page, method: str, path: str, body: Any) -> None:
    assert page(method, path, body).status_code in (200, 201)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver.evil.example", "http://["])
def test_a_page_of_a_foreign_origin_can_do_nothing_even_with_the_token(page: Page, origin: str) -> None:
    assert outcome(page("POST", "/api/sessions", {"name": "x"}, Origin=origin)) == (403, "FORBIDDEN")
    assert outcome(page("POST", "/api/auth/token?transport=cookie", ADA, Origin=origin)) == (403, "FORBIDDEN")
    assert outcome(page("POST", "/api/auth/token/refresh?transport=cookie", {}, Origin=origin)) == (403, "FORBIDDEN")


def test_a_page_of_an_allowed_origin_can(page: Page, settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = settings.CSRF_TRUSTED_ORIGINS = [FRONT_END]

    answer = page("POST", "/api/sessions", {"name": "x"}, Origin=FRONT_END)

    assert answer.status_code == 201
    assert answer["Access-Control-Allow-Origin"] == FRONT_END
    assert answer["Access-Control-Allow-Credentials"] == "true"


def test_any_origin_is_none_where_a_cookie_says_who_calls(page: Page, settings: Settings) -> None:
    settings.CORS_ALLOW_ALL_ORIGINS = True

    assert outcome(page("POST", "/api/sessions", {"name": "x"}, Origin="https://evil.example")) == (403, "FORBIDDEN")


def test_a_token_of_the_header_needs_no_csrf_token(page: Page) -> None:
    access = page.client.cookies["seance_access"].value

    answer = page("POST", "/api/sessions", {"name": "x"}, csrf=False, Authorization=f"Bearer {access}")

    assert answer.status_code == 201


def test_refreshing_by_cookie_turns_both_over(page: Page) -> None:
    before = {name: page.client.cookies[name].value for name in ("seance_access", "seance_refresh")}

    answer = page("POST", "/api/auth/token/refresh?transport=cookie", {})

    assert answer.status_code == 200
    assert all(page.client.cookies[name].value != value for name, value in before.items())
    assert page("GET", "/api/auth/me").status_code == 200


def test_logging_out_takes_the_cookies_away_and_ends_them(page: Page) -> None:
    access = page.client.cookies["seance_access"].value

    answer = page("POST", "/api/auth/token/revoke?transport=cookie", {})

    assert {answer.cookies[name].value for name in ("seance_access", "seance_refresh")} == {""}
    assert RefreshToken.objects.filter(revoked_at=None).count() == 0
    page.client.cookies["seance_access"] = access
    assert page("GET", "/api/auth/me").status_code == 401


def test_without_the_cookie_there_is_nothing_to_refresh() -> None:
    assert outcome(Page()("POST", "/api/auth/token/refresh?transport=cookie", {})) == (401, "UNAUTHORIZED")


def test_an_old_cookie_is_not_in_the_way_of_a_new_one(page: Page) -> None:
    page.client.cookies["seance_access"] = "x.y.z"

    assert outcome(page("GET", "/api/sessions")) == (401, "UNAUTHORIZED")
    assert page("POST", "/api/auth/token?transport=cookie", ADA).status_code == 200
    assert page("GET", "/api/sessions").status_code == 200


def test_a_refresh_token_in_the_access_cookie_is_none(page: Page) -> None:
    page.client.cookies["seance_access"] = page.client.cookies["seance_refresh"].value

    assert outcome(page("GET", "/api/auth/me")) == (401, "UNAUTHORIZED")
