"""Tests of sessions_app/services: a message is stored once, at one place, or refused by itself."""

from __future__ import annotations

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.inputs import UpdateSession
from sessions_app.models import Message, Participant, Session, User
from sessions_app.selectors import history
from sessions_app.services.messages import Draft, Posted, delete_message, post_message, post_messages
from sessions_app.services.sessions import end_session, update_session
from tests.services.helpers import (
    Told,
    body,
    code,
    hang_up,
    make_account,
    make_process,
    make_session,
    numbers,
    say,
    sit,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_account("Ada")


@pytest.fixture
def bob() -> User:
    return make_account("Bob")


@pytest.fixture
def room(ada: User, bob: User) -> Session:
    """A session of Ada's, in which she and Bob sit."""
    session, process_id = make_session(ada), make_process()
    sit(session, process_id, ada)
    sit(session, process_id, bob)
    return session


def refusal(session: Session, user: User, text: str = "Hello", **fields: object) -> Code:
    with pytest.raises(SeanceError) as caught:
        say(session, user, text, **fields)
    return caught.value.code


# --- Stored once ------------------------------------------------------------------------------------------------------


def test_a_message_is_stored_and_told_with_the_same_shape(room: Session, bob: User, told: Told) -> None:
    told.commit()

    posted = say(room, bob, "  Is anybody\r\nthere? ", client_msg_id="b-1", off_record=True)

    row = Message.objects.get()
    announced = body(told.one("message_received"))
    assert isinstance(announced, events.MessageReceived)
    assert announced.message == announced.text == row.text == "Is anybody\nthere?"
    assert (announced.id, announced.seq, announced.user_id) == (row.id, 1, bob.id) == (row.id, row.seq, row.user_id)
    assert (announced.user_name, announced.client_msg_id, announced.off_record) == ("Bob", "b-1", True)
    assert announced.timestamp == row.timestamp == posted.message.timestamp
    assert posted.ack() == events.Ack(row.id, 1, "b-1", duplicate=False)


def test_the_same_id_and_text_again_is_the_first_ack_again(room: Session, bob: User, told: Told) -> None:
    first = say(room, bob, "Once", client_msg_id="x")
    told.commit()

    again = say(room, bob, " Once ", client_msg_id="x")

    assert again.ack() == events.Ack(first.message.id, first.message.seq, "x", duplicate=True)
    assert Message.objects.count() == 1
    assert told.names() == []


def test_the_same_id_with_another_text_is_a_conflict(room: Session, bob: User) -> None:
    say(room, bob, "Once", client_msg_id="x")

    assert refusal(room, bob, "Twice", client_msg_id="x") == Code.IDEMPOTENCY_CONFLICT
    assert [row.text for row in Message.objects.all()] == ["Once"]


def test_an_id_belongs_to_one_author_and_one_session(room: Session, ada: User, bob: User) -> None:
    other = make_session(ada)

    posted = [say(*where, "Mine", client_msg_id="x") for where in ((room, ada), (room, bob), (other, ada))]

    assert [item.duplicate for item in posted] == [False, False, False]


def test_messages_without_an_id_are_never_the_same(room: Session, bob: User) -> None:
    assert not say(room, bob, "Knock").duplicate
    assert not say(room, bob, "Knock").duplicate
    assert Message.objects.count() == 2


def test_a_duplicate_is_acknowledged_even_where_nothing_new_may_be_said(room: Session, ada: User, bob: User) -> None:
    first = say(room, bob, "Once", client_msg_id="x")
    Participant.objects.filter(user=bob).update(is_muted=True)
    end_session(actor=ada, session_id=room.id)

    again = say(room, bob, "Once", client_msg_id="x")

    assert (again.duplicate, again.message.id) == (True, first.message.id)
    assert refusal(room, bob, "More", client_msg_id="y") == Code.SESSION_ENDED


def test_a_message_that_was_deleted_is_not_said_again_by_its_id(room: Session, bob: User) -> None:
    first = say(room, bob, "Once", client_msg_id="x")
    delete_message(actor=bob, session_id=room.id, message_id=first.message.id)

    assert say(room, bob, "Once", client_msg_id="x").duplicate
    assert history.messages(room.id, limit=10)[0] == []


def test_the_same_id_twice_in_a_batch_is_stored_once(room: Session, bob: User) -> None:
    drafts = [Draft(room.id, bob.id, text, "x") for text in ("Once", "Once", "Other")]

    results = post_messages(drafts)

    assert [code(result) for result in results] == ["", "", "IDEMPOTENCY_CONFLICT"]
    first, second, _ = results
    assert isinstance(first, Posted)
    assert isinstance(second, Posted)
    assert (first.duplicate, second.duplicate) == (False, True)
    assert first.message.id == second.message.id
    assert Message.objects.count() == 1


# --- A batch ----------------------------------------------------------------------------------------------------------


def test_a_hostile_neighbour_costs_a_batch_nothing(room: Session, ada: User, bob: User, told: Told) -> None:
    told.commit()
    hostile = [
        Draft(room.id, bob.id, "\x00"),
        Draft(room.id, bob.id, "\ud800"),
        Draft(room.id, bob.id, ""),
        Draft(room.id, bob.id, "x" * 501),
        Draft(room.id, bob.id, "fine", "\x00"),
        Draft(room.id, uuid7(), "a stranger"),
        Draft(uuid7(), bob.id, "nowhere"),
    ]

    results = post_messages([Draft(room.id, ada.id, "before"), *hostile, Draft(room.id, ada.id, "after")])

    assert [code(result) for result in results] == [
        "", "VALIDATION_ERROR", "VALIDATION_ERROR", "EMPTY_MESSAGE", "MESSAGE_TOO_LONG", "VALIDATION_ERROR",
        "FORBIDDEN", "SESSION_NOT_FOUND", "",
    ]  # fmt: skip
    assert numbers(room) == [1, 2]
    assert [body(notice).text for notice in told.commit()] == ["before", "after"]


def test_a_batch_over_many_sessions_numbers_each_by_itself(ada: User) -> None:
    rooms = [make_session(ada) for _ in range(3)]

    results = post_messages([Draft(rooms[number % 3].id, ada.id, f"{number}") for number in range(9)])

    assert [result.message.seq for result in results if isinstance(result, Posted)] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert [numbers(room) for room in rooms] == [[1, 2, 3]] * 3


def test_an_empty_batch_is_nothing(room: Session, told: Told) -> None:
    told.commit()

    assert post_messages([]) == []
    assert told.names() == []


ACTS = st.lists(
    st.sampled_from(["say", "say", "twice", "delete", "rename", "whisper", "hostile", "delete again"]), max_size=12
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_a_log_has_no_holes_over_messages_and_events(acts: list[str], ada: User) -> None:
    room = make_session(ada)
    said: list[Posted] = []

    for number, act in enumerate(acts):
        if act in ("say", "whisper"):
            said.append(say(room, ada, f"{number}", client_msg_id=f"{number}", off_record=act == "whisper"))
        elif act == "twice" and said:
            last = said[-1].message
            post_message(Draft(room.id, ada.id, last.text, last.client_msg_id, last.off_record))
        elif act.startswith("delete") and said:
            delete_message(actor=ada, session_id=room.id, message_id=said[-1].message.id)
        elif act == "rename":
            update_session(actor=ada, session_id=room.id, values=UpdateSession(name=f"Room {number}"))
        elif act == "hostile":
            assert refusal(room, ada, "\x00") == Code.VALIDATION_ERROR

    room.refresh_from_db()
    assert numbers(room) == list(range(1, room.last_seq + 1))
    entries = history.entries(room.id, after_seq=0, upto_seq=room.last_seq)
    assert [entry.seq for entry in entries] == sorted(entry.seq for entry in entries)


# --- Who may speak ----------------------------------------------------------------------------------------------------


def test_a_stranger_may_not_speak(room: Session) -> None:
    assert refusal(room, make_account("Stranger")) == Code.FORBIDDEN


def test_an_observer_may_not_speak(room: Session) -> None:
    watcher = make_account("Watcher")
    sit(room, make_process("there:1:0"), watcher, role="observer")

    assert refusal(room, watcher) == Code.FORBIDDEN


def test_a_muted_person_may_not_speak(room: Session, bob: User) -> None:
    Participant.objects.filter(user=bob).update(is_muted=True)

    assert refusal(room, bob) == Code.FORBIDDEN


def test_who_has_left_may_not_speak_and_who_is_awaited_may(room: Session, bob: User) -> None:
    hang_up(room, bob, for_good=False)
    assert say(room, bob).message.seq == 1
    Participant.objects.filter(user=bob).update(left_at=timezone.now())

    assert refusal(room, bob) == Code.FORBIDDEN


def test_who_was_kicked_may_not_speak(room: Session, bob: User) -> None:
    Participant.objects.filter(user=bob).update(kicked_at=timezone.now())

    assert refusal(room, bob) == Code.FORBIDDEN


def test_the_host_may_speak_without_sitting_down(ada: User) -> None:
    room = make_session(ada)

    assert say(room, ada).message.user_name == "Ada"


def test_nobody_speaks_in_an_ended_session(room: Session, ada: User) -> None:
    end_session(actor=ada, session_id=room.id)

    assert refusal(room, ada) == Code.SESSION_ENDED


def test_the_name_is_the_seat_s_name_at_that_moment(room: Session, bob: User) -> None:
    process_id = make_process("there:1:0")
    say(room, bob, "as Bob")
    hang_up(room, bob)
    sit(room, process_id, bob, name="Robert")
    say(room, bob, "as Robert")

    found, _ = history.messages(room.id, limit=10)

    assert [message.user_name for message in found] == ["Bob", "Robert"]


# --- Deletion ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["author", "host", "staff"])
def test_author_host_and_staff_may_delete(who: str, room: Session, ada: User, bob: User, told: Told) -> None:
    posted = say(room, bob, "Oops")
    actor = {"author": bob, "host": ada, "staff": make_account("Staff", is_staff=True)}[who]
    told.commit()

    deleted = delete_message(actor=actor, session_id=room.id, message_id=posted.message.id)

    announced = told.one("message_deleted")
    assert announced.seq == 2
    assert body(announced) == events.MessageDeleted(posted.message.id, actor.id)
    assert deleted.deleted_at is not None
    assert history.messages(room.id, limit=10) == ([], False)
    assert [entry.event for entry in history.entries(room.id, after_seq=0, upto_seq=2)] == ["message_deleted"]


def test_a_stranger_may_not_delete(room: Session, ada: User, bob: User) -> None:
    posted = say(room, ada, "Mine")

    for actor, expected in ((bob, Code.FORBIDDEN), (None, Code.UNAUTHORIZED)):
        with pytest.raises(SeanceError) as caught:
            delete_message(actor=actor, session_id=room.id, message_id=posted.message.id)
        assert caught.value.code == expected
    assert Message.objects.get().deleted_at is None


def test_deleting_twice_is_the_same_as_once(room: Session, bob: User, told: Told) -> None:
    posted = say(room, bob)
    first = delete_message(actor=bob, session_id=room.id, message_id=posted.message.id)
    told.commit()

    second = delete_message(actor=bob, session_id=room.id, message_id=posted.message.id)

    assert second == first
    assert told.names() == []
    assert numbers(room) == [1, 2]


def test_a_message_of_another_session_is_not_found(room: Session, ada: User) -> None:
    elsewhere = say(make_session(ada), ada)

    for message_id in (elsewhere.message.id, uuid7()):
        with pytest.raises(SeanceError) as caught:
            delete_message(actor=ada, session_id=room.id, message_id=message_id)
        assert caught.value.code == Code.NOT_FOUND


def test_a_message_of_no_session_is_not_found(ada: User) -> None:
    with pytest.raises(SeanceError) as caught:
        delete_message(actor=ada, session_id=uuid7(), message_id=uuid7())

    assert caught.value.code == Code.SESSION_NOT_FOUND
