"""Tests of sessions_app/services: the spirit's turns: one at a time, in order, with exactly one end."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uuid_utils.compat import uuid7

from sessions_app import events
from sessions_app.errors import Code, SeanceError
from sessions_app.inputs import SpiritInput, UpdateSession
from sessions_app.models import Message, Participant, Session, SpiritTurn, User
from sessions_app.selectors import history
from sessions_app.services.messages import Draft, Posted, delete_message, post_messages
from sessions_app.services.moderation import kick_user
from sessions_app.services.sessions import end_session, update_session
from sessions_app.services.turns import (
    MAX_LOST,
    MAX_WAITING,
    WAKE,
    Claim,
    Cost,
    Later,
    answer,
    ask_again,
    begin_moves,
    cancel_in_empty_rooms,
    cancel_question,
    claim,
    expire_waiting,
    extend,
    fail,
    lease_seconds,
    names_spirit,
    pass_over,
    release,
    sessions_with_turns,
)
from sessions_app.services.turns.claiming import WAIT_SECONDS
from sessions_app.spirits.base import Finish, SpiritRequest
from sessions_app.spirits.prompts import build_messages
from sessions_app.spirits.speech import format_response
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
def room(ada: User) -> Session:
    """A session of Ada's in which every message is a question."""
    return make_session(ada, spirit_mode="open", spirit_pace="instant", max_users=20)


def take(room: Session) -> Claim:
    found = claim(room.id)
    assert isinstance(found, Claim)
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


def people(room: Session, count: int) -> list[User]:
    """So many who sit there."""
    process_id = make_process()
    found = [make_account(f"P{number}") for number in range(count)]
    for one in found:
        sit(room, process_id, one)
    return found


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


# --- A chorus and a circle --------------------------------------------------------------------------------------------


def test_a_chorus_gathers_and_gets_one_answer(told: Told) -> None:
    room = make_session(make_account("Host"), spirit_mode="chorus")
    ada, bob, eve = people(room, 3)
    say(room, ada, "Is it cold?")
    say(room, bob, "Is it dark?")
    say(room, eve, "is it COLD")
    assert [notice.event for notice in told.commit()].count("question_merged") == 2

    later = claim(room.id)
    assert isinstance(later, Later)
    assert 8 < later.seconds <= 10
    SpiritTurn.objects.update(ready_at=timezone.now() - timedelta(seconds=1))
    turn = take(room)

    assert turn.question == "Is it cold? Is it dark?"
    assert turn.history == ()
    reply(turn)
    assert states(room) == ["answered", "merged", "merged"]
    assert say(room, bob, "And now?").unanswered is None
    assert isinstance(claim(room.id), Later)


def test_in_a_circle_only_the_seat_whose_turn_it_is_asks(told: Told) -> None:
    room = make_session(make_account("Host"), spirit_mode="circle")
    ada, bob, eve = people(room, 3)

    early = code(post_messages([Draft(room.id, bob.id, "Me?")])[0])
    assert early == "NOT_YOUR_TURN"
    assert Message.objects.count() == 0
    told.commit()
    say(room, ada, "I?")
    turn = body(told.one("circle_turn"))
    assert turn.user.id == bob.id
    assert code(post_messages([Draft(room.id, ada.id, "I again?")])[0]) == "NOT_YOUR_TURN"
    assert code(post_messages([Draft(room.id, ada.id, "Between us", off_record=True)])[0]) == ""
    say(room, bob, "Me?")
    say(room, eve, "And I?")
    assert code(post_messages([Draft(room.id, bob.id, "Me again?")])[0]) == "NOT_YOUR_TURN"
    assert states(room) == ["queued"] * 3


def test_in_a_circle_who_waits_too_long_is_passed_over(told: Told) -> None:
    room = make_session(make_account("Host"), spirit_mode="circle")
    ada, bob = people(room, 2)
    pass_over([room.id])
    assert body(told.one("circle_turn")).user.id == ada.id
    Session.objects.update(circle_since=timezone.now() - timedelta(seconds=46))

    assert code(post_messages([Draft(room.id, ada.id, "Too late?")])[0]) == "NOT_YOUR_TURN"
    told.commit()
    pass_over([room.id])

    assert body(told.one("circle_turn")).user.id == bob.id
    say(room, bob, "Me?")
    hang_up(room, ada)
    pass_over([room.id])
    reply(take(room))
    assert say(room, bob, "I am alone?").unanswered is None


# --- What is not for the table ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["open", "summoned", "circle", "chorus"])
def test_a_cry_for_help_is_neither_stored_nor_shown(mode: str, told: Told) -> None:
    room = make_session(make_account("Host"), spirit_mode=mode)
    (ada,) = people(room, 1)
    told.commit()

    results = post_messages([Draft(room.id, ada.id, "spirit, I want to die"), Draft(room.id, ada.id, "Are you cold?")])

    refusal = results[0]
    assert isinstance(refusal, SeanceError)
    assert (refusal.code, refusal.details["kind"], refusal.details["links"]) == (
        Code.SAFETY_NOTICE, "crisis", ["https://findahelpline.com"],
    )  # fmt: skip
    notices = told.commit()
    assert "question_withdrawn" in [notice.event for notice in notices]
    assert all("die" not in notice.text for notice in notices)
    assert [row.text for row in Message.objects.all()] == ["Are you cold?"]


def test_where_no_spirit_listens_people_speak_to_each_other(told: Told) -> None:
    room = make_session(make_account("Host"), spirit_mode="off")
    (ada,) = people(room, 1)

    assert code(post_messages([Draft(room.id, ada.id, "I want to die")])[0]) == ""


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
        SpiritTurn.objects.update(state="cancelled")

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

    turn = take(room)
    heard = [line.text for line in turn.history]
    request = SpiritRequest(
        str(room.id), room.seed, 1, 1, turn.question, turn.asker, turn.people, turn.history, turn.persona, 0
    )
    prompt = json.dumps(build_messages(request, max_history=99), ensure_ascii=False)

    assert not any(f"{kind} {number}" in prompt for kind, number in lines if kind != "said")
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


# --- Provenance -------------------------------------------------------------------------------------------------------


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


# --- Reads ------------------------------------------------------------------------------------------------------------


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
