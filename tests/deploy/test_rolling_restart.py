"""Tests of deploy/nginx: one server after the other is restarted while people talk."""

from __future__ import annotations

import asyncio
import random
import time

import httpx
import pytest

from tests.deploy.nginx import Nginx
from tests.faults.crowd import Talk, closings, off_loop, open_halls, verdict
from tests.harness.server import Server, Stack

pytestmark = [pytest.mark.deploy, pytest.mark.services, pytest.mark.processes]
PER_SECOND = 200
SAID_SO = {4006, 1012}  # the server did, before it went


async def test_both_servers_are_restarted_and_nothing_is_lost_doubled_or_reordered(
    stack: Stack, servers: list[Server], nginx: Nginx, rng: random.Random
) -> None:
    halls = await open_halls([nginx], halls=8, people=8, rng=rng)
    talk, asked = Talk(halls, per_second=PER_SECOND, rng=rng), Asking(nginx)
    began = time.monotonic()
    await asyncio.sleep(2)

    for server in servers:
        server.terminate()
        assert await off_loop(server.wait, 60) == 0
        await asyncio.sleep(1)
        await off_loop(server.start)
        await asyncio.sleep(4)
    seconds = time.monotonic() - began
    acks = await talk.stop()
    statuses = await asked.stop()
    stored = await verdict(stack, halls, settle=30)

    assert stored == len(acks) > 0.9 * PER_SECOND * seconds
    assert set(closings(halls)) <= SAID_SO
    assert len(closings(halls)) >= 64, "everybody had to move"
    assert len(statuses) > 50
    assert set(statuses) == {201}, "whoever opened a session meanwhile got one"


async def test_a_crowd_of_sockets_comes_back_at_once_where_nobody_asks_anything_else(
    stack: Stack, servers: list[Server], nginx: Nginx, rng: random.Random
) -> None:
    """A socket tells nginx only with its end that its server is well again."""
    halls = await open_halls([nginx], halls=5, people=12, rng=rng)
    crowd = [client for hall in halls for client in hall.clients]

    for server in servers:
        server.terminate()
        assert await off_loop(server.wait, 60) == 0
        await off_loop(server.start)
    back = time.monotonic()
    for client in crowd:
        await client.sits(timeout=15)
    took = time.monotonic() - back
    await verdict(stack, halls)

    print(f"\n{len(crowd)} sockets sat again {took:.1f} s after the second server was back")
    assert took < 10


class Asking:
    """Somebody who opens sessions all the time, and never tries again."""

    def __init__(self, nginx: Nginx) -> None:
        self.url, self.statuses = f"{nginx.base}/api/sessions", list[int]()
        self._task = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        async with httpx.AsyncClient(timeout=30) as web:
            while True:
                answer = await web.post(self.url, json={"name": "Meanwhile"})
                self.statuses.append(answer.status_code)
                await asyncio.sleep(0.05)

    async def stop(self) -> list[int]:
        """Stop; the status of each answer."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        return self.statuses
