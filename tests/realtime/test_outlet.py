"""Tests of realtime/outlet: frames are written as the RFC says, and nobody waits for a reader."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from realtime.outlet import CLOSE, QueueOutlet, framed, unframed


def read_as_a_client(wire: bytes) -> bytes:
    """The payload, as a client's own library reads it."""
    stream = StreamReader()
    stream.feed_data(wire)
    stream.feed_eof()
    parser = Frame.parse(stream.read_exact, mask=False)
    try:
        next(parser)
    except StopIteration as done:
        frame: Frame = done.value
        assert (frame.opcode, frame.fin) == (Opcode.TEXT, True)
        assert len(stream.buffer) == 0
        return bytes(frame.data)
    raise AssertionError("the frame is not whole")


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 200_000])
def test_a_frame_of_any_size_is_read_by_a_client(size: int) -> None:
    text = b"x" * size

    assert read_as_a_client(framed(text)) == text
    assert unframed(framed(text)) == text


@given(st.binary(max_size=70_000))
def test_what_was_framed_is_unframed(text: bytes) -> None:
    assert unframed(framed(text)) == text == read_as_a_client(framed(text))


class Asgi:
    """An ASGI server's two ends, of which a test holds the others."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.reads = asyncio.Event()
        self.reads.set()

    async def send(self, message: dict[str, Any]) -> None:
        await self.reads.wait()
        self.sent.append(message)


async def test_a_queue_outlet_sends_in_order_and_without_waiting() -> None:
    server = Asgi()
    outlet = QueueOutlet(server.inbox.get, server.send)
    server.reads.clear()

    backlog = [outlet.write(framed(text)) for text in (b"one", b"two")]
    waiting = outlet.backlog()
    server.reads.set()
    await outlet.flush()
    outlet.stop()

    assert backlog == [5, 10]
    assert waiting == 10
    assert outlet.backlog() == 0
    assert [message["text"] for message in server.sent] == ["one", "two"]


async def test_a_queue_outlet_hands_over_messages_and_wishes_as_they_come() -> None:
    server = Asgi()
    outlet = QueueOutlet(server.inbox.get, server.send)

    server.inbox.put_nowait({"type": "websocket.receive", "text": "a"})
    first = await outlet.receive()
    outlet.wish({"type": CLOSE, "code": 4505})
    second = await outlet.receive()
    server.inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
    third = await outlet.receive()
    outlet.stop()

    assert [first["type"], second["type"], third["type"]] == ["websocket.receive", CLOSE, "websocket.disconnect"]


async def test_a_queue_outlet_that_is_aborted_looks_like_a_lost_connection() -> None:
    server = Asgi()
    outlet = QueueOutlet(server.inbox.get, server.send)

    outlet.abort()

    assert await outlet.receive() == {"type": "websocket.disconnect", "code": 1006}
    outlet.stop()


async def test_flushing_to_a_server_that_has_gone_ends() -> None:
    async def gone(_: dict[str, Any]) -> None:
        raise ConnectionError

    outlet = QueueOutlet(asyncio.Queue[dict[str, Any]]().get, gone)
    outlet.write(framed(b"x"))

    async with asyncio.timeout(2):
        await outlet.flush()
    outlet.stop()
