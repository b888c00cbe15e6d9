"""Tests of /metrics on real servers: it counts what happens, costs no database thread, and tells of all workers."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx
import pytest

from realtime import traffic
from tests.harness.plugin import MakeStack
from tests.harness.processes import wait_until
from tests.harness.server import Server
from tests.realtime.client import Place
from tests.realtime.reader import Reader


def scrape(server: Server, path: str = "/metrics") -> dict[str, float]:
    """Every sample by its name and labels."""
    response = httpx.get(server.base + path, trust_env=False)
    assert response.headers["content-type"].startswith("text/plain; version=")
    rows = (line.rsplit(" ", 1) for line in response.text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in rows}


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
async def test_it_counts_sockets_streams_deliveries_commits_and_requests(quick: Place, path: str) -> None:
    before = await asyncio.to_thread(scrape, quick.server)
    session = await asyncio.to_thread(quick.server.create_session)
    sitter = await quick.sit(session.id, name="Ada")
    async with Reader(quick.server, session.id) as reader:
        await reader.begun()
        await sitter.send("send_message", text="hello", client_msg_id="1")
        await sitter.expect("ack")
        await asyncio.sleep(0.7)  # counted frames are handed over twice a second
        now = await asyncio.to_thread(scrape, quick.server, path)

    def grown(name: str) -> float:
        return now.get(name, 0) - before.get(name, 0)

    assert grown("seance_streams") == 1
    assert grown("seance_sockets") >= 1
    assert grown("seance_deliveries_total") >= 4  # the join, the welcome, and the message twice
    assert grown('seance_commit_seconds_count{work="post"}') >= 1
    assert grown('seance_batch_size_count{work="join"}') >= 1
    assert grown("seance_ack_seconds_count") >= 1
    assert grown("seance_database_wait_seconds_count") >= 3
    assert grown('seance_http_requests_total{method="POST",route="sessions",status="2xx"}') == 1
    assert grown('seance_http_requests_total{method="GET",route="events",status="2xx"}') == 1
    assert now["process_resident_memory_bytes"] > 0


async def test_a_wrong_method_is_refused_and_whatever_is_asked_for_the_labels_are_few(quick: Place) -> None:
    answer = await asyncio.to_thread(quick.server.http, "POST", "/metrics", json={})
    async with httpx.AsyncClient(trust_env=False) as client:
        for path in ("/wp-login.php", "/api/sessions/x/y/z", "/api/evil"):
            await client.request("PUT", quick.server.base + path)
    found = await asyncio.to_thread(scrape, quick.server)

    assert (answer.status, answer.body["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert found['seance_http_requests_total{method="other",route="other",status="4xx"}'] >= 3


@pytest.mark.parametrize(
    ("path", "route"),
    [("/api/sessions", "sessions"), ("/api/sessions/", "sessions"), ("/api/sessions/1", "session"),
     ("/api/sessions/1/history/", "history"), ("/api/sessions/1/messages/2", "messages"),
     ("/api/sessions/1/participants/2/kick", "participants"), ("/api/auth/token/refresh", "auth"),
     ("/health/live", "health"),
     ("/api", "other"), ("/", "other"), ("//", "other"), ("/api/sessions/1/\x00", "other"), ("/admin/x", "admin")],
)  # fmt: skip
def test_a_path_has_a_class(path: str, route: str) -> None:
    assert traffic.route_of(path) == route


@pytest.mark.services
def test_what_is_kept_of_reads_is_counted_by_where_it_came_from(make_stack: MakeStack) -> None:
    server = make_stack().server(READ_CACHE="history", ROLLUP_SECONDS="0")
    session = server.create_session()
    for _ in range(3):
        assert server.http("GET", f"/api/sessions/{session.id}/history").status == 200
        assert server.http("GET", f"/api/sessions/{session.id}").status == 200  # is not kept here

    counted = {name: value for name, value in scrape(server).items() if name.startswith("seance_read_cache_total")}

    assert counted == {
        'seance_read_cache_total{end="miss",what="history"}': 1,
        'seance_read_cache_total{end="hit",what="history"}': 2,
    }


@pytest.mark.services
def test_with_several_workers_each_tells_of_all_and_the_dead_hold_no_sockets(make_stack: MakeStack) -> None:
    server = make_stack().server()
    server.terminate()
    server.wait()
    server.command += ["--workers", "2"]
    stale = Path(server.env["VAR_DIR"]) / f"metrics-{server.port}" / "counter_1.db"
    stale.parent.mkdir()
    stale.write_bytes(b"of a former life")
    server.start()

    async def talk() -> set[float]:
        session = await asyncio.to_thread(server.create_session)
        place = Place(server)
        for n in range(8):
            await place.sit(session.id, name=f"User {n}")
        await asyncio.sleep(0.7)
        scrapes = [await asyncio.to_thread(scrape, server) for _ in range(8)]
        for worker in _children(server.pid):
            os.kill(worker, signal.SIGKILL)
        for sitter in place.sockets:
            await sitter.closed()
        return {one["seance_sockets"] for one in scrapes}

    wait_until(lambda: len(_children(server.pid)) == 2, timeout=10, what="two workers")
    wait_until(lambda: server.said().count("process_started") == 3, timeout=20, what="both workers started")
    told = asyncio.run(talk())
    wait_until(lambda: server.said().count("process_started") == 5, timeout=20, what="both were replaced")
    after = scrape(server)

    assert told == {8.0}  # whichever worker answers
    assert after["seance_sockets"] == 0
    assert after['seance_batch_size_count{work="join"}'] >= 1
    assert not stale.exists()


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
