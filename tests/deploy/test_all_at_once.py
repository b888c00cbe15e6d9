"""Tests of deployment: a rolling restart behind nginx, the primary Redis and PostgreSQL lost in the middle of it."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from tests.deploy.conftest import SETTINGS
from tests.deploy.nginx import Nginx
from tests.deploy.redis import Watched
from tests.faults.crowd import Noise, Talk, closings, milliseconds, off_loop, open_halls, seconds_to_ack, verdict
from tests.harness.plugin import MakeStack

pytestmark = [pytest.mark.deploy, pytest.mark.services, pytest.mark.processes]
PER_SECOND = 200
SAID_SO = {4006, 1012}  # a server did, before it went
SETTLED_SECONDS = 5  # of calm between two blows


async def test_a_rolling_restart_a_failover_and_a_restart_of_postgresql_lose_nothing(
    make_stack: MakeStack, watched: Watched, collected: Path, tmp_path: Path, rng: random.Random
) -> None:
    where = {"STATIC_ROOT": str(collected / "static"), "REDIS_URL": watched.url}
    stack = make_stack(own_postgres=True, own_redis=False, **where, **SETTINGS)
    assert stack.postgres is not None
    servers = [await off_loop(stack.server) for _ in range(2)]
    nginx = Nginx(tmp_path / "nginx", [server.port for server in servers], collected)
    await off_loop(nginx.start)
    try:
        halls = await open_halls([nginx], halls=8, people=8, rng=rng)
        talk, noise = Talk(halls, per_second=PER_SECOND, rng=rng), Noise()
        began = time.monotonic()
        blows: list[tuple[str, float]] = []

        def blow(name: str) -> None:
            blows.append((name, time.monotonic() - began))

        await asyncio.sleep(SETTLED_SECONDS)
        blow("the first server restarts")
        servers[0].terminate()
        assert await off_loop(servers[0].wait, 60) == 0
        blow("the primary Redis is killed")
        await off_loop(watched.primary.kill9)
        await off_loop(servers[0].start)
        await asyncio.sleep(1)  # while the Sentinels still make up their minds
        blow("PostgreSQL restarts")
        await off_loop(stack.postgres.stop_immediately)
        await asyncio.sleep(1)
        await off_loop(stack.postgres.start)
        await asyncio.sleep(SETTLED_SECONDS)
        blow("the second server restarts")
        servers[1].terminate()
        assert await off_loop(servers[1].wait, 60) == 0
        await off_loop(servers[1].start)
        await asyncio.sleep(SETTLED_SECONDS)
        seconds = time.monotonic() - began
        try:
            acks = await talk.stop()
        except TimeoutError:
            for hall in halls:
                for c in hall.clients:
                    print(
                        "DIAG",
                        hall.id,
                        c.name,
                        c.is_in,
                        c.unacknowledged,
                        c._attempt,
                        c.ended.is_set(),
                        [x for x in c.log.closings][-3:],
                        c.log.refusals[-2:],
                        c._task,
                    )
            raise
        noise.stop()
        stored = await verdict(stack, halls, settle=30)
    finally:
        nginx.kill9()

    took = [wait for hall in halls for _, wait in seconds_to_ack(hall)]
    seen = [delay for hall in halls for _, _, _, delay in hall.delays]
    refused = sum(len(client.log.refusals) for hall in halls for client in hall.clients)
    print(
        f"\n{stored} stored in {seconds:.0f} s, each acked and seen by all 8 of its room: 0 lost, 0 doubled,"
        f" 0 reordered; {len(closings(halls))} connections closed with {sorted(set(closings(halls)))},"
        f" {refused} refused; until acked {milliseconds(took)} (p50 / p99 / max), until seen {milliseconds(seen)};"
        f" {', '.join(f'{name} at {at:.1f} s' for name, at in blows)}; the machine {noise}"
    )
    assert stored == len(acks) > 0.9 * PER_SECOND * seconds
    assert set(closings(halls)) <= SAID_SO
    assert refused > 0, "PostgreSQL was missed by nobody"
    assert max(seen) < 30
