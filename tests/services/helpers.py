"""Tests of sessions_app/services: people, rooms and seats, made the way the doors make them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection
from uuid_utils.compat import uuid7

from seance_project.env import Env
from sessions_app import events
from sessions_app.errors import SeanceError
from sessions_app.models import Connection, Event, Message, Session, User
from sessions_app.publish import Notice
from sessions_app.services.messages import Draft, Posted, post_message
from sessions_app.services.presence import Release, register_process, release_connections
from sessions_app.services.seats import Joined, JoinRequest, join

PASSWORD = "a planchette of oak 77"
_frame = msgspec.json.Decoder(events.Frame)


class Told:
    """What the services wanted told: the far end of `publish`, in place of a server process."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def __call__(self, notices: Sequence[Notice]) -> None:
        self.notices.extend(notices)

    def commit(self) -> list[Notice]:
        """Do what waits for COMMIT (the test's own transaction never does), and return what was told since."""
        while connection.run_on_commit:
            waiting = connection.run_on_commit.pop(0)
            waiting[1]()
        told, self.notices = self.notices, []
        return told

    def names(self) -> list[str]:
        """The names of the events told since."""
        return [notice.event for notice in self.commit()]

    def one(self, event: str) -> Notice:
        """The only notice of that name told since."""
        (found,) = (notice for notice in self.commit() if notice.event == event)
        return found


def body(notice: Notice) -> Any:
    """The data of a notice, as the Struct that `events` has for it; a wrong shape fails."""
    frame = _frame.decode(notice.text)
    assert frame.event == notice.event
    assert frame.seq == (notice.seq or msgspec.UNSET)
    return msgspec.convert(frame.data, events.SERVER_EVENTS[notice.event], strict=False)


def with_settings(**changed: Any) -> Env:
    """The settings, with these changed; to be set as `settings.SEANCE`."""
    found: Env = msgspec.structs.replace(settings.SEANCE, **changed)
    return found


def make_account(name: str = "Ada", **fields: Any) -> User:
    """An account that cannot log in."""
    return User.objects.create(name=name, email=f"{uuid7().hex}@example.org", password="!", **fields)


def make_guest(name: str = "Guest") -> User:
    return User.objects.create(name=name, is_guest=True)


def make_session(host: User | None = None, **fields: Any) -> Session:
    """A session in which the spirit is away unless `spirit_mode` is given."""
    # To the millisecond, as the service makes it: nobody comes before it.
    given = {"name": "A room", "host": host, "spirit_mode": "off", "created_at": events.now(), **fields}
    return Session.objects.create(**given)


def make_process(name: str = "here:1:0") -> UUID:
    process_id = uuid7()
    register_process(process_id=process_id, name=name)
    return process_id


def request(session: Session, process_id: UUID, user: User | None = None, **fields: Any) -> JoinRequest:
    """A wish to join, over a connection of its own."""
    return JoinRequest(
        **{
            "connection_id": uuid7(),
            "process_id": process_id,
            "session_id": session.id,
            "user_id": user.id if user else None,
            "version": User.objects.values_list("token_version", flat=True).get(pk=user.id) if user else 0,
            **fields,
        }
    )


def sit(session: Session, process_id: UUID, user: User | None = None, **fields: Any) -> Joined:
    return join(request(session, process_id, user, **fields))


def say(session: Session, user: User, text: str = "Is anybody there?", **fields: Any) -> Posted:
    return post_message(Draft(session.id, user.id, text, **fields))


def hang_up(session: Session, user: User, *, for_good: bool = True) -> None:
    """Close every socket of a user in a session."""
    rows = Connection.objects.filter(participant__session=session, participant__user=user)
    release_connections([Release(session.id, key, for_good) for key in rows.values_list("id", flat=True)])


def numbers(session: Session) -> list[int]:
    """Every `seq` of a session's log, over both tables, in order."""
    messages = Message.objects.filter(session=session).values_list("seq", flat=True)
    return sorted([*messages, *Event.objects.filter(session=session).values_list("seq", flat=True)])


def code(result: object) -> str:
    """The code of a refusal, or "" for a result that is none."""
    return str(result.code) if isinstance(result, SeanceError) else ""
