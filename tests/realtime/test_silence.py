"""Tests of realtime: sockets whose other end is there no more, and clients that speak another version."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import AsyncIterator
from typing import cast

import pytest

from tests.harness.plugin import MakeStack
from tests.realtime.client import Place, visiting

pytestmark = [pytest.mark.processes, pytest.mark.once]


@pytest.fixture
async def impatient(make_stack: MakeStack) -> AsyncIterator[Place]:
    """A server that pings three times a second."""
    stack = make_stack(PING_SECONDS="0.3", SEAT_GRACE_SECONDS="0.5", HEAD_POLL_SECONDS="0.3")
    async with visiting(stack.server()) as place:
        yield place
    assert stack.crashes() == []


async def test_who_answers_no_ping_is_closed_4003_and_may_come_back(impatient: Place) -> None:
    room = impatient.server.create_session()
    silent = await impatient.sit(room.id, user_id="silent")

    silent.socket.transport.pause_reading()  # a client that hears no ping sends no pong
    await sleep(1)
    silent.socket.transport.resume_reading()

    assert await silent.closed() == 4003
    await impatient.sit(room.id, user_id="silent")


async def test_who_answers_nothing_at_all_loses_the_seat(impatient: Place) -> None:
    room = impatient.server.create_session()
    other = await impatient.sit(room.id, user_id="other")
    dead = await impatient.sit(room.id, user_id="dead")

    dead.socket.transport.pause_reading()
    left = await other.expect("user_left", timeout=15)

    assert left.data.reason == "timeout"
    dead.cut()


async def test_who_answers_stays(impatient: Place) -> None:
    sitter = await impatient.sit(impatient.server.create_session().id)

    await sleep(1.5)

    assert (await sitter.say("Still here")).seq == 1


@pytest.mark.parametrize("offered", [["seance.v2"], ["seance.v2", "bearer.x"], ["other", "seance.v0"]])
async def test_another_version_is_told_so_and_closed_4511(offered: list[str], quick: Place) -> None:
    sitter = await quick.connect(quick.server.create_session().id, subprotocols=offered)

    assert cast(str, sitter.socket.subprotocol).startswith("seance.v")  # or no browser would hear what follows
    assert (await sitter.refusal())[0] == "VALIDATION_ERROR"
    assert await sitter.closed() == 4511


async def test_this_version_among_others_is_the_one_selected(quick: Place) -> None:
    sitter = await quick.connect(quick.server.create_session().id, subprotocols=["seance.v2", "seance.v1"])

    await sitter.join()

    assert sitter.socket.subprotocol == "seance.v1"
