"""Tests of what can go wrong: a process stands still for a while, as a paused virtual machine does, and goes on."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from tests.faults.crowd import Talk, closings, off_loop, open_halls, verdict
from tests.faults.figures import Tell
from tests.harness.plugin import MakeStack
from tests.harness.server import Backend

pytestmark = pytest.mark.processes


@pytest.mark.row("SIGSTOP a process for 30 s, SIGCONT", "catches up; nothing lost")
async def test_a_frozen_server_catches_up(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell, backend: Backend
) -> None:
    stack = make_stack()
    servers = [await off_loop(stack.server) for _ in range(2 if backend is Backend.SERVICES else 1)]
    halls = await open_halls(servers, halls=3, people=6, rng=rng)
    talk = Talk(halls, per_second=40 if full else 20, rng=rng)
    await asyncio.sleep(1)

    servers[0].freeze()
    await asyncio.sleep(30 if full else 4)
    servers[0].thaw()
    thawed = time.monotonic()
    acks = await talk.stop()
    caught_up = time.monotonic() - thawed
    stored = await verdict(stack, halls)

    tell(f"{stored} stored, {len(acks)} acked, 0 lost; all acked {caught_up:.1f} s after SIGCONT")
    tell(f"{len(closings(halls))} sockets closed")
    assert caught_up <= 15


@pytest.mark.services
@pytest.mark.row(
    "SIGSTOP for longer than its lease, SIGCONT", "its people get their seats back; nothing lost, nobody there twice"
)
async def test_a_server_frozen_for_longer_than_its_lease_gives_its_people_back(
    make_stack: MakeStack, rng: random.Random, tell: Tell
) -> None:
    quick = {"PRESENCE_LEASE_SECONDS": "4", "PRESENCE_RENEW_SECONDS": "1.3", "HEAD_POLL_SECONDS": "0.5"}
    stack = make_stack(**quick)
    servers = [await off_loop(stack.server) for _ in range(2)]
    (hall,) = await open_halls(servers, halls=1, people=8, only=True, rng=rng)
    talk = Talk([hall], per_second=20, rng=rng)
    await asyncio.sleep(1)
    frozen_ids = {client.log.user_id for client in hall.clients[0::2]}

    servers[0].freeze()
    await asyncio.sleep(9)
    servers[0].thaw()
    await asyncio.sleep(8)
    acks = await talk.stop()
    seats = await off_loop(
        stack.query,
        "SELECT p.id, count(c.id) FROM participants p LEFT JOIN connections c ON c.participant_id = p.id"
        " WHERE p.session_id = %(id)s AND p.left_at IS NULL GROUP BY p.id",
        id=hall.id,
    )
    await verdict(stack, [hall])

    seen = [item for item in hall.clients[1].log.presence if item.user_id in frozen_ids]
    told = [[item.event for item in seen if item.user_id == user_id] for user_id in frozen_ids]
    tell(f"{len(acks)} acked, 0 lost; 4 left by timeout and joined again, each once; 8 seats, 8 sockets")
    assert all(events[-2:] == ["user_left", "user_joined"] for events in told), told
    assert all(events.count("user_left") == 1 for events in told)
    assert [count for _, count in seats] == [1] * 8
