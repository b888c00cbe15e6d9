"""Tests of what can go wrong: PostgreSQL goes down as in a power cut while everybody talks."""

from __future__ import annotations

import asyncio
import random
import time

import psycopg
import pytest

from tests.faults.crowd import Talk, answer_times, closings, milliseconds, off_loop, open_halls, until, verdict
from tests.faults.figures import Tell
from tests.harness.checker import check
from tests.harness.client import Client
from tests.harness.plugin import MakeStack
from tests.harness.records import read_log
from tests.harness.server import Stack

pytestmark = [pytest.mark.processes, pytest.mark.services]
LEASES = "SELECT lease_until FROM server_processes ORDER BY name"


@pytest.mark.faults_fast
@pytest.mark.alone
@pytest.mark.row(
    "PostgreSQL `restart -m immediate` under 100 messages/s",
    "no socket closes; sends fail or wait ≤ 5 s; what was acked is stored once",
)
async def test_postgresql_restarts_under_load_and_nobody_is_thrown_out(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack(own_postgres=True)
    assert stack.postgres is not None
    servers = [await off_loop(stack.server) for _ in range(2)]
    halls = await open_halls(servers, halls=5, people=6, only=True, rng=rng)
    talk = Talk(halls, per_second=100 if full else 50, rng=rng)
    await asyncio.sleep(2)

    for _ in range(3 if full else 1):
        await off_loop(stack.postgres.stop_immediately)
        await asyncio.sleep(2 if full else 1)
        await off_loop(stack.postgres.start)
        await asyncio.sleep(4 if full else 2)
    acks = await talk.stop()
    stored = await verdict(stack, halls)

    waits = [wait for hall in halls for client in hall.clients for wait in answer_times(client)]
    refused = sum(len(client.log.refusals) for hall in halls for client in hall.clients)
    again = sum(ack.duplicate for ack in acks)
    tell(f"{stored} stored, {len(acks)} acked, {again} had been stored by a try that looked failed; 0 lost")
    tell(f"{refused} tries refused; each try answered within {milliseconds(waits)}")
    assert closings(halls) == []
    assert {item.code for hall in halls for client in hall.clients for item in client.log.refusals} <= {"UNAVAILABLE"}
    assert all(item.retryable for hall in halls for client in hall.clients for item in client.log.refusals)
    assert max(waits) <= 5
    assert refused > 0


@pytest.mark.faults_fast
@pytest.mark.row(
    "PostgreSQL takes no writes for a while, as where its disk is nearly full",
    "no socket closes; history is read; sends are refused meanwhile, and the servers' leases go on after it",
)
async def test_a_database_that_is_read_only_for_a_while_is_written_to_again(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack(
        own_postgres=True, PRESENCE_LEASE_SECONDS="30", PRESENCE_RENEW_SECONDS="1", HEAD_POLL_SECONDS="1",
        ROLLUP_SECONDS="1",
    )  # fmt: skip
    servers = [await off_loop(stack.server) for _ in range(2)]
    halls = await open_halls(servers, halls=2, people=4, only=True, rng=rng)
    talk = Talk(halls, per_second=50 if full else 20, rng=rng)
    await asyncio.sleep(1)

    await off_loop(takes_writes, stack, "off")
    await asyncio.sleep(15 if full else 4)
    read = await off_loop(servers[0].http, "GET", f"/api/sessions/{halls[0].id}/history")
    leases = stack.query(LEASES)
    await off_loop(takes_writes, stack, "on")
    went_on = await until(
        lambda: all(now > then for now, then in zip(stack.query(LEASES), leases, strict=True)), timeout=10
    )
    await asyncio.sleep(2)
    acks = await talk.stop()
    stored = await verdict(stack, halls)

    refusals = [item for hall in halls for client in hall.clients for item in client.log.refusals]
    tell(f"{stored} stored, {len(acks)} acked; {len(refusals)} tries refused; 0 lost")
    assert closings(halls) == []
    assert read.status == 200
    assert {(item.code, item.retryable) for item in refusals} == {("UNAVAILABLE", True)}
    assert went_on, "a server never renewed its lease again"


@pytest.mark.faults_fast
@pytest.mark.alone
@pytest.mark.row(
    "people come while PostgreSQL is away", "told to come back, and in once it is there; no seat for nobody"
)
async def test_who_comes_while_the_database_is_away_is_in_once_it_is_back(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack(own_postgres=True, SEAT_GRACE_SECONDS="1")
    assert stack.postgres is not None
    server = await off_loop(stack.server)
    room = await off_loop(server.create_session)
    clients = [Client([server.ws(room.id)], name=f"early-{n}", rng=rng, slowest=2) for n in range(12)]

    await off_loop(stack.postgres.stop_immediately)
    for client in clients:
        client.begin()
    await asyncio.sleep(12 if full else 2)
    assert not any(client.is_in for client in clients)
    await off_loop(stack.postgres.start)
    began = time.monotonic()
    for client in clients:
        await client.sits(timeout=15)
    waited = time.monotonic() - began
    await asyncio.gather(*(client.send("at last") for client in clients))
    for client in clients:
        await client.reaches(12, timeout=5)
        await client.stop()

    refusals = [(item.code, item.retryable) for client in clients for item in client.log.refusals]
    tell(f"{len(refusals)} joins refused; all 12 in {waited:.1f} s after it was back")
    assert set(refusals) == {("UNAVAILABLE", True)}
    assert {item.code for client in clients for item in client.log.closings} == {4000}
    check(await off_loop(read_log, stack, room.id), [client.log for client in clients])
    assert server.said().count("release_failed") <= len(refusals) / 3, "one line for all that wait"
    left = "SELECT (SELECT count(*) FROM connections), count(*) FROM participants WHERE left_at IS NULL"
    assert await until(lambda: stack.query(left) == [(0, 0)], timeout=20)


def takes_writes(stack: Stack, word: str) -> None:
    """Whether transactions that begin from now on may write: on or off."""
    assert stack.postgres is not None
    with psycopg.connect(stack.postgres.url(), autocommit=True) as link:
        link.execute("SET default_transaction_read_only = off")
        link.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'off' if word == 'on' else 'on'}".encode())
        link.execute("SELECT pg_reload_conf()")
