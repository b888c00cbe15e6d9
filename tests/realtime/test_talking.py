"""Tests of realtime on a real server: what one says and what everybody hears (docs/protocol.md, 2.3 and 2.4)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from uuid import uuid4

import pytest

from sessions_app import events
from tests.harness.server import Opened, Stack
from tests.realtime.client import Place, Sitter, Told, expiring, not_there

pytestmark = pytest.mark.processes


async def circle(place: Place, *names: str) -> tuple[Opened, list[Sitter]]:
    """A session, its host, and people in it; all of them have heard of all."""
    room = place.server.create_session()
    host = await place.connect(room.id)
    await host.join(token=room.host_token, name="Host")
    people = [host] + [await place.sit(room.id, name=name, user_id=name) for name in names]
    await asyncio.gather(*(person.until_now() for person in people))
    return room, people


async def all_hear(people: Sequence[Sitter], event: str) -> Told:
    """Everybody hears the same frame, to the letter."""
    found = [await person.expect(event) for person in people]
    assert len({item.text for item in found}) == 1
    return found[0]


# --- Messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["text", "message"])
async def test_a_message_reaches_everybody_the_same(field: str, quick: Place) -> None:
    room, (host, ada) = await circle(quick, "Ada")

    await ada.send("send_message", ref="m1", **{field: " Is anybody there? "}, client_msg_id="c1")

    heard = await all_hear([host], "message_received")
    received, ack = sorted(
        [await ada.receive(), await ada.receive()], key=lambda told: told.event != "message_received"
    )
    assert received.text == heard.text
    data: events.MessageReceived = received.data
    assert data.text == data.message == "Is anybody there?"
    assert (data.user_name, data.client_msg_id, data.seq, data.is_spirit) == ("Ada", "c1", received.seq, False)
    assert (str(data.session_id), data.deleted_at, data.in_reply_to) == (room.id, None, None)
    assert (ack.event, ack.ref) == ("ack", "m1")
    assert ack.data == events.Ack(data.id, data.seq, "c1", duplicate=False)


async def test_an_ack_comes_only_where_it_was_asked_for(quick: Place) -> None:
    _, (_, ada) = await circle(quick, "Ada")

    await ada.send("send_message", text="1")
    await ada.send("send_message", text="2", client_msg_id="c2")
    await ada.send("send_message", text="3", ref="r3")
    heard = [await ada.receive() for _ in range(5)]

    acks = [(told.ref, told.data.seq, told.data.client_msg_id) for told in heard if told.event == "ack"]
    assert acks == [(None, 2, "c2"), ("r3", 3, None)]
    assert [told.data.text for told in heard if told.event == "message_received"] == ["1", "2", "3"]


async def test_messages_of_one_socket_keep_their_order(quick: Place) -> None:
    _, (host, ada) = await circle(quick, "Ada")
    texts = [str(number) for number in range(60)]

    for text in texts:
        await ada.send("send_message", text=text)
    heard = [await host.expect("message_received") for _ in texts]

    assert [told.data.text for told in heard] == texts


async def test_everybody_hears_everything_in_one_order(quick: Place) -> None:
    _, people = await circle(quick, "Ada", "Bob", "Eve")

    for number in range(10):
        await asyncio.gather(*(person.send("send_message", text=f"{number}") for person in people))
    heard = [[await person.expect("message_received") for _ in range(40)] for person in people]

    orders = {tuple((told.seq, told.data.id) for told in one) for one in heard}
    assert len(orders) == 1
    assert [seq for seq, _ in orders.pop()] == list(range(1, 41))


async def test_a_message_sent_twice_is_acknowledged_twice_and_stored_once(quick: Place) -> None:
    room, (host, ada) = await circle(quick, "Ada")
    first = await ada.say("Once", client_msg_id="x")

    again = await ada.say("Once", client_msg_id="x")

    assert (again.id, again.seq, again.client_msg_id, again.duplicate) == (first.id, first.seq, "x", True)
    assert [told.event for told in await host.until_now()] == ["message_received"]
    history = quick.server.http("GET", f"/api/sessions/{room.id}/history", token=room.host_token)
    assert [message["text"] for message in history.data] == ["Once"]


async def test_both_doors_know_the_same_message(quick: Place) -> None:
    room, (host,) = await circle(quick)
    path, body = f"/api/sessions/{room.id}/messages", {"text": "Once", "client_msg_id": "x"}

    over_rest = quick.server.http("POST", path, json=body, token=room.host_token)
    over_socket = await host.say("Once", client_msg_id="x")

    assert over_rest.status == 201
    assert (str(over_socket.id), over_socket.duplicate) == (over_rest.data["id"], True)
    assert len([told for told in host.heard if told.event == "message_received"]) == 1


async def test_the_same_id_with_another_text_is_a_conflict(quick: Place) -> None:
    _, (_, ada) = await circle(quick, "Ada")
    await ada.say("Once", client_msg_id="x")

    await ada.send("send_message", ref="r", text="Twice", client_msg_id="x")

    assert await ada.refusal() == ("IDEMPOTENCY_CONFLICT", "r")
    assert await ada.names_until_now() == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"text": ""}, "EMPTY_MESSAGE"),
        ({"message": "  \n\t "}, "EMPTY_MESSAGE"),
        ({"text": "\u200b"}, "EMPTY_MESSAGE"),
        ({"text": "x" * 501}, "MESSAGE_TOO_LONG"),
        ({"text": "a\x00b"}, "VALIDATION_ERROR"),
        ({"text": "a\x1bb"}, "VALIDATION_ERROR"),
        ({"text": 5}, "VALIDATION_ERROR"),
        ({"text": None}, "VALIDATION_ERROR"),
        ({}, "VALIDATION_ERROR"),
        ({"text": "x", "client_msg_id": ""}, "VALIDATION_ERROR"),
        ({"text": "x", "client_msg_id": "\x00"}, "VALIDATION_ERROR"),
        ({"text": "x", "client_msg_id": "x" * 65}, "VALIDATION_ERROR"),
        ({"text": "x", "off_record": "yes"}, "VALIDATION_ERROR"),
    ],
)
async def test_a_message_that_cannot_be_one_is_refused_by_itself(
    data: dict[str, object], code: str, quick: Place
) -> None:
    _, (host, ada) = await circle(quick, "Ada")

    await asyncio.gather(host.send("send_message", text="before"), ada.send("send_message", ref="r", **data))

    assert await ada.refusal() == (code, "r")
    assert (await host.expect("message_received")).seq == 1
    assert (await ada.say("after")).seq == 2


async def test_the_longest_text_is_500_characters_however_many_bytes(quick: Place) -> None:
    _, (host, ada) = await circle(quick, "Ada")

    await ada.say("\U0001f47b" * 500)

    assert (await host.expect("message_received")).data.text == "\U0001f47b" * 500


async def test_unknown_fields_and_a_name_of_one_s_own_are_ignored(quick: Place) -> None:
    _, (host, ada) = await circle(quick, "Ada")

    await ada.say("Hello", user_name="The Host", user_id="1", seq=99, is_spirit=True, extra={"a": [1]})

    data = (await host.expect("message_received")).data
    assert (data.user_name, data.is_spirit, data.seq) == ("Ada", False, 1)


async def test_what_is_off_the_record_is_heard_and_marked(quick: Place) -> None:
    _, (host, ada) = await circle(quick, "Ada")

    await ada.say("Between us", off_record=True)

    assert (await host.expect("message_received")).data.off_record is True


async def test_observers_and_the_muted_do_not_speak(quick: Place, quick_stack: Stack) -> None:
    room, (_, ada) = await circle(quick, "Ada")
    watcher = await quick.sit(room.id, role="observer")
    quick_stack.query(
        "UPDATE participants SET is_muted = %(yes)s WHERE name = 'Ada' AND session_id = %(id)s", yes=True, id=room.id
    )

    for person in (watcher, ada):
        await person.send("send_message", ref="r", text="Hello")
        assert await person.refusal() == ("FORBIDDEN", "r")


# --- Typing -----------------------------------------------------------------------------------------------------------


def typists(told: Told) -> tuple[list[str], str | None]:
    data: events.UserTyping = told.data
    return [user.name for user in data.users], data.user


async def test_typing_is_told_as_the_whole_set_at_each_change(quick: Place) -> None:
    _, (host, ada, bob) = await circle(quick, "Ada", "Bob")

    await ada.send("typing")
    seen = [await host.expect("user_typing")]
    await ada.send("typing", is_typing=True)
    await bob.send("typing")
    seen.append(await host.expect("user_typing"))
    await ada.send("typing", is_typing=False)
    seen.append(await host.expect("user_typing"))
    await bob.send("typing", is_typing=False)
    seen.append(await host.expect("user_typing"))

    assert [typists(told) for told in seen] == [
        (["Ada"], "Ada"), (["Ada", "Bob"], "Bob"), (["Bob"], "Bob"), ([], None),
    ]  # fmt: skip
    assert seen[0].data.users[0].id == ada.heard[0].data.id


async def test_a_message_ends_typing(quick: Place) -> None:
    _, (host, ada) = await circle(quick, "Ada")
    await ada.send("typing")
    await host.expect("user_typing")

    await ada.say("Done")

    heard = {told.event: told for told in [await host.receive(), await host.receive()]}
    assert typists(heard["user_typing"]) == ([], None)
    assert heard["message_received"].data.text == "Done"


@pytest.mark.parametrize("way", ["close", "cut"])
async def test_leaving_ends_typing(way: str, quick: Place) -> None:
    _, (host, ada) = await circle(quick, "Ada")
    await ada.send("typing")
    await host.expect("user_typing")

    if way == "close":
        await ada.close()
    else:
        ada.cut()

    assert typists(await host.expect("user_typing")) == ([], None)


async def test_typing_expires_after_eight_seconds(quick: Place) -> None:
    _, (host, ada) = await circle(quick, "Ada")
    await ada.send("typing")
    await host.expect("user_typing")
    began = time.monotonic()

    over = await host.expect("user_typing", timeout=12)

    assert typists(over) == ([], None)
    assert 7.5 < time.monotonic() - began < 10


# --- Deleting, changing, ending ---------------------------------------------------------------------------------------


async def test_an_author_and_the_host_delete_and_a_stranger_does_not(quick: Place) -> None:
    _, (host, ada, eve) = await circle(quick, "Ada", "Eve")
    one, two = await ada.say("one"), await ada.say("two")

    await eve.send("delete_message", ref="d0", message_id=str(one.id))
    assert await eve.refusal() == ("FORBIDDEN", "d0")
    await ada.send("delete_message", ref="d1", message_id=str(one.id))
    by_author = await all_hear([host, eve, ada], "message_deleted")
    await host.send("delete_message", message_id=str(two.id))
    by_host = await all_hear([host, eve, ada], "message_deleted")

    assert by_author.data == events.MessageDeleted(one.id, ada.heard[0].data.id)
    assert by_host.data == events.MessageDeleted(two.id, host.heard[0].data.id)
    assert (by_author.seq, by_host.seq) == (3, 4)


async def test_what_is_not_there_cannot_be_deleted(quick: Place) -> None:
    _, (host,) = await circle(quick)

    await host.send("delete_message", ref="d", message_id=not_there())
    assert await host.refusal() == ("NOT_FOUND", "d")
    await host.send("delete_message", ref="e", message_id="5")
    assert await host.refusal() == ("VALIDATION_ERROR", "e")


async def test_the_host_changes_the_session_and_everybody_hears_it(quick: Place) -> None:
    room, people = await circle(quick, "Ada")
    host, ada = people

    await ada.send("update_session", ref="u0", name="Mine")
    assert await ada.refusal() == ("FORBIDDEN", "u0")
    await host.send("update_session", ref="u1", name="Midnight", max_users=5, spirit={"pace": "brisk"})
    updated = await all_hear(people, "session_updated")

    session = updated.data.session
    assert (session.name, session.max_users, session.spirit.pace, session.last_seq) == ("Midnight", 5, "brisk", 1)
    assert session.participant_count == 2
    shown = quick.server.http("GET", f"/api/sessions/{room.id}").data
    assert shown == json.loads(updated.text)["data"]["session"]


async def test_a_wrong_change_names_its_fields_and_changes_nothing(quick: Place) -> None:
    _, (host,) = await circle(quick)

    await host.send("update_session", ref="u", name="", max_users=1000, spirit={"persona": "nobody"})

    told = await host.expect("error")
    assert (told.data.code, told.ref) == ("VALIDATION_ERROR", "u")
    assert set(told.data.details) >= {"name", "spirit"}
    assert await host.names_until_now() == []


async def test_the_end_is_told_to_everybody_and_then_all_are_sent_away(quick: Place) -> None:
    room, people = await circle(quick, "Ada")
    host, ada = people
    bystander = await quick.connect(room.id)

    await ada.send("end_session", ref="e0")
    assert await ada.refusal() == ("FORBIDDEN", "e0")
    await host.send("end_session")

    assert [await person.closed() for person in people] == [4505, 4505]
    assert host.heard[-1].text == ada.heard[-1].text
    assert (ada.heard[-1].event, ada.heard[-1].data.session.is_active) == ("session_ended", False)
    await bystander.send("join_session")
    assert await bystander.refusal() == ("SESSION_ENDED", None)
    assert await bystander.closed() == 4505


async def test_an_end_over_rest_reaches_the_sockets(quick: Place) -> None:
    room, (host,) = await circle(quick)

    answer = quick.server.http("DELETE", f"/api/sessions/{room.id}", token=room.host_token)

    assert answer.status == 200
    assert await host.closed() == 4505
    assert host.heard[-1].event == "session_ended"


# --- Heartbeat --------------------------------------------------------------------------------------------------------


async def test_a_heartbeat_says_where_the_log_is(quick: Place) -> None:
    _, (host,) = await circle(quick)
    await host.say("one")

    await host.send("heartbeat", ref="h1", last_seq=1)
    answer = await host.expect("heartbeat")
    await host.send("heartbeat")
    without = await host.expect("heartbeat")

    assert (answer.ref, answer.data.seq, without.ref) == ("h1", 1, None)
    assert abs(answer.data.server_time.timestamp() - time.time()) < 5


async def test_what_another_process_wrote_unheard_is_found(quick: Place, quick_stack: Stack) -> None:
    """As when Redis lost the word: the heartbeat of who knows, or the poll, finds it in the database."""
    room, (host, ada) = await circle(quick, "Ada")
    await host.say("one")
    await ada.expect("message_received")
    columns = "session_id, seq, user_id, user_name, text, timestamp, is_spirit, off_record"
    quick_stack.query(
        f"INSERT INTO messages (id, {columns}) SELECT %(id)s, session_id, 2, user_id, user_name, 'two', timestamp, "  # noqa: S608
        "is_spirit, off_record FROM messages WHERE session_id = %(session)s",
        id=str(uuid4()),
        session=room.id,
    )
    quick_stack.query("UPDATE sessions SET last_seq = 2 WHERE id = %(session)s", session=room.id)

    await host.send("heartbeat", ref="h", last_seq=2)

    assert (await ada.expect("message_received")).data.text == "two"
    assert (await host.expect("message_received")).data.text == "two"
    assert (await host.expect("heartbeat")).data.seq == 2
    assert (await ada.say("three")).seq == 3


async def test_a_heartbeat_from_the_future_is_answered_with_the_truth(quick: Place) -> None:
    _, (host,) = await circle(quick)

    await host.send("heartbeat", ref="h", last_seq=2**63 - 1)

    assert (await host.expect("heartbeat")).data.seq == 0


# --- Tokens on an open socket -----------------------------------------------------------------------------------------


async def test_a_token_that_expires_is_announced_and_then_ends_the_connection(quick: Place) -> None:
    room, guest = quick.server.create_session(), quick.guest()
    sitter = await quick.connect(room.id)

    await sitter.join(token=expiring(guest.token, time.time() + 3))

    warning = await sitter.expect("token_expiring")
    assert 0 < warning.data.expires_in_ms <= 3000
    assert await sitter.closed() == 4001


async def test_a_fresh_token_keeps_the_connection(quick: Place) -> None:
    room, guest = quick.server.create_session(), quick.guest()
    sitter = await quick.connect(room.id)
    await sitter.join(token=expiring(guest.token, time.time() + 2))
    await sitter.expect("token_expiring")

    await sitter.send("refresh_token", ref="t", token=guest.token)

    refreshed = await sitter.expect("token_refreshed")
    assert refreshed.ref == "t"
    assert 1_700_000 < refreshed.data.expires_in_ms <= 1_800_000
    await asyncio.sleep(2.2)
    assert await sitter.names_until_now() == []


async def test_another_s_token_a_wrong_one_and_none_are_refused_and_change_nothing(quick: Place) -> None:
    room, guest, other = quick.server.create_session(), quick.guest(), quick.guest()
    sitter = await quick.connect(room.id)
    await sitter.join(token=guest.token)

    for token, code in ((other.token, "FORBIDDEN"), ("x", "UNAUTHORIZED"), (5, "VALIDATION_ERROR")):
        await sitter.send("refresh_token", ref="t", token=token)
        assert await sitter.refusal() == (code, "t")
    assert await sitter.names_until_now() == []


async def test_a_user_banned_meanwhile_may_not_manage_any_more(quick: Place, quick_stack: Stack) -> None:
    _, (host,) = await circle(quick)
    user_id = host.heard[0].data.id
    quick_stack.query("UPDATE users SET is_active = %(no)s WHERE id = %(id)s", no=False, id=user_id)

    await host.send("end_session", ref="e")

    assert await host.refusal() == ("UNAUTHORIZED", "e")
