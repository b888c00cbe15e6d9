"""Tests of the whole: a pooler in transaction mode, which lends a backend out for one transaction."""

from __future__ import annotations

import os
import queue
import socket
import struct
import threading
from contextlib import suppress

import psycopg

TOLD = (b"server_version", b"server_encoding", b"client_encoding", b"DateStyle", b"integer_datetimes", b"TimeZone")
NO_ENCRYPTION = (80877103, 80877104)  # a wish for TLS, and one for GSSAPI
IDLE = b"I"


class Pooler:
    """Listens on a port of its own, before two backends that are lent out for a transaction each."""

    def __init__(self, url: str, backends: int = 2) -> None:
        self._backends: queue.LifoQueue[socket.socket] = queue.LifoQueue()
        self._links = [psycopg.connect(url, autocommit=True) for _ in range(backends)]
        for link in self._links:
            backend = socket.socket(fileno=os.dup(link.fileno()))
            backend.setblocking(True)  # libpq had it otherwise
            self._backends.put(backend)
        self._told = b"".join(self._parameter(name) for name in TOLD)
        self._listener = socket.create_server(("127.0.0.1", 0))
        name = psycopg.conninfo.conninfo_to_dict(url)
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://{name['user']}@127.0.0.1:{port}/{name['dbname']}?sslmode=disable"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No more."""
        self._listener.close()
        while not self._backends.empty():
            self._backends.get().close()
        for link in self._links:
            link.close()

    def _parameter(self, name: bytes) -> bytes:
        value = self._links[0].pgconn.parameter_status(name) or b""
        return _message(b"S", name + b"\0" + value + b"\0")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError, EOFError):
            while struct.unpack("!I", _body(client)[:4])[0] in NO_ENCRYPTION:
                client.sendall(b"N")
            key = _message(b"K", struct.pack("!II", 4242, 4242))
            client.sendall(_message(b"R", bytes(4)) + self._told + key + _message(b"Z", IDLE))
            while True:
                self._transaction(client)

    def _transaction(self, client: socket.socket) -> None:
        kind, asked = _read(client)
        backend = self._backends.get()
        try:
            while True:
                backend.sendall(asked)
                while kind not in b"QS":  # the rest of what belongs together: up to a Query or a Sync
                    kind, asked = _read(client)
                    backend.sendall(asked)
                kind = b""
                while kind != b"Z":
                    kind, answer = _read(backend)
                    client.sendall(answer)
                if answer[-1:] == IDLE:
                    return
                kind, asked = _read(client)
        finally:
            self._backends.put(backend)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _body(link: socket.socket) -> bytes:
    return _exactly(link, struct.unpack("!I", _exactly(link, 4))[0] - 4)


def _read(link: socket.socket) -> tuple[bytes, bytes]:
    """The kind of the next message, and the whole of it."""
    kind = _exactly(link, 1)
    if kind == b"X":
        raise EOFError
    return kind, _message(kind, _body(link))


def _exactly(link: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = link.recv(size - len(found))
        if not part:
            raise EOFError
        found += part
    return found
