"""Tests of realtime: what a host does reaches open sockets, and no stranger learns of a room by its socket."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from realtime.addresses import TOLD_AT_ONCE
from tests.harness.plugin import MakeStack
from tests.harness.server import Backend, Opened, Server, Stack
from tests.harness.services import Databases
from tests.realtime.client import Place, Sitter, not_there, visiting


def host_of(place: Place, room: Opened, path: str, body: Any = None) -> Any:
    """The host's word over REST."""
    answer = place.server.http("POST", f"/api/sessions/{room.id}{path}", json=body or {}, token=room.host_token)
    assert answer.status in (200, 201), answer
    return answer.data


async def refusal_and_close(place: Place, session_id: str, **join: Any) -> tuple[str, int]:
    visitor = await place.connect(session_id)
    await visitor.send("join_session", **join)
    code, _ = await visitor.refusal()
    return code, await visitor.closed()


async def test_the_host_kicks_over_the_socket_and_the_door_stays_shut(quick: Place) -> None:
    room = quick.server.create_session()
    host = await quick.sit(room.id, token=room.host_token)
    guest = await quick.connect(room.id)
    me = (await guest.join(user_id="secret", name="Grete")).participant

    await host.send("kick_user", user_id=str(me.user_id))

    left = await host.expect("user_left")
    assert (left.data.id, left.data.reason) == (me.user_id, "kicked")
    assert await guest.closed() == 4503
    assert await refusal_and_close(quick, room.id, user_id="secret") == ("FORBIDDEN", 4503)
    assert (await host.names_until_now()) == []


async def test_every_socket_of_the_kicked_closes_and_no_other(quick: Place) -> None:
    room, person = quick.server.create_session(), quick.guest()
    other_room = quick.server.create_session()
    sockets = [await quick.connect(room.id) for _ in range(2)]
    elsewhere, other = await quick.sit(other_room.id, token=person.token), await quick.sit(room.id)
    mine = [await socket.join(token=person.token) for socket in sockets]

    host_of(quick, room, f"/participants/{mine[0].participant.id}/kick")

    assert [await socket.closed() for socket in sockets] == [4503, 4503]
    assert "user_left" in await other.names_until_now()
    await elsewhere.say("I am here")


async def test_only_the_host_kicks(quick: Place) -> None:
    room = quick.server.create_session()
    guest, other = await quick.sit(room.id), await quick.connect(room.id)
    whom = (await other.join()).participant.user_id

    await guest.send("kick_user", ref="k", user_id=str(whom))
    assert await guest.refusal() == ("FORBIDDEN", "k")
    await guest.send("kick_user", ref="v", user_id="nobody")
    assert await guest.refusal() == ("VALIDATION_ERROR", "v")
    await other.say("Still here")


async def test_mute_and_role_reach_the_open_socket_at_once(quick: Place) -> None:
    room = quick.server.create_session()
    guest = await quick.connect(room.id)
    me = (await guest.join(name="Grete")).participant
    place = f"/participants/{me.id}"

    async def refused() -> bool:
        await guest.send("send_message", ref="m", text="May I?")
        told = await guest.expect("ack", "error")
        return told.event == "error" and told.data.code == "FORBIDDEN"

    assert not await refused()
    host_of(quick, room, f"{place}/mute", {"muted": True})
    assert await refused()
    host_of(quick, room, f"{place}/mute", {"muted": False})
    assert not await refused()
    host_of(quick, room, f"{place}/role", {"role": "observer"})
    assert await refused()
    host_of(quick, room, f"{place}/role", {"role": "participant"})
    assert not await refused()


async def test_a_new_host_has_the_host_s_rights_on_the_open_socket(quick: Place) -> None:
    room = quick.server.create_session()
    old, new = await quick.sit(room.id, token=room.host_token), await quick.connect(room.id)
    me = (await new.join()).participant

    host_of(quick, room, f"/participants/{me.id}/role", {"role": "host"})

    assert (await old.expect("session_updated")).data.session.host_id == me.user_id
    await old.send("update_session", ref="u", name="Mine")
    assert await old.refusal() == ("FORBIDDEN", "u")
    await new.send("update_session", name="Ours")
    while (await old.expect("session_updated")).data.session.name != "Ours":
        pass


async def test_a_ban_closes_the_open_socket(quick: Place) -> None:
    room, person = quick.server.create_session(), quick.guest()
    socket = await quick.sit(room.id, token=person.token)

    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", _BAN.format(person.id)]
    await asyncio.to_thread(subprocess.run, command, env=dict(quick.server.env), check=True, capture_output=True)

    assert await socket.closed() == 4503
    assert await refusal_and_close(quick, room.id, token=person.token) == ("UNAUTHORIZED", 4500)


_BAN = """
from sessions_app.management.operator import operator
from sessions_app.services.bans import ban
ban(actor=operator(), user_id="{}")
"""


# --- Invites ----------------------------------------------------------------------------------------------------------


async def test_an_invite_opens_the_door_as_often_as_it_says(quick: Place) -> None:
    room = quick.server.create_session(access="invite")
    code = host_of(quick, room, "/invites", {"max_uses": 1})["code"]

    guest = await quick.sit(room.id, user_id="first", invite=code)
    again = await quick.sit(room.id, user_id="first")

    await guest.say("I was let in")
    assert "message_received" in await again.names_until_now()
    assert await refusal_and_close(quick, room.id, user_id="second", invite=code) == ("SESSION_NOT_FOUND", 4506)


