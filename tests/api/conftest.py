"""Tests of the REST door: a caller, people, and a session to call about."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from django.test import Client
from pytest_django import Settings

from sessions_app.models import Message, Participant, Session, User
from sessions_app.services.accounts import access_token


class Answer:
    """What came back, unwrapped."""

    def __init__(self, response: Any) -> None:
        self.response = response
        self.status: int = response.status_code

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = self.response.json()
        return found

    @property
    def data(self) -> Any:
        assert self.body["success"] is True, self.body
        return self.body["data"]

    @property
    def meta(self) -> dict[str, Any]:
        found: dict[str, Any] = self.body["meta"]
        return found

    @property
    def error(self) -> dict[str, Any]:
        assert self.body["success"] is False, self.body
        found: dict[str, Any] = self.body["error"]
        return found

    @property
    def code(self) -> str:
        return str(self.error["code"])

    @property
    def outcome(self) -> tuple[int, str]:
        """The status, and the error's code."""
        return self.status, self.code


class Caller:
    """Calls the API in process, as somebody or as nobody."""

    def __init__(self, user: User | None = None) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Bearer {access_token(user)}"} if user else {}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        options: dict[str, Any] = {"headers": {**self.headers, **named}}
        if body is not None:
            options |= {"data": body, "content_type": "application/json"}
        return Answer(self.client.generic(method, path, **_encoded(options)))

    def get(self, path: str, **headers: str) -> Answer:
        return self("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Answer:
        return self("DELETE", path, **headers)


def _encoded(options: dict[str, Any]) -> dict[str, Any]:
    import json

    if "data" in options and not isinstance(options["data"], bytes):
        options["data"] = json.dumps(options["data"])
    return options


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Every test here may use the database."""


@pytest.fixture(autouse=True)
def _uncounted(settings: Settings) -> None:
    """A test is no flood; those of the limits count again."""
    settings.SEANCE = msgspec.structs.replace(settings.SEANCE, rate_limits_enabled=False)


@pytest.fixture
def nobody() -> Caller:
    return Caller()


@pytest.fixture
def host() -> User:
    return User.objects.create(name="Ada", is_guest=True)


@pytest.fixture
def guest() -> User:
    return User.objects.create(name="Grete", is_guest=True)


@pytest.fixture
def member() -> User:
    return User.objects.create_user("member@example.org", None, name="Max")


@pytest.fixture
def staff() -> User:
    return User.objects.create_user("staff@example.org", None, name="Sol", is_staff=True)


@pytest.fixture
def as_host(host: User) -> Caller:
    return Caller(host)


@pytest.fixture
def as_guest(guest: User) -> Caller:
    return Caller(guest)


@pytest.fixture
def session(host: User) -> Session:
    return Session.objects.create(name="Friday", host=host)


@pytest.fixture
def path(session: Session) -> str:
    return f"/api/sessions/{session.id}"


@pytest.fixture
def say(session: Session, host: User) -> Callable[..., Message]:
    """Put a message into the log, whatever it says."""

    def stored(text: str, **fields: Any) -> Message:
        session.last_seq += 1
        session.save(update_fields=["last_seq"])
        given = {"user": host, "user_name": host.name, **fields}
        return Message.objects.create(session=session, seq=session.last_seq, text=text, **given)

    return stored


@pytest.fixture
def seat(session: Session) -> Callable[..., Participant]:
    """Give somebody a place in the session."""

    def seated(user: User, **fields: Any) -> Participant:
        return Participant.objects.create(session=session, user=user, name=user.name, **fields)

    return seated
