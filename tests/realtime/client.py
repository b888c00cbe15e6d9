"""Tests of realtime: a client that believes nothing: what it gets must be exactly what `sessions_app.events` says."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import jwt
import msgspec
import psycopg
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from sessions_app import events
from tests.harness.client import open_socket
from tests.harness.server import DEFAULTS, Backend, Server, Stack

T = TypeVar("T", bound=msgspec.Struct)
WAIT = 10.0


class Told(NamedTuple):
    """One frame of the server, its data as the Struct that the event has."""

    event: str
    data: Any
    seq: int
    ref: str | None
    text: str


class Guest(NamedTuple):
    """A guest made over REST."""

    id: str
    token: str


def read(text: str) -> Told:
    """A frame, checked to the last field: unknown events, fields and types fail, and so does a needless `seq`."""
    raw = json.loads(text)
    event = raw["event"]
    assert event in events.SERVER_EVENTS, f"unknown event {event}"
    frame = msgspec.json.decode(text, type=events.Frame)
    assert set(raw) <= {"event", "data", "timestamp", "seq", "ref"}
    assert ("seq" in raw) == (event in events.DURABLE), raw
    assert "ref" not in raw or event in events.ANSWERS, raw
    data = exactly(raw["data"], events.SERVER_EVENTS[event])
    if isinstance(data, events.Welcome):
        for message in data.recent:
            exactly(message, events.AnswerData if message["is_spirit"] else events.MessageData)
    assert frame.timestamp.tzinfo is not None
    return Told(event, data, raw.get("seq", 0), raw.get("ref"), text)


def exactly(raw: object, shape: type[T]) -> T:
    """`raw` as `shape`, where that is all there is to it."""
    found = msgspec.convert(raw, shape, strict=False)
    assert json.loads(msgspec.json.encode(found)) == raw, f"{shape.__name__}: {raw}"
    return found


class Sitter:
    """One socket. It checks every frame, and that no durable event is missing, doubled or out of order."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[Told] = []
        self.cursor: int | None = None
        self.may_skip = False
        self._beats = 0

    # --- Saying -------------------------------------------------------------------------------------------------------

    async def send(self, event: str, /, ref: str | None = None, **data: Any) -> None:
        await self.send_json({"event": event, "data": data} | ({"ref": ref} if ref is not None else {}))

    async def send_json(self, frame: object) -> None:
        await self.socket.send(json.dumps(frame))

    async def send_raw(self, text: str | bytes) -> None:
        await self.socket.send(text)

    async def join(self, **data: Any) -> events.Welcome:
        """Join, and return the welcome, which comes second, after one's own `user_joined`."""
        await self.send("join_session", **data)
        first, second = await self.receive(), await self.receive()
        assert (first.event, second.event) == ("user_joined", "welcome"), (first, second)
        welcome: events.Welcome = second.data
        assert first.data.participant_id == welcome.participant.id
        return welcome

    async def say(self, text: str, **data: Any) -> events.Ack:
        """Send a message and return its ack."""
        self._beats += 1
        ref = f"say {self._beats}"
        await self.send("send_message", ref=ref, text=text, **data)
        while (found := await self.expect("ack", "error")).ref != ref:
            pass
        assert found.event == "ack", found
        ack: events.Ack = found.data
        return ack

    # --- Hearing ------------------------------------------------------------------------------------------------------

    async def receive(self, timeout: float = WAIT) -> Told:
        """The next frame; raises `ConnectionClosed`, `TimeoutError`."""
        async with asyncio.timeout(timeout):
            text = await self.socket.recv()
        assert isinstance(text, str)
        found = read(text)
        self.heard.append(found)
        if found.event == "welcome":
            self.cursor = found.data.seq
        elif found.event == "resumed":
            self.may_skip = False
            self.cursor = found.data.to
        elif found.seq and not self.may_skip:
            assert self.cursor is not None, "an entry of the log before the welcome"
            assert found.seq == self.cursor + 1, (found, self.cursor)
            self.cursor = found.seq
        return found

    async def expect(self, *names: str, timeout: float = WAIT) -> Told:
        """Skip to the next frame of one of these names."""
        async with asyncio.timeout(timeout):
            while (found := await self.receive(timeout)).event not in names:
                pass
        return found

    async def refusal(self, timeout: float = WAIT) -> tuple[str, str | None]:
        """The code and the ref of the next error."""
        found = await self.expect("error", timeout=timeout)
        return found.data.code, found.ref

    async def until_now(self) -> list[Told]:
        """Everything that was on its way; a heartbeat marks the end of it."""
        self._beats += 1
        ref = f"beat {self._beats}"
        await self.send("heartbeat", ref=ref, last_seq=0)
        found = []
        async with asyncio.timeout(WAIT):
            while (told := await self.receive()).ref != ref:
                found.append(told)
        return found

    async def names_until_now(self) -> list[str]:
        return [told.event for told in await self.until_now()]

    async def closed(self, timeout: float = WAIT) -> int:
        """Read to the end; the close code."""
        async with asyncio.timeout(timeout):
            with suppress(ConnectionClosed):
                while True:
                    await self.receive(timeout)
            await self.socket.wait_closed()
        return self.socket.close_code or 1006

    # --- Going --------------------------------------------------------------------------------------------------------

    async def close(self, code: int = 1000) -> None:
        await self.socket.close(code)

    def cut(self) -> None:
        """Lose the connection without a word."""
        self.socket.transport.abort()


class Place:
    """A server, as the tests of one session need it: sockets that are closed at the end."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.sockets: list[Sitter] = []

    async def connect(self, session_id: str, *, query: str = "", **options: Any) -> Sitter:
        """A socket that has not joined."""
        found = Sitter(await open_socket(self.server.ws(session_id) + query, **options))
        self.sockets.append(found)
        return found

    async def sit(self, session_id: str, /, **join: Any) -> Sitter:
        """A socket that has joined."""
        found = await self.connect(session_id)
        await found.join(**join)
        return found

    def guest(self, name: str = "Guest") -> Guest:
        answer = self.server.http("POST", "/api/auth/guest", json={"name": name})
        assert answer.status == 201, answer
        return Guest(answer.data["user"]["id"], answer.data["access"])

    async def leave(self) -> None:
        """Cut what is still open: whoever has not read everything could not even close."""
        for item in self.sockets:
            item.cut()
        await asyncio.gather(*(item.socket.wait_closed() for item in self.sockets))


@asynccontextmanager
async def visiting(server: Server) -> AsyncIterator[Place]:
    place = Place(server)
    try:
        yield place
    finally:
        await place.leave()


@contextmanager
def locked(stack: Stack, session_id: str) -> Iterator[None]:
    """Another transaction holds a session's row; on SQLite, the whole database."""
    if stack.backend is Backend.SERVICES:
        with psycopg.connect(stack.database_url) as connection:
            connection.execute("SELECT 1 FROM sessions WHERE id = %s FOR UPDATE", [session_id])
            yield
        return
    link = sqlite3.connect(urlsplit(stack.database_url).path, timeout=10, isolation_level=None)
    try:
        link.execute("BEGIN IMMEDIATE")
        yield
        link.execute("ROLLBACK")
    finally:
        link.close()


def expiring(token: str, expires_at: float) -> str:
    """The same token with another end."""
    claims = jwt.decode(token, options={"verify_signature": False})
    return jwt.encode(claims | {"exp": int(expires_at)}, DEFAULTS["JWT_SECRET"], algorithm="HS256")


def not_there() -> str:
    """The id of no session."""
    return "0192f0c1-2345-7678-9abc-def012345678"
