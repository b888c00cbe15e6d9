"""Tests of realtime/sse on a real server: the stream tells the log as sockets do, and comes back without a gap."""

from __future__ import annotations

import asyncio
import json
import time
import uuid

import httpx
import pytest

from tests.harness.client import RawClient
from tests.harness.plugin import MakeStack
from tests.harness.server import Opened, Server
from tests.realtime.client import Place, Sitter, expiring, not_there
from tests.realtime.conftest import ORIGIN
from tests.realtime.reader import Reader


def say(server: Server, session: Opened, *texts: str) -> None:
    for text in texts:
        answer = server.http(
            "POST", f"/api/sessions/{session.id}/messages", json={"text": text}, token=session.host_token
        )
        assert answer.status == 201, answer


def epoch_of(server: Server, session: Opened) -> str:
    return str(server.http("GET", f"/api/sessions/{session.id}/history").body["meta"]["epoch"])


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_stream_begins_at_the_present_and_tells_what_sockets_are_told(quick: Place, slash: str) -> None:
    session = quick.server.create_session()
    say(quick.server, session, "before")
    sitter = await quick.sit(session.id, name="Ada")
    async with Reader(quick.server, session.id, slash=slash) as reader:
        epoch = epoch_of(quick.server, session)
        await reader.begun()

        await asyncio.to_thread(say, quick.server, session, "one", "two\nlines")
        found = await reader.take(2)

    told = [await sitter.expect("message_received") for _ in range(2)]
    assert [json.dumps(one.frame) for one in found] == [json.dumps(json.loads(one.text)) for one in told]
    assert [(one.id, one.name) for one in found] == [(f"{epoch}:{n}", "message_received") for n in (2, 3)]
    assert reader.response.headers["content-type"] == "text/event-stream"


async def test_whoever_comes_back_gets_what_was_missed_and_goes_on(quick: Place) -> None:
    session = quick.server.create_session()
    async with Reader(quick.server, session.id) as reader:
        await reader.begun()
    say(quick.server, session, "missed 1", "missed 2")

    async with Reader(quick.server, session.id, last_id=reader.last_id) as again:
        missed = await again.take(2)
        await asyncio.to_thread(say, quick.server, session, "live")
        live = await again.take(1)

    assert [one.frame["data"]["text"] for one in [*missed, *live]] == ["missed 1", "missed 2", "live"]


@pytest.mark.parametrize(
    ("position", "reason"),
    [("0123456789ab:0", "epoch_changed"), ("{}:99", "position_unknown"), ("{}:" + "9" * 40, "position_unknown"),
     ("junk", "position_unknown"), ("{}:-1", "position_unknown"), ("x" * 5000, "position_unknown")],
)  # fmt: skip
async def test_a_position_that_is_good_for_nothing_gets_resync_required_and_the_end(
    quick: Place, position: str, reason: str
) -> None:
    session = quick.server.create_session()
    say(quick.server, session, "one")
    epoch = epoch_of(quick.server, session)

    async with Reader(quick.server, session.id, last_id=position.format(epoch)) as reader:
        (only,) = await reader.rest()

    assert (only.name, only.frame["data"], reader.response.status_code) == ("resync_required", {"reason": reason}, 200)
    assert reader.last_id == f"{epoch}:1"  # where the reader that has read the history goes on


async def test_too_much_to_send_again_is_a_resync(quick: Place) -> None:
    session = quick.server.create_session()
    for n in range(101):  # RESUME_MAX_EVENTS is 100
        say(quick.server, session, f"{n}")
    epoch = epoch_of(quick.server, session)

    async with Reader(quick.server, session.id, last_id=f"{epoch}:0") as reader:
        (only,) = await reader.rest()

    assert (only.name, only.id) == ("resync_required", f"{epoch}:101")


