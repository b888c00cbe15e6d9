"""Tests of realtime on a real server: coming in and going (docs/protocol.md, 2.2 and 2.5)."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from uuid import UUID

import pytest
from websockets.exceptions import InvalidStatus

from sessions_app import events
from tests.harness.server import Stack
from tests.realtime.client import Place, Sitter, locked, not_there
from tests.realtime.conftest import ORIGIN

pytestmark = pytest.mark.processes


async def refused(sitter: Sitter, **join: Any) -> tuple[str, int]:
    """The code of the error and of the close that follows it."""
    await sitter.send("join_session", **join)
    code, _ = await sitter.refusal()
    return code, await sitter.closed()


def names(frames: list[Any]) -> list[tuple[str, str]]:
    return [(frame.event, frame.data.name) for frame in frames if frame.event in ("user_joined", "user_left")]


# --- The two forms ----------------------------------------------------------------------------------------------------


async def test_one_s_own_user_joined_comes_first_and_the_welcome_second(quick: Place) -> None:
    room = quick.server.create_session(name="An evening", max_users=4)
    ada = await quick.connect(room.id)

    await ada.send("join_session", ref="j1", name="Ada", user_id="secret")
    first, second = await ada.receive(), await ada.receive()

    assert (first.event, first.data.name, first.data.role, first.ref) == ("user_joined", "Ada", "participant", None)
    assert (second.event, second.ref) == ("welcome", "j1")
    welcome: events.Welcome = second.data
    assert (str(welcome.session.id), welcome.session.participant_count) == (room.id, 1)
    assert welcome.participant.user_id == first.data.id
    assert welcome.participants == [welcome.participant]
    assert (welcome.seq, welcome.recent, welcome.spirit.turn, welcome.heartbeat_ms) == (0, [], None, 15_000)
    assert welcome.limits == events.Limits(500, 16_384, 5, 60, 120)
    assert abs(welcome.server_time.timestamp() - time.time()) < 5
    assert len(welcome.epoch) > 0


async def test_everybody_is_told_of_a_joiner_once(quick: Place) -> None:
    room = quick.server.create_session()
    ada = await quick.sit(room.id, name="Ada")

    bob = await quick.sit(room.id, name="Bob")

    assert names(await ada.until_now()) == [("user_joined", "Bob")]
    assert names(await bob.until_now()) == []


async def test_the_bare_form_is_welcomed_and_told_who_is_there(quick: Place) -> None:
    room = quick.server.create_session()
    await quick.sit(room.id, name="Ada")
    await quick.sit(room.id, name="Bob")
    old = await quick.connect(room.id)

    await old.send_json({"user_id": "1", "name": "User1"})

    frames = [await old.receive() for _ in range(4)]
    assert [(frame.event, getattr(frame.data, "name", "")) for frame in frames] == [
        ("user_joined", "User1"), ("welcome", ""), ("user_joined", "Ada"), ("user_joined", "Bob"),
    ]  # fmt: skip
    assert await old.names_until_now() == []


async def test_the_bare_form_is_the_same_person_as_the_other_with_the_same_id(quick: Place) -> None:
    room = quick.server.create_session()
    old = await quick.connect(room.id)
    await old.send_json({"user_id": 1, "name": "User1"})
    first = await old.receive()

    new = await quick.connect(room.id)
    welcome = await new.join(user_id="1")

    assert welcome.participant.user_id == first.data.id
    assert welcome.participant.name == "User1"
    assert welcome.session.participant_count == 1


async def test_a_missing_name_is_anonymous_and_a_secret_is_shown_to_nobody(quick: Place) -> None:
    room = quick.server.create_session()
    ada = await quick.sit(room.id, name="Ada")

    bob = await quick.connect(room.id)
    await bob.join(user_id="a-very-private-secret")

    told = await ada.expect("user_joined")
    assert told.data.name == "Anonymous"
    assert "a-very-private-secret" not in "".join(frame.text for frame in ada.heard + bob.heard)


async def test_a_first_frame_that_is_no_join_gets_not_joined_and_the_wait_goes_on(quick: Place) -> None:
    room = quick.server.create_session()
    ada = await quick.connect(room.id)

    await ada.send("send_message", ref="m1", text="Hello?")
    await ada.send("heartbeat", ref="h1")
    await ada.send("leave_session", ref="l1")
    await ada.send("no_such_event", ref="n1")
    await ada.send("delete_message", ref="d1")
    await ada.send_raw("no json")

    codes = [await ada.refusal() for _ in range(6)]
    assert codes[:-1] == [("NOT_JOINED", ref) for ref in ("m1", "h1", "l1", "n1", "d1")]
    assert codes[-1] == ("INVALID_FORMAT", None)
    assert (await ada.join(name="Ada")).seq == 0


async def test_a_join_with_a_wrong_field_may_be_tried_again(quick: Place) -> None:
    room = quick.server.create_session()
    ada = await quick.connect(room.id)

    await ada.send("join_session", ref="1", name="\x00")
    await ada.send("join_session", ref="2", name=5)
    await ada.send("join_session", ref="3", role="medium")

    assert [await ada.refusal() for _ in range(3)] == [("VALIDATION_ERROR", ref) for ref in "123"]
    assert (await ada.join(name="Ada")).participants[0].name == "Ada"
    assert names(await ada.until_now()) == []


async def test_who_is_in_cannot_join_again(quick: Place) -> None:
    ada = await quick.sit(quick.server.create_session().id)

    await ada.send("join_session", ref="again", name="Eve")

    assert await ada.refusal() == ("FORBIDDEN", "again")
    assert await ada.names_until_now() == []


async def test_who_does_not_join_in_time_is_sent_away(quick: Place) -> None:
    room = quick.server.create_session()
    silent, babbling = await quick.connect(room.id), await quick.connect(room.id)
    began = time.monotonic()

    async def babble() -> None:
        while True:
            await babbling.send("typing")
            await asyncio.sleep(0.2)

    talk = asyncio.create_task(babble())
    codes = [await silent.closed(), await babbling.closed()]
    talk.cancel()

    assert codes == [4510, 4510]
    assert 1.5 < time.monotonic() - began < 6
    assert silent.heard[-1].data.code == "NOT_JOINED"


# --- Refused ----------------------------------------------------------------------------------------------------------


async def test_an_unknown_session_is_not_found(quick: Place) -> None:
    assert await refused(await quick.connect(not_there())) == ("SESSION_NOT_FOUND", 4506)


@pytest.mark.parametrize("session_id", ["no-uuid", "1", "%00", "é", "0192f0c1"])
async def test_what_is_no_session_id_is_not_found(session_id: str, quick: Place) -> None:
    sitter = await quick.connect(session_id)

    assert await sitter.refusal() == ("SESSION_NOT_FOUND", None)
    assert await sitter.closed() == 4506


async def test_the_path_may_end_with_a_slash(quick: Place) -> None:
    room = quick.server.create_session()
    sitter = await quick.connect(room.id + "/")

    assert str((await sitter.join()).session.id) == room.id


async def test_an_ended_session_lets_nobody_in(quick: Place) -> None:
    room = quick.server.create_session()
    quick.server.http("DELETE", f"/api/sessions/{room.id}", token=room.host_token)

    assert await refused(await quick.connect(room.id)) == ("SESSION_ENDED", 4505)


async def test_a_full_session_lets_observers_in_and_nobody_else(quick: Place) -> None:
    room = quick.server.create_session(max_users=2)
    for name in ("Ada", "Bob"):
        await quick.sit(room.id, name=name)

    assert await refused(await quick.connect(room.id)) == ("SESSION_FULL", 4008)
    watcher = await quick.connect(room.id)
    assert (await watcher.join(role="observer")).session.participant_count == 2


async def test_a_race_for_the_last_seat_has_one_winner(quick: Place) -> None:
    room = quick.server.create_session(max_users=2)
    await quick.sit(room.id)
    racers = [await quick.connect(room.id) for _ in range(8)]

    await asyncio.gather(*(racer.send("join_session") for racer in racers))
    first = [(await racer.receive()).event for racer in racers]

    assert sorted(first) == ["error"] * 7 + ["user_joined"]


async def test_nobody_becomes_host_by_asking(quick: Place) -> None:
    room = quick.server.create_session()

    assert await refused(await quick.connect(room.id), role="host") == ("FORBIDDEN", 4501)


async def test_a_members_session_is_closed_to_strangers_and_guests(quick: Place) -> None:
    room = quick.server.create_session(access="members")
    guest = quick.guest()

    assert await refused(await quick.connect(room.id)) == ("UNAUTHORIZED", 4500)
    assert await refused(await quick.connect(room.id), token=guest.token) == ("FORBIDDEN", 4501)
    host = await quick.connect(room.id)
    assert (await host.join(token=room.host_token)).participant.role == "host"


async def test_an_invite_session_does_not_exist_for_strangers(quick: Place) -> None:
    room = quick.server.create_session(access="invite")

    for join in ({}, {"token": quick.guest().token}, {"invite": "guessed"}):
        assert await refused(await quick.connect(room.id), **join) == ("SESSION_NOT_FOUND", 4506)


async def test_who_was_kicked_is_shut_out(quick: Place, quick_stack: Stack) -> None:
    room = quick.server.create_session()
    eve = await quick.sit(room.id, user_id="eve")
    await eve.close()
    await _until_left(quick, room.id)
    quick_stack.query("UPDATE participants SET kicked_at = left_at WHERE session_id = %(session)s", session=room.id)

    assert await refused(await quick.connect(room.id), user_id="eve") == ("FORBIDDEN", 4503)


async def _until_left(place: Place, session_id: str) -> None:
    """Until nobody holds a seat there."""
    async with asyncio.timeout(10):  # another process is waited for
        while place.server.http("GET", f"/api/sessions/{session_id}").data["participant_count"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


# --- Tokens -----------------------------------------------------------------------------------------------------------


async def test_a_token_may_come_in_four_places(quick: Place) -> None:
    room, guest = quick.server.create_session(), quick.guest("Zoe")
    sockets = {
        "frame": await quick.connect(room.id),
        "header": await quick.connect(room.id, headers={"Authorization": f"Bearer {guest.token}"}),
        "subprotocol": await quick.connect(room.id, subprotocols=["seance.v1", f"bearer.{guest.token}"]),
        "cookie": await quick.connect(room.id, headers={"Cookie": f"seance_access={guest.token}"}, origin=ORIGIN),
    }

    for place, sitter in sockets.items():
        welcome = await sitter.join(**({"token": guest.token} if place == "frame" else {}), user_id="ignored")
        assert (str(welcome.participant.user_id), welcome.participant.name) == (guest.id, "Zoe"), place
        assert welcome.session.participant_count == 1
    assert sockets["subprotocol"].socket.subprotocol == "seance.v1"
    assert sockets["header"].socket.subprotocol is None


async def test_the_subprotocol_is_selected_without_a_token_too(quick: Place) -> None:
    sitter = await quick.connect(quick.server.create_session().id, subprotocols=["other", "seance.v1"])

    assert sitter.socket.subprotocol == "seance.v1"


@pytest.mark.parametrize("name", ["token", "access_token"])
async def test_a_token_in_the_query_string_is_refused(name: str, quick: Place) -> None:
    room, guest = quick.server.create_session(), quick.guest()

    sitter = await quick.connect(room.id, query=f"?{name}={guest.token}")

    assert await sitter.refusal() == ("UNAUTHORIZED", None)
    assert await sitter.closed() == 4500


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\x00", "é" * 100])
async def test_a_wrong_token_is_unauthorized(token: str, quick: Place) -> None:
    sitter = await quick.connect(quick.server.create_session().id)

    assert await refused(sitter, token=token) == ("UNAUTHORIZED", 4500)


async def test_a_wrong_token_in_the_handshake_is_unauthorized(quick: Place) -> None:
    sitter = await quick.connect(quick.server.create_session().id, headers={"Authorization": "Bearer x"})

    assert await sitter.refusal() == ("UNAUTHORIZED", None)
    assert await sitter.closed() == 4500


async def test_a_token_of_somebody_banned_is_unauthorized(quick: Place, quick_stack: Stack) -> None:
    room, guest = quick.server.create_session(), quick.guest()
    quick_stack.query("UPDATE users SET is_active = %(no)s WHERE id = %(id)s", no=False, id=guest.id)

    assert await refused(await quick.connect(room.id), token=guest.token) == ("UNAUTHORIZED", 4500)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://[", "https://board.example.evil"])
async def test_a_foreign_origin_is_refused_at_the_handshake(origin: str, quick: Place) -> None:
    room = quick.server.create_session()

    with pytest.raises(InvalidStatus) as caught:
        await quick.connect(room.id, origin=origin, headers={"X-Request-ID": "mine.1"})

    assert told_at_the_handshake(caught.value) == (403, "FORBIDDEN", "mine.1")
    await asyncio.sleep(0.1)  # until the server has nothing more to say of it
    assert "without completing handshake" not in quick.server.said()


@pytest.mark.parametrize("path", ["", "x/y"])
async def test_an_address_below_ws_that_is_none_is_refused_at_the_handshake(path: str, quick: Place) -> None:
    with pytest.raises(InvalidStatus) as caught:
        await quick.connect(path, headers={"X-Request-ID": "mine.1"})

    assert told_at_the_handshake(caught.value) == (404, "NOT_FOUND", "mine.1")
    await asyncio.sleep(0.1)  # until the server has nothing more to say of it
    assert "without completing handshake" not in quick.server.said()


def told_at_the_handshake(refused: InvalidStatus) -> tuple[int, str, str]:
    """Status, code, and the id of the request."""
    answer = refused.response
    return answer.status_code, json.loads(answer.body)["error"]["code"], answer.headers["X-Request-ID"]


async def test_a_cookie_without_an_origin_is_refused_at_the_handshake(quick: Place) -> None:
    room, guest = quick.server.create_session(), quick.guest()

    with pytest.raises(InvalidStatus) as caught:
        await quick.connect(room.id, headers={"Cookie": f"seance_access={guest.token}"})

    assert caught.value.response.status_code == 403


async def test_an_origin_on_the_list_and_our_own_are_let_in(quick: Place) -> None:
    room = quick.server.create_session()

    for origin in (ORIGIN, f"http://127.0.0.1:{quick.server.port}"):
        sitter = await quick.connect(room.id, origin=origin)
        await sitter.join()


# --- Going ------------------------------------------------------------------------------------------------------------


async def test_a_user_counts_once_however_many_sockets_are_open(quick: Place) -> None:
    room = quick.server.create_session()
    watcher = await quick.sit(room.id, role="observer", name="Watcher")
    sockets = [await quick.sit(room.id, user_id="1", name="Twice") for _ in range(3)]

    assert names(await watcher.until_now()) == [("user_joined", "Twice")]
    for sitter in sockets:
        assert names(sitter.heard)[0] == ("user_joined", "Twice")
        await sitter.close()

    left = await watcher.expect("user_left")
    assert (left.data.name, left.data.reason) == ("Twice", "left")
    assert names(await watcher.until_now()) == []


@pytest.mark.parametrize("way", ["close", "leave_session"])
async def test_a_clean_end_frees_the_seat_at_once(way: str, strict: Place) -> None:
    room = strict.server.create_session(max_users=2)
    ada, bob = await strict.sit(room.id, name="Ada"), await strict.sit(room.id, name="Bob")

    if way == "close":
        await bob.close(1000)
    else:
        await bob.send("leave_session")
        assert await bob.closed() == 1000

    left = await ada.expect("user_left", timeout=5)
    assert (left.data.name, left.data.reason) == ("Bob", "left")
    await strict.sit(room.id, name="Eve")


@pytest.mark.parametrize("way", [1001, 4505, None])
async def test_any_other_end_keeps_the_seat_for_the_grace_time(way: int | None, quick: Place) -> None:
    room = quick.server.create_session(max_users=2)
    ada, bob = await quick.sit(room.id, name="Ada"), await quick.sit(room.id, name="Bob")

    began = time.monotonic()
    if way is None:
        bob.cut()
    else:
        await bob.close(way)

    assert await refused(await quick.connect(room.id)) == ("SESSION_FULL", 4008)
    left = await ada.expect("user_left")
    assert (left.data.name, left.data.reason) == ("Bob", "timeout")
    assert time.monotonic() - began > 0.9


async def test_who_reconnects_flickers_for_nobody(strict: Place) -> None:
    room = strict.server.create_session(max_users=2)
    ada, bob = await strict.sit(room.id, name="Ada"), await strict.sit(room.id, name="Bob", user_id="b")
    me = bob.heard[0].data
    await ada.until_now()

    for attempt in range(8):
        if attempt % 2:
            bob.cut()
        else:
            await bob.close(1001)
        bob = await strict.connect(room.id)
        welcome = await bob.join(user_id="b")
        assert (welcome.participant.user_id, welcome.participant.joined_at) == (me.id, me.joined_at)
        assert welcome.session.participant_count == 2

    assert await ada.names_until_now() == []
    people = strict.server.http("GET", f"/api/sessions/{room.id}/participants").data
    assert [(person["name"], person["is_present"]) for person in people] == [("Ada", True), ("Bob", True)]


async def test_who_comes_back_after_the_grace_time_is_the_same_participant(quick: Place) -> None:
    room = quick.server.create_session()
    ada, bob = await quick.sit(room.id, name="Ada"), await quick.sit(room.id, name="Bob", user_id="b")
    bob.cut()
    left = await ada.expect("user_left")

    again = await quick.sit(room.id, user_id="b")

    joined = await ada.expect("user_joined")
    assert joined.data.participant_id == left.data.participant_id == again.heard[0].data.participant_id
    assert joined.data.name == "Bob"


async def test_a_join_that_waits_for_a_lock_past_the_join_wait_leaves_no_ghost(
    quick: Place, quick_stack: Stack
) -> None:
    room = quick.server.create_session()
    sitter = await quick.connect(room.id)
    await asyncio.sleep(1.2)  # of the 2 s of the join wait

    with locked(quick_stack, room.id):
        await sitter.send("join_session", name="Late")
        await asyncio.sleep(1.2)

    assert [(await sitter.receive()).event for _ in range(2)] == ["user_joined", "welcome"]
    assert await sitter.names_until_now() == []
    await sitter.close()
    await _until_left(quick, room.id)


async def test_connection_ids_are_unlike(quick: Place) -> None:
    room = quick.server.create_session()
    ids = {(await (await quick.connect(room.id)).join(user_id="1")).connection_id for _ in range(3)}

    assert len(ids) == 3
    assert all(isinstance(item, UUID) for item in ids)
