"""Tests of coming in by OAuth: what must not be believed. Each forgery is one that a lax client would take."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from django.utils import timezone
from joserfc.jwk import RSAKey
from pytest_django import Settings

from sessions_app.models import OAuthAttempt, User
from tests.oauth.conftest import FRONT_END, Browser, code_of
from tests.oauth.provider import CLIENT_ID, LoopbackProvider, sign, signed_with_public_key, unsigned

FOREIGN = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
Claims = dict[str, Any]


def changed(**values: Any) -> Callable[[Claims, Claims], None]:
    """Other claims, signed with the right key; None leaves one out."""

    def forge(claims: Claims, header: Claims) -> None:
        for name, value in values.items():
            if value is None:
                claims.pop(name, None)
            else:
                claims[name] = value() if callable(value) else value

    return forge


FORGERIES: dict[str, Callable[[Claims, Claims], str | None]] = {
    "alg none": lambda claims, header: unsigned(claims),
    "a foreign key of the same name": lambda claims, header: sign(claims, header, FOREIGN),
    "a key of another name": lambda claims, header: sign(claims, {**header, "kid": "two"}, FOREIGN),
    "no signature": lambda claims, header: sign(claims, header, FOREIGN).rpartition(".")[0] + ".",
    "a foreign issuer": changed(iss="https://evil.example"),
    "no issuer": changed(iss=None),
    "another client": changed(aud="another-client"),
    "another client among several": changed(aud=[CLIENT_ID, "another"], azp="another"),
    "no audience": changed(aud=None),
    "another nonce": changed(nonce="another"),
    "no nonce": changed(nonce=None),
    "expired": changed(exp=lambda: int(time.time()) - 3600, iat=lambda: int(time.time()) - 7200),
    "no expiry": changed(exp=None),
    "not yet": changed(nbf=lambda: int(time.time()) + 3600),
    "no subject": changed(sub=None),
    "an empty subject": changed(sub=""),
    "a subject that is no text": changed(sub={"a": 1}),
    "a subject too long": changed(sub="x" * 256),
    "another access token": changed(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "no token at all": lambda claims, header: "x",
    "three dots": lambda claims, header: "...",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_id_token_lets_nobody_in(provider: LoopbackProvider, browser: Browser, forgery: str) -> None:
    provider.forge = FORGERIES[forgery]

    answer = browser.come_in()

    assert code_of(answer) == (401, "UNAUTHORIZED")
    assert User.objects.count() == 0
    assert "Traceback" not in answer.content.decode()


def test_the_public_key_is_no_secret(provider: LoopbackProvider, browser: Browser) -> None:
    provider.forge = lambda claims, header: signed_with_public_key(claims, provider.key)

    assert code_of(browser.come_in()) == (401, "UNAUTHORIZED")


def test_a_provider_may_change_its_key(provider: LoopbackProvider, browser: Browser, monkeypatch: Any) -> None:
    browser.come_in()
    new = RSAKey.generate_key(2048, {"kid": "new", "use": "sig", "alg": "RS256"})
    provider.forge = lambda claims, header: sign(claims, {**header, "kid": "new"}, new)
    provider.published = [new]
    monkeypatch.setattr("sessions_app.oauth.client.AGAIN_SECONDS", 0.0)

    assert Browser().come_in().status_code == 200


def test_a_forger_does_not_make_us_ask_for_keys_again_and_again(provider: LoopbackProvider, db: None) -> None:
    provider.forge = FORGERIES["a key of another name"]

    for _ in range(4):
        Browser().come_in()

    assert provider.asked.count("/jwks") == 1


def test_a_provider_that_calls_itself_otherwise_is_not_it(provider: LoopbackProvider, browser: Browser) -> None:
    provider.says_issuer = "https://evil.example"

    assert code_of(browser.begin()) == (503, "UNAVAILABLE")


def test_an_answer_of_another_issuer_is_refused(provider: LoopbackProvider, browser: Browser) -> None:
    url = browser.approve(browser.begin()["Location"])

    assert code_of(browser.come_back(url, iss="https://evil.example")) == (401, "UNAUTHORIZED")


# --- State, browser, code ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [None, "", "unknown", "\x00", "x" * 5000])
def test_an_answer_to_nothing_is_refused(provider: LoopbackProvider, browser: Browser, state: str | None) -> None:
    url = browser.approve(browser.begin()["Location"])

    assert code_of(browser.come_back(url, state=state)) == (403, "FORBIDDEN")
    assert User.objects.count() == 0


def test_another_browser_cannot_end_what_this_one_began(provider: LoopbackProvider, browser: Browser) -> None:
    """Else a page could make its visitor come in as somebody else, or tie a stranger's provider to the visitor."""
    url = browser.approve(browser.begin()["Location"])
    victim, with_own = Browser(), Browser()
    with_own.begin()

    assert code_of(victim.come_back(url)) == (403, "FORBIDDEN")
    assert code_of(with_own.come_back(url)) == (403, "FORBIDDEN")
    assert code_of(browser.come_back(url)) == (403, "FORBIDDEN")  # it is used up
    assert User.objects.count() == 0


