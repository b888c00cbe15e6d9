"""seance_project, in front of the application: however many knock at once, those who are in do not wait for them.

A flood costs what each of its knocks costs, and how many of them are answered in one turn of the event loop. So whoever
knocks too often is answered before anything is made for a socket (a parser, a task, a context), and of the others a few
are let in at a time; who has gone by then is not let in at all.
"""

import asyncio
from collections import deque
from typing import cast

import structlog
from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from realtime import metrics, process
from realtime.middleware import address_of, header
from seance_project.middleware import request_id_of
from sessions_app.api.envelope import JSON, encode, failure, failure_headers
from sessions_app.errors import Code, SeanceError

LET_IN, ANSWERED = 8, 64  # in one turn of the loop
EARLY_BYTES = 65_536  # that may come before the answer to a handshake, which no client should send

log = structlog.get_logger(__name__)
_waiting: deque["HttpProtocol"] = deque()


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol of a connection that begins; `serve` runs it."""

    _early: bytes | None = None  # what came while it waits to be let in

    def data_received(self, data: bytes) -> None:
        if self._early is None:
            super().data_received(data)
        elif len(self._early) + len(data) > EARLY_BYTES:
            self.transport.abort()
        else:
            self._early += data

    def handle_websocket_upgrade(self) -> None:
        self._early = b""
        _waiting.append(self)
        if len(_waiting) == 1:
            asyncio.get_running_loop().call_soon(_answer_some)

    def answer(self) -> bool:
        """Make the socket, unless its address floods us or it has gone; whether one was made."""
        here = process.running()
        if self.transport.is_closing():
            return False
        if here is not None and (wait := here.addresses.floods(address_of(dict(self.scope)))):
            self._turn_away(wait)
            return False
        super().handle_websocket_upgrade()
        if self._early:
            self.transport.get_protocol().data_received(self._early)  # type: ignore[attr-defined]  # asyncio.Protocol
        # It knows this protocol as this knows it: both would stay until the next full collection.
        self.parser = cast(HttpRequestParser, None)
        return True

    def _turn_away(self, wait: int) -> None:
        metrics.TURNED_AWAY.inc()
        refused = SeanceError(Code.RATE_LIMITED, retry_after_ms=wait)
        body = encode(failure(refused))
        told = {"Content-Type": JSON, "Content-Length": str(len(body)), "Connection": "close"}
        told["X-Request-ID"] = request_id_of(header(dict(self.scope), b"x-request-id"))
        head = "".join(f"{name}: {value}\r\n" for name, value in (told | failure_headers(refused)).items())
        self.transport.write(f"HTTP/1.1 {refused.status} Too Many Requests\r\n{head}\r\n".encode() + body)
        self.transport.close()


def _answer_some() -> None:
    made = answered = 0
    while _waiting and made < LET_IN and answered < ANSWERED:
        one = _waiting.popleft()
        try:
            made += one.answer()
        except Exception:
            log.exception("handshake_failed")  # one of them; the others still wait
            one.transport.abort()
        answered += 1
    if _waiting:
        asyncio.get_running_loop().call_soon(_answer_some)
