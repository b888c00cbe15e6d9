"""Tests of deploy/pgbouncer: a real PgBouncer in transaction mode, with fewer connections than there are threads."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from seance_project.doctor import database
from seance_project.doctor.findings import Finding, State
from seance_project.env import load
from tests.faults.crowd import Hall, Talk, closings, off_loop, open_halls, until, verdict
from tests.harness.client import Client
from tests.harness.plugin import MakeStack
from tests.harness.processes import clean_environment, manage
from tests.harness.server import Stack
from tests.harness.services import PgBouncer

pytestmark = [pytest.mark.deploy, pytest.mark.services, pytest.mark.processes]
LIMITS = {"lock_timeout": "2s", "statement_timeout": "10s", "idle_in_transaction_session_timeout": "15s"}
POOL = 3  # connections, for two servers with 2 × 8 threads each


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    """With a PostgreSQL of its own, whose role has the time limits."""
    made = make_stack(own_postgres=True)
    for name, value in LIMITS.items():
        made.query(f"ALTER ROLE postgres SET {name} = '{value}'")
    return made


@pytest.fixture
def pgbouncer(stack: Stack) -> Iterator[PgBouncer]:
    made = PgBouncer(stack.work / "pgbouncer", stack.database_url, pool=POOL)
    made.start()
    yield made
    made.kill9()


def pooled(pgbouncer: PgBouncer) -> str:
    """The URL that the server gets."""
    return f"{pgbouncer.url}?pooler=transaction"


async def test_two_servers_talk_through_few_connections_while_pgbouncer_and_postgresql_restart(
    stack: Stack, pgbouncer: PgBouncer, rng: random.Random
) -> None:
    assert stack.postgres is not None
    servers = [await off_loop(stack.server, database_url=pooled(pgbouncer)) for _ in range(2)]
    halls = await open_halls(servers, halls=6, people=6, only=True, rng=rng)
    talk = Talk(halls, per_second=80, rng=rng)

    await asyncio.sleep(4)
    before = len(refusals_of(halls))
    backends = await off_loop(stack.query, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'seance'")
    await off_loop(pgbouncer.kill9)
    await asyncio.sleep(1)
    await off_loop(pgbouncer.start)
    await asyncio.sleep(3)
    await off_loop(stack.postgres.stop_immediately)
    await asyncio.sleep(1)
    await off_loop(stack.postgres.start)
    await asyncio.sleep(4)
    acks = await talk.stop()
    stored = await verdict(stack, halls, settle=30)

    assert before == 0, "nobody is refused by a pool that is only small"
    assert backends[0][0] <= POOL
    assert stored == len({(ack.id, ack.seq) for ack in acks}) > 500
    assert closings(halls) == []
    assert set(refusals_of(halls)) == {"UNAVAILABLE"}


async def test_where_others_hold_the_whole_pool_a_sender_is_told_so_in_seconds(
    stack: Stack, pgbouncer: PgBouncer
) -> None:
    server = await off_loop(stack.server, database_url=pooled(pgbouncer))
    room = await off_loop(server.create_session)
    person = await Client([server.ws(room.id)], name="somebody").start()
    with_ack = await person.send("before")

    holding = [await psycopg.AsyncConnection.connect(pgbouncer.url, prepare_threshold=None) for _ in range(POOL)]
    for link in holding:
        await link.execute("SELECT 1")  # and the transaction stays open
    sent = asyncio.ensure_future(person.send("meanwhile"))
    assert await until(lambda: bool(person.log.refusals), timeout=10)
    waited = person.log.refusals[0].at - person.log.sends[-1].at
    for link in holding:
        await link.close()
    acked = await asyncio.wait_for(sent, 15)

    assert person.log.refusals[0].code == "UNAVAILABLE"
    assert waited < 8, "query_wait_timeout is 5 seconds"
    assert (with_ack.seq, acked.seq) == (1, 2)


def test_migrate_works_through_it_from_nothing_on(stack: Stack, pgbouncer: PgBouncer, tmp_path: Path) -> None:
    stack.query("CREATE DATABASE empty")
    straight = stack.database_url.rpartition("/")[0] + "/empty"
    other = PgBouncer(tmp_path / "other", straight, pool=1)
    other.start()

    manage("migrate", "--noinput", "-v0", env=environment(tmp_path, pooled(other)), timeout=120)
    said = manage("migrate", "--check", env=environment(tmp_path, straight))
    other.kill9()

    assert said == ""


def test_doctor_and_the_setting_agree(stack: Stack, pgbouncer: PgBouncer, tmp_path: Path) -> None:
    assert about_the_pooler(pgbouncer.url, tmp_path) == ("wrong", "a pooler refuses our time limits")
    assert about_the_pooler(pooled(pgbouncer), tmp_path) == ("ok", "lends connections out by the transaction")
    assert about_the_pooler(f"{stack.database_url}?pooler=transaction", tmp_path) == (
        "warning", "DATABASE_URL says pooler=transaction",
    )  # fmt: skip
    assert about_the_pooler(stack.database_url, tmp_path) == ("", "")


def test_without_the_limits_of_the_role_it_does_not_start(stack: Stack, pgbouncer: PgBouncer, tmp_path: Path) -> None:
    stack.query("ALTER ROLE postgres RESET lock_timeout")

    with pytest.raises(AssertionError) as refusal:
        manage("serve", "--port", "0", env=environment(tmp_path, pooled(pgbouncer)), timeout=30)
    found = [one for one in findings(pooled(pgbouncer), tmp_path) if one.state is State.WRONG]

    assert str(refusal.value).startswith("CommandError: Behind a pooler")
    assert "ALTER ROLE … SET lock_timeout = '2s', each by itself." in str(refusal.value)
    assert str(refusal.value).strip().count("\n") == 0
    assert [one.said for one in found] == ["lock_timeout is off on our connections"]
    assert "ALTER ROLE … SET lock_timeout = '2s'" in found[0].remedy


def refusals_of(halls: Sequence[Hall]) -> list[str]:
    return [item.code for hall in halls for client in hall.clients for item in client.log.refusals]


def environment(work: Path, url: str) -> dict[str, str]:
    return clean_environment(VAR_DIR=str(work), DATABASE_URL=url)


def findings(url: str, work: Path) -> list[Finding]:
    """All that the doctor says of the database."""
    return list(database.database(load({"VAR_DIR": str(work), "DATABASE_URL": url}, Path("/dev/null"))))


def about_the_pooler(url: str, work: Path) -> tuple[str, str]:
    """The state of its finding about a pooler, and the beginning of what it says."""
    for one in findings(url, work):
        if one.topic == "pooler":
            return str(one.state), re.split("[:,]", one.said)[0]
    return "", ""
