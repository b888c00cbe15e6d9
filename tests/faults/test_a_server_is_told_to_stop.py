"""Tests of what can go wrong: SIGTERM under load, and a rolling restart under load."""

from __future__ import annotations

import asyncio
import random
import time

import psycopg
import pytest

from tests.faults.crowd import Talk, closings, off_loop, open_halls, until, verdict
from tests.faults.figures import Tell
from tests.harness.client import RawClient
from tests.harness.plugin import MakeStack
from tests.harness.server import Backend

pytestmark = pytest.mark.processes


@pytest.mark.services
@pytest.mark.row(
    "SIGTERM under load with 1,000 connections",
    "all told and closed 4006/1012; exit ≤ 25 s; all back elsewhere ≤ 15 s; nothing lost",
)
async def test_a_server_that_is_told_to_stop_sends_everybody_elsewhere(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack()
    leaving, other = [await off_loop(stack.server) for _ in range(2)]
    halls = await open_halls([leaving], halls=100 if full else 12, people=10, only=True, rng=rng)
    clients = [client for hall in halls for client in hall.clients]
    for hall in halls:
        for client in hall.clients:
            client.addresses = [leaving.ws(hall.id), other.ws(hall.id)]
    talk = Talk(halls, per_second=100 if full else 40, rng=rng)
    await asyncio.sleep(3)

    told = time.monotonic()
    leaving.terminate()
    code = await off_loop(leaving.wait, 60)
    exit_seconds = time.monotonic() - told
    assert await until(lambda: all(len(client.log.welcomes) >= 2 for client in clients), timeout=60)
    back = max(client.log.welcomes[-1] for client in clients) - told
    await asyncio.sleep(1)
    acks = await talk.stop()
    await verdict(stack, halls, settle=30)

    codes = sorted(set(closings(halls)))
    tell(f"{len(clients)} connections, closed {codes}; exit after {exit_seconds:.1f} s; all back after {back:.1f} s")
    tell(f"{len(acks)} acked, 0 lost")
    assert code == 0
    assert set(codes) <= {4006, 1012}
    assert all(client.log.goodbyes and client.log.goodbyes[0] >= told for client in clients)
    assert exit_seconds <= 25
    assert back <= 15


@pytest.mark.services
@pytest.mark.faults_fast
@pytest.mark.row("SIGTERM while somebody joins", "told when to come back, closed 4006; the server waits for that alone")
async def test_who_joins_while_the_server_is_told_to_stop_is_sent_elsewhere_at_once(
    make_stack: MakeStack, tell: Tell
) -> None:
    stack = make_stack()
    server = await off_loop(stack.server)
    room = await off_loop(server.create_session)
    person = await RawClient.open(server.ws(room.id))
    with psycopg.connect(stack.database_url) as held:
        held.execute("SELECT 1 FROM sessions FOR UPDATE")
        await person.send("join_session", user_id="ada", name="Ada")
        await asyncio.sleep(0.5)
        told = time.monotonic()
        server.terminate()
        await asyncio.sleep(0.5)
    goodbye = await person.expect("goodbye")
    code = await person.closed()
    assert await off_loop(server.wait, 30) == 0
    took = time.monotonic() - told

    tell(f"closed {code}; exit after {took:.1f} s")
    assert goodbye["data"]["reason"] == "draining"
    assert code == 4006
    assert took < 4, "it waited for one that nobody had sent away"
    assert stack.query("SELECT count(*) FROM connections") == [(0,)]


@pytest.mark.faults_fast
@pytest.mark.row("rolling restart of all servers, under load", "the transcript of every client is identical")
async def test_a_rolling_restart_leaves_every_transcript_identical(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell, backend: Backend
) -> None:
    stack = make_stack(DRAIN_SECONDS="10" if full else "1")
    servers = [await off_loop(stack.server) for _ in range(2 if backend is Backend.SERVICES else 1)]
    halls = await open_halls(servers, halls=5, people=8, rng=rng)
    talk = Talk(halls, per_second=60 if full else 30, rng=rng)
    await asyncio.sleep(1)

    for server in servers:
        server.terminate()
        assert await off_loop(server.wait, 60) == 0
        await off_loop(server.start)
        await asyncio.sleep(5 if full else 1)
    acks = await talk.stop(timeout=90)
    stored = await verdict(stack, halls, settle=40)

    tell(f"{len(servers)} restarted, {stored} stored, {len(acks)} acked, {len(closings(halls))} connections moved")
    for hall in halls:
        transcripts = {tuple((item.seq, item.id, item.text) for item in client.log.receipts) for client in hall.clients}
        shortest = min(transcripts, key=len)
        assert {transcript[-len(shortest) :] for transcript in transcripts} == {shortest}
        assert len(shortest) == max(map(len, transcripts))
    assert set(closings(halls)) <= {4006, 1012}
