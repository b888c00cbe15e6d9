"""Tests of docs/backup.md: real backups are put back under people who have heard more than they hold."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seance_project.doctor import database
from seance_project.doctor.findings import State
from seance_project.env import load
from tests.deploy import restores
from tests.faults.crowd import off_loop, until
from tests.harness.checker import check
from tests.harness.client import Client, RawClient
from tests.harness.plugin import MakeStack
from tests.harness.processes import manage, wait_until
from tests.harness.records import Log, StoredLog, read_log
from tests.harness.server import Opened, Server, Stack
from tests.harness.services import Postgres

pytestmark = [pytest.mark.deploy, pytest.mark.processes]
SETTINGS = {"PRESENCE_LEASE_SECONDS": "4", "PRESENCE_RENEW_SECONDS": "1", "SEAT_GRACE_SECONDS": "2",
            "HEAD_POLL_SECONDS": "1", "DRAIN_SECONDS": "0", "SPIRIT_LEASE_SECONDS": "2"}  # fmt: skip
Backup = Callable[[], Callable[[], None]]  # takes one, and returns what puts it back


@pytest.fixture
def own(make_stack: MakeStack) -> Iterator[Stack]:
    """A PostgreSQL of the test's own, or a SQLite file."""
    stack = make_stack(own_postgres=True, **SETTINGS)
    yield stack
    assert stack.crashes() == []


def dumps(stack: Stack) -> Backup:
    """The backups that need nothing prepared."""

    def take() -> Callable[[], None]:
        if stack.postgres is None:
            copy = restores.copied(stack)
            return lambda: restores.over_it(stack, copy)
        dump = restores.dumped(stack)
        return lambda: restores.into_a_new_database(stack, dump)

    return take


def recoveries(stack: Stack) -> Backup:
    """A base backup, and the archive up to a named point."""
    archive, base = stack.work / "archive", stack.work / "base"
    restores.archive_into(stack, archive)

    def take() -> Callable[[], None]:
        restores.base_backup(stack, base)
        stack.query("SELECT pg_create_restore_point('before the accident')")

        def put_back() -> None:
            postgres = stack.postgres
            assert postgres is not None
            stack.query("SELECT pg_switch_wal()")
            postgres.stop()
            restores.recover(postgres, base, archive, recovery_target_name="before the accident")

        return put_back

    return take


async def said(people: list[Client], count: int) -> None:
    """Each says so many things, all at once."""
    await asyncio.gather(*(one.send(f"{one.name}, {n}, {time.time()}") for one in people for n in range(count)))


def since(log: Log, stored: StoredLog, at: float) -> Log:
    """What a client was told after the restore."""
    return Log(
        log.name, log.user_id, sends=log.sends, acks=[ack for ack in log.acks if ack.at > at],
        streams=[stream for stream in log.streams if stream.epoch == stored.epoch], strange=log.strange,
    )  # fmt: skip


def history(server: Server, room: Opened) -> list[tuple[int, str]]:
    answer = server.http("GET", f"/api/sessions/{room.id}/history?limit=200")
    return [(one["seq"], one["text"]) for one in answer.data]


