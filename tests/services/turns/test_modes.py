"""Tests of sessions_app/services/turns: who is answered in a chorus, in a circle and otherwise, and what never is."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions_app.errors import Code, SeanceError
from sessions_app.models import Message, Session, SpiritTurn, User
from sessions_app.services.messages import Draft, delete_message, post_messages
from sessions_app.services.moderation import kick_user
from sessions_app.services.turns import (
    Later,
    claim,
    names_spirit,
    pass_over,
)
from sessions_app.spirits.base import SpiritRequest
from sessions_app.spirits.prompts import build_messages
from tests.services.helpers import (
    Told,
    body,
    code,
    hang_up,
    make_account,
    make_process,
    make_session,
    say,
    sit,
)
from tests.services.turns.steps import people, reply, states, take

pytestmark = pytest.mark.django_db


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


@pytest.mark.parametrize("act", ["delete", "kick"])
def test_what_a_chorus_gathered_and_is_taken_away_begins_its_turn_anew(act: str) -> None:
    host = make_account("Host")
    room = make_session(host, spirit_mode="chorus")
    ada, bob = people(room, 2)
    say(room, ada, "Is it cold?")
    gathered = say(room, bob, "Is it dark?").message
    SpiritTurn.objects.update(ready_at=timezone.now() - timedelta(seconds=1))
    first = take(room)
    assert first.history == ()

    if act == "delete":
        delete_message(actor=bob, session_id=room.id, message_id=gathered.id)
    else:
        kick_user(actor=host, session_id=room.id, whom=bob.id)

    assert reply(first) is False
    again = take(room)
    assert (again.turn_id, again.question, again.history) == (first.turn_id, "Is it cold?", ())


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
