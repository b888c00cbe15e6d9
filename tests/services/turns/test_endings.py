"""Tests of sessions_app/services/turns: cancelled, asked again, withdrawn."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from sessions_app import events
from sessions_app.errors import Code
from sessions_app.inputs import SpiritInput, UpdateSession
from sessions_app.models import Message, Participant, Session, SpiritTurn, User
from sessions_app.services.messages import Draft, delete_message, post_messages
from sessions_app.services.moderation import kick, mute, set_role
from sessions_app.services.sessions import end_session, update_session
from sessions_app.services.turns import (
    MAX_WAITING,
    WAKE,
    ask_again,
    cancel_question,
    claim,
)
from tests.services.helpers import (
    Told,
    body,
    hang_up,
    make_account,
    make_process,
    make_session,
    numbers,
    say,
    sit,
)
from tests.services.turns.steps import people, places, refused, reply, states, take

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("is_active", [True, False])
def test_the_asker_cancels_a_turn_in_any_open_state(is_active: bool, room: Session, told: Told) -> None:
    bob = make_account("Bob")
    sit(room, make_process(), bob)
    say(room, bob)
    turn = take(room) if is_active else None
    row = SpiritTurn.objects.get()
    told.commit()

    cancel_question(actor=bob, session_id=room.id, turn_id=row.id)

    cancelled, wake = told.commit()
    assert body(cancelled) == events.SpiritCancelled(row.id, row.message_id, bob.id)
    assert (cancelled.seq, wake.event) == (2, WAKE)
    assert states(room) == ["cancelled"]
    assert turn is None or reply(turn) is False
    assert claim(room.id) is None


def test_a_turn_that_has_ended_cannot_be_cancelled_any_more(room: Session, ada: User, told: Told) -> None:
    say(room, ada)
    turn = take(room)
    reply(turn)
    told.commit()

    cancel_question(actor=ada, session_id=room.id, turn_id=turn.turn_id)

    assert told.names() == []
    assert states(room) == ["answered"]


def test_only_asker_host_and_staff_cancel_and_ask_again(room: Session, ada: User) -> None:
    bob, eve = make_account("Bob"), make_account("Eve")
    sit(room, make_process(), bob)
    say(room, bob)
    turn_id = SpiritTurn.objects.get().id

    for service in (cancel_question, ask_again):
        assert refused(service, actor=eve, session_id=room.id, turn_id=turn_id) == Code.FORBIDDEN
        assert refused(service, actor=None, session_id=room.id, turn_id=turn_id) == Code.UNAUTHORIZED
        assert refused(service, actor=ada, session_id=room.id, turn_id=uuid7()) == Code.NOT_FOUND
        assert refused(service, actor=ada, session_id=uuid7(), turn_id=turn_id) == Code.SESSION_NOT_FOUND
        elsewhere = make_session(eve)
        assert refused(service, actor=eve, session_id=elsewhere.id, turn_id=turn_id) == Code.NOT_FOUND
    cancel_question(actor=ada, session_id=room.id, turn_id=turn_id)
    assert states(room) == ["cancelled"]


def test_asking_again_keeps_the_old_answer_and_gets_a_new_one(room: Session, ada: User, told: Told) -> None:
    question = say(room, ada, "Who are you?").message
    first = take(room)
    reply(first, "A friend.")
    told.commit()

    ask_again(actor=ada, session_id=room.id, turn_id=first.turn_id)

    assert told.names() == [WAKE]
    second = take(room)
    assert (second.message_id, second.number, second.attempt) == (question.id, 2, 1)
    reply(second, "Somebody else.")
    assert [row.text for row in Message.objects.filter(is_spirit=True).order_by("seq")] == [
        "A friend.",
        "Somebody else.",
    ]


def test_asking_again_waits_its_turn_and_does_not_pile_up(room: Session, ada: User, told: Told) -> None:
    say(room, ada, "First?")
    first = take(room)
    reply(first)
    say(room, ada, "Second?")
    take(room)
    told.commit()

    ask_again(actor=ada, session_id=room.id, turn_id=first.turn_id)

    assert places(told) == [("Ada", 1)]
    assert refused(ask_again, actor=ada, session_id=room.id, turn_id=first.turn_id) == Code.QUEUE_FULL


def test_asking_again_finds_a_full_queue(room: Session, ada: User) -> None:
    say(room, ada, "First?")
    first = take(room)
    reply(first)
    post_messages([Draft(room.id, one.id, f"{one.name}?") for one in people(room, MAX_WAITING + 1)])

    assert refused(ask_again, actor=ada, session_id=room.id, turn_id=first.turn_id) == Code.QUEUE_FULL


def test_a_question_that_is_gone_is_not_asked_again(room: Session, ada: User) -> None:
    question = say(room, ada).message
    turn = take(room)
    reply(turn)
    delete_message(actor=ada, session_id=room.id, message_id=question.id)

    assert refused(ask_again, actor=ada, session_id=room.id, turn_id=turn.turn_id) == Code.NOT_FOUND


def test_nothing_is_asked_again_in_an_ended_session(room: Session, ada: User) -> None:
    say(room, ada)
    turn = take(room)
    reply(turn)
    end_session(actor=ada, session_id=room.id)

    assert refused(ask_again, actor=ada, session_id=room.id, turn_id=turn.turn_id) == Code.SESSION_ENDED


def test_a_spirit_that_is_off_is_not_asked_again(room: Session, ada: User) -> None:
    say(room, ada)
    turn = take(room)
    reply(turn)
    update_session(actor=ada, session_id=room.id, values=UpdateSession(spirit=SpiritInput(mode="off")))

    assert refused(ask_again, actor=ada, session_id=room.id, turn_id=turn.turn_id) == Code.FORBIDDEN
    assert claim(room.id) is None


@pytest.mark.parametrize(("lost", "host_may"), [("mute", True), ("observer", True), ("left", True), ("kick", False)])
def test_an_asker_who_may_not_speak_asks_nothing_again(lost: str, host_may: bool, room: Session, ada: User) -> None:
    (bob,) = people(room, 1)
    say(room, bob)
    turn = take(room)
    reply(turn)
    names: dict[str, UUID] = {"session_id": room.id, "participant_id": Participant.objects.get().id}
    acts: dict[str, Callable[[], object]] = {
        "mute": lambda: mute(actor=ada, muted=True, **names),
        "observer": lambda: set_role(actor=ada, role="observer", **names),
        "left": lambda: hang_up(room, bob),
        "kick": lambda: kick(actor=ada, **names),
    }
    acts[lost]()

    assert refused(ask_again, actor=bob, session_id=room.id, turn_id=turn.turn_id) == Code.FORBIDDEN
    if host_may:
        ask_again(actor=ada, session_id=room.id, turn_id=turn.turn_id)
    else:
        assert refused(ask_again, actor=ada, session_id=room.id, turn_id=turn.turn_id) == Code.FORBIDDEN
    assert states(room) == ["answered", "queued"][: 1 + host_may]


@pytest.mark.parametrize("mode", ["open", "chorus"])
def test_a_question_that_waits_merged_into_another_is_not_asked_again(mode: str, ada: User) -> None:
    room = make_session(ada, spirit_mode=mode)
    bob, eve = people(room, 2)
    if mode == "open":
        say(room, ada, "First?")
        reply(take(room))
    say(room, bob, "Is it cold?")
    say(room, eve, "Is it cold?")
    merged = SpiritTurn.objects.get(state="merged")

    assert refused(ask_again, actor=eve, session_id=room.id, turn_id=merged.id) == Code.QUEUE_FULL
    SpiritTurn.objects.update(ready_at=None)
    turn = take(room)
    assert refused(ask_again, actor=eve, session_id=room.id, turn_id=merged.id) == Code.QUEUE_FULL
    reply(turn)
    ask_again(actor=eve, session_id=room.id, turn_id=merged.id)


@pytest.mark.parametrize("is_active", [True, False])
def test_a_deleted_question_takes_its_turn_along(is_active: bool, room: Session, ada: User, told: Told) -> None:
    question = say(room, ada).message
    turn = take(room) if is_active else None
    told.commit()

    delete_message(actor=ada, session_id=room.id, message_id=question.id)

    deleted, cancelled = told.commit()
    assert (deleted.event, cancelled.event) == ("message_deleted", "spirit_cancelled")
    assert body(cancelled).by == ada.id
    assert states(room) == ["withdrawn"]
    assert turn is None or reply(turn) is False
    assert numbers(room) == [1, 2, 3]


def test_an_ended_session_withdraws_what_was_asked(room: Session, ada: User, told: Told) -> None:
    say(room, ada, "First?")
    say(room, ada, "Second?")
    turn = take(room)
    told.commit()

    end_session(actor=ada, session_id=room.id)

    assert told.names() == ["spirit_cancelled", "spirit_cancelled", "session_ended"]
    assert states(room) == ["withdrawn", "withdrawn"]
    assert reply(turn) is False
    assert numbers(room) == [1, 2, 3, 4, 5]


def test_a_spirit_that_is_sent_off_answers_nothing_that_waits(room: Session, ada: User, told: Told) -> None:
    bob, eve = people(room, 2)
    say(room, ada, "First?")
    turn = take(room)
    say(room, bob, "Where is the ring?")
    say(room, eve, "Where is the ring?")
    told.commit()

    update_session(actor=ada, session_id=room.id, values=UpdateSession(spirit=SpiritInput(mode="off")))

    assert told.names() == ["spirit_cancelled", "spirit_cancelled", "session_updated"]
    assert reply(turn) is False
    assert claim(room.id) is None
    assert states(room) == ["withdrawn", "withdrawn", "merged"]
