"""Tests of seance_project/doorman, and of what a socket leaves behind: the protocols under uvicorn, in this process."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast
from weakref import WeakSet

import pytest
import uvicorn
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage

from realtime.outlet import EXTENSION, WebSocketProtocol, framed
from seance_project import doorman
from seance_project.doorman import ANSWERED, EARLY_BYTES, LET_IN, HttpProtocol

REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
EARLY = bytes([0x81, 0x82, 0, 0, 0, 0]) + b"hi"  # a text frame, masked with zeros
alive: WeakSet[Any] = WeakSet()


class CountedHttp(HttpProtocol):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        alive.add(self)


class CountedSocket(WebSocketProtocol):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        alive.add(self)


class App:
    """An application that lets everybody in and notes what they say."""

    def __init__(self) -> None:
        self.came, self.left, self.said = 0, 0, list[str]()
        self.outlets: list[WebSocketProtocol] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.came += 1
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        self.outlets.append(scope["extensions"][EXTENSION])
        while (message := await receive())["type"] != "websocket.disconnect":
            self.said.append(message["text"])
        self.left += 1


@pytest.fixture
async def served() -> AsyncIterator[tuple[App, int]]:
    app = App()
    config = uvicorn.Config(app, http=CountedHttp, ws=CountedSocket, lifespan="off", log_config=None, port=0)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve([listener]))
        await until(lambda: server.started)
        yield app, listener.getsockname()[1]
        server.should_exit = True
        await task


@pytest.fixture
def uncollected() -> Iterator[None]:
    alive.clear()
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def until(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  neither a server nor memory tells
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("uncollected")
async def test_a_socket_that_ends_leaves_nothing_for_the_garbage_collection(served: tuple[App, int]) -> None:
    app, port = served
    for number in range(5):
        async with connect(f"ws://127.0.0.1:{port}/ws", compression=None) as person:
            await person.send(str(number))
            await until(lambda: len(app.said) == number + 1)  # noqa: B023
    cut = await connect(f"ws://127.0.0.1:{port}/ws", compression=None)
    assert len(alive) > 0
    cut.transport.abort()
    await until(lambda: app.came == app.left)
    app.outlets.clear()  # which are the test's own

    await until(lambda: len(alive) == 0)


async def test_a_reader_that_stops_and_goes_on_gets_everything_in_order(served: tuple[App, int]) -> None:
    app, port = served
    sent = [f"{number}:".ljust(1000, "x") for number in range(3000)]
    with socket.create_connection(("127.0.0.1", port)) as person:
        person.sendall(REQUEST)
        await until(lambda: len(app.outlets) == 1)
        line = app.outlets[0].transport.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)  # else the kernel takes it all
        for text in sent:
            most = app.outlets[0].write(framed(text.encode()))
            await asyncio.sleep(0)
        assert app.outlets[0]._held
        assert 1_000_000 < most == app.outlets[0].backlog() < 3_100_000

        data = await asyncio.to_thread(read_all, person, 3000 * 1004)
        await until(lambda: app.outlets[0].backlog() == 0)
        app.outlets[0].write(framed(b"the last"))
        data += await asyncio.to_thread(read_all, person, 10)

    heard = data.split(b"\r\n\r\n", 1)[1]
    assert heard == b"".join(framed(text.encode()) for text in [*sent, "the last"])


def read_all(person: socket.socket, size: int) -> bytes:
    """The answer to the handshake, where it has not been read, and so many bytes more."""
    data = b""
    while len(data.split(b"\r\n\r\n", 1)[-1]) < size:
        data += person.recv(65_536)
    return data


class Knock:
    """Somebody who waits at the door."""

    def __init__(self, *, gets_in: bool) -> None:
        self.gets_in, self.was_answered = gets_in, False

    def answer(self) -> bool:
        self.was_answered = True
        return self.gets_in


@pytest.mark.parametrize(("gets_in", "at_once"), [(True, LET_IN), (False, ANSWERED)])
async def test_a_crowd_is_answered_a_part_in_each_turn_of_the_loop(gets_in: bool, at_once: int) -> None:
    crowd = [Knock(gets_in=gets_in) for _ in range(3 * at_once)]
    doorman._waiting.extend(cast("list[HttpProtocol]", crowd))

    doorman._answer_some()

    for turn in (1, 2, 3):
        assert [one.was_answered for one in crowd] == [n < turn * at_once for n in range(3 * at_once)]
        await asyncio.sleep(0)
    assert not doorman._waiting


class Line(asyncio.Transport):
    """The other end of a connection, as far as a protocol sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_aborted, self.is_gone = False, False

    def is_closing(self) -> bool:
        return self.is_gone

    def abort(self) -> None:
        self.is_aborted = True


