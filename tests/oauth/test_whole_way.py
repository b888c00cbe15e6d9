"""Tests of coming in by OAuth: the whole way, by a browser's HTTP over a real server."""

from __future__ import annotations

import httpx

from tests.harness.plugin import MakeStack
from tests.harness.server import TLS
from tests.oauth.provider import LoopbackProvider


def test_a_browser_follows_the_link_and_is_in(make_stack: MakeStack, loopback: LoopbackProvider) -> None:
    loopback.reset()
    stack = make_stack(OAUTH_PROVIDERS=loopback.settings())
    server = stack.server()
    with httpx.Client(trust_env=False, verify=TLS, follow_redirects=True, base_url=server.base) as browser:
        landed = browser.get("/api/auth/oauth/house?transport=cookie&next=/api/auth/me")
        account = browser.get("/api/auth/account").json()["data"]
        stranger = httpx.get(f"{server.base}/api/auth/me", trust_env=False)

    assert (landed.status_code, landed.url.path) == (200, "/api/auth/me")
    assert landed.json()["data"]["name"] == "Ada Lovelace"
    assert account == {"email": "ada@example.org", "has_password": False, "providers": ["house"]}
    assert stranger.status_code == 401
    assert [one.url.path for one in landed.history] == [
        "/api/auth/oauth/house", "/authorize", "/api/auth/oauth/house/callback",
    ]  # fmt: skip
    assert "seance-client's secret" not in server.said()
    assert "code=" not in server.said()


def test_a_provider_that_hangs_keeps_nobody_else_waiting(make_stack: MakeStack, loopback: LoopbackProvider) -> None:
    loopback.reset()
    stack = make_stack(OAUTH_PROVIDERS=loopback.settings())
    server = stack.server()
    loopback.slow_seconds = 7.0
    try:
        with httpx.Client(trust_env=False, verify=TLS, base_url=server.base, timeout=30) as browser:
            answer = browser.get("/api/auth/oauth/house")
    finally:
        loopback.slow_seconds = 0.0

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert answer.elapsed.total_seconds() < 7.0
    assert "Traceback" not in server.said()
