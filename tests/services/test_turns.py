"""Tests of sessions_app/services: the spirit's turns: one at a time, in order, with exactly one end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.models import Message, Session, SpiritTurn, User
from sessions_app.selectors import history
from sessions_app.selectors.turns import active_turns
from sessions_app.services.messages import Draft, delete_message, post_messages
from sessions_app.services.sessions import end_session
from sessions_app.services.turns import (
    LEASE_SECONDS,
    MAX_ATTEMPTS,
    MAX_WAITING,
    WAKE,
    Claim,
    answer,
    ask_again,
    cancel_question,
    claim,
    extend,
    fail,
    names_spirit,
    sessions_with_turns,
)
from sessions_app.spirits.base import Finish
from sessions_app.spirits.speech import format_response
from tests.services.helpers import Told, body, make_account, make_process, make_session, numbers, say, sit

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    return make_account("Ada")


@pytest.fixture
def room(ada: User) -> Session:
    """A session of Ada's in which every message is a question."""
    return make_session(ada, spirit_mode="open", spirit_pace="instant")


def take(room: Session) -> Claim:
    found = claim(room.id)
    assert found is not None
    return found


def reply(turn: Claim, text: str = "It is I. Who asks?") -> bool:
    response = format_response(text, board="IT IS I", pace="instant", seed=1)
    finish = Finish("oracle", None, "oracle", "v1")
    return answer(
        session_id=turn.session_id, turn_id=turn.turn_id, attempt=turn.attempt, response=response, finish=finish
    )


def run_out(turn: Claim) -> None:
    """Let the lease of a turn expire."""
    late = timezone.now() - timedelta(seconds=1)
    SpiritTurn.objects.filter(pk=turn.turn_id).update(lease_until=late)


def states(room: Session) -> list[str]:
    return list(SpiritTurn.objects.filter(session=room).order_by("number").values_list("state", flat=True))


def places(told: Told) -> list[tuple[str, int]]:
    """Who was told to wait where."""
    queued = [body(notice) for notice in told.commit() if notice.event == "question_queued"]
    return [(item.asker.name, item.position) for item in queued]


def refused(service: object, **values: object) -> Code:
    with pytest.raises(SeanceError) as caught:
        service(**values)  # type: ignore[operator]
    return caught.value.code


# --- From question to answer ------------------------------------------------------------------------------------------


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


def test_places_in_the_queue_move_up(room: Session, ada: User, told: Told) -> None:
    for number in range(4):
        say(room, ada, f"Question {number}?")
    waiting = places(told)
    first = take(room)
    moved = places(told)
    reply(first)
    take(room)

    assert waiting == [("Ada", 1), ("Ada", 2), ("Ada", 3)]
    assert moved == [("Ada", 1), ("Ada", 2), ("Ada", 3)]
    assert places(told) == [("Ada", 1), ("Ada", 2)]


def test_a_full_queue_lets_a_message_pass_unanswered(room: Session, ada: User, told: Told) -> None:
    results = post_messages([Draft(room.id, ada.id, f"Question {number}?") for number in range(MAX_WAITING + 5)])

    assert len(results) == Message.objects.count() == MAX_WAITING + 5
    assert [position for _, position in places(told)] == list(range(1, MAX_WAITING + 1))
    assert states(room) == ["queued"] * (MAX_WAITING + 1)
    take(room)
    say(room, ada, "One more?")
    assert len(states(room)) == MAX_WAITING + 1


# --- When the spirit answers ------------------------------------------------------------------------------------------


def test_a_spirit_that_is_off_answers_nothing(ada: User, told: Told) -> None:
    room = make_session(ada, spirit_mode="off")

    say(room, ada, "Spirit, are you there?")

    assert told.names() == ["message_received"]
    assert claim(room.id) is None


def test_a_summoned_spirit_answers_who_names_it(ada: User) -> None:
    room = make_session(ada, spirit_mode="summoned")
    for text in ("Hello, Bob", "Is it the spirit?", "@spirit why?", "inspirited", "SPIRIT!"):
        say(room, ada, text)

    asked = SpiritTurn.objects.order_by("number").values_list("message__text", flat=True)

    assert list(asked) == ["Is it the spirit?", "@spirit why?", "SPIRIT!"]


