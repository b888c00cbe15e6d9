"""Tests of sessions_app/services/turns: a turn outlives whoever holds it, and has exactly one end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from sessions_app import events
from sessions_app.errors import Code
from sessions_app.models import Message, Session, SpiritTurn, User
from sessions_app.services.messages import delete_message
from sessions_app.services.moderation import kick_user
from sessions_app.services.turns import (
    MAX_LOST,
    WAKE,
    cancel_question,
    claim,
    extend,
    fail,
    lease_seconds,
    release,
)
from tests.services.helpers import (
    Told,
    body,
    numbers,
    say,
)
from tests.services.turns.steps import people, reply, run_out, states, take

pytestmark = pytest.mark.django_db


def test_a_turn_whose_holder_died_is_taken_over(room: Session, ada: User) -> None:
    say(room, ada)
    first = take(room)
    assert claim(room.id) is None
    run_out(first)

    second = take(room)

    assert (second.turn_id, second.attempt) == (first.turn_id, 2)


def test_who_lost_the_turn_writes_no_end(room: Session, ada: User, told: Told) -> None:
    say(room, ada)
    first = take(room)
    run_out(first)
    second = take(room)
    told.commit()

    late = [
        reply(first),
        fail(session_id=room.id, turn_id=first.turn_id, attempt=first.attempt, code=Code.SPIRIT_ERROR),
        extend(turn_id=first.turn_id, attempt=first.attempt),
    ]

    assert late == [False, False, False]
    assert told.names() == []
    assert extend(turn_id=second.turn_id, attempt=second.attempt) is True
    assert reply(second) is True
    assert reply(second) is False
    assert Message.objects.filter(is_spirit=True).count() == 1
    assert numbers(room) == [1, 2]


def test_an_extended_lease_holds(room: Session, ada: User) -> None:
    say(room, ada)
    turn = take(room)
    run_out(turn)
    extend(turn_id=turn.turn_id, attempt=turn.attempt)

    assert claim(room.id) is None

    left = SpiritTurn.objects.get().lease_until
    assert left is not None
    assert timedelta(seconds=lease_seconds() - 5) < left - timezone.now() < timedelta(seconds=lease_seconds() + 5)


def test_a_turn_that_nobody_survives_fails_and_the_next_one_is_looked_for(room: Session, ada: User, told: Told) -> None:
    question = say(room, ada, "First?").message
    say(room, ada, "Second?")
    tries = []
    for _ in range(MAX_LOST):
        tries.append(take(room))
        run_out(tries[-1])
    assert [turn.is_last_try for turn in tries] == [False, False, True]
    told.commit()

    assert claim(room.id) is None

    failed, wake = told.commit()
    assert body(failed) == events.SpiritFailed(SpiritTurn.objects.get(number=1).id, question.id, "SPIRIT_ERROR")
    assert wake.event == WAKE
    assert states(room) == ["failed", "queued"]
    assert take(room).question == "Second?"


def test_a_failure_is_told_and_the_next_one_is_looked_for(room: Session, ada: User, told: Told) -> None:
    say(room, ada)
    turn = take(room)
    told.commit()

    assert fail(session_id=room.id, turn_id=turn.turn_id, attempt=turn.attempt, code=Code.SPIRIT_ERROR)

    failed, wake = told.commit()
    assert body(failed).code == "SPIRIT_ERROR"
    assert (failed.seq, wake.event) == (2, WAKE)
    room.refresh_from_db()
    assert room.last_seq == 2


def test_a_turn_that_is_given_back_is_taken_at_once_and_first(room: Session, told: Told) -> None:
    ada, bob = people(room, 2)
    say(room, ada, "First?")
    first = take(room)
    say(room, bob, "Second?")
    told.commit()

    assert release(session_id=room.id, turn_id=first.turn_id, attempt=first.attempt)

    assert told.names() == [WAKE]
    assert extend(turn_id=first.turn_id, attempt=first.attempt) is False
    again = take(room)
    assert (again.turn_id, again.attempt, again.is_last_try) == (first.turn_id, 2, False)
    assert reply(first) is False
    assert reply(again) is True


def test_what_is_taken_away_begins_a_running_turn_anew(room: Session, told: Told) -> None:
    ada, bob = people(room, 2)
    said = say(room, bob, "The ring is under the stair.", off_record=False).message
    cancel_question(actor=bob, session_id=room.id, turn_id=SpiritTurn.objects.get().id)
    secret = say(room, bob, "Not this.", off_record=True).message
    say(room, ada, "Where is it?")
    first = take(room)
    assert [line.text for line in first.history] == ["The ring is under the stair."]
    told.commit()

    delete_message(actor=bob, session_id=room.id, message_id=secret.id)
    assert extend(turn_id=first.turn_id, attempt=first.attempt) is True
    delete_message(actor=bob, session_id=room.id, message_id=said.id)

    assert [notice.text for notice in told.commit() if notice.event == WAKE] == [str(first.turn_id)]
    assert reply(first) is False
    again = take(room)
    assert (again.turn_id, again.history) == (first.turn_id, ())


def test_who_is_sent_away_is_heard_no_more_by_a_running_turn(room: Session, ada: User, told: Told) -> None:
    bob, eve = people(room, 2)
    say(room, bob, "The ring is under the stair.")
    reply(take(room), "Under the stair, says Bob.")
    say(room, eve, "Where is it?")
    first = take(room)
    assert len(first.history) == 2

    kick_user(actor=ada, session_id=room.id, whom=bob.id)

    assert reply(first) is False
    assert take(room).history == ()