async def test_whoever_missed_more_than_a_reader_may_lag_gets_it_all(make_stack: MakeStack) -> None:
    server = await asyncio.to_thread(make_stack(OUTBOUND_MAX_BYTES="65536").server)
    session = await asyncio.to_thread(server.create_session)
    place = Place(server)
    sitter = await place.sit(session.id, name="Ada")
    for n in range(100):  # 4 KiB each
        await sitter.send("send_message", text=f"{n} " + "\N{CRYSTAL BALL}" * 490, client_msg_id=f"{n}")
        await sitter.expect("ack")
    epoch = await asyncio.to_thread(epoch_of, server, session)

    async with Reader(server, session.id, last_id=f"{epoch}:0") as reader:
        found = await reader.take(100)
    again = RawClient((await place.connect(session.id)).socket)
    await again.send("join_session", name="Ada", resume={"epoch": epoch, "after_seq": 0})
    resumed = await again.expect("resumed")
    await place.leave()

    assert [one.seq for one in found] == list(range(1, 101))
    assert resumed["data"]["count"] == 100


async def test_the_end_of_a_session_is_the_last_event_and_later_there_is_nothing(quick: Place) -> None:
    session = quick.server.create_session()
    path = f"/api/sessions/{session.id}"
    async with Reader(quick.server, session.id) as reader:
        await reader.begun()
        first = reader.last_id
        await asyncio.to_thread(quick.server.http, "DELETE", path, token=session.host_token)
        (ended,) = await reader.rest()
    async with Reader(quick.server, session.id, last_id=first) as late:
        (again,) = await late.rest()
    async with Reader(quick.server, session.id, last_id=ended.id) as done:
        refused = await done.refusal()
    async with Reader(quick.server, session.id) as stranger:
        refused_too = await stranger.refusal()

    assert ended.name == "session_ended"
    assert again == ended
    assert refused == refused_too == (409, "SESSION_ENDED")


async def test_a_reader_takes_no_seat_and_nobody_hears_of_it(quick: Place) -> None:
    session = quick.server.create_session()
    sitter = await quick.sit(session.id, name="Ada")
    async with Reader(quick.server, session.id, Authorization=f"Bearer {session.host_token}") as reader:
        await reader.begun()
        other = await quick.connect(session.id)
        await other.join(name="Eve")
        await sitter.send("typing", is_typing=True)
        await asyncio.to_thread(say, quick.server, session, "hello")
        found = await reader.take(1)
        people = await asyncio.to_thread(quick.server.http, "GET", f"/api/sessions/{session.id}/participants")

    assert [one.name for one in found] == ["message_received"]
    assert sorted(one["name"] for one in people.data) == ["Ada", "Eve"]


async def test_who_may_not_know_of_a_session_gets_the_404_of_nothing(quick: Place) -> None:
    hidden = quick.server.create_session(access="invite")
    invalid = "not-a-uuid"
    bodies = []
    for session_id in (hidden.id, not_there(), invalid):
        async with Reader(quick.server, session_id, X_Request_ID="same") as reader:
            body = json.loads(await reader.response.aread())
            body["meta"] = None
            bodies.append((reader.response.status_code, body, sorted(reader.response.headers)))
    async with Reader(quick.server, hidden.id, Authorization=f"Bearer {hidden.host_token}") as host:
        assert host.response.status_code == 200
        await host.begun()

    assert bodies[0] == bodies[1] == bodies[2]
    assert bodies[0][0] == 404
    assert bodies[0][1]["error"]["code"] == "SESSION_NOT_FOUND"


