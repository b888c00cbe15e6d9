"""Tests of the whole: a wire between a server and its PostgreSQL that can be cut at the worst moment.

It reads the client's side of the protocol (https://www.postgresql.org/docs/current/protocol-message-formats.html) far
enough to know which transaction stores a message, or a socket that joins, and cuts the connection at its COMMIT.
"""

from __future__ import annotations

import asyncio
import re
from enum import Enum, StrEnum

from tests.harness.hosts import HERE

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104


class Stored(Enum):
    """What a transaction stores."""

    MESSAGE = re.compile(rb'INSERT\s+INTO\s+"?messages"?\W', re.IGNORECASE)
    JOIN = re.compile(rb'INSERT\s+INTO\s+"?connections"?\W', re.IGNORECASE)


class Cut(StrEnum):
    """When the connection goes."""

    BEFORE = "before the COMMIT was passed on"
    DURING = "right after the COMMIT was passed on"
    AFTER = "after it was done, before the server was told"


class PostgresProxy:
    """Listens on `port`, passes everything on to the PostgreSQL server at `upstream`."""

    def __init__(self, upstream: int) -> None:
        self.upstream, self.port = upstream, 0
        self.armed: Cut | None = None
        self.stored = Stored.MESSAGE
        self.cuts: list[Cut] = []
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    def arm(self, cut: Cut, stored: Stored = Stored.MESSAGE) -> None:
        """Cut the next transaction that stores this."""
        self.armed, self.stored = cut, stored

    @property
    def is_armed(self) -> bool:
        """Whether it has not happened yet."""
        return self.armed is not None

    async def start(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._accept, HERE, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything."""
        if self._server is not None:
            self._server.close()
        for task in list(self._links):
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            await _Link(self, reader, writer).run()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._links.discard(task)


class _Link:
    """One connection."""

    def __init__(self, proxy: PostgresProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.is_open = self.stores = self.swallow = False
        self.statements: dict[bytes, bytes] = {}

    async def run(self) -> None:
        up_reader, self.up = await asyncio.open_connection(HERE, self.proxy.upstream)
        back = asyncio.create_task(self._back(up_reader))
        try:
            await self._greet()
            while True:
                kind = await self.reader.readexactly(1)
                size = await self.reader.readexactly(4)
                body = await self.reader.readexactly(int.from_bytes(size, "big") - 4)
                if await self._pass(kind, body, kind + size + body):
                    return
        finally:
            back.cancel()
            self.up.close()
            self.writer.transport.abort()

    async def _greet(self) -> None:
        while True:
            size = await self.reader.readexactly(4)
            body = await self.reader.readexactly(int.from_bytes(size, "big") - 4)
            self.up.write(size + body)
            if int.from_bytes(body[:4], "big") not in (SSL_REQUEST, GSS_REQUEST):
                return

    async def _pass(self, kind: bytes, body: bytes, whole: bytes) -> bool:
        """Pass a message on; True where the connection was cut over it."""
        statement = self._statement(kind, body)
        word = statement.lstrip()[:8].upper()
        if word.startswith((b"BEGIN", b"ROLLBACK")):
            self.is_open, self.stores = word.startswith(b"BEGIN"), False
        if self.proxy.stored.value.search(statement):
            self.stores = True
        if self.proxy.armed and self.stores and self._ends(kind, word):
            await self._cut(whole)
            return True
        if self._ends(kind, word):
            self.is_open = self.stores = False
        self.up.write(whole)
        await self.up.drain()
        return False

    def _statement(self, kind: bytes, body: bytes) -> bytes:
        """The text of what a message wants to be done; empty where it has none."""
        if kind == b"Q":
            return body.rstrip(b"\0")
        if kind == b"P":
            name, text = body.split(b"\0", 2)[:2]
            self.statements[name] = text
            return b""
        if kind == b"B":
            return self.statements.get(body.split(b"\0", 2)[1], b"")
        return b""

    def _ends(self, kind: bytes, word: bytes) -> bool:
        """Whether this message commits: a COMMIT, or the end of a statement that is a transaction by itself."""
        return word.startswith(b"COMMIT") or (not self.is_open and kind in b"QS")

    async def _cut(self, whole: bytes) -> None:
        cut, self.proxy.armed = self.proxy.armed, None
        assert cut is not None
        self.swallow = True
        if cut is not Cut.BEFORE:
            self.up.write(whole)
            await self.up.drain()
        if cut is Cut.AFTER:
            await self.told.wait()
        self.proxy.cuts.append(cut)

    async def _back(self, up_reader: asyncio.StreamReader) -> None:
        self.told = asyncio.Event()
        while data := await up_reader.read(65536):
            if self.swallow:
                self.told.set()
                continue
            self.writer.write(data)
            await self.writer.drain()
        self.writer.close()