async def test_a_hidden_room_is_to_a_socket_what_nothing_is(quick: Place) -> None:
    room, person = quick.server.create_session(access="invite"), quick.guest()

    async def told(session_id: str, **join: Any) -> tuple[Any, int]:
        visitor: Sitter = await quick.connect(session_id)
        await visitor.send("join_session", **join)
        found = await visitor.expect("error")
        return found.data, await visitor.closed()

    for join in ({}, {"token": person.token}, {"role": "observer"}, {"invite": "made-up"}, {"user_id": "x"}):
        assert await told(room.id, **join) == await told(not_there(), **join)


async def test_who_is_in_stays_when_the_room_is_locked(quick: Place) -> None:
    room = quick.server.create_session()
    host, guest = await quick.sit(room.id, token=room.host_token), await quick.sit(room.id, user_id="in")

    await host.send("update_session", access="invite")
    await guest.expect("session_updated")

    await guest.say("Still here")
    guest.cut()
    await (await quick.sit(room.id, user_id="in")).say("Back again")
    assert await refusal_and_close(quick, room.id, user_id="out") == ("SESSION_NOT_FOUND", 4506)


# --- Limits -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def narrow_server(tmp_path_factory: pytest.TempPathFactory, databases: Databases, backend: Backend) -> Iterator[Server]:
    narrow: dict[str, Any] = {
        "RATE_LIMITS_ENABLED": "true", "SOCKETS_PER_ADDRESS": "3", "TRUSTED_PROXY_COUNT": "1",
        "RATE_LIMITS": "joins=4/day,handshakes=20/day,messages=3/day",
    }  # fmt: skip
    stack = Stack(tmp_path_factory.mktemp("narrow"), databases, backend, **narrow)
    yield stack.server()
    stack.close()
    assert stack.crashes() == []


def behind(address: str) -> dict[str, Any]:
    """As our one proxy tells of a client, whatever that client itself has said."""
    return {"headers": {"X-Forwarded-For": f"203.0.113.99, {address}"}}


async def test_sockets_of_an_address_are_limited_and_those_of_others_are_not(narrow_server: Server) -> None:
    room = narrow_server.create_session()
    async with visiting(narrow_server) as place:
        held = [await place.connect(room.id, **behind("198.51.100.1")) for _ in range(3)]
        surplus = await place.connect(room.id, **behind("198.51.100.1"))

        told = await surplus.expect("error")

        assert told.data.code == "RATE_LIMITED"
        assert told.data.retry_after_ms > 0
        assert await surplus.closed() == 4005
        await (await place.connect(room.id, **behind("198.51.100.2"))).join()
        await held[0].join()


async def test_who_knocks_and_knocks_is_told_in_words_and_then_turned_away_unheard(make_stack: MakeStack) -> None:
    narrow = {"RATE_LIMITS_ENABLED": "true", "TRUSTED_PROXY_COUNT": "1", "RATE_LIMITS": "handshakes=20/day"}
    server = await asyncio.to_thread(make_stack(**narrow).server)
    room, knocks = server.create_session(), behind("198.51.100.9")
    async with visiting(server) as place:
        said, answers = list[int | str](), list[Any]()
        for _ in range(20 + TOLD_AT_ONCE + 20):
            try:
                visitor = await place.connect(room.id, **knocks)
            except InvalidStatus as refused:
                said.append(refused.response.status_code)
                answers.append(refused.response)
            else:
                if len(said) < 20:
                    await visitor.join()
                    said.append("in")
                else:
                    said.append((await visitor.expect("error")).data.code)
                await visitor.close()
        await (await place.connect(room.id, **behind("198.51.100.10"))).join()

    assert said[:20] == ["in"] * 20
    told = said[20:].index(429)
    assert set(said[20 : 20 + told]) == {"RATE_LIMITED"}
    assert told >= TOLD_AT_ONCE
    assert all(int(answer.headers["Retry-After"]) > 0 and b'"RATE_LIMITED"' in answer.body for answer in answers)
    assert len({answer.headers["X-Request-ID"] for answer in answers}) == len(answers)


async def test_joins_of_an_address_are_limited(narrow_server: Server) -> None:
    async with visiting(narrow_server) as place:
        for _ in range(4):
            visitor = await place.connect(not_there(), **behind("198.51.100.3"))
            await visitor.send("join_session")
            assert (await visitor.refusal())[0] == "SESSION_NOT_FOUND"
            assert await visitor.closed() == 4506
        visitor = await place.connect(not_there(), **behind("198.51.100.3"))

        await visitor.send("join_session")

        assert (await visitor.refusal())[0] == "RATE_LIMITED"
        assert await visitor.closed() == 4005


async def test_messages_of_a_user_are_one_count_for_both_doors(narrow_server: Server) -> None:
    room = narrow_server.create_session()
    async with visiting(narrow_server) as place:
        person = place.guest()
        socket = await place.connect(room.id, **behind("198.51.100.4"))
        await socket.join(token=person.token)
        await socket.say("one")
        path = f"/api/sessions/{room.id}/messages"

        statuses = [narrow_server.http("POST", path, json={"text": "x"}, token=person.token).status for _ in range(3)]

        assert statuses == [201, 201, 429]
        await socket.send("send_message", ref="m", text="four")
        assert await socket.refusal() == ("RATE_LIMITED", "m")
