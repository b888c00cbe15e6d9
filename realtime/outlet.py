"""realtime, the way out of the process: how ready frames reach one socket without ever waiting for it.

`serve` runs uvicorn with `WebSocketProtocol` below, which lets the hub write a frame straight into the transport: it is
framed once for all sockets, and nobody waits for a slow reader. Under any other ASGI server (daphne's `runserver`) a
`QueueOutlet` does the same by the ordinary `send`, with a queue and a task of its own.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, cast

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # in C where it could be compiled
from websockets.http11 import Request
from websockets.protocol import State

EXTENSION = "seance.outlet"
CLOSE = "seance.close"
HEARTBEAT_TIMEOUT = 4003

FINAL_TEXT = 0x81  # FIN, opcode 1: RFC 6455, section 5.2
CONTROL = 0x08  # opcodes from here on are control frames, which may stand between fragments
READ_AHEAD = 16  # frames of one socket that may wait for its consumer before the socket is read no more

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def framed(text: bytes) -> bytes:
    """A text as one unmasked WebSocket text frame (RFC 6455, section 5.2)."""
    size = len(text)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + text
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + text
    return b"\x81\x7f" + size.to_bytes(8, "big") + text


def unframed(wire: bytes) -> bytes:
    """The text in a frame that `framed` made."""
    return wire[2:] if wire[1] < 126 else wire[4:] if wire[1] == 126 else wire[10:]


class Outlet(Protocol):
    """One socket, as the hub sees it."""

    def write(self, wire: bytes) -> int:
        """Send a framed text and return the backlog; never waits, never raises."""

    def backlog(self) -> int:
        """How many bytes the other side has not taken yet."""

    def wish(self, message: Message) -> None:
        """Hand a message to the consumer as if it had been received: the wish to close."""

    def abort(self) -> None:
        """Drop the connection without a word."""


class Inbox:
    """What came for the one consumer that waits for it. An `asyncio.Queue` costs each socket 3 KB of deques."""

    __slots__ = ("_messages", "_waiter")

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._waiter: asyncio.Future[None] | None = None

    def put_nowait(self, message: Message) -> None:
        self._messages.append(message)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def qsize(self) -> int:
        return len(self._messages)

    def empty(self) -> bool:
        return not self._messages

    async def get(self) -> Message:
        while not self._messages:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._messages.pop(0)


class Gate:
    """An `asyncio.Event` that is nearly always set, and costs only while it is not."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None

    def set(self) -> None:
        if self._event is not None:
            self._event.set()
            self._event = None

    def clear(self) -> None:
        if self._event is None:
            self._event = asyncio.Event()

    async def wait(self) -> None:
        if self._event is not None:
            await self._event.wait()


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, and an `Outlet` at the same time; the consumer finds it in the scope's extensions.

    Whole unfragmented text frames, which nearly all are, are read here; everything else goes on to the library's
    parser, which is given whole frames only and so is always between two of them when a frame is read past it.
    """

    _rest = b""  # the beginning of a frame whose end has not come
    # While the transport takes no more: it would need as much again for each frame.
    _held: list[bytes] | None = None
    _held_bytes = 0
    _reads_itself = False
    _is_fragmented = False

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.queue, self.writable = cast(Any, Inbox()), cast(Any, Gate())

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if not self.close_sent:
            cast(dict[str, object], self.scope["extensions"])[EXTENSION] = self

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.close_sent:  # also by an answer of HTTP, after which uvicorn would miss the handshake, in a line each
            self.handshake_complete = True
        if self.handshake_complete and self.request is not None:  # which nobody needs any more, and are 3 KB
            self.request.headers.clear()  # the parser, which goes on, has a hold of it
            self.request, self.response = cast(Any, None), cast(Any, None)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # What knows itself in a circle stays until a full collection, which is an hour away in a server that rests.
        if self.handshake_initiated:
            cast(dict[str, object], self.scope["extensions"]).pop(EXTENSION, None)
        self.conn.parser.close()

    def data_received(self, data: bytes) -> None:
        if not self._reads_itself:
            super().data_received(data)
            # What came behind the request in the same piece is in the parser's hands: then everything is.
            self._reads_itself = self.handshake_initiated and data.endswith(b"\r\n\r\n")
            return
        data = self._rest + data if self._rest else data
        start, end = 0, len(data)
        while end - start >= 2:
            head, size, body = data[start], data[start + 1] & 0x7F, start + 6
            if not data[start + 1] & 0x80 or size == 127:  # not masked, or over 64 KiB: the parser closes
                self._reads_itself = False
                super().data_received(data[start:])
                return
            if size == 126:
                if end - start < 4:
                    break
                size, body = int.from_bytes(data[start + 2 : start + 4], "big"), start + 8
            if body + size > end:
                break
            if head == FINAL_TEXT and not self._is_fragmented:
                self._read_text(data, start, body, body + size)
            else:
                self._is_fragmented = not head & 0x80 if head & 0x0F < CONTROL else self._is_fragmented
                super().data_received(data[start : body + size])
            start = body + size
        self._rest = data[start:] if start < end else b""

    def _read_text(self, data: bytes, start: int, body: int, end: int) -> None:
        if self.close_sent:
            return
        try:
            text = apply_mask(data[body:end], data[body - 4 : body]).decode()
        except UnicodeDecodeError:
            super().data_received(data[start:end])
            return
        self.queue.put_nowait({"type": "websocket.receive", "text": text})
        if not self.read_paused and self.queue.qsize() >= READ_AHEAD:
            self.read_paused = True
            self.transport.pause_reading()

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not self.close_sent:
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:  # uvicorn does the same, with an error and a traceback in the log of each
                self.frames = []
                if self.conn.state is State.OPEN:
                    self.conn.send_close(1007)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """No frames. Before the handshake is answered there is no way to say so."""
        if self.conn.close_sent is None:
            self.transport.abort()
        else:
            super().handle_parser_exception()

    def keepalive_timeout(self) -> None:
        """No pong came in time. The consumer closes, and drops a peer that does not answer that either."""
        self.pong_timer = self.pending_ping_payload = None
        self.wish({"type": CLOSE, "code": HEARTBEAT_TIMEOUT})

    def write(self, wire: bytes) -> int:
        if self.close_sent or self.disconnected:
            return 0
        if self._held is not None:
            self._held.append(wire)
            self._held_bytes += len(wire)
            return self.backlog()
        self.transport.write(wire)
        return self.transport.get_write_buffer_size()

    def backlog(self) -> int:
        return 0 if self.disconnected else self.transport.get_write_buffer_size() + self._held_bytes

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._held is None:
            self._held = []

    def resume_writing(self) -> None:
        """Whatever else wants to be sent waits for this, and so comes after what is held."""
        held, self._held, self._held_bytes = self._held, None, 0
        if held and not self.close_sent:
            self.transport.write(b"".join(held))  # which may pause anew
        if self._held is None:
            super().resume_writing()

    def wish(self, message: Message) -> None:
        self.queue.put_nowait(message)  # type: ignore[arg-type]  # not an ASGI message: from us, to us

    def abort(self) -> None:
        self.transport.abort()


class QueueOutlet:
    """An `Outlet` over plain ASGI: `run` pumps both ways until it is cancelled."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._out: deque[bytes] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._in: asyncio.Queue[Message] = asyncio.Queue()
        self._tasks = [asyncio.create_task(self._pump_in()), asyncio.create_task(self._pump_out())]

    async def receive(self) -> Message:
        """The next message for the consumer."""
        return await self._in.get()

    async def flush(self) -> None:
        """Wait until everything written so far was sent."""
        while self._bytes and not self._tasks[1].done():  # noqa: ASYNC110  the pump may also end without a word
            await asyncio.sleep(0.005)

    def write(self, wire: bytes) -> int:
        self._out.append(wire)
        self._bytes += len(wire)
        self._more.set()
        return self._bytes

    def backlog(self) -> int:
        return self._bytes

    def wish(self, message: Message) -> None:
        self._in.put_nowait(message)

    def abort(self) -> None:
        self._in.put_nowait({"type": "websocket.disconnect", "code": 1006})

    def stop(self) -> None:
        """End both pumps."""
        for task in self._tasks:
            task.cancel()

    async def _pump_in(self) -> None:
        while True:
            message = await self._receive()
            self._in.put_nowait(message)
            if message["type"] == "websocket.disconnect":
                return

    async def _pump_out(self) -> None:
        while True:
            while self._out:
                wire = self._out.popleft()
                await self._send({"type": "websocket.send", "text": unframed(wire).decode()})
                self._bytes -= len(wire)
            self._more.clear()
            await self._more.wait()
