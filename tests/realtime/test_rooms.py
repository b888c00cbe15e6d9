"""Tests of realtime/connections: a room that everybody has left is kept for a while, for those who come back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest
from channels.layers import InMemoryChannelLayer
from django.conf import settings
from uuid_utils.compat import uuid7

from realtime import bus as bus_module
from realtime import connections
from realtime.bridge import Bridge
from realtime.bus import Bus
from realtime.connections import ConnectionManager
from realtime.outlet import Outlet, unframed
from realtime.room import Socket
from sessions_app import events, publish
from sessions_app.publish import Notice
from sessions_app.services.presence import Head

KEPT = 0.2


def text(seq: int) -> str:
    """The frame of an event."""
    return f'{{"seq":{seq},"timestamp":"2026-01-01T00:00:00+00:00"}}'


class Log:
    """A database that has every number, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def call(self, _: Callable[..., Any], __: UUID, *, after_seq: int, upto_seq: int) -> list[SimpleNamespace]:
        self.asked += 1
        return [SimpleNamespace(seq=seq, event="message", text=text(seq)) for seq in range(after_seq + 1, upto_seq + 1)]


class Written:
    """An outlet that keeps what is written to it."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, wire: bytes) -> int:
        self.frames.append(wire)
        return 0

    def backlog(self) -> int:
        return 0


class House:
    """A hub, a session in it, and its log."""

    def __init__(self) -> None:
        self.log, self.bus, self.session = Log(), Bus("here", enabled=True), uuid7()
        self.hub = ConnectionManager(cast("Bridge", self.log), self.bus)

    def say(self, *seqs: int) -> None:
        self.hub.broadcast([Notice(str(self.session), "message", text(seq), seq) for seq in seqs])

    async def come(self, place: int, after: int | None = None, epoch: str = "one") -> Socket:
        """Somebody whose join found the log at `place`, and who has it up to `after`."""
        socket = Socket(uuid7(), cast("Outlet", Written()))
        room = await self.hub.connect(self.session, socket)
        room.begin(epoch)
        socket.take_place(place)
        await self.hub.attach(room, socket, after)
        return socket

    def go(self, socket: Socket) -> None:
        self.hub.disconnect(self.session, socket)

    def is_member(self) -> bool:
        return str(self.session) in self.bus._groups


def seen(socket: Socket) -> list[int]:
    """The events that it was given, without the frame that ends a replay."""
    frames = [json.loads(unframed(frame)) for frame in cast("Any", socket.outlet).frames]
    return [frame["seq"] for frame in frames if "event" not in frame]


def told(socket: Socket) -> list[str]:
    """The names of the other frames."""
    return [frame.get("event") for frame in map(json.loads, map(unframed, cast("Any", socket.outlet).frames))]


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    layer = InMemoryChannelLayer()
    monkeypatch.setattr(bus_module, "get_channel_layer", lambda: layer)
    monkeypatch.setattr(settings, "SEANCE", msgspec.structs.replace(settings.SEANCE, seat_grace_seconds=KEPT))
    made = House()
    await made.bus.start(made.hub.broadcast)
    yield made
    await made.bus.stop()


async def test_who_comes_back_finds_there_what_was_said_meanwhile(house: House) -> None:
    first = await house.come(0)
    house.say(1, 2)
    house.go(first)
    house.say(3, 4)

    back = [await house.come(4, after=2) for _ in range(2)]
    house.say(5)

    assert [seen(socket) for socket in back] == [[3, 4, 5]] * 2
    assert house.log.asked == 0
    assert house.is_member()


async def test_what_the_room_missed_meanwhile_is_read(house: House) -> None:
    first = await house.come(0)
    house.say(1, 2)
    house.go(first)
    house.say(3, 5)  # 4 is lost, and nobody is there for whom it would be read
    await asyncio.sleep(connections.HOLE_SECONDS * 2)
    assert house.log.asked == 0

    back = await house.come(6, after=2)
    house.say(7)

    assert seen(back) == [3, 4, 5, 6, 7]
    assert house.log.asked == 1


async def test_a_log_of_another_epoch_is_not_continued(house: House) -> None:
    first = await house.come(0)
    house.say(1, 2, 3)
    house.go(first)

    back = await house.come(2, after=1, epoch="two")
    house.say(3)

    assert seen(back) == [2, 3]
    assert house.log.asked == 1


async def test_a_stream_that_comes_in_while_the_epoch_changes_is_told(house: House) -> None:
    house.go(await house.come(5))
    stream = Socket(uuid7(), cast("Outlet", Written()))
    room = await house.hub.connect(house.session, stream)
    room.begin("one")
    stream.take_place(5)
    await house.come(2, epoch="two")
    await house.hub.attach(room, stream, None)

    await house.hub.compare({house.session: Head(2, "two")})

    assert "resync_required" in told(stream)


@pytest.mark.parametrize("is_missed", [False, True])
async def test_a_cancelled_script_is_not_played_to_who_comes_back(is_missed: bool, house: House) -> None:
    turn, first = uuid7(), await house.come(0)
    moves = [{"t_ms": 0, "travel_ms": 8000, "dwell_ms": 1000, "x": 0.5, "y": 0.5}]
    move = events.SpiritMove(turn, datetime.now(UTC), moves)
    house.hub.broadcast([publish.notice(house.session, "spirit_move", move)])
    house.go(first)
    if not is_missed:
        cancelled = events.SpiritCancelled(turn, uuid7(), None)
        house.hub.broadcast([publish.notice(house.session, "spirit_cancelled", cancelled, seq=1)])

    back = await house.come(1)

    assert "spirit_move" not in told(back)


async def test_a_room_to_which_nobody_comes_back_is_closed(house: House) -> None:
    first = await house.come(0)
    house.go(first)
    assert house.hub.session_ids() == []
    await asyncio.sleep(KEPT / 2)
    second = await house.come(0)
    await asyncio.sleep(KEPT)
    assert house.hub.session_ids() == [house.session]
    assert house.is_member()

    house.go(second)
    await asyncio.sleep(KEPT * 2)

    assert not house.is_member()
    assert house.hub._rooms == {}
    assert house.hub._left == {}


async def test_a_refused_join_leaves_no_room(house: House) -> None:
    socket = Socket(uuid7(), cast("Outlet", Written()))
    await house.hub.connect(house.session, socket)

    house.go(socket)

    assert house.hub._rooms == {}
