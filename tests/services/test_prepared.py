"""Tests of sessions_app/prepared.py: rows of several models that are stored together, and at what cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from uuid_utils.compat import uuid7

from sessions_app import events, outbox, prepared
from sessions_app.inputs import CreateSession
from sessions_app.models import Session, User, WebhookEvent
from sessions_app.services.accounts import new_guest
from sessions_app.services.sessions import create_session
from sessions_app.services.webhooks import endpoints
from tests.services.helpers import make_account


@pytest.fixture
def _fresh() -> Iterator[None]:
    outbox.forget()
    yield
    outbox.forget()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes to PostgreSQL by psycopg's own cursors."""
    seen: list[str] = []

    class Counted(psycopg.Cursor[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Counted:
            seen.append(str(query))
            return super().execute(query, *args, **kwargs)

    monkeypatch.setattr(prepared, "cursor_class", Counted)
    return seen


def guest_and_room() -> tuple[User, Session]:
    guest = new_guest(name="Ada")
    return guest, Session(name="A room", host=guest, created_at=events.now())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wrong", [{"max_users": 1}, {"name": ""}])
def test_one_row_that_is_refused_takes_the_others_with_it(wrong: dict[str, object]) -> None:
    guest, room = guest_and_room()
    for name, value in wrong.items():
        setattr(room, name, value)

    with pytest.raises(IntegrityError):
        prepared.insert_each([guest, room])

    assert not User.objects.exists()
    assert not Session.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_rows_of_a_model_are_stored_as_they_are_with_one_statement(statements: list[str]) -> None:
    names = ["Ada", 'quoted "', "back\\slash", "two\nlines", "\u2028", "👻", "null", "{}", "é" * 50]
    guests = [User(name=name, is_guest=True, joined_at=events.now()) for name in names]
    guests.append(User(name="Root", email="root@example.org", is_guest=False, joined_at=events.now(), token_version=7))

    prepared.insert(guests)

    if connection.vendor == "postgresql":
        assert len(statements) == 1
    fields = prepared.columns(User)
    found = {row.pk: row for row in User.objects.all()}
    for guest in guests:
        assert [getattr(found[guest.pk], name) for name in fields] == [getattr(guest, name) for name in fields]
        assert not guest._state.adding


@pytest.mark.django_db(transaction=True)
def test_many_rows_of_a_model_are_stored_all_or_none() -> None:
    guests = [new_guest(name=name) for name in ("Ada", "Bo", "Cy")]
    guests[1].name = ""

    with pytest.raises(IntegrityError), transaction.atomic():
        prepared.insert(guests)

    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_row_may_refer_to_one_that_comes_with_it() -> None:
    guest, room = guest_and_room()

    prepared.insert_each([guest, room])

    found = Session.objects.select_related("host").get()
    assert (found.pk, found.host) == (room.pk, guest)
    assert found.host is not None
    assert found.host.name == "Ada"
    assert not guest._state.adding


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("data", [None, {"a": 1}, ["a", 1]])
def test_json_is_stored_as_it_is_and_none_as_none(data: Any) -> None:
    event = WebhookEvent(kind="session.created", session=uuid7(), data=data, at=events.now())

    prepared.insert_each([event])

    assert WebhookEvent.objects.get().data == data
    assert WebhookEvent.objects.filter(data__isnull=True).exists() is (data is None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize("is_wanted", [True, False], ids=["with a webhook", "without"])
@pytest.mark.parametrize("as_whom", [None, make_account], ids=["a fresh guest", "an account"])
def test_a_session_is_opened_with_one_statement(
    as_whom: Callable[[], User] | None, is_wanted: bool, statements: list[str]
) -> None:
    if is_wanted:
        root = make_account("Root", is_superuser=True, is_staff=True)
        endpoints.create_endpoint(actor=root, name="Ours", url="https://hooks.example.org/in", kinds=["*"])
        outbox.forget()
    actor = as_whom() if as_whom else None
    assert outbox.is_wanted() == is_wanted

    with CaptureQueriesContext(connection) as captured:
        told, host, is_fresh = create_session(actor=actor, values=CreateSession(name="Friday"))

    if connection.vendor == "postgresql":
        assert (len(statements), len(captured)) == (1, 0), [*statements, *captured.captured_queries]
    assert is_fresh == (actor is None)
    assert Session.objects.get(pk=told.id).host == host == User.objects.get(pk=host.pk)
    kept = WebhookEvent.objects.values_list("kind", "session", "data__name")
    assert list(kept) == ([("session.created", told.id, "Friday")] if is_wanted else [])
