"""Tests of sessions_app/services/turns: what others are told of them."""

from __future__ import annotations

import pytest
from django.utils import timezone

from sessions_app import events
from sessions_app.models import Participant, Session, User
from sessions_app.services.turns import (
    pass_over,
    sessions_with_turns,
)
from tests.services.helpers import (
    Told,
    body,
    hang_up,
    make_account,
    make_process,
    make_session,
    say,
    sit,
)
from tests.services.turns.steps import people, reply, take

pytestmark = pytest.mark.django_db


def test_the_active_turn_is_part_of_a_welcome(room: Session, ada: User) -> None:
    process_id = make_process()
    assert sit(room, process_id).spirit.turn is None
    say(room, ada)
    assert sit(room, process_id).spirit.turn is None

    turn = take(room)

    found = sit(room, process_id).spirit.turn
    assert found is not None
    assert (found.turn_id, found.message_id, found.asker) == (
        turn.turn_id,
        turn.message_id,
        events.PersonRef(ada.id, "Ada"),
    )
    assert found.started_at is not None


def test_a_welcome_has_the_questions_that_wait_and_those_that_share_an_answer(room: Session, told: Told) -> None:
    ada, bob, eve, dan = people(room, 4)
    say(room, ada, "First?")
    running = take(room)
    say(room, bob, "Where is the ring?")
    say(room, eve, "Is it cold?")
    say(room, dan, "where is the ring")
    notices = [notice for notice in told.commit() if notice.event.startswith("question_")]

    found = sit(room, make_process()).spirit

    assert found.turn is not None
    assert found.turn.turn_id == running.turn_id
    assert [(one.position, one.asker.name) for one in found.queue] == [(1, "P1"), (2, "P2")]
    assert [body(notice) for notice in notices if notice.event == "question_queued"] == found.queue
    assert [body(notice) for notice in notices if notice.event == "question_merged"] == found.merged
    assert found.circle is None
    reply(running)
    take(room)
    then = sit(room, make_process()).spirit
    assert [one.asker.name for one in then.queue] == ["P2"]
    assert then.merged == found.merged


def test_a_welcome_has_whose_turn_it_is_in_a_circle(told: Told) -> None:
    room = make_session(make_account("Host"), spirit_mode="circle", max_users=9)
    ada, bob = people(room, 2)
    assert sit(room, make_process()).spirit.circle is None
    pass_over([room.id])
    first = body(told.one("circle_turn"))

    assert first.user.id == ada.id
    assert sit(room, make_process()).spirit.circle == first
    hang_up(room, ada)
    Participant.objects.filter(user=ada).update(left_at=timezone.now())
    assert sit(room, make_process()).spirit.circle is None
    Session.objects.update(spirit_mode="open", circle_seat=bob.id)
    assert sit(room, make_process()).spirit.circle is None


def test_the_poll_finds_sessions_with_something_to_do(room: Session, ada: User) -> None:
    idle = make_session(ada)
    assert sessions_with_turns([room.id, idle.id]) == []

    say(room, ada)
    say(room, ada)

    assert sessions_with_turns([room.id, idle.id]) == [room.id]
    assert sessions_with_turns([idle.id]) == []
