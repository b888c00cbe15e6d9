"""Tests of the terminal client's state: frames in, happenings and frames out, no socket and no clock."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from realtime import protocol
from sessions_app import events
from sessions_app.management.terminal.client import Client
from sessions_app.management.terminal.happenings import (
    Acked,
    Came,
    Ended,
    Left,
    Missed,
    Said,
    Thinking,
    Told,
    Typing,
    Unanswered,
    Welcomed,
)  # fmt: skip
from tests.commands import frames

pytestmark = pytest.mark.once

NOW = 1000.0


@pytest.fixture
def client() -> Client:
    return Client(name="Ana")


def sent(client: Client, now: float = NOW) -> list[dict[str, Any]]:
    return [json.loads(frame) for frame in client.outgoing(now)]


def sit(client: Client, **welcome: Any) -> None:
    client.opened(NOW)
    client.outgoing(NOW)
    client.received(frames.welcome(**welcome), NOW)


def come_back(client: Client, **welcome: Any) -> dict[str, Any]:
    """Lose the socket and sit again; returns the join frame."""
    client.lost()
    client.opened(NOW)
    join = sent(client)[0]
    client.received(frames.welcome(**welcome), NOW)
    return join


def resumed(to: int) -> str:
    return events.frame("resumed", events.Resumed(0, to, 1))


def test_a_guest_joins_with_a_secret_that_stays_the_same(client: Client) -> None:
    client.opened(NOW)
    first = sent(client)[0]

    again = come_back(client)

    assert first["event"] == "join_session"
    assert first["data"]["name"] == "Ana"
    assert len(first["data"]["user_id"]) == 32
    assert again["data"]["user_id"] == first["data"]["user_id"]


def test_a_token_takes_the_place_of_the_secret() -> None:
    client = Client(token="a.b.c", observer=True)

    client.opened(NOW)

    assert sent(client)[0]["data"] == {"token": "a.b.c", "role": "observer"}


def test_the_welcome_tells_who_is_there_and_what_was_said(client: Client) -> None:
    client.opened(NOW)

    found = client.received(frames.welcome(seq=3, recent=[frames.message_data(3, "Boo")]), NOW)

    assert found == [Welcomed("Friday", "Ana", ("Ben",), (Said(3, "Ben", "Boo"),), again=False)]
    assert client.hearing.last_seq == 3


def test_a_running_turn_is_told_by_the_welcome(client: Client) -> None:
    turn = events.TurnData(uuid4(), uuid4(), events.PersonRef(frames.OTHER, "Ben"), "the-spirit", frames.AT)
    client.opened(NOW)

    found = client.received(frames.welcome(turn=turn), NOW)

    assert found[1:] == [Thinking(str(turn.turn_id), "Ben")]


def test_our_own_joining_is_no_news(client: Client) -> None:
    client.opened(NOW)

    found = client.received(frames.joined(frames.ME, "Ana"), NOW)

    assert found == []


def test_people_come_go_and_type(client: Client) -> None:
    sit(client)
    third = uuid4()

    found = [
        *client.received(frames.joined(third, "Cleo"), NOW),
        *client.received(frames.typing((frames.ME, "Ana"), (third, "Cleo")), NOW),
        *client.received(frames.left(), NOW),
    ]

    assert found == [Came("Cleo", "participant"), Typing(("Cleo",)), Left("Ben", "timeout")]
    assert sorted(client.hearing.people.values()) == ["Ana", "Cleo"]


def test_an_entry_of_the_log_is_told_once(client: Client) -> None:
    sit(client, seq=1)

    found = [client.received(frames.message(seq), NOW) for seq in (1, 2, 2, 3)]

    assert [len(one) for one in found] == [0, 1, 0, 1]


def test_our_own_message_is_known_as_ours(client: Client) -> None:
    sit(client)

    found = client.received(frames.message(1, user_id=frames.ME, name="Ana"), NOW)

    assert found == [Said(1, "Ana", "Hello", mine=True)]


def test_messages_go_out_one_by_one_in_order(client: Client) -> None:
    sit(client)
    client.say("one")
    client.say("two")
    first = sent(client)
    nothing = sent(client)

    client.received(frames.ack(first[0]["ref"], 1), NOW)

    assert [frame["data"]["text"] for frame in first] == ["one"]
    assert first[0]["ref"] == first[0]["data"]["client_msg_id"]
    assert nothing == []
    assert [frame["data"]["text"] for frame in sent(client)] == ["two"]


def test_nothing_is_sent_before_the_welcome(client: Client) -> None:
    client.say("hello")
    client.opened(NOW)

    assert [frame["event"] for frame in sent(client)] == ["join_session"]


def test_what_was_not_acknowledged_is_sent_again_under_its_id(client: Client) -> None:
    sit(client)
    client.say("hello")
    first = sent(client)[0]

    join = come_back(client, seq=0)
    early = sent(client)
    client.received(resumed(0), NOW)

    assert join["data"]["resume"] == {"epoch": "e1", "after_seq": 0}
    assert early == []  # what was missed comes first
    assert sent(client) == [first]


def test_an_ack_settles_the_message_and_waits_for_the_spirit(client: Client) -> None:
    sit(client)
    client.say("Are you there?")
    question, turn = uuid4(), uuid4()
    ref = sent(client)[0]["ref"]

    found = client.received(frames.ack(ref, 1, message_id=question), NOW)
    waited = client.hearing.expects_answer
    client.received(frames.answer(2, turn_id=turn, question=question), NOW)

    assert found == [Acked(1)]
    assert waited
    assert not client.hearing.expects_answer
    assert len(client.outbox) == 0


def test_an_answer_that_overtakes_the_ack_is_not_waited_for(client: Client) -> None:
    sit(client)
    client.say("Are you there?")
    question = uuid4()
    ref = sent(client)[0]["ref"]

    client.received(frames.answer(2, turn_id=uuid4(), question=question), NOW)
    client.received(frames.ack(ref, 1, message_id=question), NOW)

    assert not client.hearing.expects_answer


def test_a_silent_spirit_is_not_waited_for(client: Client) -> None:
    silent = frames.session(spirit=events.SpiritSettings("the-spirit", "off", "ritual"))
    sit(client, session=silent)
    client.say("hello")

    client.received(frames.ack(sent(client)[0]["ref"], 1), NOW)

    assert not client.hearing.expects_answer


def test_a_refusal_for_now_sends_again_after_the_given_time(client: Client) -> None:
    sit(client)
    client.say("hello")
    first = sent(client)[0]

    client.received(frames.error("RATE_LIMITED", "Wait.", ref=first["ref"], retryable=True, wait=2500), NOW)

    assert sent(client, NOW + 2.4) == []
    assert client.due() == NOW + 2.5
    assert sent(client, NOW + 2.5) == [first]


def test_a_refusal_for_good_drops_the_message_and_goes_on(client: Client) -> None:
    sit(client)
    client.say("x" * 501)
    client.say("next")
    ref = sent(client)[0]["ref"]

    found = client.received(frames.error("MESSAGE_TOO_LONG", "Too long.", ref=ref), NOW)

    assert found == [Told("Not sent: Too long.", serious=True)]
    assert [frame["data"]["text"] for frame in sent(client)] == ["next"]


def test_a_safety_notice_takes_the_place_of_the_ack(client: Client) -> None:
    sit(client)
    client.say("…")
    ref = sent(client)[0]["ref"]
    told = {"kind": "crisis", "text": "You are not alone.", "links": ["https://help.example"]}

    found = client.received(events.frame("safety_notice", told, ref=ref), NOW)

    assert found == [Told("You are not alone. https://help.example", serious=True)]
    assert len(client.outbox) == 0


def test_missed_events_are_replayed_after_the_welcome(client: Client) -> None:
    sit(client, seq=4)
    come_back(client, seq=6)

    found = [*client.received(frames.message(5, "five"), NOW), *client.received(frames.message(6, "six"), NOW)]
    client.received(resumed(6), NOW)

    assert [one.text for one in found if isinstance(one, Said)] == ["five", "six"]
    assert client.phase == "in"


def test_a_gap_too_long_is_read_from_the_history_and_live_events_wait(client: Client) -> None:
    sit(client, seq=4)
    come_back(client, seq=2000)
    asked = client.received(events.frame("resync_required", events.ResyncRequired("too_far_behind")), NOW)
    live = client.received(frames.message(2001, "live"), NOW)
    rows = [msgspec.to_builtins(frames.message_data(seq, f"row {seq}")) for seq in (5, 1999)]

    found = client.caught_up(rows, NOW)

    assert asked == [Missed(4)]
    assert live == []
    assert [one.text for one in found if isinstance(one, Said)] == ["row 5", "row 1999", "live"]
    assert client.hearing.last_seq == 2001


def test_a_history_that_cannot_be_read_is_said_and_the_latest_messages_stand_in(client: Client) -> None:
    sit(client, seq=4)
    come_back(client, seq=2000, recent=[frames.message_data(1990, "late")])
    client.received(events.frame("resync_required", events.ResyncRequired("too_far_behind")), NOW)

    found = client.caught_up(None, NOW)

    assert isinstance(found[0], Told)
    assert found[1:] == [Said(1990, "Ben", "late")]
    assert client.hearing.last_seq == 2000


def test_another_epoch_begins_anew(client: Client) -> None:
    sit(client, seq=90)
    come_back(client, seq=2, epoch="e2", recent=[frames.message_data(2, "restored")])

    found = client.received(events.frame("resync_required", events.ResyncRequired("epoch_changed")), NOW)

    assert found[1:] == [Said(2, "Ben", "restored")]
    assert (client.hearing.last_seq, client.hearing.epoch, client.phase) == (2, "e2", "in")


def test_typing_is_told_at_most_every_three_seconds_and_taken_back(client: Client) -> None:
    sit(client)

    for seconds in (0.0, 1.0, 2.9, 3.0):
        client.types(NOW + seconds)
    client.types(NOW + 3.1, is_typing=False)
    client.types(NOW + 3.2, is_typing=False)

    assert [frame["data"]["is_typing"] for frame in sent(client)] == [True, True, False]


def test_the_heart_beats_with_the_position(client: Client) -> None:
    sit(client, seq=7)

    early, due = sent(client, NOW + 14.9), client.due()
    beat = sent(client, NOW + 15)

    assert early == []
    assert due == NOW + 15
    assert [(frame["event"], frame["data"]) for frame in beat] == [("heartbeat", {"last_seq": 7})]


def test_a_refused_join_is_kept_for_the_close_that_follows(client: Client) -> None:
    client.opened(NOW)

    found = client.received(frames.error("SESSION_FULL", "Full.", retryable=True), NOW)

    assert found == []
    assert client.hearing.refusal is not None
    assert client.hearing.refusal["message"] == "Full."


def test_a_goodbye_says_when_to_come_back(client: Client) -> None:
    sit(client)

    client.received(events.frame("goodbye", events.Goodbye("draining", 1234, 0)), NOW)

    assert client.hearing.reconnect_after_ms == 1234


def test_turns_without_an_answer_and_the_end_are_told(client: Client) -> None:
    sit(client)
    turn, question = uuid4(), uuid4()
    failed = events.frame("spirit_failed", events.SpiritFailed(turn, question, "SPIRIT_ERROR"), seq=1)
    ended = events.frame("session_ended", events.SessionChanged(frames.session(is_active=False)), seq=2)

    found = [*client.received(failed, NOW), *client.received(ended, NOW)]

    assert found == [Unanswered(str(turn), "the spirit could not answer (SPIRIT_ERROR)"), Ended()]


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"event": 1}', '{"event": "ack", "data": []}', "\ud800"])
def test_nonsense_neither_raises_nor_counts(client: Client, text: str) -> None:
    sit(client, seq=5)

    found = client.received(text, NOW)

    assert all(isinstance(one, Told) for one in found)
    assert client.hearing.last_seq == 5


def test_unknown_events_are_ignored(client: Client) -> None:
    sit(client)

    assert client.received('{"event": "moonrise", "data": {"phase": "full"}}', NOW) == []


def test_every_frame_that_we_send_is_one_that_the_server_understands(client: Client) -> None:
    client.opened(NOW)
    out = client.outgoing(NOW)
    client.received(frames.welcome(), NOW)
    client.say("hello")
    client.types(NOW)
    client.end()
    client.leave()
    out += client.outgoing(NOW + 20)

    understood = [protocol.decode(frame).event for frame in out]

    assert sorted(understood) == [
        "end_session", "heartbeat", "join_session", "leave_session", "send_message", "typing",
    ]  # fmt: skip
