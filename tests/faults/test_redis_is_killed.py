"""Tests of what can go wrong: Redis dies in mid-broadcast, and Redis is away for a minute."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from tests.faults.crowd import Noise, Talk, closings, milliseconds, off_loop, open_halls, seconds_to_ack, verdict
from tests.faults.figures import Tell
from tests.harness.client import Client
from tests.harness.plugin import MakeStack
from tests.harness.records import spread

pytestmark = [pytest.mark.processes, pytest.mark.services]


@pytest.mark.faults_fast
@pytest.mark.alone
@pytest.mark.row(
    "`kill -9` Redis in mid-broadcast, back after 10 s",
    "no socket closes; peers in the same process ≤ 100 ms, across processes ≤ 6 s; nothing lost",
)
async def test_redis_killed_in_mid_broadcast_delays_and_loses_nothing(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack()
    assert stack.redis is not None
    servers = [await off_loop(stack.server) for _ in range(2)]
    halls = await open_halls(servers, halls=3, people=6, only=True, rng=rng)
    talk, noise = Talk(halls, per_second=40, rng=rng), Noise()
    await asyncio.sleep(2)

    died = time.monotonic()
    await off_loop(stack.redis.kill9)
    await asyncio.sleep(10 if full else 4)
    await off_loop(stack.redis.start)
    back = time.monotonic()
    await asyncio.sleep(4)
    await talk.stop()
    noise.stop()
    stored = await verdict(stack, halls)

    near, far, healed = [], [], []
    for hall in halls:
        for author, peer, receipt, delay in hall.delays:
            said_at = receipt.at - delay
            if author.addresses == peer.addresses:
                near.append(delay)
            elif died <= said_at < back:
                far.append(delay)
            elif said_at > back + 2:
                healed.append(delay)
    tell(f"{stored} stored, 0 lost; same process {milliseconds(near)} (p50 / p99 / max; the machine {noise})")
    tell(f"across, while away {milliseconds(far)}; across, once back {milliseconds(healed)}")
    assert closings(halls) == []
    assert spread(near)[1] <= 0.100
    assert spread(near)[2] <= 0.100 + noise.worst
    assert spread(far)[2] <= 6
    assert spread(healed)[1] <= 0.5


@pytest.mark.row("Redis away for 60 s", "sends still acked; joins work")
async def test_without_redis_sends_are_acked_and_joins_work(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack()
    assert stack.redis is not None
    servers = [await off_loop(stack.server) for _ in range(2)]
    halls = await open_halls(servers, halls=2, people=4, max_users=12, only=True, rng=rng)
    talk = Talk(halls, per_second=20, rng=rng)
    await asyncio.sleep(1)

    await off_loop(stack.redis.kill9)
    died, joins = time.monotonic(), list[float]()
    while time.monotonic() < died + 60:
        await asyncio.sleep(10)
        server = servers[len(joins) % 2]
        hall = halls[len(joins) % 2]
        began = time.monotonic()
        newcomer = Client([server.ws(hall.id)], name=f"newcomer-{len(joins)}", rng=rng)
        await newcomer.start()
        hall.clients.append(newcomer)
        hall.watch(newcomer)
        joins.append(time.monotonic() - began)
    third = await off_loop(stack.server)
    assert third.http("GET", "/health/live").status == 200
    await off_loop(stack.redis.start)
    await asyncio.sleep(2)
    acks = await talk.stop()
    await verdict(stack, halls)

    waits = [wait for hall in halls for said_at, wait in seconds_to_ack(hall) if said_at >= died]
    tell(f"{len(acks)} sends, all acked, {milliseconds(waits)}; joins {milliseconds(joins)}; a new process starts")
    assert closings(halls) == []
    assert spread(waits)[2] <= 1
    assert spread(joins)[2] <= 3
