"""Tests of what can go wrong: one of the Redis servers that carry events dies, and the other goes on."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from sessions_app.layers import PubSubLayer
from sessions_app.publish import group_name
from tests.faults.crowd import Noise, Talk, closings, milliseconds, off_loop, open_halls, verdict
from tests.faults.figures import Tell
from tests.harness.plugin import MakeStack
from tests.harness.records import spread
from tests.harness.services import Redis

pytestmark = [pytest.mark.processes, pytest.mark.services]


@pytest.mark.alone
@pytest.mark.row(
    "`kill -9` one of two Redis servers that carry events, back after 10 s",
    "rooms at the other: across processes ≤ 200 ms; its own ≤ 6 s; no socket closes; nothing lost",
)
async def test_rooms_at_another_redis_notice_nothing(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack()
    carriers = [Redis(stack.work / f"events-{number}", host=stack.here) for number in (1, 2)]
    for carrier in carriers:
        await off_loop(carrier.start)
    urls = [carrier.url for carrier in carriers]
    layer = PubSubLayer(hosts=urls, prefix="seance")
    try:
        servers = [await off_loop(stack.server, REDIS_PUBSUB_URLS=" ".join(urls)) for _ in range(2)]
        halls = await open_halls(servers, halls=4, people=4, only=True, rng=rng)
        while len({layer.lane(group_name(hall.id)) for hall in halls}) < 2:
            halls += await open_halls(servers, halls=1, people=4, only=True, rng=rng)
        at = {hall.id: layer.lane(group_name(hall.id)) for hall in halls}
        talk, noise = Talk(halls, per_second=40, rng=rng), Noise()
        await asyncio.sleep(2)

        died = time.monotonic()
        await off_loop(carriers[0].kill9)
        await asyncio.sleep(10 if full else 4)
        health = await off_loop(servers[0].http, "GET", "/health/ready")
        await off_loop(carriers[0].start)
        back = time.monotonic()
        await asyncio.sleep(4)
        await talk.stop()
        noise.stop()
        stored = await verdict(stack, halls)
    finally:
        for carrier in carriers:
            if carrier.alive:
                carrier.kill9()

    ways: dict[int, list[float]] = {0: [], 1: []}
    for hall in halls:
        for author, peer, receipt, delay in hall.delays:
            if author.addresses != peer.addresses and died <= receipt.at - delay < back:
                ways[at[hall.id]].append(delay)
    tell(
        f"{stored} stored, 0 lost; across, while one is away: at the other {milliseconds(ways[1])}"
        f" (the machine {noise}), at its own {milliseconds(ways[0])}"
    )
    assert closings(halls) == []
    assert (health.status, health.body["channel_layer"]) == (200, "disconnected")
    assert len(ways[1]) > 20
    assert spread(ways[1])[1] <= 0.2
    assert spread(ways[0])[1] > 0.03, "the server that was killed carried nothing"
    assert spread(ways[0])[2] <= 6
