"""Tests of who may do what: every cell of the table, over sockets of a real server."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest
from uuid_utils.compat import uuid7

from realtime.protocol import CLIENT_EVENTS
from tests.harness.server import Opened, Server, Stack
from tests.permissions.matrix import FRAMES, cases
from tests.realtime.client import Place, Sitter

PROMOTE = "UPDATE users SET is_staff = true WHERE email = %(email)s"
BAN = "UPDATE users SET is_active = false WHERE email = %(email)s"
JOINED = ("observer", "participant", "host", "staff")


class People(NamedTuple):
    """Tokens of those who are known everywhere."""

    account: str
    staff: str
    banned: str


@pytest.fixture(scope="module")
def people(quick_server: Server, quick_stack: Stack) -> People:
    def registered(change: str = "") -> str:
        who = {"email": f"{uuid7().hex}@example.org", "password": "a planchette of oak 77", "name": "Somebody"}
        answer = quick_server.http("POST", "/api/auth/register", json=who)
        if change:
            quick_stack.query(change, email=who["email"])
        return str(answer.data["access"])

    return People(registered(), registered(PROMOTE), registered(BAN))


async def question(place: Place, room: Opened) -> dict[str, str]:
    """The host asks, and the spirit has answered: ids of the message and the turn."""
    host = await place.sit(room.id, token=room.host_token)
    message = await host.say("Is anyone there?")
    answer = await host.expect("spirit_response")
    return {"message_id": str(message.id), "turn_id": str(answer.data.turn_id)}


async def outcome(socket: Sitter, event: str, data: Any) -> str:
    """`ok`, or the code of the error that the frame got."""
    await socket.send(event, ref="it", **data)
    if event in ("leave_session", "end_session"):
        await socket.send("heartbeat", ref="after")
        while not socket.socket.close_code:
            try:
                told = await socket.receive()
            except Exception:  # noqa: BLE001  closed, which is what it asked for
                return "ok"
            if told.event == "error" and told.ref == "it":
                return str(told.data.code)
        return "ok"
    if event == "send_message":
        told = await socket.expect("ack", "error")
        return "ok" if told.event == "ack" else str(told.data.code)
    errors = [told for told in await socket.until_now() if told.event == "error"]
    return str(errors[0].data.code) if errors else "ok"


@pytest.mark.parametrize(("event", "caller", "code"), cases(FRAMES))
async def test_a_frame_gets_what_the_table_says(
    quick: Place, people: People, event: str, caller: str, code: str
) -> None:
    needs_turn = caller in JOINED and event in ("delete_message", "cancel_question", "ask_again")
    room = quick.server.create_session(mode="open" if needs_turn else "off")
    names = await question(quick, room) if needs_turn else {}
    target = await quick.connect(room.id)
    names["target_id"] = str((await target.join()).participant.user_id)
    person = quick.guest()
    tokens = {
        "account": people.account, "staff": people.staff, "banned": people.banned,
        "host": room.host_token, "ended": room.host_token, "nobody": "",
    }  # fmt: skip
    names["token"] = token = tokens.get(caller, person.token)
    if caller == "ended":
        quick.server.http("DELETE", f"/api/sessions/{room.id}", token=room.host_token)
    data = json.loads(json.dumps(FRAMES[event].data))
    data = {
        key: value.format(**{"message_id": uuid7(), "turn_id": uuid7(), **names}) if isinstance(value, str) else value
        for key, value in data.items()
    }
    socket = await quick.connect(room.id)
    join = {"token": token} if token else {}

    if caller in ("banned", "ended"):
        await socket.send("join_session", **join)
        found = (await socket.refusal())[0]
    elif caller not in JOINED and event == "join_session":
        await socket.join(**join)
        found = "ok"
    elif caller not in JOINED:
        await socket.send(event, ref="it", **data)
        found = (await socket.refusal())[0]
    else:
        await socket.join(**join, **({"role": "observer"} if caller == "observer" else {}))
        found = await outcome(socket, event, data)

    assert found == code


def test_no_frame_is_missing() -> None:
    assert set(FRAMES) == set(CLIENT_EVENTS)
