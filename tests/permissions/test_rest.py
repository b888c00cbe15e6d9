"""Tests of who may do what: every cell of the table, over REST."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from sessions_app.api import urls
from sessions_app.inputs import NewInvite
from sessions_app.models import Message, Participant, Report, Session, User
from sessions_app.services.accounts import access_token
from sessions_app.services.invites import create_invite
from sessions_app.services.sessions import end_session
from tests.permissions.matrix import CALLERS, ROUTES, STRANGERS, cases

pytestmark = pytest.mark.django_db


class House:
    """A session with everybody in it, and one token for each kind of caller."""

    def __init__(self, access: str) -> None:
        def guest(name: str) -> User:
            return User.objects.create(name=name, is_guest=True)

        host = guest("host")
        self.session = Session.objects.create(name="Friday", host=host, access=access, spirit_mode="off", last_seq=2)
        staff = User.objects.create_user("staff@example.org", None, name="staff", is_staff=True)
        account = User.objects.create_user("account@example.org", None, name="account")
        self.people: dict[str, User | None] = {
            "nobody": None, "guest": guest("guest"), "account": account, "observer": guest("observer"),
            "participant": guest("participant"), "host": host, "staff": staff, "banned": guest("banned"), "ended": host,
        }  # fmt: skip
        for role in ("observer", "participant", "host"):
            self._seat(self.people[role], role)
        message = Message.objects.create(session=self.session, seq=1, user=host, user_name="host", text="Hello")
        target = guest("target")
        spoken = Message.objects.create(session=self.session, seq=2, user=target, user_name="target", text="Buy now")
        report = Report.objects.create(session=self.session, message=spoken, reason="spam", created_at=timezone.now())
        made = create_invite(actor=host, session_id=self.session.id, values=NewInvite())
        self.names: Mapping[str, str] = {
            "session_id": str(self.session.id), "message_id": str(message.id),
            "participant_id": str(self._seat(target, "participant").id), "code": made.code, "user_id": str(target.id),
            "spoken_id": str(spoken.id), "report_id": str(report.id), "provider": "nobody",
            "slug": "the-spirit", "layout_id": "classic-en@1",
        }  # fmt: skip
        User.objects.filter(pk=self._user("banned").pk).update(is_active=False)

    def _user(self, caller: str) -> User:
        user = self.people[caller]
        assert user is not None
        return user

    def _seat(self, user: User | None, role: str) -> Participant:
        assert user is not None
        return Participant.objects.create(session=self.session, user=user, name=user.name, role=role)

    def call(self, route: str, caller: str, **names: str) -> Any:
        """Ask; the response."""
        if caller == "ended":
            end_session(actor=self._user("host"), session_id=self.session.id)
        method, path = route.split(" ")
        known = {**self.names, **names}
        path = re.sub(r"<\w+:(\w+)>", lambda found: known[found[1]], path)
        user, row = self.people[caller], ROUTES[route]
        headers = {**row.headers, **({"Authorization": f"Bearer {access_token(user)}"} if user else {})}
        body: dict[str, Any] = (
            {} if row.body is None else {"data": _filled(row.body, known), "content_type": "application/json"}
        )
        return Client().generic(method, f"/api/{path}", headers=headers, **body)


def _filled(body: dict[str, Any], names: Mapping[str, str]) -> str:
    """The body as JSON, its names in braces filled in."""
    return json.dumps({key: names.get(str(value).strip("{}"), value) for key, value in body.items()})


@pytest.fixture(autouse=True)
def _uncounted(settings: Settings) -> None:
    settings.SEANCE = msgspec.structs.replace(
        settings.SEANCE, rate_limits_enabled=False, allow_anonymous=True, email_verification=False
    )


@pytest.mark.parametrize(("route", "caller", "code"), cases(ROUTES))
def test_a_caller_gets_what_the_table_says(route: str, caller: str, code: str) -> None:
    response = House("open").call(route, caller)

    assert response.status_code == int(code), getattr(response, "content", b"")[:300]


OF_A_SESSION = [route for route in ROUTES if "<id:session_id>" in route]


@pytest.mark.parametrize("route", OF_A_SESSION)
@pytest.mark.parametrize("caller", STRANGERS)
def test_to_strangers_a_session_by_invitation_is_nothing(route: str, caller: str) -> None:
    house = House("invite")

    there, nowhere = house.call(route, caller), house.call(route, caller, session_id=str(uuid4()))

    assert (there.status_code, there.json()["error"]) == (nowhere.status_code, nowhere.json()["error"])
    assert there.json()["error"]["code"] == "SESSION_NOT_FOUND"


@pytest.mark.parametrize("route", OF_A_SESSION)
@pytest.mark.parametrize(("caller", "code"), [("nobody", 401), ("guest", 403)])
def test_a_session_of_members_is_for_accounts(route: str, caller: str, code: int) -> None:
    assert House("members").call(route, caller).status_code == code


def test_no_route_is_missing() -> None:
    there = {
        f"{method.upper()} {pattern.pattern._route}"  # type: ignore[union-attr]
        for pattern in urls.urlpatterns
        for method in getattr(pattern.callback, "actions", {})
        if method != "head" and not str(pattern.pattern).endswith("/")
    }

    assert there == set(ROUTES)
    assert len(CALLERS) == 9
