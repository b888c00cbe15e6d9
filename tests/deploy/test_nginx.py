"""Tests of deploy/nginx: a real nginx with the shipped files, in front of two real servers."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import httpx
import psycopg
import pytest

from tests.deploy.nginx import Nginx
from tests.harness.checker import check
from tests.harness.client import Client, RawClient
from tests.harness.processes import free_port
from tests.harness.records import read_log
from tests.harness.server import Server, Stack

pytestmark = [pytest.mark.deploy, pytest.mark.services, pytest.mark.processes]
UNAVAILABLE = {
    "code": "UNAVAILABLE",
    "message": "The service cannot do this right now.",
    "details": {"retry_after_ms": 1000},
}
PAGE = "https://app.example.org"  # a page of another origin


def same(answer: httpx.Response) -> tuple[int, str, object]:
    """What two answers have in common that say the same at different times."""
    body = answer.json()
    told = datetime.fromisoformat(body["meta"].pop("timestamp"))
    assert abs((datetime.now(UTC) - told).total_seconds()) < 60
    return answer.status_code, answer.headers["content-type"].partition(";")[0], body


async def test_people_talk_through_it_whichever_server_they_are_at(
    nginx: Nginx, servers: list[Server], stack: Stack
) -> None:
    room = (await asyncio.to_thread(nginx.create_session)).id

    people = [await Client([nginx.ws(room)], name=f"person-{number}").start() for number in range(6)]
    for number in range(30):
        await people[number % 6].send(f"word {number}")
    for person in people:
        await person.reaches(30, timeout=10)
    sockets = [await asyncio.to_thread(server.metric, "seance_sockets") for server in servers]
    for person in people:
        await person.stop()

    check(await asyncio.to_thread(read_log, stack, room), [person.log for person in people])
    assert sum(sockets) == 6
    assert all(sockets), "each server has some of them"


async def test_a_stream_of_events_is_handed_on_at_once(nginx: Nginx, servers: list[Server]) -> None:
    room = await asyncio.to_thread(servers[0].create_session)
    talker = await Client([servers[0].ws(room.id)], name="talker").start()

    async with (
        httpx.AsyncClient(timeout=10) as web,
        web.stream("GET", f"{nginx.base}/api/sessions/{room.id}/events") as stream,
    ):
        lines = stream.aiter_lines()
        assert (await anext(lines)).startswith("id: ")
        await talker.send("hello")
        began = time.monotonic()
        async for line in lines:
            if line.startswith("data: "):
                break
        waited = time.monotonic() - began

    assert json.loads(line.removeprefix("data: "))["data"]["text"] == "hello"
    assert waited < 1


def test_a_made_up_address_does_not_get_around_a_limit(nginx: Nginx) -> None:
    codes = []
    for number in range(4):
        made_up = {name: f"192.0.2.{number}" for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded")}
        credentials = {"email": f"nobody-{number}@example.org", "password": "wrong"}
        answer = httpx.post(f"{nginx.base}/api/auth/token", json=credentials, headers=made_up)
        codes.append(answer.json()["error"]["code"])

    assert codes == ["UNAUTHORIZED"] * 3 + ["RATE_LIMITED"]
    assert "x-request-id" in answer.headers, "the server counts, for the address that nginx saw"


def test_a_flood_is_answered_as_the_server_would(tmp_path: Path) -> None:
    request = f"GET /api/sessions HTTP/1.1\r\nHost: seance\r\nOrigin: {PAGE}\r\n".encode()
    with started(Nginx(tmp_path, [free_port(), free_port()], tmp_path)) as alone:
        with socket.create_connection(("127.0.0.1", alone.port), timeout=10) as link:
            link.sendall((request + b"\r\n") * 400 + request + b"Connection: close\r\n\r\n")
            with link.makefile("rb") as said:
                answers = [read_answer(said) for _ in range(401)]

    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(refused) >= 200, "the burst"
    assert refused
    error = UNAVAILABLE | {"code": "RATE_LIMITED", "message": "Too many requests; wait a little."}
    body = {"success": False, "error": error, "meta": {}}
    for answer in refused:
        assert same(answer) == (429, "application/json", body)
        assert (answer.headers["retry-after"], answer.headers["cache-control"]) == ("1", "no-store")
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-allow-credentials"] == "true"


def read_answer(said: BinaryIO) -> httpx.Response:
    """One answer of many on a connection."""
    status = int(said.readline().split()[1])
    headers = http.client.parse_headers(said)
    return httpx.Response(status, headers=headers.items(), content=said.read(int(headers["Content-Length"])))


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "//metrics", "/%6detrics", "/x/../metrics"])
def test_metrics_are_not_for_the_outside(nginx: Nginx, servers: list[Server], path: str) -> None:
    url = httpx.URL(nginx.base, raw_path=path.encode())

    answer = httpx.get(url)

    assert same(answer) == same(httpx.get(f"{servers[0].base}/no/such/path"))


def test_a_body_that_is_too_large_is_refused_as_the_server_would(nginx: Nginx, servers: list[Server]) -> None:
    body = b'"' + b"x" * (1 << 20) + b'"'

    answers = [httpx.post(f"{base}/api/sessions", content=body) for base in (nginx.base, servers[0].base)]

    assert same(answers[0]) == same(answers[1])
    assert "x-request-id" not in answers[0].headers
    assert answers[0].status_code == 400


def test_files_come_from_the_folder_packed_and_for_ever(nginx: Nginx, collected: Path) -> None:
    page = httpx.get(f"{nginx.base}/board/").text
    script, style = (re.search(rf'"(/static/[^"]+\.{kind})"', page)[1] for kind in ("js", "css"))  # type: ignore[index]

    plain = httpx.get(nginx.base + script, headers={"Accept-Encoding": "identity"})
    packed = httpx.get(nginx.base + style)
    said = [json.loads(line) for line in nginx.said().splitlines() if line.startswith('{"timestamp"')]

    assert plain.content == (collected / script[1:]).read_bytes()
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == gzip.decompress((collected / f"{style[1:]}.gz").read_bytes())
    assert [answer.headers["content-type"].partition(";")[0] for answer in (plain, packed)] == [
        "text/javascript",
        "text/css",
    ]
    for answer in (plain, packed):
        assert answer.headers["cache-control"] == "max-age=315360000, public, immutable"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert [line["upstream"] for line in said if line["path"] in (script, style)] == ["", ""]


def test_a_file_that_is_not_in_the_folder_comes_from_a_server(
    servers: list[Server], collected: Path, tmp_path: Path
) -> None:
    style = next(collected.glob("static/realtime/board/board.*.css"))
    (tmp_path / "static").mkdir()
    with started(Nginx(tmp_path, [server.port for server in servers], tmp_path)) as empty:
        found = httpx.get(f"{empty.base}/{style.relative_to(collected)}")
        missing = httpx.get(f"{empty.base}/static/no/such.css")

    assert found.content == style.read_bytes()
    assert (found.status_code, missing.status_code) == (200, 404)


def test_with_no_server_left_it_says_unavailable(tmp_path: Path) -> None:
    with started(Nginx(tmp_path, [free_port(), free_port()], tmp_path)) as alone:
        answer = httpx.get(f"{alone.base}/api/sessions", headers={"Origin": PAGE})

    assert same(answer) == (503, "application/json", {"success": False, "error": UNAVAILABLE, "meta": {}})
    assert (answer.headers["retry-after"], answer.headers["access-control-allow-origin"]) == ("1", PAGE)


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("PATCH", 1), ("GET", 2)])
def test_what_may_not_be_done_twice_is_sent_once(method: str, times: int, tmp_path: Path) -> None:
    with hanging_up() as first, hanging_up() as second:
        with started(Nginx(tmp_path, [first.port, second.port], tmp_path)) as between:
            answer = httpx.request(method, f"{between.base}/api/sessions", json={} if method != "GET" else None)

    assert first.requests + second.requests == times
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")


async def test_a_server_that_drains_gets_no_new_socket(nginx: Nginx, servers: list[Server], stack: Stack) -> None:
    leaving, staying = servers
    room = await asyncio.to_thread(staying.create_session)
    talker = await Client([leaving.ws(room.id)], name="talker").start()
    with psycopg.connect(stack.database_url) as connection:
        connection.execute("SELECT 1 FROM sessions WHERE id = %s FOR UPDATE", [room.id])
        said = talker.post("the drain waits until this is stored")
        await asyncio.sleep(0.1)
        leaving.terminate()
        refused = None
        while refused is None:
            refused = await handshake(leaving, room.id)
        sockets = [await RawClient.open(nginx.ws(room.id)) for _ in range(8)]
        was_there = leaving.alive
    talker.addresses = [staying.ws(room.id)]
    for socket_ in sockets:
        await socket_.join(name="comes meanwhile")
    await said
    code = await asyncio.to_thread(leaving.wait)
    await asyncio.to_thread(leaving.start)
    await asyncio.sleep(2.1)  # then nginx tries it again, for the tests that come after

    assert was_there, "it was gone before anybody came"
    assert code == 0
    assert same(refused) == (503, "application/json", {"success": False, "error": UNAVAILABLE, "meta": {}})


async def handshake(server: Server, session_id: str) -> httpx.Response | None:
    """Ask for a socket; the refusal, or None where it was granted."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    async with (
        httpx.AsyncClient() as web,
        web.stream("GET", f"{server.base}/ws/{session_id}", headers=headers) as answer,
    ):
        if answer.status_code == 101:
            return None
        await answer.aread()
        return answer


@contextmanager
def started(nginx: Nginx) -> Iterator[Nginx]:
    nginx.start()
    try:
        yield nginx
    finally:
        nginx.kill9()


class HangingUp:
    """A server that reads a request and hangs up."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.requests = 0

    def run(self) -> None:
        while True:
            try:
                link, _ = self.listener.accept()
            except OSError:
                return
            with link:
                self.requests += bool(link.recv(65536))


@contextmanager
def hanging_up() -> Iterator[HangingUp]:
    server = HangingUp()
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        thread.join()