@pytest.mark.parametrize(
    ("text", "name", "named"),
    [
        ("Oracle, speak", "The Oracle", True),
        ("the ORACLE", "The Oracle", True),
        ("oracles", "The Oracle", False),
        ("a.b here", "The A.B", True),
        ("aXb here", "The A.B", False),
        ("spirit_of", "The Oracle", False),
        ("(spirit)", "The Oracle", True),
    ],
)
def test_a_name_is_a_word_of_its_own(text: str, name: str, named: bool) -> None:
    assert names_spirit(text, name) is named


def test_what_is_off_the_record_is_neither_asked_nor_heard(room: Session, ada: User) -> None:
    say(room, ada, "Between us: I am afraid.", off_record=True)
    say(room, ada, "Who are you?")

    turn = take(room)

    assert turn.question == "Who are you?"
    assert turn.history == ()


LINES = st.lists(st.tuples(st.sampled_from(["said", "off", "deleted"]), st.integers(0, 99)), max_size=10)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=LINES)
def test_no_log_lets_a_provider_hear_what_is_off_the_record_or_deleted(lines: list[tuple[str, int]], ada: User) -> None:
    room = make_session(ada)
    for kind, number in lines:
        posted = say(room, ada, f"{kind} {number}", off_record=kind == "off")
        if kind == "deleted":
            delete_message(actor=ada, session_id=room.id, message_id=posted.message.id)
    Session.objects.filter(pk=room.id).update(spirit_mode="open")
    say(room, ada, "And now?")

    heard = [line.text for line in take(room).history]

    assert heard == [f"said {number}" for kind, number in lines if kind == "said"]


def test_a_provider_hears_who_sits_there_and_what_was_said(room: Session, ada: User) -> None:
    process_id = make_process()
    sit(room, process_id, ada)
    sit(room, process_id, name="Bob", secret="1")
    say(room, ada, "Who are you?")
    reply(take(room), "A friend.")
    say(room, ada, "Whose?")

    turn = take(room)

    assert turn.people == ("Ada", "Bob")
    assert [(line.name, line.text, line.is_spirit) for line in turn.history] == [
        ("Ada", "Who are you?", False), (None, "A friend.", True),
    ]  # fmt: skip
    assert (turn.context_seq, turn.number) == (3, 2)


# --- Lease and fence --------------------------------------------------------------------------------------------------


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
    assert timedelta(seconds=LEASE_SECONDS - 5) < left - timezone.now() < timedelta(seconds=LEASE_SECONDS + 5)


def test_a_turn_that_nobody_survives_fails_and_the_next_one_is_looked_for(room: Session, ada: User, told: Told) -> None:
    question = say(room, ada, "First?").message
    say(room, ada, "Second?")
    for _ in range(MAX_ATTEMPTS):
        run_out(take(room))
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


# --- Cancel, ask again, withdraw --------------------------------------------------------------------------------------


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
    post_messages([Draft(room.id, ada.id, f"Question {number}?") for number in range(MAX_WAITING + 1)])

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


# --- Reads ------------------------------------------------------------------------------------------------------------


def test_the_active_turn_is_part_of_a_welcome(room: Session, ada: User) -> None:
    process_id = make_process()
    assert sit(room, process_id).turn is None
    say(room, ada)
    assert sit(room, process_id).turn is None

    turn = take(room)

    found = sit(room, process_id).turn
    assert found is not None
    assert (found.turn_id, found.message_id, found.asker) == (
        turn.turn_id,
        turn.message_id,
        events.PersonRef(ada.id, "Ada"),
    )
    assert found.started_at is not None
    assert active_turns([room.id]) == {room.id: found}


def test_the_poll_finds_sessions_with_something_to_do(room: Session, ada: User) -> None:
    idle = make_session(ada)
    assert sessions_with_turns([room.id, idle.id]) == []

    say(room, ada)
    say(room, ada)

    assert sessions_with_turns([room.id, idle.id]) == [room.id]
    assert sessions_with_turns([idle.id]) == []
