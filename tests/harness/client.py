"""Tests of the whole: a client that keeps the contract and logs everything, and a raw one that does neither.

The client joins, sends with a `client_msg_id`, sends again until it is acknowledged, comes back with its position when
the connection ends, and obeys the close codes (docs/protocol.md, 2.5 and 2.6).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage
from websockets.typing import Subprotocol

from tests.harness.records import Acked, Closing, Log, Presence, Receipt, Refusal, Sent, Stream

DURABLE = {
    "message_received",
    "message_deleted",
    "spirit_response",
    "spirit_cancelled",
    "spirit_failed",
    "session_updated",
    "session_ended",
}
SLOWEST = 30.0  # seconds between two tries to come back
RESEND_SECONDS = 5.0  # without an ack the message goes out again


class Frame(msgspec.Struct):
    """What the server says, its data not decoded yet."""

    event: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
    seq: int = 0
    ref: str = ""


class Entry(msgspec.Struct):
    """The data of a durable event, as far as the checker needs it."""

    id: str = ""
    client_msg_id: str | None = None
    text: str = ""
    reason: str = ""


class Refused(Exception):
    """The server said no, and that trying again cannot help."""


class _Open:
    """A message that waits for its ack."""

    __slots__ = ("future", "text", "timer")

    def __init__(self, text: str, future: asyncio.Future[Acked]) -> None:
        self.text, self.future = text, future
        self.timer: asyncio.TimerHandle | None = None


frame_decoder = msgspec.json.Decoder(Frame)
_entry = msgspec.json.Decoder(Entry)


class Client:
    """One person with one socket at a time. `start()` it, `stop()` it, read its `log`."""

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        name: str,
        user_id: str = "",
        token: str = "",
        role: str = "",
        rng: random.Random | None = None,
        batch: bool = False,
        slowest: float = SLOWEST,
    ) -> None:
        """`addresses` are whole socket URLs, tried in turn; the list may change while the client lives."""
        self.addresses, self.name = addresses, name
        self.log = Log(name)
        self.states: dict[str, dict[str, Any]] = {}  # the latest data of each event that is no entry of the log
        self.welcome: dict[str, Any] = {}
        self.socket: ClientConnection | None = None
        self.on_receipt: Callable[[Receipt], None] | None = None
        self.keep_receipts = True
        self._join: dict[str, Any] = {"user_id": user_id or f"secret-of-{name}", "name": name}
        self._join |= {"token": token} if token else {}
        self._join |= {"role": role} if role else {}
        self._join |= {"batch": True} if batch else {}
        self._random, self._slowest = rng or random.Random(name), slowest
        self._numbers = itertools.count(1)
        self._at = self._random.randrange(1000) if len(addresses) > 1 else 0
        self._open: dict[str, _Open] = {}  # sent, and not yet acknowledged
        self._come_back: float | None = None
        self._attempt = 0
        self._joined, self._moved = asyncio.Event(), asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._writes: set[asyncio.Future[None]] = set()
        self._stopped = False
        self.ended = asyncio.Event()  # with a close code that says: do not come back

    # --- Life ---------------------------------------------------------------------------------------------------------

    async def start(self, *, timeout: float = 30) -> Client:
        """Begin, and wait until it sits."""
        self.begin()
        await self.sits(timeout=timeout)
        return self

    def begin(self) -> None:
        """Begin, without waiting."""
        _started.append(self)
        self._task = asyncio.create_task(self._run(), name=self.name)

    def start_at(self, index: int) -> None:
        """Try this address first, in place of any."""
        self._at = index

    async def sits(self, *, timeout: float = 30) -> None:
        """Wait until it has joined, and has what it missed."""
        async with asyncio.timeout(timeout):
            await self._joined.wait()

    @property
    def is_in(self) -> bool:
        """Whether it sits now."""
        return self._joined.is_set()

    async def stop(self, code: int = 1000) -> None:
        """Close, with 1000 for good, and stay away."""
        task, self._task, self._stopped = self._task, None, True
        if self.socket is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self.socket.close(code)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if self in _started:
            _started.remove(self)  # a soak has tens of thousands who come and go

    def cut(self) -> None:
        """Lose the connection, without a word; it will come back."""
        if self.socket is not None and (transport := self.socket.transport) is not None:
            transport.abort()

    async def reaches(self, seq: int, *, timeout: float) -> None:
        """Wait until it has seen the log up to `seq`."""
        async with asyncio.timeout(timeout):
            while self.position < seq:
                self._moved.clear()
                await self._moved.wait()

    @property
    def position(self) -> int:
        return self.log.streams[-1].position if self.log.streams else 0

    # --- Saying something ---------------------------------------------------------------------------------------------

    def post(self, text: str, *, client_msg_id: str = "") -> asyncio.Future[Acked]:
        """Send a message, again and again, until it is acknowledged; the future ends with the ack, or `Refused`."""
        client_msg_id = client_msg_id or f"{self.name}-{next(self._numbers)}"
        item = self._open[client_msg_id] = _Open(text, asyncio.get_running_loop().create_future())
        self._say(client_msg_id, item)
        return item.future

    async def send(self, text: str, *, client_msg_id: str = "", timeout: float = 60) -> Acked:
        """`post`, and wait for the ack."""
        async with asyncio.timeout(timeout):
            return await self.post(text, client_msg_id=client_msg_id)

    @property
    def unacknowledged(self) -> int:
        return len(self._open)

    async def command(self, event: str, **data: object) -> None:
        """Send any other event."""
        assert self.socket is not None
        await self.socket.send(json.dumps({"event": event, "data": data}))

    def _say(self, client_msg_id: str, item: _Open, *, after: float = 0) -> None:
        """Send now, or after some seconds; and again until there is an ack."""
        if item.timer is not None:
            item.timer.cancel()
        if self._open.get(client_msg_id) is not item or (self._stopped and not self.is_in):
            return
        if not after and self.is_in and self.socket is not None:
            data = {"text": item.text, "client_msg_id": client_msg_id}
            frame = msgspec.json.encode({"event": "send_message", "ref": client_msg_id, "data": data}).decode()
            self.log.sends.append(Sent(time.monotonic(), client_msg_id, item.text))
            writing = asyncio.ensure_future(self._write(self.socket, frame))
            self._writes.add(writing)
            writing.add_done_callback(self._writes.discard)
        again = partial(self._say, client_msg_id, item)
        item.timer = asyncio.get_running_loop().call_later(after or RESEND_SECONDS, again)

    async def _write(self, socket: ClientConnection, frame: str) -> None:
        with suppress(ConnectionClosed):
            await socket.send(frame)

    # --- The connection -----------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            address = self.addresses[self._at % len(self.addresses)]
            try:
                async with asyncio.timeout(20):
                    socket = await open_socket(address)
            except (OSError, TimeoutError, InvalidHandshake, InvalidMessage, ConnectionClosed, EOFError):
                self.log.failed_connects += 1
                self._at += 1
                await self._pause()
                continue
            self.socket = socket
            try:
                await self._talk(socket)
            except ConnectionClosed:
                pass
            finally:
                self.socket = None
                self._joined.clear()
            code = int(socket.close_code or 1006)
            if self._stopped:
                return
            self.log.closings.append(Closing(time.monotonic(), code))
            if 4500 <= code <= 4999:
                self.ended.set()
                return
            self._at += 1
            await self._pause()

    async def _pause(self) -> None:
        """`reconnect_after_ms` where the server named it, else full jitter, from 0.5 s up to 30 s."""
        widest = min(self._slowest, 0.5 * 2**self._attempt)
        wait, self._come_back = self._come_back, None
        self._attempt += 1
        await asyncio.sleep(wait if wait is not None else self._random.uniform(0, widest))

    async def _talk(self, socket: ClientConnection) -> None:
        join = dict(self._join)
        if self.log.streams:
            stream = self.log.streams[-1]
            join["resume"] = {"epoch": stream.epoch, "after_seq": stream.position}
        await socket.send(json.dumps({"event": "join_session", "data": join}))
        async for text in socket:
            self._hear(frame_decoder.decode(text))

    # --- Hearing ------------------------------------------------------------------------------------------------------

    def _hear(self, frame: Frame) -> None:
        now = time.monotonic()
        if frame.event in DURABLE:
            self._hear_entry(now, frame)
        elif frame.event == "ack":
            self._hear_ack(Acked(now, **{key: json.loads(bytes(frame.data))[key] for key in Acked._fields[1:]}))
        elif frame.event in ("user_joined", "user_left"):
            data = _entry.decode(frame.data)
            self.log.presence.append(Presence(now, frame.event, data.id, data.reason))
        else:
            data = json.loads(bytes(frame.data))
            self.states[frame.event] = data
            if (hear := getattr(self, f"_hear_{frame.event}", None)) is not None:
                hear(now, data, frame.ref)

    def _hear_entry(self, now: float, frame: Frame) -> None:
        if not self.log.streams:
            self.log.strange.append(f"{frame.event} {frame.seq} came before the welcome")
            return
        data = _entry.decode(frame.data)
        is_message = frame.event in ("message_received", "spirit_response")
        receipt = Receipt(now, frame.seq, frame.event)
        if is_message:
            receipt = receipt._replace(id=data.id, client_msg_id=data.client_msg_id or "", text=data.text)
        receipts = self.log.streams[-1].receipts
        if not self.keep_receipts and receipts:
            receipts[-1] = receipt
        else:
            receipts.append(receipt)
        self._moved.set()
        if self.on_receipt is not None:
            self.on_receipt(receipt)

    def _hear_ack(self, ack: Acked) -> None:
        self.log.acks.append(ack)
        item = self._open.pop(ack.client_msg_id, None)
        if item is not None and not item.future.done():
            item.future.set_result(ack)

    def _hear_welcome(self, now: float, data: dict[str, Any], ref: str) -> None:
        self.welcome = data
        self.log.user_id = data["participant"]["user_id"]
        self.log.welcomes.append(now)
        self._attempt = 0
        if not self.log.streams:
            self._begin_stream(data)
            self._sit()

    def _hear_resumed(self, now: float, data: dict[str, Any], ref: str) -> None:
        if data["to"] != self.welcome["seq"] or self.position > data["to"]:
            self.log.strange.append(f"resumed to {data['to']}, at {self.position}, welcomed at {self.welcome['seq']}")
        self._sit()

    def _hear_resync_required(self, now: float, data: dict[str, Any], ref: str) -> None:
        if self.is_in:  # the log is another one now: come anew, and be told where that one is
            self.cut()
            return
        self._begin_stream(self.welcome)
        self._sit()

    def _begin_stream(self, welcome: Mapping[str, Any]) -> None:
        self.log.streams.append(Stream(welcome["epoch"], welcome["seq"]))
        self._moved.set()

    def _sit(self) -> None:
        self._joined.set()
        for client_msg_id, item in list(self._open.items()):
            self._say(client_msg_id, item)

    def _hear_goodbye(self, now: float, data: dict[str, Any], ref: str) -> None:
        self.log.goodbyes.append(now)
        self._come_back = data["reconnect_after_ms"] / 1000

    def _hear_error(self, now: float, data: dict[str, Any], ref: str) -> None:
        self.log.refusals.append(Refusal(now, data["code"], data["retryable"], ref))
        if ref not in self._open:
            return
        if data["retryable"]:
            self._say(ref, self._open[ref], after=data.get("retry_after_ms", 1000) / 1000)
            return
        future = self._open.pop(ref).future
        if not future.done():
            future.set_exception(Refused(f"{data['code']}: {data['message']}"))


async def open_socket(
    address: str, *, headers: Mapping[str, str] | None = None, subprotocols: Sequence[str] = (), **options: Any
) -> ClientConnection:
    """A WebSocket without compression, pings or a proxy."""
    return await connect(
        address,
        additional_headers=headers,
        subprotocols=[Subprotocol(name) for name in subprotocols] or None,
        compression=None,
        ping_interval=None,
        proxy=None,
        max_size=1 << 23,
        **{"open_timeout": 20, "close_timeout": 5, **options},
    )


class RawClient:
    """A socket and nothing else, for tests of the contract: what is sent is sent, what comes is handed over."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        _started.append(self)

    @classmethod
    async def open(cls, address: str, **options: Any) -> RawClient:
        """Connect; `headers`, `subprotocols` and `origin` as in `websockets.connect`.

        What nobody asks for is taken in all the same: a client that stops reading hears no close frame either, and
        waits for it in vain.
        """
        return cls(await open_socket(address, **{"max_queue": None, **options}))

    async def join(self, **data: Any) -> dict[str, Any]:
        """Join with these data, and wait for the `welcome`, which is returned."""
        await self.send("join_session", **data)
        return await self.expect("welcome")

    async def send(self, event: str, ref: str | None = None, **data: Any) -> None:
        """One well-formed frame."""
        await self.send_json({"event": event, "data": data, **({"ref": ref} if ref is not None else {})})

    async def send_json(self, frame: object) -> None:
        """Anything as JSON."""
        await self.socket.send(json.dumps(frame))

    async def send_text(self, text: str | bytes) -> None:
        """Anything at all; bytes go as a binary frame."""
        await self.socket.send(text)

    async def receive(self, *, timeout: float = 10) -> dict[str, Any]:
        """The next frame; raises `ConnectionClosed`, `TimeoutError`."""
        async with asyncio.timeout(timeout):
            frame: dict[str, Any] = json.loads(await self.socket.recv())
        return frame

    async def expect(self, *events: str, timeout: float = 10) -> dict[str, Any]:
        """Skip to the next frame of one of these events; the whole frame."""
        async with asyncio.timeout(timeout):
            while True:
                frame = await self.receive(timeout=timeout)
                if frame["event"] in events:
                    return frame

    async def silence(self, seconds: float) -> list[dict[str, Any]]:
        """Everything that comes within some seconds."""
        frames = []
        with suppress(TimeoutError, ConnectionClosed):
            async with asyncio.timeout(seconds):
                while True:
                    frames.append(await self.receive(timeout=seconds))
        return frames

    async def closed(self, *, timeout: float = 15) -> int:
        """Read until the server closes; the close code."""
        async with asyncio.timeout(timeout):
            with suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
            await self.socket.wait_closed()
        return self.socket.close_code or 1006

    async def close(self, code: int = 1000) -> None:
        """Close."""
        await self.socket.close(code)

    async def stop(self) -> None:
        """Close if it is open."""
        await self.socket.close()


_started: list[Client | RawClient] = []


async def stop_all() -> None:
    """Close whatever a test has left open."""
    left, _started[:] = list(_started), []
    for client in left:
        if isinstance(client, Client):
            client.cut()
    await asyncio.gather(*(client.stop() for client in left), return_exceptions=True)


async def gather_limited(work: Iterable[Callable[[], Any]], at_once: int) -> None:
    """Run many coroutines, some at a time."""
    gate = asyncio.Semaphore(at_once)

    async def one(make: Callable[[], Any]) -> None:
        async with gate:
            await make()

    await asyncio.gather(*(one(make) for make in work))
