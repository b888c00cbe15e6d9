"""Tests of what can go wrong: one address opens sockets as fast as it can."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path

import pytest

from tests.faults.crowd import Talk, closings, milliseconds, off_loop, open_halls, verdict
from tests.faults.figures import Tell
from tests.harness import flood
from tests.harness.plugin import MakeStack
from tests.harness.records import spread

pytestmark = pytest.mark.processes


@pytest.mark.row(
    "5,000 connection attempts/s from one address, 30 s", "memory bounded; an existing room's p99 < 200 ms"
)
@pytest.mark.parametrize("kind", ["handshake", "hold"])
async def test_a_flood_from_one_address_leaves_a_room_alone(
    make_stack: MakeStack, rng: random.Random, tell: Tell, kind: str
) -> None:
    talkative = {"MESSAGES_PER_MINUTE": "100000", "MESSAGES_BURST": "1000", "SOCKET_FRAMES_PER_MINUTE": "100000"}
    stack = make_stack(RATE_LIMITS_ENABLED="true", **talkative)
    server = await off_loop(stack.server)
    (hall,) = await open_halls([server], halls=1, people=4, rng=rng)
    talk = Talk([hall], per_second=20, rng=rng)
    await asyncio.sleep(3)
    before, memory = len(hall.delays), server.resident_bytes()

    command = [sys.executable, str(Path(flood.__file__)), str(server.port), f"/ws/{hall.id}", "5000", "30", kind]
    attack = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    most, ends = memory, time.monotonic() + 40
    try:
        while attack.returncode is None and time.monotonic() < ends:
            await asyncio.sleep(0.1)
            most = max(most, server.resident_bytes())
    finally:
        if attack.returncode is None:
            attack.kill()
    told, _ = await attack.communicate()
    made, answered, refused, seconds = told.decode().split()
    await asyncio.sleep(5)
    await talk.stop()
    delays = [item[3] for item in hall.delays[before:]]
    files = server.open_files()
    await verdict(stack, [hall])

    tell(f"{kind}: {made} attempts in {seconds} s, {answered} answered, {refused} refused by the kernel")
    tell(f"the room {milliseconds(delays)}; memory +{(most - memory) / 2**20:.0f} MiB")
    assert closings([hall]) == []
    assert files < 100
    assert (most - memory) < 64 * 2**20
    assert spread(delays)[1] < 0.200