async def goes_back(stack: Stack, server: Server, backup: Backup) -> None:
    """People talk, a backup is taken, they talk on, and all of that is lost."""
    room = await off_loop(server.create_session)
    people = [await Client([server.ws(room.id)], name=name, slowest=0.5).start() for name in ("Ada", "Bob", "Eve")]
    late = await Client([server.ws(room.id)], name="Ida", slowest=0.5).start()
    await said(people, 8)
    await late.reaches(24, timeout=10)
    await late.stop(1001)  # with a position that the restored log has, too
    put_back = await off_loop(backup)
    kept = await off_loop(read_log, stack, room.id)
    before = kept.last_seq

    await said(people, 10)  # of which nothing will be left
    lost = [ack for one in people for ack in one.log.acks if ack.seq > before]
    assert len(lost) == 30
    server.terminate()
    await off_loop(server.wait)
    waiting = [one.post("said while it was down", client_msg_id=f"{one.name}-waits") for one in people]
    await off_loop(put_back)
    at = time.monotonic()
    await off_loop(server.start)
    acks = await asyncio.wait_for(asyncio.gather(*waiting), 30)
    returned = await Client([server.ws(room.id)], name="Ida", slowest=0.5).start()
    returned.log.streams = list(late.log.streams)
    returned.cut()
    assert await until(lambda: "resync_required" in returned.states, timeout=20), "nobody tells who comes back"
    again = await people[0].send("said again", client_msg_id=lost[0].client_msg_id)
    await said([*people, returned], 5)
    stored = await off_loop(read_log, stack, room.id)
    for one in (*people, returned):
        await one.reaches(stored.last_seq, timeout=20)
    told = await off_loop(history, server, room)

    assert stored.epoch != kept.epoch
    assert stored.rows[:before] == kept.rows
    assert stored.last_seq == before + 3 + 1 + 20
    assert [row.seq for row in stored.rows if row.text == "said while it was down"] == sorted(ack.seq for ack in acks)
    assert (again.duplicate, again.seq > before) == (False, True), "what was lost is not known any more"
    assert told == [(row.seq, row.text) for row in stored.rows if row.event == "message_received"]
    for one in (*people, returned):
        assert one.states["resync_required"] == {"reason": "epoch_changed"}
    check(stored, [since(one.log, stored, at) for one in (*people, returned)])
    await asyncio.gather(*(one.stop() for one in (*people, returned)))
    said_so = [line for line in server.said().splitlines() if "store_restored" in line]
    assert len(said_so) == 1, said_so


async def test_everybody_resyncs_after_a_restore_and_nothing_is_doubled(own: Stack) -> None:
    server = await off_loop(own.server)

    await goes_back(own, server, dumps(own))


@pytest.mark.services
async def test_and_so_they_do_after_a_recovery_to_a_point_in_time(own: Stack) -> None:
    backup = await off_loop(recoveries, own)
    server = await off_loop(own.server)

    await goes_back(own, server, backup)


# --- However it was put back ------------------------------------------------------------------------------------------


def epochs(stack: Stack) -> set[str]:
    return {str(epoch) for (epoch,) in stack.query("SELECT epoch FROM sessions")}


def findings(stack: Stack) -> list[State]:
    """What `doctor` says of the store."""
    env = load({"VAR_DIR": str(stack.work), "DATABASE_URL": stack.database_url, "ENV_FILE": "/dev/null"})
    return [one.state for one in database.database(env) if one.topic == "store"]


WAYS = {
    "new database": (restores.dumped, restores.into_a_new_database),
    "old tables": (restores.dumped, restores.over_the_old_tables),
    "rows alone": (restores.dumped, restores.rows_alone),
    "another file": (restores.copied, restores.in_its_place),
    "another file, copied by SQLite": (restores.copied_by_sqlite, restores.in_its_place),
    "the same file": (restores.copied, restores.over_it),
}


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(name, marks=pytest.mark.services if take is restores.dumped else pytest.mark.embedded)
        for name, (take, _) in WAYS.items()
    ],
)
def test_a_server_knows_by_itself_that_its_database_was_put_back(own: Stack, way: str) -> None:
    take, put_back = WAYS[way]
    server = own.server()
    for _ in range(3):
        server.create_session()
    before = epochs(own)
    file = take(own)
    stop(server)

    server.start()
    stop(server)
    untouched, healthy = epochs(own), findings(own)
    put_back(own, file)
    ill = findings(own)
    server.start()
    after = epochs(own)
    stop(server)
    server.start()

    assert (untouched, healthy) == (before, [State.OK]), "a restart changes nothing"
    assert (ill, findings(own)) == ([State.WARNING], [State.OK])
    assert len(after) == 3
    assert not after & before
    assert epochs(own) == after, "once is enough"


