"""Tests of what can go wrong: PostgreSQL goes down as in a power cut while everybody talks."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.faults.crowd import Talk, closings, milliseconds, off_loop, open_halls, verdict
from tests.faults.figures import Tell
from tests.harness.client import Client
from tests.harness.plugin import MakeStack

pytestmark = [pytest.mark.processes, pytest.mark.services]


@pytest.mark.faults_fast
@pytest.mark.alone
@pytest.mark.row(
    "PostgreSQL `restart -m immediate` under 100 messages/s",
    "no socket closes; sends fail or wait ≤ 5 s; what was acked is stored once",
)
async def test_postgresql_restarts_under_load_and_nobody_is_thrown_out(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack(own_postgres=True)
    assert stack.postgres is not None
    servers = [await off_loop(stack.server) for _ in range(2)]
    halls = await open_halls(servers, halls=5, people=6, only=True, rng=rng)
    talk = Talk(halls, per_second=100 if full else 50, rng=rng)
    await asyncio.sleep(2)

    for _ in range(3 if full else 1):
        await off_loop(stack.postgres.stop_immediately)
        await asyncio.sleep(2 if full else 1)
        await off_loop(stack.postgres.start)
        await asyncio.sleep(4 if full else 2)
    acks = await talk.stop()
    stored = await verdict(stack, halls)

    waits = [wait for hall in halls for client in hall.clients for wait in answer_times(client)]
    refused = sum(len(client.log.refusals) for hall in halls for client in hall.clients)
    again = sum(ack.duplicate for ack in acks)
    tell(f"{stored} stored, {len(acks)} acked, {again} had been stored by a try that looked failed; 0 lost")
    tell(f"{refused} tries refused; each try answered within {milliseconds(waits)}")
    assert closings(halls) == []
    assert {item.code for hall in halls for client in hall.clients for item in client.log.refusals} <= {"UNAVAILABLE"}
    assert all(item.retryable for hall in halls for client in hall.clients for item in client.log.refusals)
    assert max(waits) <= 5
    assert refused > 0


def answer_times(client: Client) -> list[float]:
    """For each try to send, the seconds until it was acknowledged or refused."""
    answers: dict[str, list[float]] = {}
    for ack in client.log.acks:
        answers.setdefault(ack.client_msg_id, []).append(ack.at)
    for refusal in client.log.refusals:
        answers.setdefault(refusal.ref, []).append(refusal.at)
    found = []
    for sent in client.log.sends:
        after = [at for at in answers.get(sent.client_msg_id, []) if at >= sent.at]
        found.append(min(after, default=sent.at + 999) - sent.at)
    return found
