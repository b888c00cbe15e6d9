"""Tests of what can go wrong: a thousand clients lose their connection in the same moment."""

from __future__ import annotations

import asyncio
import random
import re
import time
from pathlib import Path

import pytest

from tests.faults.crowd import Talk, off_loop, open_halls, until, verdict
from tests.faults.figures import Tell
from tests.harness.plugin import MakeStack
from tests.harness.services import Postgres

pytestmark = [pytest.mark.processes, pytest.mark.services]


class Queries:
    """How many statements PostgreSQL was asked to run, counted in its own log; one with many rows counts once."""

    START = re.compile(rb"^\S+ \S+ \S+ \[(\d+)\] LOG:  (?:statement|execute [^:]*): (.*)$", re.MULTILINE)

    def __init__(self, postgres: Postgres) -> None:
        self.log: Path = postgres.log
        self.at = self.log.stat().st_size

    def since(self) -> int:
        """Since the last call."""
        with self.log.open("rb") as log:
            log.seek(self.at)
            text = log.read()
            self.at = log.tell()
        count, latest = 0, dict[bytes, bytes]()
        for process, statement in self.START.findall(text):
            is_same = b"$1" in statement and not statement.startswith(b"SELECT") and latest.get(process) == statement
            count += not is_same
            latest[process] = statement
        return count


@pytest.mark.row("1,000 clients dropped at once", "all back ≤ 30 s; database queries ≤ 3× the steady rate")
async def test_a_thousand_clients_come_back_without_a_storm(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack(own_postgres=True)
    assert stack.postgres is not None
    await off_loop(stack.query, "ALTER SYSTEM SET log_statement = 'all'")
    await off_loop(stack.query, "SELECT pg_reload_conf()")
    servers = [await off_loop(stack.server) for _ in range(2)]
    halls = await open_halls(servers, halls=100 if full else 20, people=10, only=True, rng=rng)
    clients = [client for hall in halls for client in hall.clients]
    talk = Talk(halls, per_second=100 if full else 40, rng=rng)
    await asyncio.sleep(3)
    queries = Queries(stack.postgres)

    await asyncio.sleep(10)
    steady = queries.since() / 10
    dropped = time.monotonic()
    for client in clients:
        client.cut()
    back = await until(lambda: all(len(client.log.welcomes) >= 2 and client.is_in for client in clients), timeout=60)
    assert back, "they did not come back"
    took = max(client.log.welcomes[1] for client in clients) - dropped
    await asyncio.sleep(max(0.0, dropped + max(took, 1.0) - time.monotonic()))
    storm = queries.since() / (time.monotonic() - dropped)
    acks = await talk.stop()
    await verdict(stack, halls)

    tell(f"{len(clients)} back after {took:.1f} s; {len(acks)} acked, 0 lost")
    tell(f"{steady:.0f} queries/s before, {storm:.0f} while they came back")
    assert took <= 30
    assert storm <= 3 * steady
