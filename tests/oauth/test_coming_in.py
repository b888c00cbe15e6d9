"""Tests of coming in by OAuth: the way there and back, and what one has then."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from sessions_app.models import Identity, OAuthAttempt, User
from tests.oauth.conftest import FRONT_END, Browser, code_of
from tests.oauth.provider import LoopbackProvider


def me(browser: Browser, access: str) -> Any:
    return browser.client.get("/api/auth/me", headers={"Authorization": f"Bearer {access}"})


def test_who_is_new_gets_an_account_with_what_the_provider_vouches_for(
    provider: LoopbackProvider, browser: Browser
) -> None:
    answer = browser.come_in()

    data, user = answer.json()["data"], User.objects.get()
    assert (answer.status_code, set(data)) == (200, {"user", "access", "refresh"})
    assert (user.email, user.name, user.is_guest, user.has_usable_password()) == (
        "ada@example.org", "Ada Lovelace", False, False,
    )  # fmt: skip
    assert me(browser, data["access"]).json()["data"]["id"] == str(user.id)
    assert Identity.objects.get().subject == "ada-1"
    assert OAuthAttempt.objects.count() == 0


def test_who_was_here_comes_in_again_whatever_the_address_is_by_now(
    provider: LoopbackProvider, browser: Browser
) -> None:
    first = browser.come_in().json()["data"]["user"]
    provider.person |= {"email": "other@example.org", "name": "Somebody"}

    again = Browser().come_in().json()["data"]["user"]

    assert again == first
    assert User.objects.count() == 1


def test_the_way_there_has_state_nonce_and_a_challenge_and_no_secret(
    provider: LoopbackProvider, browser: Browser
) -> None:
    begun = browser.begin()

    query = dict(parse_qsl(urlsplit(begun["Location"]).query))
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == "http://testserver/api/auth/oauth/house/callback"
    assert query["scope"] == "openid email profile"
    assert min(len(query[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    cookie = begun.cookies["seance_oauth"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/api/auth/oauth")
    row = OAuthAttempt.objects.get()
    assert query["state"].encode() not in bytes(row.digest)
    assert begun["Cache-Control"] == "no-store"


def test_a_page_gets_cookies_and_is_gone_back_to(provider: LoopbackProvider, browser: Browser) -> None:
    answer = browser.come_in(next=f"{FRONT_END}/welcome?to=you", transport="cookie")

    assert (answer.status_code, answer["Location"]) == (302, f"{FRONT_END}/welcome?to=you")
    assert {"seance_access", "seance_refresh", "csrftoken"} <= set(answer.cookies)
    assert browser.client.get("/api/auth/me").json()["data"]["name"] == "Ada Lovelace"


def test_a_script_gets_a_code_for_the_tokens_once(provider: LoopbackProvider, browser: Browser) -> None:
    answer = browser.come_in(next=f"{FRONT_END}/welcome#old")
    page, _, fragment = answer["Location"].partition("#")
    body = {"code": dict(parse_qsl(fragment))["code"]}

    first, again = (
        browser.client.post("/api/auth/oauth/house/token", body, content_type="application/json") for _ in range(2)
    )

    assert (page, answer.status_code) == (f"{FRONT_END}/welcome", 302)
    assert first.json()["data"]["user"]["name"] == "Ada Lovelace"
    assert code_of(again) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "page",
    ["https://evil.example/", "//evil.example/x", "javascript:alert(1)", "https://board.example@evil.example/",
     "https://board.example.evil.example/", "/\\evil.example", "http:///x", "data:text/html,x", "welcome", "https://[",
     "/x\nSet-Cookie: a=b", "https://board.example:8443/"],
)  # fmt: skip
def test_nobody_is_sent_to_a_page_that_is_not_allowed(provider: LoopbackProvider, browser: Browser, page: str) -> None:
    assert code_of(browser.begin(next=page)) == (400, "VALIDATION_ERROR")
    assert code_of(browser.prepare(next=page)) == (400, "VALIDATION_ERROR")


def test_a_path_here_is_allowed(provider: LoopbackProvider, browser: Browser) -> None:
    assert browser.come_in(next="/docs", transport="cookie")["Location"] == "/docs"


def test_claims_may_come_from_userinfo_but_only_of_the_same_person(
    provider: LoopbackProvider, browser: Browser
) -> None:
    provider.in_userinfo = dict(provider.person)
    assert browser.come_in().status_code == 200
    provider.in_userinfo = {**provider.person, "sub": "eve-1"}

    assert code_of(Browser().come_in()) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(("name", "stored"), [
    ("github", "583231"), ("discord", "80351110224678912"),
])  # fmt: skip
def test_other_kinds_of_providers_are_understood(
    provider: LoopbackProvider, browser: Browser, name: str, stored: str
) -> None:
    answer = browser.come_in(name)

    assert answer.status_code == 200, answer.content
    assert (Identity.objects.get().provider, Identity.objects.get().subject) == (name, stored)
    assert User.objects.get().email == "ada@example.org"


@pytest.mark.parametrize("name", ["house", "github", "discord"])
def test_an_address_that_is_not_verified_makes_no_account(
    provider: LoopbackProvider, browser: Browser, name: str
) -> None:
    provider.person["email_verified"] = False

    assert code_of(browser.come_in(name)) == (403, "FORBIDDEN")
    assert User.objects.count() == 0


def test_somebody_banned_does_not_come_in(provider: LoopbackProvider, browser: Browser) -> None:
    browser.come_in()
    User.objects.update(is_active=False)

    assert code_of(Browser().come_in()) == (401, "UNAUTHORIZED")


def test_the_providers_are_listed_without_their_secrets(provider: LoopbackProvider, browser: Browser) -> None:
    answer = browser.client.get("/api/auth/oauth")

    assert [one["name"] for one in answer.json()["data"]] == ["house", "github", "discord"]
    assert answer.json()["data"][1] == {"name": "github", "title": "GitHub", "url": "/api/auth/oauth/github"}
    assert b"secret" not in answer.content


def test_a_provider_that_is_none_is_nothing(provider: LoopbackProvider, browser: Browser) -> None:
    assert code_of(browser.begin("nobody")) == (404, "NOT_FOUND")
    assert code_of(browser.prepare("nobody")) == (404, "NOT_FOUND")
    assert code_of(browser.client.get("/api/auth/oauth/nobody/callback")) == (404, "NOT_FOUND")


def test_who_says_no_at_the_provider_is_told_so(provider: LoopbackProvider, browser: Browser) -> None:
    plain, page = browser.begin(), Browser()
    with_page = page.begin(next=f"{FRONT_END}/welcome")
    states = [dict(parse_qsl(urlsplit(one["Location"]).query))["state"] for one in (plain, with_page)]
    path = "/api/auth/oauth/house/callback"

    told = browser.client.get(path, {"state": states[0], "error": "access_denied"})
    sent = page.client.get(path, {"state": states[1], "error": "<script>"})

    assert code_of(told) == (403, "FORBIDDEN")
    assert "access_denied" in told.json()["error"]["message"]
    assert sent["Location"] == f"{FRONT_END}/welcome#error=FORBIDDEN"


@pytest.mark.parametrize("fault", ["/.well-known/openid-configuration", "/token", "/jwks"])
def test_a_provider_that_is_away_is_a_503_or_a_401_and_never_a_500(
    provider: LoopbackProvider, browser: Browser, fault: str
) -> None:
    if fault != "/.well-known/openid-configuration":
        url = browser.approve(browser.begin()["Location"])
        provider.fails[fault] = 500
        answer = browser.come_back(url)
    else:
        provider.fails[fault] = 500
        answer = browser.begin()

    assert code_of(answer) == (503, "UNAVAILABLE")
    assert int(answer["Retry-After"]) > 0