@pytest.fixture
async def knocked() -> HttpProtocol:
    """A handshake that waits for its turn."""
    config = uvicorn.Config(App(), ws=CountedSocket, lifespan="off", log_config=None)
    protocol = HttpProtocol(config, uvicorn.server.ServerState(), {})
    protocol.connection_made(Line())
    protocol.data_received(REQUEST)
    assert doorman._waiting.pop() is protocol
    return protocol


async def test_whoever_has_gone_is_not_let_in(knocked: HttpProtocol) -> None:
    cast("Line", knocked.transport).is_gone = True

    assert not knocked.answer()


async def test_what_comes_before_the_answer_waits_and_is_bounded(knocked: HttpProtocol) -> None:
    knocked.data_received(b"x" * EARLY_BYTES)
    assert not cast("Line", knocked.transport).is_aborted
    knocked.data_received(b"x")
    assert cast("Line", knocked.transport).is_aborted


async def test_what_came_early_is_heard(served: tuple[App, int], monkeypatch: pytest.MonkeyPatch) -> None:
    app, port = served
    monkeypatch.setattr(doorman, "_answer_some", lambda: None)
    with socket.create_connection(("127.0.0.1", port)) as person:
        person.sendall(REQUEST)
        await until(lambda: len(doorman._waiting) == 1)
        person.sendall(EARLY)
        await until(lambda: doorman._waiting[0]._early == EARLY)

        doorman._waiting.pop().answer()

        await until(lambda: app.said == ["hi"])


@pytest.mark.parametrize(
    "early",
    [
        b"\x81\x00",  # not masked
        b"\x81\xff\x00" + b"\x7f" * 7 + bytes(4),  # larger than anything
        b"\xf1\x80" + bytes(4),  # bits of extensions that nobody agreed on
        b"\x81\x81" + bytes(4) + b"\xff",  # no UTF-8
        b"\x88\x80" + bytes(4),  # a farewell
    ],
)
async def test_what_came_early_and_is_wrong_shuts_the_door_to_nobody_else(
    served: tuple[App, int], monkeypatch: pytest.MonkeyPatch, early: bytes
) -> None:
    app, port = served
    answer_some = doorman._answer_some
    monkeypatch.setattr(doorman, "_answer_some", lambda: None)
    with socket.create_connection(("127.0.0.1", port)) as first, socket.create_connection(("127.0.0.1", port)) as next_:
        first.sendall(REQUEST)
        await until(lambda: len(doorman._waiting) == 1)
        next_.sendall(REQUEST)
        await until(lambda: len(doorman._waiting) == 2)
        first.sendall(early)
        await until(lambda: doorman._waiting[0]._early == early)

        monkeypatch.undo()
        with capture_logs() as lines:
            answer_some()

        await until(lambda: len(app.outlets) >= 1)
        async with connect(f"ws://127.0.0.1:{port}/ws", compression=None) as person:
            await person.send("here")
            await until(lambda: app.said == ["here"])
    assert (list(doorman._waiting), lines) == ([], [])


async def test_an_error_in_one_handshake_is_that_one_s_alone(
    served: tuple[App, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, port = served
    answer, turns = HttpProtocol.answer, iter([False, True])

    def fail_once(self: HttpProtocol) -> bool:
        if not next(turns, True):
            raise ValueError("nobody foresaw it")
        return answer(self)

    monkeypatch.setattr(HttpProtocol, "answer", fail_once)
    with capture_logs() as lines, pytest.raises((ConnectionClosed, InvalidMessage, EOFError, OSError)):
        await connect(f"ws://127.0.0.1:{port}/ws", compression=None)
    async with connect(f"ws://127.0.0.1:{port}/ws", compression=None) as person:
        await person.send("here")
        await until(lambda: app.said == ["here"])

    assert [line["event"] for line in lines] == ["handshake_failed"]
