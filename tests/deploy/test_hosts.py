"""Tests of deployment: three web hosts with links of their own; one is cut off, slowed, or killed while people talk."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable

import pytest

from tests.deploy.conftest import SETTINGS
from tests.faults.crowd import Hall, Noise, Talk, closings, milliseconds, off_loop, open_halls, verdict
from tests.harness import hosts
from tests.harness.client import Client
from tests.harness.hosts import BACK, FRONT, Host
from tests.harness.plugin import MakeStack
from tests.harness.records import spread
from tests.harness.server import Server

pytestmark = [
    pytest.mark.deploy, pytest.mark.services, pytest.mark.processes,
    pytest.mark.skipif(
        not hosts.possible() and os.environ.get("REQUIRE_SERVICES") != "1",
        reason="network namespaces need root and iproute2",
    ),
]  # fmt: skip
QUICK = {"PRESENCE_LEASE_SECONDS": "5", "PRESENCE_RENEW_SECONDS": "1.5", "HEAD_POLL_SECONDS": "1", "PING_SECONDS": "2"}
CUT_SECONDS, SLOW_SECONDS = 12, 10
# Those whose hosts nothing happened to hear each other as before, but where the lost one holds a lock of their room:
# for no longer than a lock is waited for, twice, and a try is made again.
TYPICAL, AT_MOST = 0.25, 6.0


def killed(server: Server) -> Callable[[], None]:
    """Its process; another one is there when it shall heal."""
    server.kill9()
    return server.start


def cut(server: Server, link: str) -> Callable[[], None]:
    """One of its links."""
    host = on(server)
    host.pull(link)
    return lambda: host.put(link)


def slowed(server: Server) -> Callable[[], None]:
    """What it hears from PostgreSQL and Redis, to what a poor line carries."""
    host = on(server)
    host.slow(BACK, "96kbit")
    return lambda: host.slow(BACK, "")


def on(server: Server) -> Host:
    assert server.on is not None
    return server.on


BLOWS: dict[str, Callable[[Server], Callable[[], None]]] = {
    "killed": killed,
    "cut off from the services": lambda server: cut(server, BACK),
    "cut off from its people": lambda server: cut(server, FRONT),
    "slowed": slowed,
}


@pytest.mark.parametrize("blow", BLOWS)
async def test_a_host_that_is_lost_takes_nothing_with_it(make_stack: MakeStack, rng: random.Random, blow: str) -> None:
    stack = make_stack(hosts=True, **{**SETTINGS, **QUICK})
    servers = [await off_loop(stack.server) for _ in range(3)]
    lost = servers[1]
    halls = await open_halls(servers, halls=3, people=6, rng=rng)
    talk, noise = Talk(halls, per_second=60, rng=rng), Noise()
    await asyncio.sleep(3)

    hurt_at = time.monotonic()
    heal = await off_loop(BLOWS[blow], lost)
    await asyncio.sleep(CUT_SECONDS)
    await off_loop(heal)
    healed_at = time.monotonic()
    await asyncio.sleep(SLOW_SECONDS)
    acks = await talk.stop(timeout=90)
    noise.stop()
    stored = await verdict(stack, halls, settle=60)

    spared = delays(halls, lambda client: lost.ws("") not in client.addresses[0], hurt_at, healed_at)
    hurt = delays(halls, lambda client: lost.ws("") in client.addresses[0], hurt_at, healed_at)
    print(
        f"\n{blow}: {stored} stored, {len(acks)} acked, 0 lost, 0 doubled, 0 reordered; meanwhile between the others"
        f" {milliseconds(spared)} (p50 / p99 / max), to or from its people {milliseconds(hurt)};"
        f" closed with {sorted(set(closings(halls)))}; the machine {noise}"
    )
    assert stored == len(acks)
    assert spread(spared)[0] < TYPICAL
    assert max(spared) < AT_MOST
    assert hurt


def delays(halls: list[Hall], among: Callable[[Client], bool], since: float, until: float) -> list[float]:
    """How long each message took that one of them said to one of them in that time, in seconds."""
    return [
        delay
        for hall in halls
        for author, peer, receipt, delay in hall.delays
        if among(author) and among(peer) and since <= receipt.at - delay < until
    ]
