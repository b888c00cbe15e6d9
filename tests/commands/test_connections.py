"""Tests of `connections`, on a real server: who is connected, who is sent to come in anew, and that nothing is lost."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import Any

import pytest
from django.core.management import CommandError

from sessions_app.management.base import Refused
from sessions_app.management.commands.connections import COLUMNS
from tests.commands.test_commands import run
from tests.harness.checker import check
from tests.harness.client import Client
from tests.harness.processes import clean_environment, manage, wait_until
from tests.harness.records import read_log
from tests.harness.server import Backend, Server, Stack
from tests.realtime.reader import Reader

NOBODY = "6f1c2a34-0000-4000-8000-000000000001"


def connections(stack: Stack, *arguments: str) -> Any:
    """The command as an operator runs it: a process of its own, beside the server."""
    server = stack.servers[0]
    return json.loads(manage("connections", *arguments, "--json", env=clean_environment(**_settings(server))))


def _settings(server: Server) -> dict[str, str]:
    return {name: value for name, value in server.env.items() if name not in ("PATH", "HOME")}


async def _room(server: Server, people: int) -> tuple[str, list[Client]]:
    room = await asyncio.to_thread(server.create_session)
    clients = [Client([server.ws(room.id)], name=f"person-{number}") for number in range(people)]
    for client in clients:
        await client.start()
    return room.id, clients


async def _all_were_away(clients: list[Client]) -> None:
    """Until each was closed, and is back: at most one poll later, where there is no Redis."""

    def back() -> bool:
        return all(client.log.closings and client.is_in for client in clients)

    await asyncio.to_thread(wait_until, back, timeout=15, what="not everybody was closed and came back")


@pytest.mark.processes
async def test_a_reload_spreads_over_its_interval_and_loses_nothing(shared_stack: Stack, shared_server: Server) -> None:
    room, clients = await _room(shared_server, 8)
    listed = await asyncio.to_thread(connections, shared_stack, "list", "--session", room)

    began = time.monotonic()
    reload = asyncio.create_task(
        asyncio.to_thread(connections, shared_stack, "reload", "--session", room, "--interval", "2")
    )
    said = 0
    while not reload.done():
        await clients[said % 8].send(f"word {said}")
        said += 1
    took = time.monotonic() - began
    await _all_were_away(clients)
    for client in clients:
        await client.reaches(said, timeout=15)
    ends = sorted(closing.at for client in clients for closing in client.log.closings)
    again = await asyncio.to_thread(connections, shared_stack, "list", "--session", room)
    for client in clients:
        await client.stop()

    assert [one["closing"] for one in listed] == [None] * 8
    assert (await reload)["closed"] == 8
    assert took >= 2
    assert [closing.code for client in clients for closing in client.log.closings[:1]] == [4006] * 8
    assert len([client for client in clients if client.log.goodbyes]) == 8
    assert shared_stack.backend is Backend.EMBEDDED or ends[7] - ends[0] > 1  # without Redis it is told by the poll
    assert {one["id"] for one in again} & {one["id"] for one in listed} == set()
    assert len(again) == 8
    check(await asyncio.to_thread(read_log, shared_stack, room), [client.log for client in clients])


@pytest.mark.processes
async def test_one_socket_is_dropped_and_the_others_stay(shared_stack: Stack, shared_server: Server) -> None:
    room, clients = await _room(shared_server, 3)
    listed = await asyncio.to_thread(connections, shared_stack, "list", "--session", room)
    whose = next(client for client in clients if client.log.user_id == listed[1]["user_id"])

    dropped = await asyncio.to_thread(connections, shared_stack, "drop", listed[1]["id"])
    await _all_were_away([whose])
    codes = {client.log.user_id: [closing.code for closing in client.log.closings] for client in clients}
    for client in clients:
        await client.stop()

    assert dropped == {"closed": 1}
    assert codes == {one["user_id"]: [4006] if one is listed[1] else [] for one in listed}


@pytest.mark.django_db
def test_nothing_is_dropped_by_accident() -> None:
    with pytest.raises(CommandError) as wrong:
        run("connections", "drop")
    with pytest.raises(Refused, match="No such socket is open"):
        run("connections", "drop", NOBODY)
    with pytest.raises(Refused, match=r"^There is no such session\.$"):
        run("connections", "list", "--session", NOBODY)

    assert wrong.value.returncode == 2
    assert not isinstance(wrong.value, Refused)
    assert tuple(run("connections", "list").split()) == COLUMNS


@pytest.mark.long
@pytest.mark.processes
async def test_streams_are_listed_and_dropped_as_sockets_are(shared_stack: Stack, shared_server: Server) -> None:
    room = await asyncio.to_thread(shared_server.create_session)
    host = {"Authorization": f"Bearer {room.host_token}"}
    async with Reader(shared_server, room.id) as nobody, Reader(shared_server, room.id, **host) as known:
        await nobody.begun()
        await known.begun()
        listed = await _listed(shared_stack, room.id, 2)
        (of_host,) = [one for one in listed if one["user_id"] is not None]

        dropped = await asyncio.to_thread(connections, shared_stack, "drop", of_host["id"])
        (last,) = await known.rest()
        left = await _listed(shared_stack, room.id, 1)
        say_end = await asyncio.to_thread(connections, shared_stack, "reload", "--session", room.id, "--interval", "0")
        (also,) = await nobody.rest()
    await _listed(shared_stack, room.id, 0)
    acts = shared_stack.query("SELECT act FROM audit_log WHERE session = %(id)s ORDER BY id", id=uuid.UUID(room.id))

    assert {(one["kind"], one["role"], one["closing"]) for one in listed} == {("stream", "reader", None)}
    assert of_host["name"]
    assert (dropped, say_end) == ({"closed": 1}, {"closed": 1})
    assert [one["id"] for one in left] == [one["id"] for one in listed if one is not of_host]
    for end, reader in ((last, known), (also, nobody)):
        assert (end.name, end.frame["data"]["reason"]) == ("goodbye", "reload")
        assert reader.retry == end.frame["data"]["reconnect_after_ms"]
    assert [one for (one,) in acts] == ["drop_sockets", "reload_sockets"]


async def _listed(stack: Stack, room: str, count: int) -> list[dict[str, Any]]:
    """The list, as soon as it has so many: a stream is in it from its process's next head poll on."""
    async with asyncio.timeout(20):
        while len(found := await asyncio.to_thread(connections, stack, "list", "--session", room)) != count:  # noqa: ASYNC110  a real server, on the other side of a process
            await asyncio.sleep(0.2)
    return list(found)
