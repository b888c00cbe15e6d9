"""Tests of what can go wrong: two people race for the last seat; one person reconnects twenty times."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from tests.faults.crowd import Talk, off_loop, open_halls, until, verdict
from tests.faults.figures import Tell
from tests.harness.client import RawClient
from tests.harness.plugin import MakeStack
from tests.harness.server import Backend, Opened, Server

pytestmark = [pytest.mark.processes, pytest.mark.faults_fast]


@pytest.mark.row("two users race for the last seat from two processes, 1,000 times", "never over; one winner")
async def test_the_last_seat_goes_to_one(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell, backend: Backend
) -> None:
    stack = make_stack()
    servers = [await off_loop(stack.server) for _ in range(2 if backend is Backend.SERVICES else 1)]
    lanes = 8
    opened = [await off_loop(servers[0].create_session, max_users=2) for _ in range(lanes)]
    sitting = [await RawClient.open(servers[0].ws(room.id)) for room in opened]
    for raw in sitting:
        await raw.join(user_id="first", name="first")

    winners: Counter[int] = Counter()
    races = (1000 if full else 80) // lanes
    await asyncio.gather(*(_races(servers, room, races, winners) for room in opened))
    counts = [server.http("GET", f"/api/sessions/{room.id}").data for room in opened for server in servers[:1]]
    for raw in sitting:
        await raw.close()

    tell(f"{races * lanes} races, one winner in each; {winners[0]} won by the first door, {winners[1]} by the second")
    assert sum(winners.values()) == races * lanes
    assert min(winners[0], winners[1]) > 0
    assert [data["participant_count"] for data in counts] == [1] * lanes
    assert stack.crashes() == []


async def _races(servers: list[Server], room: Opened, races: int, winners: Counter[int]) -> None:
    for number in range(races):
        doors = [servers[0], servers[-1]]
        order = [0, 1] if number % 2 else [1, 0]
        sockets = [await RawClient.open(doors[door].ws(room.id)) for door in range(2)]
        await asyncio.gather(
            *(sockets[door].send("join_session", user_id=f"racer-{door}", name=f"racer-{door}") for door in order)
        )
        answers = await asyncio.gather(*(socket.expect("welcome", "error") for socket in sockets))
        won = [door for door, answer in enumerate(answers) if answer["event"] == "welcome"]
        assert len(won) == 1, answers
        assert answers[won[0]]["data"]["session"]["participant_count"] == 2
        loser = sockets[1 - won[0]]
        assert answers[1 - won[0]]["data"]["code"] == "SESSION_FULL"
        assert await loser.closed() == 4008
        winners[won[0]] += 1
        await sockets[won[0]].close(1000)
        await _freed(doors[0], room)


async def _freed(server: Server, room: Opened) -> None:
    """Until the winner's seat is free again."""
    for _ in range(500):
        answer = await off_loop(server.http, "GET", f"/api/sessions/{room.id}")
        if answer.data["participant_count"] == 1:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the seat of somebody who left was not freed")


@pytest.mark.row("20 quick reconnects of a seated user", "always seated, one entry, no flicker")
async def test_quick_reconnects_do_not_flicker(
    make_stack: MakeStack, rng: random.Random, tell: Tell, backend: Backend
) -> None:
    stack = make_stack(HEAD_POLL_SECONDS="0.5")
    servers = [await off_loop(stack.server) for _ in range(2 if backend is Backend.SERVICES else 1)]
    (hall,) = await open_halls(servers, halls=1, people=2, max_users=3, only=True, rng=rng)
    restless = (await hall.seat([server.ws(hall.id) for server in servers], 1, "restless"))[0]
    talk = Talk([hall], per_second=20, rng=rng)
    talk.who = lambda hall: hall.clients[:2]
    user_id = restless.log.user_id

    welcomes = []
    for _ in range(20):
        restless._attempt = 0
        count = len(restless.log.welcomes)
        restless.cut()
        assert await until(lambda: len(restless.log.welcomes) > count, timeout=10)  # noqa: B023  waited for here
        await restless.sits()
        welcomes.append(restless.welcome)
        rows = await off_loop(stack.query, "SELECT count(*) FROM participants WHERE left_at IS NULL")
        assert rows == [(3,)]
    await asyncio.sleep(2)
    await talk.stop()
    await verdict(stack, [hall])

    seen = [item.event for client in hall.clients[:2] for item in client.log.presence if item.user_id == user_id]
    tell("20 reconnects: 20 welcomes, each with one entry of the user; the others saw one join and no leave")
    assert seen == ["user_joined", "user_joined"]
    for welcome in welcomes:
        assert [person["user_id"] for person in welcome["participants"]].count(user_id) == 1
        assert welcome["session"]["participant_count"] == 3
