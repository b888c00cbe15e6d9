"""benchmarks: the steps between a client's frame and everybody's copy: CPU of each by itself, in one thread."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import django

from benchmarks.rows import Row, cpu_us, print_rows

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "seance_project.settings")
django.setup()

from realtime import protocol  # noqa: E402
from realtime.batching import Batches  # noqa: E402
from realtime.bridge import Bridge  # noqa: E402
from realtime.bus import Bus  # noqa: E402
from realtime.connections import ConnectionManager  # noqa: E402
from realtime.feed import Entry, Feed  # noqa: E402
from realtime.outlet import WebSocketProtocol, framed  # noqa: E402
from realtime.room import Socket  # noqa: E402
from sessions_app import events, publish  # noqa: E402
from sessions_app.publish import Notice  # noqa: E402

GROUP = "micro"
SESSION = UUID(int=7)
TEXT = "Is anyone there, and if so, who are you?"
FRAME = '{"event":"send_message","ref":"c17","data":{"text":"' + TEXT + '","client_msg_id":"c17-000001"}}'


class Nowhere:
    """An outlet that costs nothing."""

    def write(self, wire: bytes) -> int:
        return 0

    def backlog(self) -> int:
        return 0

    def wish(self, message: dict[str, Any]) -> None: ...

    def abort(self) -> None: ...


def message(seq: int = 1) -> events.MessageReceived:
    """What a message is told as."""
    ids = UUID(int=seq + 99)
    return events.MessageReceived(
        ids, SESSION, seq, UUID(int=5), "Ada", TEXT, events.now(), False, "c17-000001", None, False, None, TEXT
    )


def notice(seq: int) -> Notice:
    """The same, ready to be passed on."""
    return publish.notice(SESSION, "message_received", message(seq), seq=seq)


def repeated(step: Callable[[], object]) -> Callable[[int], None]:
    """Call it so many times."""

    def work(turns: int) -> None:
        for _ in range(turns):
            step()

    return work


def receive() -> Callable[[], object]:
    """A masked frame as it comes from the network, up to the consumer's queue."""
    payload, key = FRAME.encode(), b"\x12\x34\x56\x78"
    masked = bytes(byte ^ key[n % 4] for n, byte in enumerate(payload))
    wire = bytes([0x81, 0x80 | len(payload)]) + key + masked
    reader: Any = object.__new__(WebSocketProtocol)
    reader._reads_itself, reader.close_sent, reader.read_paused = True, False, True
    reader.queue = asyncio.Queue()

    def step() -> None:
        reader.data_received(wire)
        reader.queue.get_nowait()

    return step


def feed() -> Callable[[int], None]:
    """The order of one session, in order."""
    wire = framed(notice(1).text.encode())
    line = Feed()
    line.start(0)

    def work(turns: int) -> None:
        head = line.head or 0
        for seq in range(head + 1, head + turns + 1):
            line.offer(Entry(seq, "message_received", wire))

    return work


async def hub(sockets: int, *, batch: bool = False) -> Callable[[int], None]:
    """A stored message on its way to the sockets of its room, the kernel's part left out."""
    manager = ConnectionManager(Bridge(1), Bus("", enabled=False))
    for n in range(sockets):
        one = Socket(UUID(int=n + 1), Batches(Nowhere()) if batch else Nowhere())
        room = await manager.connect(SESSION, one)
        one.take_place(0)
        await manager.attach(room, one, None)
    text, numbers = notice(1).text, itertools.count(1)

    def work(turns: int) -> None:
        for _ in range(turns):
            manager.broadcast([Notice(str(SESSION), "message_received", text, next(numbers))])

    return work


def send_us(seconds: float) -> float:
    """A frame through the event loop's transport into the kernel: the loop's thread only, a thread reads it all."""
    import uvloop

    wire = framed(notice(1).text.encode())

    async def measure() -> float:
        listener = socket.create_server(("127.0.0.1", 0))
        peer = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        listener.close()

        def drain() -> None:
            while peer.recv(1 << 20):
                pass

        reader = threading.Thread(target=drain, daemon=True)
        reader.start()
        transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=accepted)
        count, began = 0, time.thread_time()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(16):
                transport.write(wire)
                await asyncio.sleep(0)  # each goes out by itself, as a room's messages do
            count += 16
        took = time.thread_time() - began
        transport.close()
        await asyncio.sleep(0.05)
        peer.close()
        return took / count * 1e6

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure())


def main(quick: bool) -> None:
    seconds = 0.1 if quick else 1.0
    frame = events.frame("message_received", message(), seq=1).encode()
    notices = [notice(n) for n in range(1, 21)]

    async def of_the_hub() -> list[Row]:
        return [
            Row(GROUP, "hub: a message to a room of 6", cpu_us(await hub(6), seconds), "µs"),
            Row(GROUP, "hub: a message to a room of 60", cpu_us(await hub(60), seconds), "µs"),
        ]

    rows = [
        Row(GROUP, "receive: unmask a frame and queue it", cpu_us(repeated(receive()), seconds), "µs"),
        Row(GROUP, "decode: text to command", cpu_us(repeated(lambda: protocol.decode(FRAME)), seconds), "µs"),
        Row(GROUP, "encode: message to frame",
            cpu_us(repeated(lambda: events.frame("message_received", message(), seq=1)), seconds), "µs"),
        Row(GROUP, "frame: text to WebSocket frame", cpu_us(repeated(lambda: framed(frame)), seconds), "µs"),
        Row(GROUP, "feed: one event in order", cpu_us(feed(), seconds), "µs"),
        *asyncio.run(of_the_hub()),
        Row(GROUP, "publish: encode 20 notices for Redis",
            cpu_us(repeated(lambda: publish._encoder.encode(("id", notices))), seconds), "µs"),
        Row(GROUP, "send: a frame into the kernel, by uvloop", send_us(seconds), "µs"),
    ]  # fmt: skip
    print_rows(rows)


if __name__ == "__main__":
    main("--quick" in sys.argv)