def test_a_database_that_nobody_has_served_yet_was_not_restored(own: Stack) -> None:
    server = own.server(wait=False)
    server.kill9()
    manage("create_session", "Before the first server", env=server.env)
    server.start()

    assert "store_restored" not in server.said()


@pytest.mark.services
def test_a_replica_that_takes_over_gives_the_logs_new_epochs_too(own: Stack, tmp_path: Path) -> None:
    server = own.server()
    server.create_session()
    before, primary = epochs(own), own.postgres
    assert primary is not None
    replica = Postgres(tmp_path / "replica", follows=primary)
    replica.start()
    wait_until(lambda: bool(own.query("SELECT 1 FROM pg_stat_replication WHERE replay_lsn = pg_current_wal_lsn()")),
               timeout=15, what="it does not follow")  # fmt: skip
    stop(server)

    primary.kill9()
    own.postgres, own.database_url = replica, replica.url()
    own.query("SELECT pg_promote()")
    own.server()

    assert len(epochs(own)) == 1
    assert not epochs(own) & before


@pytest.mark.services
async def test_a_server_that_was_not_stopped_finds_it_with_its_next_look(own: Stack) -> None:
    server = await off_loop(own.server)
    room = await off_loop(server.create_session)
    person = await RawClient.open(server.ws(room.id))
    before = (await person.join(user_id="ada"))["data"]["epoch"]
    dump = await off_loop(restores.dumped, own)

    await off_loop(restores.over_the_old_tables, own, dump)
    told = await person.expect("resync_required", timeout=20)
    await person.send("send_message", text="and on", client_msg_id="1")
    ack = await person.expect("ack")

    assert told["data"] == {"reason": "epoch_changed"}
    assert epochs(own) != {before}
    assert ack["data"]["seq"] == 1
    await person.stop()


def test_what_shows_no_trace_is_said_by_hand(own: Stack) -> None:
    server = own.server()
    server.create_session()
    before = epochs(own)

    said = manage("renew_epochs", env=restores.as_operator(own))
    after = epochs(own)
    stop(server)
    server.start()

    assert "1" in said.split()
    assert not after & before
    assert epochs(own) == after


# --- What else comes back with a backup -------------------------------------------------------------------------------


async def test_a_turn_that_was_under_way_is_answered_once_and_seats_of_that_time_are_given_up(own: Stack) -> None:
    server = await off_loop(own.server, SPIRIT_TOTAL_SECONDS="20")
    room = await off_loop(server.create_session, mode="open", pace="ritual")
    asker = await RawClient.open(server.ws(room.id))
    await asker.join(user_id="ada")
    await asker.send("send_message", text="Will it rain?", client_msg_id="q")
    await asker.expect("spirit_thinking")
    server.freeze()
    put_back = await off_loop(dumps(own))
    states = await off_loop(own.query, "SELECT state FROM spirit_turns")
    server.thaw()
    await asker.expect("spirit_response", timeout=20)
    server.kill9()

    await off_loop(put_back)
    await off_loop(server.start)
    watcher = await RawClient.open(server.ws(room.id))
    welcome = await watcher.join(user_id="bob")
    left = await watcher.expect("user_left", timeout=20)
    await off_loop(
        own.wait_for, lambda: own.query("SELECT 1 FROM messages WHERE is_spirit") != [], timeout=30, what="no answer"
    )

    assert states == [("active",)]
    assert left["data"]["reason"] == "timeout"
    assert len(welcome["data"]["participants"]) == 2
    await asyncio.sleep(2)
    assert len(await off_loop(own.query, "SELECT 1 FROM messages WHERE is_spirit")) == 1
    stored = await off_loop(read_log, own, room.id)
    assert [row.seq for row in stored.rows] == list(range(1, stored.last_seq + 1))


def stop(server: Server) -> None:
    server.terminate()
    assert server.wait() == 0
