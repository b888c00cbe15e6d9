"""Tests of what can go wrong: a server dies at one exact point of a turn; many ask at once; a server hands over."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.crowd import Hall, off_loop, open_halls, until, verdict
from tests.faults.doomed import POINTS
from tests.faults.figures import Tell
from tests.harness.client import Client, Frame
from tests.harness.model import Model
from tests.harness.plugin import MakeStack
from tests.harness.server import Backend, Stack

pytestmark = pytest.mark.processes

LEASE = 2.0
ENDS = ("spirit_response", "spirit_cancelled", "spirit_failed")
QUICK = {"SPIRIT_LEASE_SECONDS": str(LEASE), "HEAD_POLL_SECONDS": "0.5"}
FAST = {"answer_uncommitted"}
DOOMED = (sys.executable, "-m", "tests.faults.doomed")


class Witness:
    """What one person saw of turns: their beginnings, ends and refusals."""

    def __init__(self, client: Client) -> None:
        self.ends: list[tuple[str, str]] = []  # (turn, event)
        self.begun: list[str] = []
        self.sources: list[str] = []
        self.full = 0
        hear = client._hear

        def heard(frame: Frame) -> None:
            data: dict[str, Any] = json.loads(bytes(frame.data))
            if frame.event in ENDS:
                self.ends.append((data["turn_id"], frame.event))
                self.sources.append(data.get("source", ""))
            elif frame.event == "spirit_thinking":
                self.begun.append(data["turn_id"])
            elif frame.event == "error" and data["code"] == "QUEUE_FULL":
                self.full += 1
            hear(frame)

        client._hear = heard  # type: ignore[method-assign]


@pytest.fixture
def model() -> Iterator[Model]:
    found = Model().start()
    yield found
    found.stop()


async def listening(hall: Hall, stack: Stack, mode: str = "open") -> None:
    """From now on the spirit listens in a hall that was opened without one."""
    server = next(one for one in stack.servers if one.alive)
    answer = await off_loop(
        server.http, "PATCH", f"/api/sessions/{hall.id}", json={"spirit": {"mode": mode}}, token=hall.opened.host_token
    )
    assert answer.status == 200


@pytest.mark.parametrize("point", [pytest.param(p, marks=pytest.mark.faults_fast if p in FAST else ()) for p in POINTS])
@pytest.mark.row(
    "`kill -9` at each of eleven points of a turn, one of two servers",
    "one end of the turn, at every client, within the lease and the time to answer; never two",
)
async def test_a_turn_has_one_end_wherever_its_server_dies(
    point: str, make_stack: MakeStack, model: Model, rng: random.Random, tell: Tell
) -> None:
    stack = make_stack(**model.env, **QUICK)
    fuse = stack.work / "fuse"
    count = 2 if stack.backend is Backend.SERVICES else 1
    servers = [await off_loop(stack.server, wrap=DOOMED, DOOM=point, DOOM_ONCE=str(fuse)) for _ in range(count)]
    (hall,) = await open_halls(servers, halls=1, people=4, rng=rng, slowest=0.5)
    witnesses = [Witness(client) for client in hall.clients]
    await listening(hall, stack)
    fuse.touch()

    began = time.monotonic()
    hall.clients[0].post("Where is the ring?")
    died = await until(lambda: any(not server.alive for server in servers), timeout=10)
    dead_at = time.monotonic()
    if count == 1:
        await off_loop(servers[0].start)
    ended = await until(lambda: all(witness.ends for witness in witnesses), timeout=20)
    took = time.monotonic() - dead_at
    await asyncio.sleep(LEASE + 1)
    await verdict(stack, [hall])

    rows = stack.query("SELECT state, attempt FROM spirit_turns WHERE session_id = %(id)s", id=hall.id)
    tell(f"{point.replace('_', ' ')}: {took:.1f} s")
    assert died, began
    assert not fuse.exists()
    assert ended
    assert [len(witness.ends) for witness in witnesses] == [1] * 4
    assert len({witness.ends[0] for witness in witnesses}) == 1
    assert [state for state, _ in rows] == ["answered"]
    assert took < LEASE + 1.5 + 3 * (count == 1) + 3


@pytest.mark.services
@pytest.mark.faults_fast
@pytest.mark.row(
    "20 people ask within 50 ms, on two servers",
    "never two active turns; the order is that of the numbers; nobody served twice before another waits",
)
async def test_twenty_who_ask_at_once_are_answered_one_by_one(
    make_stack: MakeStack, rng: random.Random, tell: Tell
) -> None:
    stack = make_stack(**QUICK)
    servers = [await off_loop(stack.server) for _ in range(2)]
    (hall,) = await open_halls(servers, halls=1, people=20, max_users=30, rng=rng)
    witnesses = [Witness(client) for client in hall.clients]
    await listening(hall, stack)

    said = [client.post(f"What about {client.name}?") for client in hall.clients]
    said += [client.post(f"And what else about {client.name}?") for client in hall.clients[:5]]
    await asyncio.gather(*said)
    most = 0

    def done() -> bool:
        nonlocal most
        states = [row[0] for row in stack.query("SELECT state FROM spirit_turns WHERE session_id = %(id)s", id=hall.id)]
        most = max(most, states.count("active"))
        return not {"active", "queued"} & set(states)

    assert await until(done, timeout=20)
    await asyncio.sleep(0.5)
    await verdict(stack, [hall])

    turns = stack.query(
        "SELECT asker_id, number, started_at, ended_at, state, attempt FROM spirit_turns WHERE session_id = %(id)s"
        " ORDER BY started_at", id=hall.id,
    )  # fmt: skip
    full = sum(witness.full for witness in witnesses)
    ((first, last),) = stack.query(
        "SELECT min(timestamp), max(timestamp) FROM messages WHERE session_id = %(id)s AND NOT is_spirit", id=hall.id
    )
    within = (last - first).total_seconds() * 1000
    tell(f"stored within {within:.0f} ms: {len(turns)} answered one by one, {full} told QUEUE_FULL")
    assert len(turns) + full == 25
    assert all(state == "answered" and attempt == 1 for *_, state, attempt in turns)
    assert most <= 1
    for one, other in zip(turns, turns[1:], strict=False):
        assert one[3] <= other[2], "two turns at the same time"
    for at, (asker, number, started, *_) in enumerate(turns):
        served = [row[0] for row in turns[:at]].count(asker)
        for row in turns[at + 1 :]:
            before = [other[0] for other in turns[:at]].count(row[0])
            is_older = row[1] < number
            assert not (before < served and is_older), "somebody was served again before an older question"
            assert not (before == served and is_older), "a later question went first"
        assert started is not None
    assert all([end for _, end in witness.ends] == ["spirit_response"] * len(turns) for witness in witnesses)


@pytest.mark.services
@pytest.mark.faults_fast
@pytest.mark.row(
    "SIGTERM to a server in the middle of an answer", "another goes on with the turn at once, not after the lease"
)
async def test_a_server_that_stops_hands_its_turns_over(
    make_stack: MakeStack, model: Model, rng: random.Random, tell: Tell
) -> None:
    stack = make_stack(
        **{
            **model.env,
            "SPIRIT_TOTAL_SECONDS": "60",
            "SPIRIT_LEASE_SECONDS": "60",
            "HEAD_POLL_SECONDS": "2",
            "DRAIN_SECONDS": "0.5",
        }
    )
    first = await off_loop(stack.server)
    (hall,) = await open_halls([first], halls=1, people=3, rng=rng, slowest=0.5)
    witnesses = [Witness(client) for client in hall.clients]
    await listening(hall, stack)
    hall.clients[0].post("Be held at first, where is the ring?")
    await until(lambda: any("spirit_move" in client.states for client in hall.clients), timeout=10)
    second = await off_loop(stack.server)
    for client in hall.clients:
        client.addresses = [second.ws(hall.id)]

    stopped = time.monotonic()
    first.terminate()
    assert await until(lambda: all(witness.ends for witness in witnesses), timeout=30)
    took = time.monotonic() - stopped
    await verdict(stack, [hall])

    rows = stack.query("SELECT state, attempt, lost FROM spirit_turns WHERE session_id = %(id)s", id=hall.id)
    tell(f"answered {took:.1f} s after the signal, in a second attempt")
    assert rows == [("answered", 2, 0)]
    assert [len(witness.ends) for witness in witnesses] == [1] * 3
    assert took < 12


@pytest.mark.services
@pytest.mark.row(
    "SIGSTOP for longer than a turn's lease to the server that answers, SIGCONT",
    "the other server answers meanwhile; the first finds the turn taken, and nobody sees a second end",
)
async def test_a_server_that_sleeps_through_its_lease_ends_no_turn_twice(
    make_stack: MakeStack, model: Model, rng: random.Random, tell: Tell
) -> None:
    stack = make_stack(**{**model.env, **QUICK, "SPIRIT_TOTAL_SECONDS": "60", "SPIRIT_FIRST_TOKEN_SECONDS": "60"})
    servers = [await off_loop(stack.server) for _ in range(2)]
    (hall,) = await open_halls(servers, halls=1, people=4, rng=rng, slowest=0.5)
    witnesses = [Witness(client) for client in hall.clients]
    await listening(hall, stack)

    hall.clients[0].post("Be held at first, where is the ring?")
    assert await until(lambda: any("spirit_move" in client.states for client in hall.clients), timeout=10)
    (holder,) = [server for server in servers if await off_loop(server.metric, "seance_turns_active")]
    holder.freeze()
    frozen = time.monotonic()
    assert await until(lambda: any(witness.ends for witness in witnesses), timeout=20)
    took = time.monotonic() - frozen
    holder.thaw()
    assert await until(lambda: all(witness.ends for witness in witnesses), timeout=20)
    await asyncio.sleep(LEASE + 1)
    await verdict(stack, [hall])

    rows = stack.query("SELECT state, attempt, lost FROM spirit_turns WHERE session_id = %(id)s", id=hall.id)
    tell(f"answered by the other {took:.1f} s after SIGSTOP; one end at every client after SIGCONT")
    assert rows == [("answered", 2, 1)]
    assert [len(witness.ends) for witness in witnesses] == [1] * 4
    assert took < LEASE + 6


async def asks(hall: Hall, witness: Witness, text: str) -> str:
    """The source of the answer to a question."""
    before = len(witness.ends)
    hall.clients[0].post(text)
    assert await until(lambda: len(witness.ends) > before, timeout=20)
    return witness.sources[-1]


@pytest.mark.services
@pytest.mark.faults_fast
@pytest.mark.row(
    "`kill -9` in the middle of a model's answer, with a budget of one call",
    "what the dead server had set aside is given back; while it is set aside, nobody else spends it",
)
async def test_a_dead_server_s_reservation_is_given_back(
    make_stack: MakeStack, model: Model, rng: random.Random, tell: Tell
) -> None:
    env = {**model.env, **QUICK, "SPIRIT_CALLS_PER_DAY": "1", "SPIRIT_CACHE_SECONDS": "0"}
    stack = make_stack(**{**env, "SPIRIT_TOTAL_SECONDS": "4"})
    servers = [await off_loop(stack.server) for _ in range(2)]
    (hall,) = await open_halls(servers, halls=1, people=4, rng=rng, slowest=0.5)
    witness = Witness(hall.clients[0])
    await listening(hall, stack)

    hall.clients[0].post("Be held, where is the ring?")
    assert await until(lambda: "spirit_move" in hall.clients[0].states, timeout=10)
    set_aside = spent(stack)
    holder = next(server for server in servers if server.metric("seance_turns_active"))
    await off_loop(holder.kill9)
    killed = time.monotonic()
    assert await until(lambda: bool(witness.ends), timeout=20)
    taken_over = witness.sources[-1]
    while (source := await asks(hall, witness, f"Is it {time.monotonic()} well?")) != "llm":
        assert time.monotonic() - killed < 15
    took = time.monotonic() - killed
    settled = await until(lambda: spent(stack) == (1, 150), timeout=5)

    tell(f"the call could be made again {took:.1f} s after the kill")
    assert set_aside[0] == 1
    assert taken_over == "oracle"
    assert (source, settled) == ("llm", True)
    assert stack.query("SELECT count(*) FROM spirit_reservations") == [(0,)]
    assert len(model.bodies) == 2


def spent(stack: Stack) -> tuple[int, int]:
    """Calls and tokens of the installation."""
    ((calls, tokens),) = stack.query("SELECT calls, tokens FROM spirit_spendings WHERE scope = 'installation'")
    return calls, tokens