def test_an_answer_works_once(provider: LoopbackProvider, browser: Browser) -> None:
    url = browser.approve(browser.begin()["Location"])

    first, again = browser.come_back(url), browser.come_back(url)

    assert first.status_code == 200
    assert code_of(again) == (403, "FORBIDDEN")


def test_an_answer_that_comes_too_late_is_refused(provider: LoopbackProvider, browser: Browser) -> None:
    url = browser.approve(browser.begin()["Location"])
    OAuthAttempt.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert code_of(browser.come_back(url)) == (403, "FORBIDDEN")


def test_an_answer_of_one_provider_is_none_of_another(provider: LoopbackProvider, browser: Browser) -> None:
    url = browser.approve(browser.begin("github")["Location"])

    answer = browser.come_back(url.replace("/github/", "/house/"))

    assert code_of(answer) == (403, "FORBIDDEN")


def test_a_code_of_another_attempt_fails_for_its_verifier(provider: LoopbackProvider, browser: Browser) -> None:
    """PKCE: a code that was stolen on its way is worth nothing in the thief's own attempt."""
    stolen = dict(parse_qsl(urlsplit(browser.approve(browser.begin()["Location"])).query))["code"]
    thief = Browser()
    own = thief.approve(thief.begin()["Location"])

    assert code_of(thief.come_back(own, code=stolen)) == (401, "UNAUTHORIZED")
    assert User.objects.count() == 0


@pytest.mark.parametrize("code", ["", "unknown", "\x00", "x" * 5000])
def test_a_code_that_is_none_is_refused(provider: LoopbackProvider, browser: Browser, code: str) -> None:
    url = browser.approve(browser.begin()["Location"])

    assert browser.come_back(url, code=code).status_code in (400, 401)


def test_a_wrong_client_secret_is_an_answer_not_to_be_believed(
    provider: LoopbackProvider, browser: Browser, settings: Settings
) -> None:
    wrong = json.loads(provider.settings())
    wrong[0]["client_secret"] = "another"
    settings.SEANCE = msgspec.structs.replace(settings.SEANCE, oauth_providers=json.dumps(wrong))

    assert code_of(browser.come_in()) == (401, "UNAUTHORIZED")


def test_a_refusal_after_a_page_was_named_goes_to_the_page(provider: LoopbackProvider, browser: Browser) -> None:
    provider.forge = FORGERIES["alg none"]

    answer = browser.come_in(next=f"{FRONT_END}/welcome", transport="cookie")

    assert answer["Location"] == f"{FRONT_END}/welcome#error=UNAUTHORIZED"
    assert "seance_access" not in answer.cookies
