"""realtime, the way out to a reader of Server-Sent Events: frames of the hub as the lines of `text/event-stream`.

Only durable events are told, and what the reader must know of the stream itself. Source: the HTML standard, 9.2.
"""

import asyncio
from collections import deque
from typing import Any

import msgspec

from realtime.outlet import CLOSE, Message, Send, framed, unframed
from sessions_app import events
from sessions_app.selectors.streams import Opening

KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = b": keep-alive\n\n"
SLOW_CONSUMER = 4002
LAST = {"session_ended", "resync_required", "goodbye"}  # nothing comes after these


class _Head(msgspec.Struct):
    event: str
    seq: int = 0


class _Session(msgspec.Struct):
    access: str


class _SessionChanged(msgspec.Struct):
    session: _Session


class _Changed(msgspec.Struct):
    data: _SessionChanged


class _Going(msgspec.Struct):
    data: events.Goodbye


_head = msgspec.json.Decoder(_Head)
_changed = msgspec.json.Decoder(_Changed)
_going = msgspec.json.Decoder(_Going)


class EventStream:
    """An `Outlet` that writes frames as Server-Sent Events; `run` sends them until the stream ends."""

    def __init__(self, opening: Opening) -> None:
        self._epoch, self._access = opening.epoch, opening.access
        self._out: deque[bytes] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._ended = False
        self.head = opening.seq
        self.cut = asyncio.Event()  # the reader is given up
        begin = opening.after_seq if opening.after_seq is not None else opening.seq
        # An id without data sets the reader's position: whoever is cut off before the first event misses nothing.
        self._put(b"" if opening.resync else b"id: %s:%d\n\n" % (self._epoch.encode(), begin))

    def write(self, wire: bytes) -> int:
        if not self._ended:
            text = unframed(wire)
            head = _head.decode(text)
            if head.seq or head.event in LAST:
                self._put(self._field(head, text) + b"event: %s\ndata: %s\n\n" % (head.event.encode(), text))
                self._ended = head.event in LAST
            if head.event == "session_updated" and _changed.decode(text).data.session.access != self._access:
                self._ended = True  # another circle may read now: who comes back is asked anew
        return self._bytes

    def _field(self, head: _Head, text: bytes) -> bytes:
        if head.seq or head.event == "resync_required":  # with whose id a reader that reads the history now may go on
            return b"id: %s:%d\n" % (self._epoch.encode(), head.seq or self.head)
        return b"retry: %d\n" % _going.decode(text).data.reconnect_after_ms if head.event == "goodbye" else b""

    def resync(self, reason: Any) -> None:
        """The reader's position is of no use."""
        self.write(framed(events.frame("resync_required", events.ResyncRequired(reason)).encode()))

    def backlog(self) -> int:
        return self._bytes

    def wish(self, message: Message) -> None:
        if message["type"] == CLOSE and message["code"] == SLOW_CONSUMER:
            self.abort()
        self._ended = True
        self._more.set()

    def abort(self) -> None:
        self._out.clear()
        self._ended = True
        self.cut.set()

    def _put(self, chunk: bytes) -> None:
        self._out.append(chunk)
        self._bytes += len(chunk)
        self._more.set()

    async def run(self, send: Send) -> None:
        """Send what is written, and a sign of life where nothing is."""
        while not self.cut.is_set():
            while self._out:
                body = b"".join(self._out)
                self._out.clear()
                await send({"type": "http.response.body", "body": body, "more_body": True})
                self._bytes -= len(body)
            if self._ended:
                return
            self._more.clear()
            try:
                async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                    await self._more.wait()
            except TimeoutError:
                self._put(KEEP_ALIVE)
