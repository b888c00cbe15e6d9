"""Tests of DATABASE_REPLICA_URL: a real streaming replica, which lags, hangs, dies and comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
import pytest

from tests.harness.plugin import MakeStack
from tests.harness.processes import clean_environment, manage, wait_until
from tests.harness.server import DEFAULTS, Answer, Opened, Server, Stack
from tests.harness.services import Postgres

pytestmark = [pytest.mark.deploy, pytest.mark.services, pytest.mark.processes]
BOUND = 4.5  # seconds: one for a look, three for a read, and what the database itself needs


class World(NamedTuple):
    """A primary, its replica, and a server that knows both."""

    stack: Stack
    replica: Postgres
    server: Server
    room: Opened

    def ask(self, path: str, token: str = "") -> Answer:
        return self.server.http("GET", path, token=token)

    def history(self) -> list[str]:
        answer = self.ask(f"/api/sessions/{self.room.id}/history")
        assert answer.status == 200, answer
        return [message["text"] for message in answer.data]

    def say(self, text: str) -> str:
        path = f"/api/sessions/{self.room.id}/messages"
        answer = self.server.http("POST", path, json={"text": text}, token=self.room.host_token)
        assert answer.status == 201, answer
        return str(answer.data["id"])

    def reads(self, end: str) -> int:
        """How many reads ended so."""
        lines = self.server.text("/metrics").splitlines()
        found = [line for line in lines if line.startswith(f'seance_replica_reads_total{{end="{end}"}}')]
        return int(float(found[0].split()[-1])) if found else 0

    def on_replica(self, statement: str) -> None:
        with psycopg.connect(self.replica.url(), autocommit=True) as link:
            link.execute(statement.encode())

    def until_caught_up(self) -> None:
        """It has everything."""
        ((written,),) = self.stack.query("SELECT pg_current_wal_lsn()::text")
        with psycopg.connect(self.replica.url(), autocommit=True) as link:
            question = f"SELECT pg_last_wal_replay_lsn() >= '{written}'".encode()
            wait_until(lambda: link.execute(question).fetchone() == (True,), timeout=10, what="it does not catch up")

    def told(self, event: str) -> list[str]:
        return [line for line in self.server.said().splitlines() if event in line]


@pytest.fixture
def world(make_stack: MakeStack) -> Iterator[World]:
    stack = make_stack(own_postgres=True)
    assert stack.postgres is not None
    replica = Postgres(stack.work / "replica", follows=stack.postgres)
    replica.start()
    server = stack.server(DATABASE_REPLICA_URL=replica.url())
    yield World(stack, replica, server, server.create_session())
    if replica.alive:
        replica.thaw_all()
        replica.kill9()
    assert stack.crashes() == []


@contextmanager
def paused(world: World) -> Iterator[None]:
    """It gets everything, and applies nothing."""
    world.on_replica("SELECT pg_wal_replay_pause()")
    yield
    world.on_replica("SELECT pg_wal_replay_resume()")


def test_history_comes_from_the_replica_and_has_what_was_written_before(world: World) -> None:
    for number in range(30):
        world.say(f"word {number}")
        assert world.history() == [f"word {n}" for n in range(number + 1)]
    world.until_caught_up()
    before = world.reads("replica")

    world.history()

    assert world.reads("replica") == before + 1
    assert world.reads("replica") + world.reads("behind") == 31


def test_a_replica_that_stands_still_hides_nothing_that_was_said_and_shows_nothing_that_was_deleted(
    world: World,
) -> None:
    gone = world.say("before")
    world.until_caught_up()
    world.history()

    with paused(world):
        world.say("after")
        seen = world.history()
        world.server.http("DELETE", f"/api/sessions/{world.room.id}/messages/{gone}", token=world.room.host_token)
        left = world.history()
    behind = world.reads("behind")
    world.until_caught_up()

    assert (seen, left, behind) == (["before", "after"], ["after"], 2)
    assert world.history() == ["after"]
    assert world.reads("behind") == 2, "it is read again"


def test_one_that_is_behind_for_long_is_named_and_the_server_stays_ready(world: World) -> None:
    world.say("once")
    world.until_caught_up()
    world.history()

    with paused(world):
        wait_until(lambda: not world.say("and on") or ready(world).get("replica") == "behind", timeout=40,
                   what="nobody finds that it is behind", every=1)  # fmt: skip
        said = ready(world)
        assert world.history()[-1] == "and on"
    wait_until(lambda: ready(world)["replica"] == "connected", timeout=15, what="it is not read again", every=0.5)

    assert said["status"] == "healthy"
    assert said["reasons"] == {"replica": "behind"}
    assert len(world.told("replica_not_read")) == len(world.told("replica_read_again")) == 1


def test_one_that_is_killed_costs_seconds_at_most_and_is_read_again_when_it_is_back(world: World) -> None:
    world.say("hello")
    world.until_caught_up()
    world.history()

    world.replica.kill9()
    waits = [timed(world) for _ in range(20)]
    said, lines = ready(world), world.told("replica_not_read")
    world.replica.start()
    wait_until(lambda: ready(world)["replica"] == "connected", timeout=15, what="it is not read again", every=0.5)
    world.until_caught_up()
    before = world.reads("replica")
    world.history()

    assert max(waits) < BOUND
    assert (said["status"], said["replica"]) == ("healthy", "disconnected")
    assert set(said["reasons"]) == {"replica"}
    assert len(lines) == 1, lines
    assert world.reads("disconnected") >= 20
    assert world.reads("replica") == before + 1


def test_one_that_hangs_holds_a_reader_for_seconds_and_nobody_after(world: World) -> None:
    world.say("hello")
    world.until_caught_up()
    world.history()

    world.replica.freeze_all()
    waits = [timed(world) for _ in range(10)]
    said = ready(world)
    world.server.terminate()
    ended = world.server.wait(20)

    assert max(waits) < BOUND
    assert sum(wait > 0.9 for wait in waits) <= 2, waits
    assert said["reasons"] == {"replica": "timeout"}
    assert ended == 0, "what hangs there does not hold the process"


def test_analytics_come_from_it_and_from_the_database_when_it_is_gone(world: World) -> None:
    env = clean_environment(**DEFAULTS, VAR_DIR=str(world.stack.work), DATABASE_URL=world.stack.database_url)
    staff = {"ADMIN_EMAIL": "staff@example.org", "ADMIN_PASSWORD": "long-enough-and-odd"}
    manage("ensure_admin", env=env | staff)
    token = manage("issue_token", "staff@example.org", env=env).strip()
    world.until_caught_up()
    before = world.reads("replica")

    whole, one = (
        world.ask("/api/analytics/overview", token),
        world.ask(f"/api/analytics/sessions/{world.room.id}", token),
    )
    read_there = world.reads("replica") - before
    world.replica.kill9()
    again = world.ask("/api/analytics/overview", token)

    assert (whole.status, one.status, again.status) == (200, 200, 200)
    assert read_there == 2
    assert again.data["days"] == whole.data["days"]


def ready(world: World) -> dict[str, Any]:
    answer = world.ask("/health/ready")
    assert answer.status == 200, answer
    return dict(answer.body)


def timed(world: World) -> float:
    """How long a reader waits who must get everything."""
    began = time.monotonic()
    assert world.history() == ["hello"]
    return time.monotonic() - began
