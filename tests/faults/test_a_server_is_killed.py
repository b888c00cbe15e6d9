"""Tests of what can go wrong: a server dies without a word, and what becomes of its people's seats."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from tests.faults.crowd import Talk, closings, off_loop, open_halls, until, verdict
from tests.faults.figures import Tell
from tests.harness.checker import check
from tests.harness.plugin import MakeStack
from tests.harness.records import read_log

pytestmark = pytest.mark.processes

QUICK = {"PRESENCE_LEASE_SECONDS": "4", "PRESENCE_RENEW_SECONDS": "1.3", "HEAD_POLL_SECONDS": "0.5"}


@pytest.mark.services
@pytest.mark.row(
    "`kill -9` one of two servers with 50 users",
    "`user_left` for all at the survivors ≤ 50 s; seats free; "
    "who returns in time keeps the seat and no `left` is shown",
)
async def test_a_killed_servers_people_lose_their_seats_unless_they_come_back(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack(**({} if full else QUICK))
    line = 50 if full else 6
    doomed, survivor = [await off_loop(stack.server) for _ in range(2)]
    (hall,) = await open_halls([doomed], halls=1, people=50, max_users=60, only=True, rng=rng)
    staying = await hall.seat([survivor.ws(hall.id)], 3, "stays")
    returning = await hall.seat([doomed.ws(hall.id), survivor.ws(hall.id)], 5, "returns")
    gone = hall.clients[:50]
    talk = Talk([hall], per_second=20, rng=rng)
    talk.who = lambda _: staying
    await asyncio.sleep(1)

    killed = time.monotonic()
    await off_loop(doomed.kill9)
    for client in gone:
        await client.stop()
    gone_ids = {client.log.user_id for client in gone}

    def left() -> set[str]:
        seen = [{item.user_id for item in client.log.presence if item.event == "user_left"} for client in staying]
        return set.intersection(*seen)

    await until(lambda: gone_ids <= left(), timeout=line + 10)
    took = time.monotonic() - killed
    await asyncio.sleep(2)
    await talk.stop()
    hall.clients = [*staying, *returning]
    await verdict(stack, [hall], leave=False)
    newcomers = await hall.seat([survivor.ws(hall.id)], 52, "newcomer")
    for client in [*hall.clients, *gone]:
        await client.stop()
    check(await off_loop(read_log, stack, hall.id), [client.log for client in gone], complete=False)

    tell(f"all 50 `user_left` after {took:.1f} s; 5 of 5 came back unseen; {len(newcomers)} took the free seats")
    assert gone_ids <= left()
    assert took <= line
    flickers = {
        item.user_id
        for client in staying
        for item in client.log.presence
        if item.at > killed and item.event == "user_left" and item.user_id not in gone_ids
    }
    assert flickers & {client.log.user_id for client in returning} == set()
    assert all(client.log.closings and client.log.closings[0].code == 1006 for client in returning)
    assert {item.reason for client in staying for item in client.log.presence if item.user_id in gone_ids} == {
        "timeout"
    }


@pytest.mark.faults_fast
@pytest.mark.row(
    "`kill -9` the only server under load, and start it again", "what was acked is stored once; nobody misses anything"
)
async def test_the_only_server_is_killed_under_load_and_started_again(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack()
    server = await off_loop(stack.server)
    halls = await open_halls([server], halls=3, people=6, rng=rng, slowest=2.0)
    talk = Talk(halls, per_second=60 if full else 30, rng=rng)

    for _ in range(5 if full else 2):
        await asyncio.sleep(1 + rng.random())
        await off_loop(server.kill9)
        await off_loop(server.start)
    await asyncio.sleep(2)
    acks = await talk.stop()
    stored = await verdict(stack, halls)

    again = sum(ack.duplicate for ack in acks)
    tell(f"{stored} stored, {len(acks)} acked, {again} of them at a second try that found them stored; 0 lost")
    assert set(closings(halls)) == {1006}
    assert len(acks) == stored
