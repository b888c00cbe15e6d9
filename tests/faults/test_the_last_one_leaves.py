"""Tests of what can go wrong: the last person of a process leaves a room while another one comes in."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from tests.faults.crowd import off_loop
from tests.faults.figures import Tell
from tests.harness.client import RawClient
from tests.harness.plugin import MakeStack
from tests.harness.records import spread

pytestmark = [pytest.mark.processes, pytest.mark.services]


@pytest.mark.row(
    "the last one leaves a process's room while another comes in, 300 times", "who came in hears the next word ≤ 1 s"
)
async def test_a_room_that_was_nearly_empty_is_not_deaf(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    # No poll heals what Redis should have brought, and the room goes with its last one.
    stack = make_stack(HEAD_POLL_SECONDS="60", SEAT_GRACE_SECONDS="0")
    here, there = [await off_loop(stack.server) for _ in range(2)]
    room = await off_loop(here.create_session)
    talker = await RawClient.open(there.ws(room.id))
    await talker.join(user_id="talker", name="talker")
    sitting = await RawClient.open(here.ws(room.id))
    await sitting.join(user_id="0", name="0")

    delays = []
    for number in range(1, 301 if full else 31):
        coming = await RawClient.open(here.ws(room.id))
        both = [sitting.send("leave_session"), coming.send("join_session", user_id=str(number % 2), name="guest")]
        rng.shuffle(both)
        await asyncio.gather(*both)
        await coming.expect("welcome")
        await sitting.closed()
        said = time.monotonic()
        await talker.send("send_message", text=f"word {number}", client_msg_id=str(number))
        await coming.expect("message_received", timeout=5)
        delays.append(time.monotonic() - said)
        sitting = coming
    await talker.close()
    await sitting.close()

    slowest = spread(delays)[2]
    tell(f"{len(delays)} times, the next word after {slowest * 1000:.0f} ms at most")
    assert slowest <= 1
    assert stack.crashes() == []
