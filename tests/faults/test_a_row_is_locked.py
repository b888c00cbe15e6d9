"""Tests of what can go wrong: somebody holds the row of a session, such as a migration or an administrator."""

from __future__ import annotations

import asyncio
import random
import time

import psycopg
import pytest

from tests.faults.crowd import Talk, closings, milliseconds, off_loop, open_halls, verdict
from tests.faults.figures import Tell
from tests.harness.plugin import MakeStack
from tests.harness.records import spread

LINE = "other rooms' p99 < 100 ms; that sender gets `UNAVAILABLE`, retryable, at 2 s"
pytestmark = [pytest.mark.processes, pytest.mark.services]


FEW, MANY = 1, 12  # more than a process has threads for the database


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(FEW, marks=pytest.mark.row("the session row locked by another transaction for 5 s", LINE)),
        pytest.param(MANY, marks=pytest.mark.row("12 session rows locked by another transaction for 5 s", LINE)),
    ],
)
async def test_locked_sessions_hold_nobody_else_up(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell, count: int
) -> None:
    stack = make_stack()
    server = await off_loop(stack.server)
    halls = await open_halls([server], halls=count + 3, people=4 if count == FEW else 2, max_users=6, rng=rng)
    locked, others = halls[:count], halls[count:]
    talk = Talk(others, per_second=40, rng=rng)
    await asyncio.sleep(1)

    holder = await psycopg.AsyncConnection.connect(stack.database_url)
    await holder.execute("SELECT 1 FROM sessions WHERE id = ANY(%s) FOR UPDATE", [[hall.id for hall in locked]])
    began, before = time.monotonic(), [len(hall.delays) for hall in others]
    clients = [client for hall in locked for client in hall.clients]
    said = [hall.say(client, "is anybody there?", f"stuck-{client.name}") for hall in locked for client in hall.clients]
    await asyncio.sleep(5)
    during = [item[3] for hall, heard in zip(others, before, strict=True) for item in hall.delays[heard:]]
    refusals = [item for client in clients for item in client.log.refusals]
    await holder.rollback()
    await holder.close()
    freed = time.monotonic()
    await asyncio.gather(*said)
    free = time.monotonic() - freed
    await talk.stop()
    await verdict(stack, halls)

    waits = [item.at - began for item in refusals if item.at - began < 3.5]
    tell(f"other rooms {milliseconds(during)}; refused after {min(waits):.2f}–{max(waits):.2f} s")
    tell(f"stored {free:.1f} s after the lock was gone")
    assert closings(halls) == []
    assert spread(during)[1] < 0.100
    assert len(waits) == len(clients)
    assert all(1.9 <= wait <= 2.5 for wait in waits)
    assert {(item.code, item.retryable) for item in refusals} == {("UNAVAILABLE", True)}
