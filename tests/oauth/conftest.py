"""Tests of coming in by OAuth: the provider, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest
from django.test import Client
from pytest_django import Settings

from sessions_app.models import User
from sessions_app.oauth import client as oauth_client
from sessions_app.services.tokens import access_token
from tests.oauth.provider import LoopbackProvider

FRONT_END = "https://board.example"


class Browser:
    """Keeps cookies, and goes where it is sent."""

    def __init__(self, user: User | None = None) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {access_token(user)}"} if user is not None else {}

    def begin(self, provider: str = "house", **query: str) -> Any:
        """Follow the link; the answer, which leads to the provider."""
        return self.client.get(f"/api/auth/oauth/{provider}", query)

    def prepare(self, provider: str = "house", **body: str) -> Any:
        """Ask for the way, as a script does, with a token if there is one."""
        path = f"/api/auth/oauth/{provider}"
        return self.client.post(path, body, content_type="application/json", headers=self.headers)

    def approve(self, url: str) -> str:
        """Say yes at the provider, over real HTTP; the address that it sends the browser back to."""
        with httpx.Client(trust_env=False) as web:
            answer = web.get(url)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def come_back(self, url: str, **changed: str | None) -> Any:
        """Call the address that the provider sent the browser to, with other parameters if a test wants that."""
        parts = urlsplit(url)
        query = {
            name: value for name, value in {**dict(parse_qsl(parts.query)), **changed}.items() if value is not None
        }
        return self.client.get(parts.path, query)

    def come_in(self, provider: str = "house", **query: str) -> Any:
        """The whole way."""
        begun = self.begin(provider, **query)
        assert begun.status_code == 302, begun.content
        return self.come_back(self.approve(begun["Location"]))

    def tie(self, provider: str = "house") -> Any:
        """The whole way, to be tied."""
        begun = self.prepare(provider)
        assert begun.status_code == 200, begun.content
        return self.come_back(self.approve(begun.json()["data"]["url"]))


@pytest.fixture(scope="session")
def loopback() -> Iterator[LoopbackProvider]:
    found = LoopbackProvider()
    yield found
    found.close()


@pytest.fixture
def provider(loopback: LoopbackProvider, settings: Settings) -> LoopbackProvider:
    """The provider as it begins, and a server that knows it."""
    loopback.reset()
    oauth_client.forget()
    settings.SEANCE = msgspec.structs.replace(
        settings.SEANCE, rate_limits_enabled=False, oauth_providers=loopback.settings()
    )
    settings.CORS_ALLOWED_ORIGINS = [FRONT_END]
    return loopback


@pytest.fixture
def browser(db: None) -> Browser:
    return Browser()


def code_of(answer: Any) -> tuple[int, str]:
    """The status, and the error's code."""
    return answer.status_code, str(answer.json()["error"]["code"])
