"""Tests of realtime on a real server: a question, and what the spirit does with it (docs/protocol.md, 2.4)."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from sessions_app import events
from tests.harness.server import Opened, Stack
from tests.realtime.client import Place, Sitter, Told, not_there

pytestmark = pytest.mark.processes


async def room_of(place: Place, *, mode: str = "open", pace: str = "instant") -> tuple[Opened, Sitter]:
    """A session in which the spirit answers, and its host."""
    room = place.server.create_session(mode=mode, pace=pace)
    host = await place.connect(room.id)
    await host.join(token=room.host_token, name="Host")
    return room, host


async def until(sitter: Sitter, event: str) -> list[Told]:
    """Everything up to and with the next frame of this name, acks aside."""
    heard: list[Told] = []
    while not heard or heard[-1].event != event:
        heard.append(await sitter.receive())
    return [told for told in heard if told.event != "ack"]


def hold_turn(stack: Stack, room: Opened, message: events.Ack, asker: UUID) -> str:
    """A turn that another process is answering, for ever."""
    turn_id = str(uuid4())
    stack.query(
        "INSERT INTO spirit_turns (id, session_id, message_id, asker_id, state, number, attempt, lease_until,"
        " created_at, started_at, code, context_seq, provider, model)"
        " SELECT %(id)s, session_id, id, %(asker)s, 'active', 1, 1,"
        " '2100-01-01 00:00:00+00:00', timestamp, timestamp, '', seq, '', '' FROM messages WHERE id = %(message)s",
        id=turn_id, asker=asker, message=message.id,
    )  # fmt: skip
    return turn_id


async def held(place: Place, stack: Stack) -> tuple[Opened, Sitter, str]:
    """A session whose first question is being answered by a process that does not hurry."""
    room, host = await room_of(place, mode="off")
    first = await host.say("First?")
    turn_id = hold_turn(stack, room, first, host.heard[0].data.id)
    await host.send("update_session", spirit={"mode": "open"})
    await host.expect("session_updated")
    return room, host, turn_id


# --- One answer -------------------------------------------------------------------------------------------------------


async def test_a_question_is_thought_about_spelt_voiced_and_answered(quick: Place) -> None:
    room, host = await room_of(quick)
    ada = await quick.sit(room.id, name="Ada")

    ack = await ada.say("Will it rain tomorrow?")
    heard = await until(host, "spirit_response")

    order = list(dict.fromkeys(told.event for told in heard if told.event != "user_joined"))
    assert order[:2] == ["message_received", "spirit_thinking"]
    assert set(order[2:-1]) == {"spirit_move", "spirit_voice"}
    assert order[-1] == "spirit_response"
    by_name = {told.event: told.data for told in heard}
    thinking, response = by_name["spirit_thinking"], by_name["spirit_response"]
    assert thinking.message_id == response.in_reply_to == ack.id
    assert {by_name[name].turn_id for name in order[1:]} == {thinking.turn_id}
    assert (thinking.asker.id, thinking.asker.name) == (ada.heard[0].data.id, "Ada")
    voiced = " ".join(told.data.text for told in heard if told.event == "spirit_voice")
    assert voiced == response.text


async def test_an_answer_has_all_that_a_board_and_a_page_need(quick: Place) -> None:
    room, host = await room_of(quick, pace="ritual")

    await host.say("Who are you?")
    heard = await until(host, "spirit_response")

    response: events.SpiritResponse = heard[-1].data
    assert (response.is_spirit, response.user_id, response.user_name, response.seq) == (True, None, None, 2)
    assert (response.source, response.degraded, response.audio_url, response.off_record) == (
        "oracle",
        None,
        None,
        False,
    )
    assert response.message == response.text
    assert len(response.letter_timings) == len(response.text)
    assert all(50 <= timing <= 500 for timing in response.letter_timings)
    assert 1 <= response.word_count == len(response.text.split()) <= 30
    check_script(response.board_script)
    history = quick.server.http("GET", f"/api/sessions/{room.id}/history").data
    assert history[-1]["board_script"] == response.board_script


def check_script(script: dict[str, Any]) -> None:
    """`seance.board-script/1`."""
    assert script["schema"] == "seance.board-script/1"
    moves = script["moves"]
    assert [move["i"] for move in moves] == list(range(len(moves)))
    now = 0
    for move in moves:
        assert move["t_ms"] == now
        assert (0 <= move["x"] <= 1600, 0 <= move["y"] <= 1000) == (True, True)
        assert move["kind"] in ("glyph", "word", "pause", "nudge", "rest")
        assert (move["glyph"] is None) == (move["kind"] in ("pause", "rest"))
        start, end = move["src"]
        assert 0 <= start <= end <= len(script["source_text"])
        now += move["travel_ms"] + move["dwell_ms"]
    assert now == script["duration_ms"] <= 20_000
    letters = "".join(character for character in script["text"] if character.isalnum())
    assert "".join(move["glyph"] for move in moves if move["glyph"]) == letters


async def test_the_moves_that_were_sent_are_those_of_the_script(quick: Place) -> None:
    _, host = await room_of(quick)

    await host.say("Who are you?")
    heard = await until(host, "spirit_response")
    heard += await host.until_now()

    batches = [told.data for told in heard if told.event == "spirit_move"]
    moves = [move for batch in batches for move in batch.moves]
    script = next(told.data.board_script for told in heard if told.event == "spirit_response")
    assert moves == script["moves"]
    assert len({(batch.turn_id, batch.starts_at) for batch in batches}) == 1


async def test_who_comes_while_the_planchette_moves_is_shown_where_it_is(quick: Place) -> None:
    room, host = await room_of(quick, pace="ritual")
    await host.say("Who are you?")
    sent = [told for told in await until(host, "spirit_response") if told.event == "spirit_move"]
    assert sent

    late = await quick.sit(room.id, name="Late")

    shown = [(await late.receive()).data for _ in sent]
    assert shown == [told.data for told in sent]
    following = await late.expect("spirit_move")
    assert following.data.turn_id == shown[0].turn_id
    assert following.data.moves[0]["i"] == shown[-1].moves[-1]["i"] + 1


async def test_who_comes_when_the_planchette_rests_is_shown_nothing(quick: Place) -> None:
    room, host = await room_of(quick)
    await host.say("Who are you?")
    await until(host, "spirit_response")
    await asyncio.sleep(1)

    late = await quick.connect(room.id)
    welcome = await late.join()

    assert await late.names_until_now() == []
    assert (len(welcome.recent), welcome.recent[-1]["is_spirit"], welcome.spirit.turn) == (2, True, None)


async def test_questions_are_answered_one_by_one_in_their_order(quick: Place) -> None:
    room, host = await room_of(quick)
    sitters = [await quick.sit(room.id, name=f"P{number}") for number in range(4)]
    asked = [await sitter.say(f"Question {number}?") for number, sitter in enumerate(sitters)]

    while sum(told.event == "spirit_response" for told in host.heard) < 4:
        await host.receive()

    answered = [told.data.in_reply_to for told in host.heard if told.event == "spirit_response"]
    assert answered == [ack.id for ack in asked]
    steps = [told.event for told in host.heard if told.event in ("spirit_thinking", "spirit_response")]
    assert steps == ["spirit_thinking", "spirit_response"] * 4


async def test_what_is_off_the_record_or_names_no_spirit_gets_no_answer(quick: Place) -> None:
    _, host = await room_of(quick, mode="summoned")

    await host.say("Just between us.")
    await host.say("@spirit, not this one", off_record=True)
    asked = await host.say("Spirit, are you there?")
    heard = await until(host, "spirit_response")

    assert heard[-1].data.in_reply_to == asked.id
    assert [told.event for told in host.heard].count("spirit_thinking") == 1


# --- The queue --------------------------------------------------------------------------------------------------------


async def test_a_question_that_must_wait_is_told_its_place(quick: Place, quick_stack: Stack) -> None:
    room, host, turn_id = await held(quick, quick_stack)
    for number in range(3):
        sitter = await quick.sit(room.id, name=f"P{number}")
        await sitter.say(f"Question {number}?")
    heard = host.heard + await host.until_now()
    waiting = [told.data.position for told in heard if told.event == "question_queued"]

    await host.send("cancel_question", turn_id=turn_id)
    moved = await until(host, "spirit_response")

    assert waiting[:3] == [1, 2, 3]
    places = [told.data.position for told in moved if told.event == "question_queued"]
    assert places[:2] == [1, 2]


async def test_a_running_turn_is_part_of_the_welcome_and_can_be_cancelled(quick: Place, quick_stack: Stack) -> None:
    room, host, turn_id = await held(quick, quick_stack)
    eve = await quick.connect(room.id)

    turn = (await eve.join(name="Eve")).spirit.turn
    await eve.send("cancel_question", ref="c0", turn_id=turn_id)
    refusal = await eve.refusal()
    await host.send("cancel_question", turn_id=turn_id)
    cancelled = await eve.expect("spirit_cancelled")

    assert turn is not None
    assert (str(turn.turn_id), turn.asker.name, turn.persona) == (turn_id, "Host", "the-spirit")
    assert refusal == ("FORBIDDEN", "c0")
    assert cancelled.text == (await host.expect("spirit_cancelled")).text
    assert (str(cancelled.data.turn_id), cancelled.data.by) == (turn_id, host.heard[0].data.id)


async def test_the_asker_cancels_a_waiting_question_of_one_s_own(quick: Place, quick_stack: Stack) -> None:
    room, host, _ = await held(quick, quick_stack)
    ada = await quick.sit(room.id, name="Ada")
    await ada.say("Me next?")
    queued = [told for told in ada.heard + await ada.until_now() if told.event == "question_queued"][-1]

    await ada.send("cancel_question", turn_id=str(queued.data.turn_id))

    cancelled = await host.expect("spirit_cancelled")
    assert (cancelled.data.turn_id, cancelled.data.by) == (queued.data.turn_id, ada.heard[0].data.id)


async def test_a_deleted_question_takes_its_turn_along(quick: Place, quick_stack: Stack) -> None:
    _, host, turn_id = await held(quick, quick_stack)
    question = next(told.data.id for told in host.heard if told.event == "message_received")

    await host.send("delete_message", message_id=str(question))

    deleted, cancelled = await host.receive(), await host.receive()
    assert (deleted.event, cancelled.event) == ("message_deleted", "spirit_cancelled")
    assert str(cancelled.data.turn_id) == turn_id


async def test_asking_again_brings_another_answer_to_the_same_question(quick: Place) -> None:
    _, host = await room_of(quick)
    question = await host.say("Who are you?")
    first = (await until(host, "spirit_response"))[-1].data

    await host.send("ask_again", turn_id=str(first.turn_id))
    second = (await until(host, "spirit_response"))[-1].data

    assert (second.in_reply_to, second.seq) == (question.id, 3)
    assert second.turn_id != first.turn_id


async def test_a_turn_that_is_not_there_is_not_found(quick: Place) -> None:
    _, host = await room_of(quick)

    for event in ("cancel_question", "ask_again"):
        await host.send(event, ref=event, turn_id=not_there())
        assert await host.refusal() == ("NOT_FOUND", event)
