"""Tests of the whole: the harness itself, on a server that nothing happens to."""

from __future__ import annotations

import asyncio

import pytest

from tests.harness.checker import check
from tests.harness.client import Client, RawClient
from tests.harness.plugin import MakeStack
from tests.harness.records import read_log
from tests.harness.server import Server, Stack

pytestmark = pytest.mark.processes


async def test_a_quiet_room_keeps_the_promise(shared_stack: Stack, shared_server: Server) -> None:
    room = await asyncio.to_thread(shared_server.create_session)
    clients = [Client([shared_server.ws(room.id)], name=f"person-{number}") for number in range(3)]
    for client in clients:
        await client.start()

    acks = await asyncio.gather(*(client.send(f"word {n}") for client in clients for n in range(5)))
    for client in clients:
        await client.reaches(15, timeout=10)
        await client.stop()

    stored = await asyncio.to_thread(read_log, shared_stack, room.id)
    assert sorted(ack.seq for ack in acks) == list(range(1, 16))
    check(stored, [client.log for client in clients])


async def test_a_cut_client_comes_back_to_its_place(shared_stack: Stack, shared_server: Server) -> None:
    room = await asyncio.to_thread(shared_server.create_session)
    talker = await Client([shared_server.ws(room.id)], name="talker").start()
    listener = await Client([shared_server.ws(room.id)], name="listener").start()

    for number in range(20):
        if number % 5 == 2:
            await listener.sits()
            listener.cut()
            await asyncio.sleep(0.01)
        await talker.send(f"word {number}")
    await listener.reaches(20, timeout=15)
    for client in (talker, listener):
        await client.stop()

    stored = await asyncio.to_thread(read_log, shared_stack, room.id)
    check(stored, [talker.log, listener.log])
    assert len(listener.log.closings) == 4
    assert len(listener.log.streams) == 1


async def test_the_raw_client_shows_every_frame(shared_server: Server) -> None:
    room = await asyncio.to_thread(shared_server.create_session)
    raw = await RawClient.open(shared_server.ws(room.id))

    await raw.send("send_message", ref="too-soon", text="hello")
    refusal = await raw.receive()
    await raw.send("join_session", name="Ada")
    first, second = await raw.receive(), await raw.receive()
    await raw.send("send_message", ref="now", text="hello")
    answers = {(await raw.receive())["event"] for _ in range(2)}
    await raw.send("leave_session")

    assert (refusal["event"], refusal["data"]["code"], refusal["ref"]) == ("error", "NOT_JOINED", "too-soon")
    assert [first["event"], second["event"]] == ["user_joined", "welcome"]
    assert answers == {"ack", "message_received"}
    assert await raw.closed() == 1000


async def test_a_killed_server_starts_again_on_its_port(make_stack: MakeStack) -> None:
    stack = make_stack()
    server = await asyncio.to_thread(stack.server)
    room = await asyncio.to_thread(server.create_session)
    client = await Client([server.ws(room.id)], name="person").start()
    await client.send("before")

    await asyncio.to_thread(server.kill9)
    waiting = client.post("meanwhile")
    await asyncio.to_thread(server.start)
    await asyncio.wait_for(waiting, 30)
    await client.reaches(2, timeout=10)
    await client.stop()

    stored = await asyncio.to_thread(read_log, stack, room.id)
    check(stored, [client.log])
    assert [closing.code for closing in client.log.closings] == [1006]
    assert stack.crashes() == []
