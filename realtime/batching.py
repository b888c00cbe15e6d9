"""realtime, the way out for a socket that asked for batches: what is written in one turn of the loop is one frame.

A frame with several events is a JSON array of them; one event alone stays what it is, an object. So nobody waits for a
batch to fill, and a quiet room looks the same with and without. Source: docs/protocol.md, section 2.2.
"""

import asyncio

from realtime.outlet import Message, Outlet, framed, unframed

MOST_EVENTS = 50
MOST_BYTES = 32_768  # an event that is larger goes alone


class Batches:
    """An `Outlet` in front of another."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._waiting: list[bytes] = []
        self._bytes = 0
        self._loop = asyncio.get_running_loop()

    def write(self, wire: bytes) -> int:
        if self._waiting and self._bytes + len(wire) > MOST_BYTES:
            self.flush()
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(wire)
        self._bytes += len(wire)
        if len(self._waiting) >= MOST_EVENTS:
            self.flush()
        return self.backlog()

    def flush(self) -> None:
        """Send what waits."""
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if len(waiting) == 1:
            self._outlet.write(waiting[0])
        elif waiting:
            self._outlet.write(framed(b"[" + b",".join(map(unframed, waiting)) + b"]"))

    def backlog(self) -> int:
        return self._bytes + self._outlet.backlog()

    def wish(self, message: Message) -> None:
        self._outlet.wish(message)

    def abort(self) -> None:
        self._outlet.abort()