async def test_members_only_and_bad_tokens_and_methods_are_refused_in_the_envelope(quick: Place) -> None:
    session = quick.server.create_session(access="members")
    path = f"/api/sessions/{session.id}/events"

    async with Reader(quick.server, session.id) as nobody:
        assert await nobody.refusal() == (401, "UNAUTHORIZED")
        assert nobody.response.headers["www-authenticate"] == "Bearer"
    async with Reader(quick.server, session.id, Authorization=f"Bearer {quick.guest().token}") as guest:
        assert await guest.refusal() == (403, "FORBIDDEN")
    async with Reader(quick.server, session.id, Authorization="Bearer x.y.z") as liar:
        assert await liar.refusal() == (401, "UNAUTHORIZED")
    for slash in ("", "/"):
        posted = quick.server.http("POST", path + slash, json={})
        assert (posted.status, posted.body["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    async with httpx.AsyncClient(trust_env=False) as client:
        head = await client.head(quick.server.base + path, headers={"Authorization": f"Bearer {session.host_token}"})
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "text/event-stream")


async def test_the_headers_are_those_of_every_answer(quick: Place) -> None:
    session = quick.server.create_session()
    request_id = uuid.uuid4().hex

    async with Reader(quick.server, session.id, Origin=ORIGIN, X_Request_ID=request_id) as ours:
        headers = ours.response.headers
    async with Reader(quick.server, session.id, Origin="https://evil.example") as foreign:
        foreign_headers = foreign.response.headers

    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["x-request-id"] == request_id
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in foreign_headers


async def test_a_token_that_expires_ends_the_stream(quick: Place) -> None:
    session = quick.server.create_session()
    token = expiring(session.host_token, time.time() + 2)
    async with Reader(quick.server, session.id, Authorization=f"Bearer {token}") as reader:
        await reader.begun()

        assert await reader.rest() == []


async def test_a_stream_ends_where_other_people_may_know_of_the_session_now(quick: Place) -> None:
    session = quick.server.create_session()
    async with Reader(quick.server, session.id) as reader:
        await reader.begun()
        body = {"access": "invite"}
        path = f"/api/sessions/{session.id}"
        await asyncio.to_thread(quick.server.http, "PATCH", path, json=body, token=session.host_token)
        found = await reader.rest()
    async with Reader(quick.server, session.id, last_id=reader.last_id) as again:
        refused = await again.refusal()

    assert [one.name for one in found] == ["session_updated"]
    assert refused == (404, "SESSION_NOT_FOUND")


async def test_a_server_that_stops_says_goodbye_and_when_to_come_back(make_stack: MakeStack) -> None:
    server = await asyncio.to_thread(make_stack().server, DRAIN_SECONDS="1")
    session = await asyncio.to_thread(server.create_session)
    async with Reader(server, session.id) as reader:
        await reader.begun()
        server.terminate()
        (last,) = await reader.rest()

    assert (last.name, last.frame["data"]["reason"]) == ("goodbye", "draining")
    assert reader.retry == last.frame["data"]["reconnect_after_ms"]
    assert await asyncio.to_thread(server.wait) == 0
    assert "without completing" not in server.said()


async def test_nothing_is_lost_or_doubled_while_readers_come_and_go(quick: Place) -> None:
    session = quick.server.create_session()
    async with Reader(quick.server, session.id) as first:
        await first.begun()
    sitter = await quick.sit(session.id, name="Ada")
    talking = asyncio.create_task(_talk(sitter, 150))
    seen: list[int] = []
    last_id = first.last_id
    while len(seen) < 150:
        async with Reader(quick.server, session.id, last_id=last_id) as reader:
            for one in await reader.take(min(40, 150 - len(seen))):
                seen.append(one.seq)
            last_id = reader.last_id
    await talking

    assert seen == list(range(1, 151))


async def _talk(sitter: Sitter, count: int) -> None:
    for n in range(count):
        await sitter.send("send_message", text=f"message {n}")
        await asyncio.sleep(0.005)


async def test_a_reader_that_stops_is_cut_off_and_slows_nobody(make_stack: MakeStack) -> None:
    stack = make_stack(OUTBOUND_MAX_BYTES="65536", OUTBOUND_MAX_SECONDS="1")
    server = await asyncio.to_thread(stack.server)
    session = await asyncio.to_thread(server.create_session)
    stuck, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(f"GET /api/sessions/{session.id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    place = Place(server)
    sitter = await place.sit(session.id, name="Ada")
    deadline = asyncio.get_running_loop().time() + 20
    while "stream_closed" not in server.said():
        assert asyncio.get_running_loop().time() < deadline
        for _ in range(20):  # what comes back of more would make a slow reader of the one who talks
            await sitter.send("send_message", text="x" * 500)
        await sitter.until_now()

    closed = next(line for line in server.said().splitlines() if "stream_closed" in line)
    writer.close()
    del stuck
    await place.leave()
    await asyncio.to_thread(server.kill9)
    assert "4002" in closed
