"""Tests of sessions_app/services: the plain message in one statement stores what the careful way stores."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from sessions_app import outbox
from sessions_app.errors import SeanceError
from sessions_app.models import Message, Participant, Session, SpiritTurn, User, WebhookEvent
from sessions_app.services import fastpath, messages
from sessions_app.services.messages import Draft, Posted, post_messages
from sessions_app.services.webhooks import endpoints
from tests.services.helpers import code, make_account, make_process, make_session, numbers, sit

pytestmark = [pytest.mark.django_db, pytest.mark.services]
STORED = [
    "seq", "user_id", "user_name", "text", "is_spirit", "client_msg_id", "off_record", "deleted_at", "in_reply_to_id",
]  # fmt: skip


@pytest.fixture
def bob() -> User:
    return make_account("Bob")


@pytest.fixture
def process_id() -> UUID:
    return make_process()


def room_of(bob: User, process_id: UUID, **fields: Any) -> Session:
    room = make_session(**fields)
    sit(room, process_id, bob)
    return room


def drafts(room: Session, bob: User, count: int) -> list[Draft]:
    return [
        Draft(room.id, bob.id, f"  Line {n}\r\nof it? ", f"id-{n}" if n % 2 == 0 else None, n == 1)
        for n in range(count)
    ]


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("the careful way was taken")


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("mode", ["off", "open"])
@pytest.mark.parametrize("count", [1, 3])
def test_one_and_many_are_stored_as_the_careful_way_stores_them(
    count: int, mode: str, wait: bool, bob: User, process_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick, careful = (room_of(bob, process_id, spirit_mode=mode) for _ in range(2))

    with monkeypatch.context() as patch:
        patch.setattr(messages._Seen, "decide", refuse)
        posted = post_messages(drafts(quick, bob, count), wait=wait)
    monkeypatch.setattr(fastpath, "is_available", lambda: False)
    expected = post_messages(drafts(careful, bob, count))

    def shape(results: list[Posted | SeanceError]) -> list[tuple[int, str, bool]]:
        return [(one.message.seq, one.message.text, one.duplicate) for one in results if isinstance(one, Posted)]

    stored = [list(Message.objects.filter(session=room).order_by("seq").values(*STORED)) for room in (quick, careful)]
    assert shape(posted) == shape(expected)
    assert stored[0] == stored[1]
    assert len(stored[0]) == count
    assert numbers(quick) == list(range(1, count + 1))
    assert list(Session.objects.filter(pk__in=[quick.id, careful.id]).values_list("last_seq")) == [(count,)] * 2
    turns = [SpiritTurn.objects.filter(session=room).count() for room in (quick, careful)]
    assert turns[0] == turns[1]
    assert (turns[0] > 0) == (mode == "open")


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("beside", [0, 2])
@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ("UPDATE participants SET is_muted = true", "FORBIDDEN"),
        ("UPDATE participants SET role = 'observer'", "FORBIDDEN"),
        ("UPDATE participants SET left_at = now()", "FORBIDDEN"),
        ("UPDATE participants SET kicked_at = now(), left_at = now()", "FORBIDDEN"),
        ("UPDATE sessions SET is_active = false, ended_at = now()", "SESSION_ENDED"),
    ],
)
def test_what_is_not_plain_is_refused_by_name_alone_or_among_others(
    change: str, refused: str, beside: int, wait: bool, bob: User, process_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = room_of(bob, process_id)
    others = [room_of(bob, process_id) for _ in range(beside)]
    column = "session_id" if "participants" in change else "id"
    with connection.cursor() as cursor:
        cursor.execute(f"{change} WHERE {column} = %s", [room.id])
    if column == "session_id":  # what somebody may not say is known without the lock
        monkeypatch.setattr(messages, "_Posting", refuse)

    results = post_messages([Draft(one.id, bob.id, "Hello", "x") for one in (room, *others)], wait=wait)

    if not wait and "sessions" in change:  # what has ended cannot be told from what is locked, until one waits
        refused = "UNAVAILABLE"
    assert [code(result) for result in results] == [refused, *[""] * beside]
    assert not Message.objects.filter(session=room).exists()


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("mode", ["off", "open"])
@pytest.mark.parametrize("beside", [0, 2])
def test_what_was_stored_before_is_acknowledged_again_without_a_lock(
    beside: int, mode: str, wait: bool, bob: User, process_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = room_of(bob, process_id, spirit_mode=mode)
    first = post_messages([Draft(room.id, bob.id, "Once", "x")])[0]
    others = drafts(room_of(bob, process_id), bob, beside)
    monkeypatch.setattr(messages, "_Posting", refuse)

    again = post_messages([Draft(room.id, bob.id, " Once", "x"), *others], wait=wait)[0]
    conflict = post_messages([Draft(room.id, bob.id, "Twice", "x")], wait=wait)[0]

    assert isinstance(first, Posted)
    assert isinstance(again, Posted)
    assert (again.message.id, again.message.seq, again.duplicate) == (first.message.id, 1, True)
    assert code(conflict) == "IDEMPOTENCY_CONFLICT"
    assert numbers(room) == [1]


def test_what_comes_twice_in_one_batch_is_stored_and_acknowledged_again_without_a_lock(
    bob: User, process_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = room_of(bob, process_id)
    monkeypatch.setattr(messages, "_Posting", refuse)

    results = post_messages([Draft(room.id, bob.id, text, "x") for text in ("Once", "Once", "Twice")], wait=False)

    assert [code(result) for result in results] == ["", "", "IDEMPOTENCY_CONFLICT"]
    assert [result.duplicate for result in results if isinstance(result, Posted)] == [False, True]
    assert numbers(room) == [1]


@pytest.mark.parametrize("wait", [True, False])
def test_whoever_was_shown_the_door_is_not_told_again(wait: bool, bob: User, process_id: UUID) -> None:
    room = room_of(bob, process_id)
    post_messages([Draft(room.id, bob.id, "Once", "x")])
    Session.objects.update(access="invite")
    Participant.objects.update(kicked_at=timezone.now(), left_at=timezone.now())

    assert code(post_messages([Draft(room.id, bob.id, "Once", "x")], wait=wait)[0]) == "SESSION_NOT_FOUND"


def test_an_acknowledgement_that_cannot_be_read_again_takes_nothing_from_what_was_stored(
    bob: User, process_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = room_of(bob, process_id)
    post_messages([Draft(room.id, bob.id, "Once", "x")])

    def away(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(messages._Seen, "of", away)
    results = post_messages([Draft(room.id, bob.id, "Once", "x"), Draft(room.id, bob.id, "New", "y")])

    assert [code(result) for result in results] == ["UNAVAILABLE", ""]
    assert numbers(room) == [1, 2]


def test_what_breaks_an_answer_without_the_lock_is_answered_under_it(
    bob: User, process_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = room_of(bob, process_id)
    post_messages([Draft(room.id, bob.id, "Once", "x")])
    reading = messages._Seen.of

    def broken(*_: object) -> None:
        monkeypatch.setattr(messages._Seen, "of", reading)
        raise ZeroDivisionError

    monkeypatch.setattr(messages._Seen, "of", broken)
    results = post_messages([Draft(room.id, bob.id, "Once", "x"), Draft(room.id, bob.id, "New")])

    assert [code(result) for result in results] == ["", ""]
    assert numbers(room) == [1, 2]


@pytest.mark.parametrize("count", [1, 3])
def test_webhooks_get_a_pointer_to_each(count: int, bob: User, process_id: UUID) -> None:
    room = room_of(bob, process_id)
    endpoints.create_endpoint(actor=make_account(is_superuser=True), name="x", url="https://a.example.org", kinds=["*"])
    outbox.forget()

    try:
        post_messages(drafts(room, bob, count))
    finally:
        outbox.forget()  # the next test has another database

    kept = WebhookEvent.objects.filter(session=room.id, kind="message.created").order_by("seq")
    assert [event.seq for event in kept] == list(range(1, count + 1))
    assert {event.id for event in kept} == set(Message.objects.values_list("id", flat=True))


@pytest.mark.parametrize("kind", ["one", "many"])
def test_a_plan_that_was_made_while_the_tables_were_empty_asks_for_the_message_by_its_key(kind: str) -> None:
    sql = getattr(fastpath._STATEMENTS[True, False], kind)
    parameters = [f"${n}" for n in range(1, sql.count("%s") + 1)]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE the_one AS {sql.replace('%s', '{}').format(*parameters)}")
        nothing = ", ".join(["NULL"] * len(parameters))
        cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE the_one({nothing})")
        plans = [cursor.fetchone()[0][0]["Plan"]]
        cursor.execute("DEALLOCATE the_one")

    read = []
    while plans:
        plan = plans.pop()
        plans += plan.get("Plans", [])
        if plan.get("Relation Name") == "messages" and plan["Node Type"] != "ModifyTable":
            read.append((plan.get("Index Name"), plan.get("Index Cond", "").count("AND")))
    assert read == [("messages_client_msg_id", 2)]
