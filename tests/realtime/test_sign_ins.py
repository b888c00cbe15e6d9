"""Tests of realtime: a sign-in that ends, ends on open sockets and streams too, within five seconds."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections import Counter
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from uuid_utils.compat import uuid7
from websockets.exceptions import InvalidStatus

from sessions_app.services.tokens import TOGETHER_SECONDS
from tests.harness.plugin import MakeStack
from tests.harness.server import TLS, Server, Stack
from tests.realtime.client import Place
from tests.realtime.conftest import ORIGIN
from tests.realtime.reader import Reader

PASSWORD = "a planchette of oak 77"
WITHIN = 5.0


class Browser:
    """A browser that logs in: it has tokens of its own, of the same account as others."""

    def __init__(self, server: Server, email: str = "") -> None:
        self.server, self.email = server, email or f"{uuid7().hex}@example.org"
        body = {"email": self.email, "password": PASSWORD, "name": "Ada"}
        answer = server.http("POST", "/api/auth/token" if email else "/api/auth/register", json=body)
        assert answer.status in (200, 201), answer
        self.access, self.refresh = answer.data["access"], answer.data["refresh"]
        self.id = answer.data["user"]["id"]

    def post(self, path: str, **body: Any) -> Any:
        return self.server.http("POST", f"/api/auth/{path}", json=body, token=self.access)

    def logs_out(self) -> None:
        assert self.server.http("POST", "/api/auth/token/revoke", json={"refresh": self.refresh}).status == 200

    async def joins(self, place: Place, session_id: str) -> Any:
        return await place.sit(session_id, token=self.access)


async def refusal(place: Place, session_id: str, token: str) -> tuple[str, int]:
    socket = await place.connect(session_id)
    await socket.send("join_session", token=token)
    return (await socket.refusal())[0], await socket.closed()


async def test_a_logout_closes_the_sockets_of_every_browser_and_lets_the_others_back(quick: Place) -> None:
    room = quick.server.create_session()
    first = Browser(quick.server)
    second = Browser(quick.server, first.email)
    watcher = await quick.sit(room.id)
    here, there = await first.joins(quick, room.id), await second.joins(quick, room.id)

    began = time.monotonic()
    second.logs_out()

    assert [await here.closed(WITHIN), await there.closed(WITHIN)] == [4001, 4001]
    assert time.monotonic() - began < WITHIN
    assert await refusal(quick, room.id, second.access) == ("UNAUTHORIZED", 4500)
    await first.joins(quick, room.id)
    assert Counter(await watcher.names_until_now()) == {"user_joined": 1}  # the seat was kept: nobody saw it


@pytest.mark.services
async def test_a_logout_reaches_a_socket_of_another_process_without_redis(make_stack: MakeStack) -> None:
    stack: Stack = make_stack(own_redis=False, HEAD_POLL_SECONDS="4")
    one, two = stack.server(), stack.server()
    room, place = one.create_session(), Place(two)
    first = Browser(one)
    socket = await first.joins(place, room.id)
    began = time.monotonic()

    first.logs_out()

    assert await socket.closed(WITHIN) == 4001
    assert time.monotonic() - began < WITHIN
    await place.leave()


async def test_another_password_closes_sockets_and_makes_old_tokens_worthless(quick: Place) -> None:
    room, ada = quick.server.create_session(), Browser(quick.server)
    socket = await ada.joins(quick, room.id)

    answer = ada.post("password", current_password=PASSWORD, password="another planchette 78")

    assert answer.status == 200
    assert await socket.closed(WITHIN) == 4001
    assert await refusal(quick, room.id, ada.access) == ("UNAUTHORIZED", 4500)
    await quick.sit(room.id, token=answer.data["access"])


async def test_a_token_of_an_ended_sign_in_does_not_refresh_a_socket(quick: Place) -> None:
    room, ada = quick.server.create_session(), Browser(quick.server)
    other = Browser(quick.server, ada.email)
    other.logs_out()
    socket = await ada.joins(quick, room.id)

    await socket.send("refresh_token", ref="it", token=other.access)

    assert await socket.refusal() == ("UNAUTHORIZED", "it")
    await socket.say("I am still here")


async def test_erasing_oneself_closes_the_socket_and_frees_the_seat(quick: Place) -> None:
    room, ada = quick.server.create_session(), Browser(quick.server)
    watcher, socket = await quick.sit(room.id), await ada.joins(quick, room.id)

    assert quick.server.http("DELETE", "/api/auth/me", token=ada.access).status == 200

    assert await socket.closed(WITHIN) == 4500
    assert (await watcher.expect("user_left")).data.reason == "left"


async def test_an_upgrade_keeps_the_socket_and_the_seat(quick: Place) -> None:
    room, guest = quick.server.create_session(), quick.guest("Grete")
    socket = await quick.sit(room.id, token=guest.token)

    answer = quick.server.http(
        "POST", "/api/auth/upgrade", json={"email": f"{uuid7().hex}@example.org", "password": PASSWORD},
        token=guest.token,
    )  # fmt: skip

    assert (answer.status, answer.data["user"]["id"]) == (200, guest.id)
    await socket.say("The same")
    await socket.send("refresh_token", ref="it", token=answer.data["access"])
    assert (await socket.expect("token_refreshed")).ref == "it"


def at_the_same_time(server: Server, path: str, times: int, **body: Any) -> list[tuple[int, Any]]:
    """The status and body of each of several POSTs that all lack one byte, until the server has the rest of all."""
    whole = json.dumps(body).encode()
    lines = [HTTPConnection(urlsplit(server.base).netloc, timeout=30) for _ in range(times)]
    for line in lines:
        line.putrequest("POST", f"/api/auth/{path}")
        line.putheader("Content-Type", "application/json")
        line.putheader("Content-Length", str(len(whole)))
        line.endheaders(whole[:-1])
    time.sleep(0.2)
    for line in lines:
        line.send(whole[-1:])
    answers = [line.getresponse() for line in lines]
    found = [(answer.status, json.loads(answer.read())) for answer in answers]
    for line in lines:
        line.close()
    return found


def test_of_twenty_parallel_refreshes_one_wins_and_stays(quick_server: Server) -> None:
    for _ in range(3):
        ada = Browser(quick_server)

        answers = at_the_same_time(quick_server, "token/refresh", 20, refresh=ada.refresh)

        assert Counter(status for status, _ in answers) == {200: 1, 401: 19}
        won = next(body["data"] for status, body in answers if status == 200)
        assert ada.post("token/refresh", refresh=won["refresh"]).status == 200


def test_a_second_refresh_a_moment_after_the_answer_is_a_theft(quick_server: Server) -> None:
    for _ in range(3):
        ada = Browser(quick_server)
        won = ada.post("token/refresh", refresh=ada.refresh)
        time.sleep(TOGETHER_SECONDS)

        assert ada.post("token/refresh", refresh=ada.refresh).status == 401
        assert ada.post("token/refresh", refresh=won.data["refresh"]).status == 401


@pytest.mark.parametrize("is_page", [False, True])
def test_a_second_refresh_over_the_same_connection_is_a_theft_at_once_unless_tabs_share_it(
    quick_server: Server, *, is_page: bool
) -> None:
    headers = {"Origin": ORIGIN} if is_page else {}
    for _ in range(10):
        ada, began = Browser(quick_server), time.monotonic()
        with httpx.Client(
            base_url=f"{quick_server.base}/api/auth/", trust_env=False, verify=TLS, headers=headers
        ) as client:
            won = client.post("token/refresh", json={"refresh": ada.refresh}).json()["data"]
            again = client.post("token/refresh", json={"refresh": ada.refresh})
        if time.monotonic() - began < TOGETHER_SECONDS:  # else the machine stood still, and it is a theft either way
            break

    assert again.status_code == 401
    assert ada.post("token/refresh", refresh=won["refresh"]).status == (200 if is_page else 401)


def test_a_token_whose_successor_was_used_is_a_theft_at_once(quick_server: Server) -> None:
    ada = Browser(quick_server)
    second = ada.post("token/refresh", refresh=ada.refresh).data["refresh"]
    third = ada.post("token/refresh", refresh=second).data["refresh"]

    assert ada.post("token/refresh", refresh=ada.refresh).status == 401
    assert ada.post("token/refresh", refresh=third).status == 401


# --- Cookies ----------------------------------------------------------------------------------------------------------


def cookie_of(server: Server) -> str:
    with httpx.Client(trust_env=False, verify=TLS) as client:
        answer = client.post(f"{server.base}/api/auth/guest?transport=cookie", json={"name": "Grete"})
    return str(answer.cookies["seance_access"])


@pytest.mark.parametrize("origin", [ORIGIN, "own"])
async def test_a_socket_comes_in_by_the_cookie_of_an_allowed_page(quick: Place, origin: str) -> None:
    room, cookie = quick.server.create_session(), cookie_of(quick.server)
    socket = await quick.connect(
        room.id, headers={"Cookie": f"seance_access={cookie}"}, origin=quick.server.base if origin == "own" else origin
    )

    assert (await socket.join()).participant.name == "Grete"


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", f"{ORIGIN}.evil.example", "http://127.0.0.1:1"]
)
async def test_a_cookie_from_a_foreign_page_is_refused_at_the_handshake(quick: Place, origin: str | None) -> None:
    room, cookie = quick.server.create_session(), cookie_of(quick.server)

    with pytest.raises(InvalidStatus) as caught:
        await quick.connect(room.id, headers={"Cookie": f"seance_access={cookie}"}, origin=origin)

    assert caught.value.response.status_code == 403


async def test_a_cookie_of_an_ended_sign_in_is_refused(quick: Place) -> None:
    room = quick.server.create_session()
    base = f"{quick.server.base}/api/auth"
    async with httpx.AsyncClient(trust_env=False, verify=TLS) as client:
        await client.post(f"{base}/guest?transport=cookie", json={"name": "Grete"})
        cookie, csrf = client.cookies["seance_access"], client.cookies["csrftoken"]
        socket = await quick.connect(room.id, headers={"Cookie": f"seance_access={cookie}"}, origin=ORIGIN)
        await socket.join()

        answer = await client.post(f"{base}/token/revoke?transport=cookie", json={}, headers={"X-CSRFToken": csrf})

    assert answer.status_code == 200, answer.text
    assert await socket.closed(WITHIN) == 4001
    again = await quick.connect(room.id, headers={"Cookie": f"seance_access={cookie}"}, origin=ORIGIN)
    await again.send("join_session")
    assert (await again.refusal())[0] == "UNAUTHORIZED"
    assert await again.closed() == 4500


# --- Rights in mid-socket ---------------------------------------------------------------------------------------------


async def test_who_may_not_speak_does_not_type(quick: Place) -> None:
    room = quick.server.create_session()
    watcher = await quick.sit(room.id)
    observer = await quick.sit(room.id, role="observer")

    await observer.send("typing", ref="it")

    assert await observer.refusal() == ("FORBIDDEN", "it")
    assert "user_typing" not in await watcher.names_until_now()


async def test_a_mute_reaches_a_typing_socket_within_five_seconds(quick: Place) -> None:
    room = quick.server.create_session()
    guest = await quick.connect(room.id)
    person = (await guest.join(name="Grete")).participant
    await guest.send("typing")
    await guest.until_now()
    quick.server.http(
        "POST", f"/api/sessions/{room.id}/participants/{person.id}/mute", json={"muted": True}, token=room.host_token
    )

    await asyncio.sleep(WITHIN)
    await guest.send("typing", ref="it")

    assert await guest.refusal() == ("FORBIDDEN", "it")


async def test_a_locked_room_refuses_who_is_new_and_keeps_who_is_there(quick: Place) -> None:
    room = quick.server.create_session()
    host = await quick.sit(room.id, token=room.host_token)
    guest = await quick.sit(room.id, user_id="secret", name="Grete")

    await host.send("update_session", is_locked=True)

    assert (await guest.expect("session_updated")).data.session.is_locked
    stranger = await quick.connect(room.id)
    await stranger.send("join_session", name="Eve")
    assert (await stranger.refusal())[0] == "FORBIDDEN"
    assert await stranger.closed() == 4501
    guest.cut()
    await quick.sit(room.id, user_id="secret")


async def test_a_double_is_marked_for_everybody(quick: Place) -> None:
    room = quick.server.create_session()
    ada = await quick.connect(room.id)
    me = (await ada.join(name="Ada")).participant

    double = await quick.connect(room.id)
    await double.join(name="\u0410d\u0430")

    assert (await ada.expect("user_joined")).data.looks_like == me.id


# --- Streams ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["logout", "ban", "kick"])
async def test_a_stream_of_somebody_who_may_not_read_any_more_ends(quick: Place, quick_stack: Stack, end: str) -> None:
    room, ada = quick.server.create_session(), Browser(quick.server)
    socket = await quick.connect(room.id)
    person = (await socket.join(token=ada.access)).participant
    async with Reader(quick.server, room.id, Authorization=f"Bearer {ada.access}") as reader:
        await reader.begun()
        began = time.monotonic()

        if end == "logout":
            ada.logs_out()
        elif end == "ban":
            quick_stack.query("UPDATE users SET is_active = false WHERE email = %(email)s", email=ada.email)
        else:
            quick.server.http(
                "POST", f"/api/sessions/{room.id}/participants/{person.id}/kick", json={}, token=room.host_token
            )

        assert await reader.next(timeout=WITHIN) is None
        assert time.monotonic() - began < WITHIN


async def test_streams_of_a_user_are_limited_as_sockets_are(strict: Place) -> None:
    room, person = strict.server.create_session(), strict.guest()
    readers = [Reader(strict.server, room.id, Authorization=f"Bearer {person.token}") for _ in range(6)]

    statuses = []
    for reader in readers:
        await reader.__aenter__()
        statuses.append(reader.response.status_code)
    code = (await readers[5].refusal())[1]
    retry_after = readers[5].response.headers["Retry-After"]
    await readers[0].__aexit__()
    await asyncio.sleep(0.5)
    async with Reader(strict.server, room.id, Authorization=f"Bearer {person.token}") as again:
        statuses.append(again.response.status_code)
    for reader in readers[1:]:
        await reader.__aexit__()

    assert statuses == [200, 200, 200, 200, 200, 429, 200]
    assert (code, int(retry_after) > 0) == ("RATE_LIMITED", True)


# --- What is mailed ---------------------------------------------------------------------------------------------------


def test_mails_go_to_the_console_in_development(make_stack: MakeStack) -> None:
    server = make_stack(EMAIL_VERIFICATION="true").server()
    body = {"email": "ada@example.org", "password": PASSWORD, "name": "Ada"}

    asked = server.http("POST", "/api/auth/register", json=body)
    found = re.search(r"within a day:\s+([\w-]{43})\s", server.said())
    assert found is not None, server.said()[-2000:]
    made = server.http("POST", "/api/auth/verify", json={"token": found[1]})

    assert (asked.status, made.status, made.data["user"]["name"]) == (202, 200, "Ada")
    assert os.environ.get("EMAIL_URL") is None
