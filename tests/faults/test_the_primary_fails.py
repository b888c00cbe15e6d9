"""Tests of what can go wrong: the host of PostgreSQL's primary is gone for good, and its standby takes its place."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.faults.crowd import Talk, answer_times, closings, milliseconds, off_loop, open_halls, until, verdict
from tests.faults.figures import Tell
from tests.harness.plugin import MakeStack
from tests.harness.processes import wait_until
from tests.harness.server import Stack
from tests.harness.services import Postgres

pytestmark = [pytest.mark.processes, pytest.mark.services]
SYNCHRONOUS = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    return make_stack(own_postgres=True)


@pytest.fixture
def standby(stack: Stack) -> Iterator[Postgres]:
    """A COMMIT of the primary's waits until it is there, too. It would wait for a standby of its own if it were told
    so by the backup it is made from."""
    assert stack.postgres is not None
    made = Postgres(stack.work / "standby", follows=stack.postgres, host=stack.here)
    made.start()
    command(stack.postgres, "ALTER SYSTEM SET synchronous_standby_names = '*'")
    command(stack.postgres, "SELECT pg_reload_conf()")
    wait_until(lambda: bool(stack.query(SYNCHRONOUS)), timeout=10, what="the standby does not follow")
    yield made
    if made.alive:
        made.kill9()


def command(postgres: Postgres, statement: str) -> None:
    with psycopg.connect(postgres.url(), autocommit=True) as link:
        link.execute(statement.encode())


@pytest.mark.row(
    "PostgreSQL's primary is gone for good, and its synchronous standby promoted",
    "no server closes a socket; sends fail or wait ≤ 5 s; what was acked is stored once",
)
async def test_a_standby_takes_over_and_nobody_is_thrown_out(
    stack: Stack, standby: Postgres, rng: random.Random, full: bool, tell: Tell
) -> None:
    primary, name = stack.postgres, urlsplit(stack.database_url).path
    assert primary is not None
    both = f"postgresql://postgres@{name}?host={stack.here},{stack.here}&port={primary.port},{standby.port}"
    servers = [await off_loop(lambda: stack.server(database_url=both)) for _ in range(2)]
    halls = await open_halls(servers, halls=5, people=6, only=True, rng=rng)
    talk = Talk(halls, per_second=100 if full else 50, rng=rng)
    await asyncio.sleep(2)

    await off_loop(primary.kill9)
    await asyncio.sleep(3 if full else 1)
    stack.postgres, stack.database_url = standby, standby.url(name.lstrip("/"))
    await off_loop(lambda: command(standby, "SELECT pg_promote()"))
    clients = [client for hall in halls for client in hall.clients]
    assert await until(lambda: all(client.is_in and len(client.log.streams) == 2 for client in clients), timeout=15)
    await asyncio.sleep(2)
    acks = await talk.stop()
    stored = await verdict(stack, halls, streams=2)

    waits = [wait for client in clients for wait in answer_times(client)]
    refusals = [item for client in clients for item in client.log.refusals]
    tell(f"{stored} stored, {len(acks)} acked; 0 lost; all {len(clients)} told once to read the history anew")
    tell(f"{len(refusals)} tries refused; each try answered within {milliseconds(waits)}")
    assert closings(halls) == [1006] * len(clients), "their own, upon that"
    assert {(item.code, item.retryable) for item in refusals} == {("UNAVAILABLE", True)}
    assert max(waits) <= 5
