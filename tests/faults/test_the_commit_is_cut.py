"""Tests of what can go wrong: the connection to PostgreSQL breaks at the COMMIT, who knows whether it counted?"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from tests.faults.crowd import Hall, off_loop, open_halls, until, verdict
from tests.faults.figures import Tell
from tests.harness.client import RawClient
from tests.harness.plugin import MakeStack
from tests.harness.proxy import Cut, PostgresProxy, Stored
from tests.harness.server import Server

pytestmark = [pytest.mark.processes, pytest.mark.services, pytest.mark.faults_fast]


@pytest.mark.row(
    "the connection cut right after COMMIT was sent, 200 times", "one row each, the right `seq` in the ack on resend"
)
async def test_a_connection_cut_at_the_commit_stores_the_message_once(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack(own_postgres=True)
    assert stack.postgres is not None
    proxy = PostgresProxy(stack.postgres.port)
    await proxy.start()
    wired = f"postgresql://postgres@{stack.here}:{proxy.port}/postgres?sslmode=disable"
    behind: Server = await off_loop(stack.server, database_url=wired)
    beside: Server = await off_loop(stack.server)
    (hall,) = await open_halls([beside, behind], halls=1, people=4, max_users=6, only=True, rng=rng)
    talker = await RawClient.open(behind.ws(hall.id))
    await talker.join(user_id="talker", name="talker")

    outcomes: Counter[str] = Counter()
    for number in range(200 if full else 30):
        cut = rng.choice(list(Cut))
        await _one(talker, proxy, hall, number, cut, outcomes)
        key = f"cut-{number}"
        rows = await off_loop(stack.query, "SELECT seq FROM messages WHERE client_msg_id = %(key)s", key=key)
        assert rows == [(outcomes["seq"],)]
    await talker.close()
    await verdict(stack, [hall])
    await proxy.stop()

    del outcomes["seq"]
    tell(f"{len(proxy.cuts)} cuts, one row and one `seq` each: {dict(outcomes)}")
    assert len(proxy.cuts) == (200 if full else 30)
    assert outcomes["stored, though it looked lost"] > 0
    assert outcomes["not stored, and stored by the second try"] > 0


@pytest.mark.row(
    "the connection cut right after the COMMIT of a join was sent, 200 times",
    "told to come back, and comes in; no seat is kept for nobody",
)
async def test_a_connection_cut_at_the_commit_of_a_join_leaves_no_seat_taken(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    stack = make_stack(own_postgres=True, SEAT_GRACE_SECONDS="1")
    assert stack.postgres is not None
    proxy = PostgresProxy(stack.postgres.port)
    await proxy.start()
    wired = f"postgresql://postgres@{stack.here}:{proxy.port}/postgres?sslmode=disable"
    server: Server = await off_loop(stack.server, database_url=wired)
    room = await off_loop(server.create_session)

    outcomes: Counter[str] = Counter()
    for number in range(200 if full else 30):
        proxy.arm(rng.choice(list(Cut)), Stored.JOIN)
        first = await RawClient.open(server.ws(room.id))
        await first.send("join_session", ref="first", user_id=f"person-{number}", name=f"person-{number}")
        answer = await first.receive()
        assert (answer["event"], answer["ref"], answer["data"]["code"]) == ("error", "first", "UNAVAILABLE")
        assert await first.closed() == 4000
        again = await RawClient.open(server.ws(room.id))
        welcome = await again.join(user_id=f"person-{number}", name=f"person-{number}")
        assert [one["name"] for one in welcome["data"]["participants"]].count(f"person-{number}") == 1
        await again.send("leave_session")
        assert await again.closed() == 1000
        outcomes[proxy.cuts[-1].value] += 1

    left = "SELECT (SELECT count(*) FROM connections), count(*) FROM participants WHERE left_at IS NULL"
    assert await until(lambda: stack.query(left) == [(0, 0)], timeout=20)
    await proxy.stop()
    tell(f"{len(proxy.cuts)} cuts, each came in at the second try: {dict(outcomes)}")
    assert len(proxy.cuts) == (200 if full else 30)
    assert len(outcomes) == len(Cut)


async def _one(
    talker: RawClient, proxy: PostgresProxy, hall: Hall, number: int, cut: Cut, outcomes: Counter[str]
) -> None:
    """Say one thing while the wire breaks; say it again until it is acknowledged."""
    said = {"text": f"word {number}", "client_msg_id": f"cut-{number}"}
    proxy.arm(cut)
    await talker.send("send_message", ref="first", **said)
    answer = await talker.expect("ack", "error")
    assert (answer["event"], answer["ref"]) == ("error", "first")
    assert (answer["data"]["code"], answer["data"]["retryable"]) == ("UNAVAILABLE", True)
    assert not proxy.is_armed
    await talker.send("send_message", ref="second", **said)
    answer = await talker.expect("ack", "error")
    assert (answer["event"], answer["ref"]) == ("ack", "second"), answer
    if answer["data"]["duplicate"]:
        outcomes["stored, though it looked lost"] += 1
        assert cut is not Cut.BEFORE
    else:
        outcomes["not stored, and stored by the second try"] += 1
        assert cut is not Cut.AFTER
    outcomes["seq"] = answer["data"]["seq"]
    await talker.send("send_message", ref="third", **said)
    again = await talker.expect("ack", "error")
    assert again["data"] == answer["data"] | {"duplicate": True}
