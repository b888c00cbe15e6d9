"""benchmarks: the least client that speaks the protocol: it joins, says things, and counts what it hears."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable

MARK = b'{"event":"message_received"'
ZERO = b"\0\0\0\0"  # a mask that changes nothing, which a server cannot tell from any other


def masked(text: bytes, opcode: int = 1) -> bytes:
    """A client's frame."""
    size = len(text)
    head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2, "big")
    return head + ZERO + text


class Visitor(asyncio.Protocol):
    """One socket of one person. `on_message` is called for each message with its text and the time of its arrival."""

    def __init__(self, session_id: str, name: str, role: str = "participant") -> None:
        self.session_id, self.name, self.role = session_id, name, role
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_message: Callable[[bytes, float], None] | None = None
        self.heard = 0
        self.closed = False
        self._rest = b""
        self._is_open = False

    async def enter(self, host: str, port: int) -> None:
        """Connect, and wait for the welcome."""
        async with asyncio.timeout(30):
            await asyncio.get_running_loop().create_connection(lambda: self, host, port)
            await self.joined

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /ws/{self.session_id} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("closed before the welcome"))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        if not self._is_open:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head[:200]
            self._is_open = True
            self.say({"event": "join_session", "data": {"name": self.name, "user_id": self.name, "role": self.role}})
        start, end = 0, len(data)
        while end - start >= 2:
            size, body = data[start + 1], start + 2
            if size >= 126:
                width = 2 if size == 126 else 8
                if end - start < 2 + width:
                    break
                size, body = int.from_bytes(data[body : body + width], "big"), body + width
            if body + size > end:
                break
            self._frame(data[start] & 0x0F, data[body : body + size])
            start = body + size
        self._rest = data[start:]

    def _frame(self, opcode: int, text: bytes) -> None:
        if opcode == 9:
            self.transport.write(masked(text, 10))
        elif opcode == 1 and text.startswith(MARK):
            self.heard += 1
            if self.on_message is not None:
                self.on_message(text, time.perf_counter())
        elif opcode == 1 and not self.joined.done() and text.startswith(b'{"event":"welcome"'):
            self.joined.set_result(None)
        elif opcode == 1 and text.startswith(b'{"event":"error"'):
            raise AssertionError(text.decode())

    def say(self, frame: object) -> None:
        """One frame."""
        self.transport.write(masked(json.dumps(frame).encode()))

    def post(self, text: str) -> None:
        """A message, with an id as a real client gives it."""
        self.say({"event": "send_message", "data": {"text": text, "client_msg_id": f"{self.name}-{text}"}})
