"""Tests of realtime/bus and of its channel layer: several servers of Redis, none of which waits for another."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from realtime import bus as bus_module
from realtime.bus import Bus
from sessions_app import publish
from sessions_app.layers import PubSubLayer, Shard
from sessions_app.publish import Notice

Sent = dict[str, list[int]]


class Layer:
    """Two servers. A session whose name begins with `b` is at the second, which answers when a test lets it."""

    lanes = 2

    def __init__(self) -> None:
        self.sent: Sent = defaultdict(list)
        self.second = asyncio.Event()
        self.began = asyncio.Event()

    def lane(self, group: str) -> int:
        return int(group.startswith("session.b"))

    async def group_add(self, group: str, channel: str) -> None: ...

    async def receive(self, channel: str) -> Any:
        await asyncio.Event().wait()

    async def group_send_many(self, messages: dict[str, dict[str, Any]]) -> None:
        for group, message in messages.items():
            if self.lane(group):
                self.began.set()
                await self.second.wait()
            self.sent[group.removeprefix("session.")] += [notice.seq for notice in publish.decode(message["body"])[1]]


@pytest.fixture
async def layer(monkeypatch: pytest.MonkeyPatch) -> Layer:
    made = Layer()
    for module in (bus_module, publish):
        monkeypatch.setattr(module, "get_channel_layer", lambda: made)
    return made


@pytest.fixture
async def bus(layer: Layer) -> AsyncIterator[Bus]:
    made = Bus("here", enabled=True)
    await made.start(lambda notices: None)
    await sent(lambda: len(layer.sent["processes"]) == 1)
    yield made
    layer.second.set()
    await made.stop()


async def sent(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  a list tells nobody
            await asyncio.sleep(0.001)


def notices(*sessions: str, seqs: Sequence[int] = (1,)) -> list[Notice]:
    return [Notice(session, "message", "{}", seq) for seq in seqs for session in sessions]


async def test_a_server_that_hangs_holds_up_its_own_sessions_alone(bus: Bus, layer: Layer) -> None:
    for seq in range(1, 21):
        bus.send(notices("ada", "ben", "amy", seqs=[seq]))
        await asyncio.sleep(0)

    await sent(lambda: len(layer.sent["ada"]) == len(layer.sent["amy"]) == 20)
    assert layer.sent["ben"] == []
    layer.second.set()
    await sent(lambda: len(layer.sent["ben"]) == 20)
    assert layer.sent["ada"] == layer.sent["amy"] == layer.sent["ben"] == list(range(1, 21))


async def test_what_is_on_its_way_is_sent_before_the_end(bus: Bus, layer: Layer) -> None:
    bus.send(notices("ben"))
    await layer.began.wait()
    bus.send(notices("ada"))
    asyncio.get_running_loop().call_later(0.2, layer.second.set)

    await bus.stop()

    assert (layer.sent["ada"], layer.sent["ben"]) == ([1], [1])


async def test_deafness_is_of_one_server_and_ends(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    bus.missed("ben")

    assert (bus.is_deaf("ada"), bus.is_deaf("ben"), bus.is_deaf("bob")) == (False, True, True)
    loop = asyncio.get_running_loop()
    later = loop.time() + 60
    monkeypatch.setattr(loop, "time", lambda: later, raising=False)
    assert not bus.is_deaf("ben")


async def test_alone_in_memory_nobody_is_deaf() -> None:
    alone = Bus("here", enabled=False)

    alone.missed("ada")

    assert not alone.is_deaf("ada")


@pytest.mark.parametrize("away", [0, 1])
async def test_commands_reach_the_other_servers_where_one_is_away(monkeypatch: pytest.MonkeyPatch, away: int) -> None:
    layer = PubSubLayer(hosts=["redis://127.0.0.1:1/0", "redis://127.0.0.1:2/0"], prefix="seance")
    reached: list[int] = []

    async def publish_many(shard: Shard, messages: list[tuple[str, bytes]]) -> None:
        if (number := shard.channel_layer.number_of(shard) - 1) == away:
            raise ConnectionError
        reached.append(number)

    monkeypatch.setattr(Shard, "publish_many", publish_many)
    monkeypatch.setattr(publish, "get_channel_layer", lambda: layer)
    sessions = dict[int, str]()
    while len(sessions) < 2:
        name = str(uuid4())
        sessions[layer.lane(publish.group_name(name))] = name

    with pytest.raises(ConnectionError):
        await publish.send("", notices(*sessions.values()))

    assert reached == [1 - away]


async def test_a_room_that_redis_did_not_take_is_tried_by_one_however_many_come(
    bus: Bus, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []

    async def group_add(group: str, channel: str) -> None:
        tries.append(group)
        raise ConnectionError

    monkeypatch.setattr(layer, "group_add", group_add)
    monkeypatch.setattr(bus_module, "RETRY_SECONDS", 0.05)
    for _ in range(20):
        await bus.join("ada")
    tries.clear()
    await asyncio.sleep(0.5)

    assert 3 <= len(tries) <= 10


async def test_whatever_befalls_the_reader_of_redis_it_reads_on() -> None:
    layer = PubSubLayer(hosts=["redis://127.0.0.1:1/0"], prefix="seance")._get_layer()
    (shard,) = layer._shards
    heard: list[Any] = []
    shard._pubsub = link = Link()
    shard._receive_message = heard.append

    reading = asyncio.create_task(shard._do_receiving())
    await sent(lambda: {"type": "message"} in heard)
    reading.cancel()

    assert link.connection.is_left, "another has read from it, nobody knows what"


class Link:
    """A subscriber, of which another coroutine reads, too, the first time."""

    subscribed = True

    def __init__(self) -> None:
        self.connection, self._answers = Wire(), iter([RuntimeError("read() called while another coroutine waits")])

    async def get_message(self, **options: Any) -> dict[str, str]:
        await asyncio.sleep(0.01)
        for error in self._answers:
            raise error
        return {"type": "message"}

    async def connect(self) -> None:
        self.connection.is_connected = True


class Wire:
    """Its connection."""

    next_health_check = float("inf")
    is_connected, is_left = True, False

    async def disconnect(self, *, nowait: bool) -> None:
        self.is_connected, self.is_left = False, True
