"""Tests of sessions_app/services/turns: from question to answer, one at a time, in order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from sessions_app import events
from sessions_app.errors import Code
from sessions_app.models import Message, Participant, Session, SpiritTurn, User
from sessions_app.selectors import history
from sessions_app.services.messages import Draft, Posted, delete_message, post_messages
from sessions_app.services.turns import (
    MAX_WAITING,
    WAKE,
    Cost,
    answer,
    begin_moves,
    cancel_in_empty_rooms,
    cancel_question,
    claim,
    expire_waiting,
)
from sessions_app.services.turns.claiming import WAIT_SECONDS
from sessions_app.spirits.base import Finish
from sessions_app.spirits.speech import format_response
from tests.services.helpers import (
    Told,
    body,
    hang_up,
    say,
)
from tests.services.turns.steps import people, places, reply, states, take

pytestmark = pytest.mark.django_db


def test_a_question_is_claimed_and_answered_once(room: Session, ada: User, told: Told) -> None:
    question = say(room, ada, "Who are you?").message
    assert told.names() == ["message_received", WAKE]

    turn = take(room)
    thinking = body(told.one("spirit_thinking"))
    answered = reply(turn)

    assert (turn.attempt, turn.number, turn.question, turn.asker, turn.message_id) == (
        1, 1, "Who are you?", "Ada", question.id,
    )  # fmt: skip
    assert (thinking.turn_id, thinking.message_id, thinking.asker.id) == (turn.turn_id, question.id, ada.id)
    assert answered is True
    response, wake = told.commit()
    said = body(response)
    assert isinstance(said, events.SpiritResponse)
    assert (said.seq, said.turn_id, said.in_reply_to, said.is_spirit) == (2, turn.turn_id, question.id, True)
    assert (said.user_id, said.user_name, said.source, said.degraded, said.audio_url) == (
        None,
        None,
        "oracle",
        None,
        None,
    )
    assert said.message == said.text == "It is I. Who asks?"
    assert len(said.letter_timings) == len(said.text)
    assert all(50 <= timing <= 500 for timing in said.letter_timings)
    assert said.word_count == 5
    assert wake.event == WAKE
    assert states(room) == ["answered"]
    assert claim(room.id) is None
    (_, stored), _ = history.messages(room.id, limit=5)
    assert isinstance(stored, events.AnswerData)
    assert stored.board_script == said.board_script


def test_the_message_comes_before_its_place_in_the_queue(room: Session, ada: User, told: Told) -> None:
    say(room, ada, "First?")
    told.commit()

    say(room, ada, "Second?")

    assert told.names() == ["message_received", "question_queued", WAKE]


def test_only_one_turn_is_active(room: Session, ada: User) -> None:
    say(room, ada, "First?")
    say(room, ada, "Second?")
    first = take(room)

    assert claim(room.id) is None
    assert states(room) == ["active", "queued"]
    reply(first)

    assert take(room).question == "Second?"


def test_places_in_the_queue_move_up(room: Session, told: Told) -> None:
    for one in people(room, 4):
        say(room, one, f"A question of {one.name}?")
    waiting = places(told)
    first = take(room)
    moved = places(told)
    reply(first)
    take(room)

    assert waiting == [("P1", 1), ("P2", 2), ("P3", 3)]
    assert moved == []
    assert places(told) == [("P2", 1), ("P3", 2)]


def test_two_are_never_told_the_same_place_and_nobody_an_old_one(room: Session, told: Told) -> None:
    everybody = people(room, 5)
    for one in everybody:
        say(room, one, f"A question of {one.name}?")
    running = take(room)
    seen = dict(places(told))
    (second,) = SpiritTurn.objects.filter(number=2)
    said = SpiritTurn.objects.get(number=4).message

    delete_message(actor=said.user, session_id=room.id, message_id=said.id)
    seen = {name: place for name, place in {**seen, **dict(places(told))}.items() if name != "P3"}
    withdrawn = dict(seen)
    cancel_question(actor=everybody[0], session_id=room.id, turn_id=running.turn_id)
    seen |= dict(places(told))
    ended = dict(seen)
    take(room)
    begun = told.names()

    assert withdrawn == ended == {"P1": 1, "P2": 2, "P4": 3}
    assert second.state == "queued"
    assert begun == ["spirit_thinking", "question_queued", "question_queued"]


def test_a_question_that_is_deleted_under_way_lets_the_next_one_begin_at_once(room: Session, told: Told) -> None:
    ada, bob = people(room, 2)
    first = say(room, ada, "First?").message
    say(room, bob, "Second?")
    take(room)
    told.commit()

    delete_message(actor=ada, session_id=room.id, message_id=first.id)

    assert told.names() == ["message_deleted", "spirit_cancelled", WAKE]
    assert take(room).question == "Second?"


def test_a_full_queue_lets_a_message_stand_and_says_so(room: Session, told: Told) -> None:
    everybody = people(room, MAX_WAITING + 5)
    results = post_messages([Draft(room.id, one.id, f"A question of {one.name}?") for one in everybody])

    codes = [item.unanswered.code if isinstance(item, Posted) and item.unanswered else None for item in results]
    assert codes == [None] * (MAX_WAITING + 1) + [Code.QUEUE_FULL] * 4
    assert len(results) == Message.objects.count() == MAX_WAITING + 5
    assert [position for _, position in places(told)] == list(range(1, MAX_WAITING + 1))
    assert states(room) == ["queued"] * (MAX_WAITING + 1)


def test_one_question_of_a_seat_waits(room: Session, ada: User) -> None:
    first, second, third = (say(room, ada, f"Question {number}?").unanswered for number in range(3))

    assert (first, second) == (None, None)
    assert third is not None
    assert (third.code, third.retryable) == (Code.QUEUE_FULL, True)
    take(room)
    assert say(room, ada, "And now?").unanswered is not None
    assert states(room) == ["active", "queued"]


def test_who_was_answered_least_is_next(room: Session, told: Told) -> None:
    ada, bob, eve = people(room, 3)
    say(room, ada, "One?")
    reply(take(room))
    say(room, bob, "Two?")
    running = take(room)
    say(room, ada, "Three?")
    say(room, eve, "Four?")
    told.commit()
    say(room, bob, "Five?")

    reply(running)
    order = []
    for _ in range(3):
        turn = take(room)
        order.append((turn.asker, turn.question))
        reply(turn)

    assert order == [("P2", "Four?"), ("P0", "Three?"), ("P1", "Five?")]


def test_the_same_question_is_merged_into_the_one_that_waits(room: Session, told: Told) -> None:
    ada, bob, eve = people(room, 3)
    say(room, ada, "First?")
    take(room)
    say(room, bob, "Where is the ring?")
    told.commit()
    question = say(room, eve, "  where is the RING ").message

    merged = body(told.one("question_merged"))
    rows = SpiritTurn.objects.order_by("number")

    assert (merged.message_id, merged.turn_id, merged.into) == (question.id, rows[2].id, rows[1].id)
    assert states(room) == ["active", "queued", "merged"]


def test_who_asked_the_same_inherits_the_place(room: Session, told: Told) -> None:
    ada, bob, eve = people(room, 3)
    say(room, ada, "First?")
    running = take(room)
    say(room, bob, "Where is the ring?")
    say(room, eve, "Where is the ring?")
    second = SpiritTurn.objects.get(number=2)

    cancel_question(actor=bob, session_id=room.id, turn_id=second.id)

    assert states(room) == ["active", "cancelled", "queued"]
    reply(running)
    assert take(room).asker == "P2"


def test_what_waits_too_long_fails(room: Session, told: Told) -> None:
    ada, bob = people(room, 2)
    say(room, ada, "First?")
    take(room)
    say(room, bob, "Second?")
    SpiritTurn.objects.filter(number=2).update(created_at=timezone.now() - timedelta(seconds=WAIT_SECONDS + 1))
    told.commit()

    assert expire_waiting() == 1

    assert body(told.one("spirit_failed")).code == "QUEUE_EXPIRED"
    assert states(room) == ["active", "failed"]
    assert expire_waiting() == 0


def test_a_room_that_is_empty_for_long_enough_cancels(room: Session, told: Told) -> None:
    (ada,) = people(room, 1)
    say(room, ada, "First?")
    take(room)
    SpiritTurn.objects.update(created_at=timezone.now() - timedelta(seconds=60))
    assert cancel_in_empty_rooms() == 0
    hang_up(room, ada)
    assert cancel_in_empty_rooms() == 0
    Participant.objects.update(left_at=timezone.now() - timedelta(seconds=16))
    told.commit()

    assert cancel_in_empty_rooms() == 1

    assert body(told.one("spirit_cancelled")).by is None
    assert states(room) == ["cancelled"]


def test_who_never_sat_down_does_not_empty_a_room(room: Session, ada: User) -> None:
    say(room, ada, "First?")
    SpiritTurn.objects.update(created_at=timezone.now() - timedelta(seconds=60))

    assert cancel_in_empty_rooms() == 0


def test_a_turn_says_what_its_answer_had_heard_and_cost(room: Session, ada: User) -> None:
    say(room, ada, "First?")
    first = take(room)
    reply(first)
    say(room, ada, "Second?")
    turn = take(room)
    starts_at = begin_moves(session_id=room.id, turn_id=turn.turn_id, attempt=1, duration_ms=5000)
    response = format_response("It is I.", board="IT IS I", pace="instant", seed=1)
    cost = Cost(120, 30, 7, "f" * 64)
    answer(
        session_id=room.id, turn_id=turn.turn_id, attempt=1, response=response,
        finish=Finish("llm", "timeout", "openai_compat", "m"), cost=cost,
    )  # fmt: skip

    row = SpiritTurn.objects.select_related("persona").get(number=2)

    assert row.persona is not None
    assert (row.persona.number, row.persona.state) == (1, "published")
    assert (row.context_from, row.context_seq, row.seed) == (1, 3, room.seed)
    assert (row.provider, row.model, row.source, row.degraded) == ("openai_compat", "m", "llm", "timeout")
    assert (row.prompt_tokens, row.completion_tokens, row.cost_microcents, row.prompt_hash) == cost
    assert row.moves_at == starts_at
    found, _ = history.messages(room.id, limit=1)
    assert isinstance(found[0], events.AnswerData)
    assert found[0].starts_at == starts_at


def test_the_planchette_spells_one_line_after_the_other(room: Session, ada: User) -> None:
    say(room, ada, "First?")
    first = take(room)
    began = begin_moves(session_id=room.id, turn_id=first.turn_id, attempt=1, duration_ms=9000)
    reply(first)
    say(room, ada, "Second?")
    second = take(room)

    then = begin_moves(session_id=room.id, turn_id=second.turn_id, attempt=1, duration_ms=1000)

    assert began is not None
    assert then == began + timedelta(seconds=9)
    assert begin_moves(session_id=room.id, turn_id=second.turn_id, attempt=2, duration_ms=1000) is None
