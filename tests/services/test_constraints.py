"""Tests of sessions_app/models: what the services must not do, the database refuses too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from sessions_app.models import (
    Connection,
    Event,
    Message,
    Participant,
    RefreshToken,
    ServerProcess,
    SpiritTurn,
    User,
)
from tests.services.helpers import make_account, make_guest, make_process, make_session

now = timezone.now


def message(**fields: object) -> Message:
    room = make_session()
    return Message.objects.create(**{"session": room, "seq": 1, "text": "x", "user_name": "A", **fields})


def twice(make: Callable[[], object]) -> None:
    make()
    make()


def same_seq() -> None:
    room = make_session()
    twice(lambda: Message.objects.create(session=room, seq=1, text="x"))


def same_event_seq() -> None:
    room = make_session()
    twice(lambda: Event.objects.create(session=room, seq=1, type="x", data={}))


def same_client_msg_id() -> None:
    room, ada = make_session(), make_account()
    for seq in (1, 2):
        Message.objects.create(session=room, user=ada, seq=seq, text="x", client_msg_id="x")


def same_person() -> None:
    room, ada = make_session(), make_account()
    twice(lambda: Participant.objects.create(session=room, user=ada, name="Ada"))


def two_active_turns() -> None:
    row = message()
    for number in (1, 2):
        SpiritTurn.objects.create(session=row.session, message=row, number=number, state="active")


def same_digest() -> None:
    guest = make_guest()
    twice(lambda: RefreshToken.objects.create(user=guest, digest=b"x" * 32, expires_at=now()))


def same_address() -> None:
    for _ in range(2):
        User.objects.create(name="A", email="a@example.org")


def same_process() -> None:
    for _ in range(2):
        ServerProcess.objects.create(name="here", started_at=now(), lease_until=now())


FORBIDDEN: dict[str, Callable[[], object]] = {
    "two messages with one seq": same_seq,
    "two events with one seq": same_event_seq,
    "two messages with one client_msg_id": same_client_msg_id,
    "a person twice in a session": same_person,
    "two active turns": two_active_turns,
    "two refresh tokens with one digest": same_digest,
    "two accounts with one address": same_address,
    "two processes with one name": same_process,
    "a message without a text": lambda: message(text=""),
    "a message before the first": lambda: message(seq=0),
    "an event before the first": lambda: Event.objects.create(session=make_session(), seq=0, type="x", data={}),
    "a session without a name": lambda: make_session(name=""),
    "a session for one": lambda: make_session(max_users=1),
    "a session for too many": lambda: make_session(max_users=1001),
    "a session that is active and ended": lambda: make_session(ended_at=now()),
    "a session that is neither": lambda: make_session(is_active=False),
    "a session with an unknown access": lambda: make_session(access="secret"),
    "a session with an unknown mode": lambda: make_session(spirit_mode="loud"),
    "a session with an unknown pace": lambda: make_session(spirit_pace="slow"),
    "a session with a negative counter": lambda: make_session(last_seq=-1),
    "a participant without a name": lambda: Participant.objects.create(
        session=make_session(), user=make_guest(), name=""
    ),
    "a participant of an unknown role": lambda: Participant.objects.create(
        session=make_session(), user=make_guest(), name="A", role="medium"
    ),
    "a turn in an unknown state": lambda: SpiritTurn.objects.create(
        session=(row := message()).session, message=row, number=1, state="lost"
    ),
    "a guest with an address": lambda: User.objects.create(name="A", is_guest=True, email="g@example.org"),
    "an account without an address": lambda: User.objects.create(name="A"),
    "a guest who is staff": lambda: User.objects.create(name="A", is_guest=True, is_staff=True),
    "a user without a name": lambda: User.objects.create(name="", is_guest=True),
}


@pytest.mark.django_db
@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_database_refuses(what: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        FORBIDDEN[what]()


@pytest.mark.django_db
def test_the_database_lets_the_ordinary_in() -> None:
    ada, row = make_account(), message(client_msg_id="x", user=make_guest())

    Message.objects.create(session=row.session, user=ada, seq=2, text="x", client_msg_id="x")
    Message.objects.create(session=row.session, user=ada, seq=3, text="x")
    Message.objects.create(session=row.session, user=ada, seq=4, text="x")
    for number, state in enumerate(("active", "queued", "queued", "answered", "answered"), start=1):
        SpiritTurn.objects.create(session=row.session, message=row, number=number, state=state)

    assert Message.objects.filter(session=row.session).count() == 4


@pytest.mark.django_db
def test_a_process_that_goes_takes_its_sockets_and_no_people_along() -> None:
    process_id, room, ada = make_process(), make_session(), make_account()
    seat = Participant.objects.create(session=room, user=ada, name="Ada")
    Connection.objects.create(id=uuid7(), participant=seat, process_id=process_id)

    ServerProcess.objects.all().delete()

    assert not Connection.objects.exists()
    assert Participant.objects.get() == seat


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
def test_migrations_go_back_and_forth() -> None:
    def tables() -> set[str]:
        return set(connection.introspection.table_names())

    ours = {"users", "sessions", "messages", "events", "participants", "spirit_turns", "refresh_tokens"}
    assert ours <= tables()

    call_command("migrate", "sessions_app", "zero", verbosity=0, interactive=False)
    without = tables()
    call_command("migrate", verbosity=0, interactive=False)

    assert not ours & without
    assert ours <= tables()
    assert make_session(make_account()).last_seq == 0


@pytest.mark.django_db
def test_no_model_waits_for_a_migration() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)
