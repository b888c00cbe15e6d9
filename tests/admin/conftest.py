"""Tests of the admins' room: an admin who is logged in, and a house full of people."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from sessions_app.models import Message, Participant, Session, User
from sessions_app.services.messages import Draft, post_message, post_messages

HOSTILE = "<script>alert('x')</script><img src=x onerror=y>"[:50]


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Every test here may use the database."""


@pytest.fixture
def admin_user() -> User:
    return User.objects.create_superuser("admin@example.org", None, name="Root")


@pytest.fixture
def admin(admin_user: User) -> Client:
    client = Client()
    client.force_login(admin_user)
    return client


@pytest.fixture
def host() -> User:
    return User.objects.create(name="Ada", is_guest=True)


@pytest.fixture
def session(host: User) -> Session:
    row = Session.objects.create(name="Friday", host=host)
    Participant.objects.create(session=row, user=host, name=host.name, role="host")
    return row


@pytest.fixture
def say(session: Session, host: User) -> Callable[[str], Message]:
    def said(text: str) -> Message:
        posted = post_message(Draft(session.id, host.id, text))
        return Message.objects.get(pk=posted.message.id)

    return said


@pytest.fixture
def crowd() -> list[Session]:
    """Thirty sessions with their own hosts, people, messages, questions and hostile names."""
    hosts = User.objects.bulk_create(User(name=f"{HOSTILE[:46]}{number}", is_guest=True) for number in range(30))
    rooms = Session.objects.bulk_create(Session(name=f"{HOSTILE}{n}", host=host) for n, host in enumerate(hosts))
    Participant.objects.bulk_create(
        Participant(session=room, user=host, name=host.name) for room, host in zip(rooms, hosts, strict=True)
    )
    post_messages([Draft(room.id, room.host_id, f"{HOSTILE} {number}?") for number, room in enumerate(rooms)])
    return rooms
