"""sessions_app, the load test: one person: joins, speaks when told to, comes back, and writes down what it got."""

import asyncio
import json
import time
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from sessions_app import histogram
from sessions_app.management.loadtest.verdict import Heard
from sessions_app.management.terminal import retry

FRAME_MAX_BYTES = 16 << 20
CONNECT_SECONDS = 10.0


class _Data(msgspec.Struct):
    """The fields of all frames that are of interest here."""

    client_msg_id: str | None = None
    seq: int = 0
    epoch: str = ""
    code: str = ""
    reconnect_after_ms: int | None = None
    retry_after_ms: int | None = None
    heartbeat_ms: int = 0


class _Frame(msgspec.Struct):
    event: str
    data: _Data
    seq: int = 0
    ref: str | None = None


_frame = msgspec.json.Decoder(_Frame)


@dataclass
class Tally:
    """What all people of all rooms count together. Durations are buckets of milliseconds."""

    ack: histogram.Buckets = field(default_factory=dict)
    delivery: histogram.Buckets = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    closes: Counter[int] = field(default_factory=Counter)
    sent: int = 0
    acked: int = 0
    delivered: int = 0
    resyncs: int = 0

    @staticmethod
    def add(buckets: histogram.Buckets, seconds: float) -> None:
        """One more duration."""
        bucket = histogram.bucket_of(seconds * 1000)
        buckets[bucket] = buckets.get(bucket, 0) + 1


@dataclass
class Room:
    """A session of the test. `due` has the moment at which each message should have been sent."""

    id: str
    socket: str
    rest: str
    host_token: str
    due: dict[str, float] = field(default_factory=dict)
    acked: dict[str, int] = field(default_factory=dict)


class Person:
    """One client of one room, over as many sockets as it takes."""

    def __init__(self, room: Room, name: str, tally: Tally) -> None:
        self.room, self.name, self.tally = room, name, tally
        self.stretches: list[Heard] = []
        self.open: dict[str, str] = {}  # sent and neither acknowledged nor refused: id -> frame
        self.sits = asyncio.Event()
        self.gone = ""  # why it may not come back
        self._secret, self._epoch = uuid.uuid4().hex, ""
        self._socket: ClientConnection | None = None
        self._come_back_ms: int | None = None
        self._beat = 15.0
        self._is_in, self._at = False, 0  # it has what it missed; where its latest welcome stood

    async def run(self) -> None:
        """Live until cancelled, or until the server says to stay away."""
        attempt = 0
        while not self.gone:
            try:
                async with connect(
                    self.room.socket, max_size=FRAME_MAX_BYTES, compression=None, proxy=None, ping_interval=None,
                    open_timeout=CONNECT_SECONDS,
                ) as socket:  # fmt: skip
                    await self._live(socket)
                code = socket.close_code or 1006
            except (OSError, TimeoutError, InvalidHandshake, ConnectionClosed):
                code = 1006
            attempt = 0 if self.sits.is_set() else attempt + 1
            self.sits.clear()
            self._socket = None
            self.tally.closes[code] += 1
            if not retry.comes_back(code):
                self.gone = retry.reason(code)
                return
            wait, self._come_back_ms = retry.delay(attempt + 1, self._come_back_ms), None
            await asyncio.sleep(wait)

    @property
    def position(self) -> int:
        """The number of the log that it was given last."""
        heard = self.stretches[-1] if self.stretches else Heard(0)
        return heard.numbers[-1] if heard.numbers else heard.after

    async def say(self, text: str, due: float) -> None:
        """Send a message that was due at this moment; where there is no socket, with the next one."""
        key = uuid.uuid4().hex
        self.room.due[key] = due
        data = {"text": text, "client_msg_id": key}
        self.open[key] = json.dumps({"event": "send_message", "ref": key, "data": data})
        self.tally.sent += 1
        await self._send(self.open[key])

    async def _send(self, text: str) -> None:
        if self._socket is not None and self.sits.is_set():
            with suppress(ConnectionClosed):
                await self._socket.send(text)

    async def _live(self, socket: ClientConnection) -> None:
        join: dict[str, Any] = {"name": self.name, "user_id": self._secret}
        if self.stretches:
            join["resume"] = {"epoch": self._epoch, "after_seq": self.position}
        await socket.send(json.dumps({"event": "join_session", "data": join}))
        self._socket = socket
        beats = asyncio.create_task(self._beats(socket))
        try:
            async for text in socket:
                self._hear(_frame.decode(text), time.perf_counter())
                if not self.sits.is_set() and self._is_in:
                    self.sits.set()
                    for waiting in list(self.open.values()):
                        await self._send(waiting)
        except ConnectionClosed:
            pass
        finally:
            beats.cancel()
            self._is_in = False

    async def _beats(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(self._beat)
                await socket.send(json.dumps({"event": "heartbeat", "data": {"last_seq": self.position}}))

    def _hear(self, frame: _Frame, now: float) -> None:
        data, key = frame.data, frame.data.client_msg_id or ""
        if frame.seq:
            self.stretches[-1].numbers.append(frame.seq)
            if key in self.room.due:
                self.tally.delivered += 1
                self.tally.add(self.tally.delivery, now - self.room.due[key])
        elif frame.event == "ack":
            self.open.pop(key, None)
            if key not in self.room.acked:
                self.tally.acked += 1
                self.tally.add(self.tally.ack, now - self.room.due[key])
            self.room.acked[key] = data.seq
        elif frame.event == "error":
            self.tally.refused[data.code] += 1
            self.open.pop(frame.ref or "", None)
            self._come_back_ms = data.retry_after_ms
        elif frame.event == "welcome":
            self._epoch, self._beat, self._at = data.epoch, data.heartbeat_ms / 1000, data.seq
            if not self.stretches:
                self.stretches.append(Heard(data.seq))
                self._is_in = True
        elif frame.event == "resumed":
            self._is_in = True
        elif frame.event == "resync_required":
            self.tally.resyncs += 1
            self.stretches.append(Heard(self._at))
            self._is_in = True
        elif frame.event == "goodbye":
            self._come_back_ms = data.reconnect_after_ms
