"""Tests of the rollups on a real server: what happened is added up while it runs, what it measured at its end."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from tests.harness.plugin import MakeStack
from tests.harness.server import Stack
from tests.realtime.client import visiting

pytestmark = pytest.mark.processes


def _counts(stack: Stack, kind: str) -> int:
    """How many latencies of this kind are stored."""
    rows = stack.query("SELECT buckets FROM latency_hours WHERE kind = %(kind)s", kind=kind)
    found: list[dict[str, int]] = [row[0] if isinstance(row[0], dict) else json.loads(row[0]) for row in rows]
    return sum(sum(buckets.values()) for buckets in found)


async def _until(stack: Stack, statement: str, expected: list[tuple[Any, ...]], timeout: float = 15) -> None:
    deadline = time.monotonic() + timeout
    while (found := await asyncio.to_thread(stack.query, statement)) != expected:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)


async def test_a_server_adds_up_what_happens_and_stores_the_rest_when_it_stops(make_stack: MakeStack) -> None:
    stack = make_stack(ROLLUP_SECONDS="0.5")
    server = await asyncio.to_thread(stack.server)
    async with visiting(server) as place:
        room = place.server.create_session(mode="off")
        host, guest = await place.connect(room.id), await place.connect(room.id)
        await host.join(token=room.host_token, name="Host")
        await guest.join(name="Ana")
        for number in range(5):
            await host.say(f"line {number}")
        # While it runs: exact, from the rows.
        await _until(stack, "SELECT messages, peak FROM session_rollups", [(5, 2)])
    server.terminate()
    assert await asyncio.to_thread(server.wait) == 0

    assert _counts(stack, "ack") == 5
    assert _counts(stack, "delivery") == 10  # each to two
    closed = stack.query("SELECT code, count FROM close_hours")
    assert sum(count for _, count in closed) == 2, closed
