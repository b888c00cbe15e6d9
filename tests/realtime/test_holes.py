"""Tests of realtime/connections: how long a number that did not come is waited for before the database is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from channels.layers import InMemoryChannelLayer
from uuid_utils.compat import uuid7

from realtime import bus as bus_module
from realtime import connections
from realtime.bridge import Bridge
from realtime.bus import Bus
from realtime.connections import ConnectionManager
from realtime.outlet import Outlet
from realtime.room import Socket
from sessions_app import publish
from sessions_app.publish import Notice

HOLE_SECONDS = 0.3  # longer than the usual: a machine that is busy shall not make the short wait look like it


class Log:
    """A database that has every number, and notes when it is asked."""

    def __init__(self) -> None:
        self.asked_at: list[float] = []

    async def call(self, _: Callable[..., Any], __: UUID, *, after_seq: int, upto_seq: int) -> list[SimpleNamespace]:
        self.asked_at.append(time.monotonic())
        return [SimpleNamespace(seq=seq, event="message", text="{}") for seq in range(after_seq + 1, upto_seq + 1)]


async def test_what_is_not_told_is_soon_read_until_others_are_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HOLE_SECONDS", HOLE_SECONDS)
    layer = InMemoryChannelLayer()
    for module in (bus_module, publish):
        monkeypatch.setattr(module, "get_channel_layer", lambda: layer)
    log, bus, session = Log(), Bus("here", enabled=True), uuid7()
    hub = ConnectionManager(cast("Bridge", log), bus)
    await bus.start(hub.broadcast)
    room = await hub.connect(session, Socket(uuid7(), cast("Outlet", SimpleNamespace())))
    room.feed.start(0)

    def notice(seq: int) -> Notice:
        return Notice(str(session), "message", "{}", seq)

    async def waited(seq: int) -> float:
        """Seconds until the database was asked for what comes before `seq`."""
        asked, missed_at = len(log.asked_at), time.monotonic()
        hub.broadcast([notice(seq)])
        async with asyncio.timeout(5):
            while room.feed.head != seq or room.expecting:  # noqa: ASYNC110  a feed tells nobody
                await asyncio.sleep(0.001)
        assert len(log.asked_at) == asked + 1
        return log.asked_at[-1] - missed_at

    try:
        assert await waited(2) >= HOLE_SECONDS
        assert await waited(4) < HOLE_SECONDS
        assert await waited(6) < HOLE_SECONDS

        await publish.send("there", [notice(7)])
        async with asyncio.timeout(5):
            while room.feed.head != 7:  # noqa: ASYNC110  a feed tells nobody
                await asyncio.sleep(0.001)
        assert await waited(9) >= HOLE_SECONDS
    finally:
        await bus.stop()
