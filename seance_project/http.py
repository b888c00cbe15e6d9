"""seance_project: HTTP on the event loop, Django in its threads: the whole of a request costs one hop there and back.

Django's own ASGI handler makes several hops a request and a new thread, hence a new database connection, for each of
them. Here the body is read first, the ordinary WSGI handler runs in one of a fixed number of threads that keep their
connections, and what it answers is sent at once; only a streamed response hops for each of its pieces.
"""

import io
import re
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any

from django.conf import settings
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.http import StreamingHttpResponse

from realtime import traffic
from realtime.bridge import Bridge
from realtime.middleware import header
from seance_project.middleware import request_id_of
from sessions_app import spans
from sessions_app.api.envelope import JSON, encode, failure, failure_headers
from sessions_app.api.stream import EventsResponse
from sessions_app.errors import SeanceError, invalid
from sessions_app.selectors.streams import Opening

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

Stream = Callable[[Opening, Headers, Receive, Send], Awaitable[None]]

_SESSION = re.compile(r"/api/sessions/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:/|$)")
_OF_THE_STREAM = {b"content-type", b"cache-control", b"x-accel-buffering"}


class Gone(Exception):  # noqa: N818  nobody waits for the answer any more
    """The client went away before it had sent its whole body."""


class Http:
    """The ASGI application for HTTP. `stream` goes on where a view has granted a stream of events."""

    def __init__(self, stream: Stream) -> None:
        self._handler = get_wsgi_application()
        self._stream = stream
        for signal in (request_started, request_finished):  # the bridge looks after its threads' connections
            signal.disconnect(close_old_connections)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send, bridge: Bridge) -> None:
        """Answer one request in a thread of `bridge`; whatever is logged or traced meanwhile has its ids."""
        request_id = request_id_of(header(scope, b"x-request-id"))
        method = scope["method"] if scope["method"] in traffic.METHODS else traffic.OTHER
        came_from = header(scope, b"traceparent") or ""
        title, told = f"{method} {traffic.route_of(scope['path'])}", {"http.request.method": method}
        before = spans.ids.set(partial(_ids, request_id, scope["path"]))
        try:
            with spans.span(title, told, came_from=came_from):
                await self._respond_to(scope, receive, send, bridge, request_id)
        finally:
            spans.ids.reset(before)

    async def _respond_to(
        self, scope: dict[str, Any], receive: Receive, send: Send, bridge: Bridge, request_id: str
    ) -> None:
        began = time.perf_counter()
        try:
            body = await _body(receive)
        except Gone:
            return
        if body is None:
            # Nothing behind this may hold more: the answer is that of any other invalid body.
            refused = invalid(non_field_errors=f"A body has at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE} bytes.")
            traffic.count(scope["method"], scope["path"], refused.status, time.perf_counter() - began)
            plain = [(b"content-type", JSON.encode()), (b"x-request-id", request_id.encode())]
            await _respond(send, refused.status, plain, encode(failure(refused)))
            return
        request = environ(scope, body)
        request["HTTP_X_REQUEST_ID"] = request_id  # so that the middleware has the same
        status, headers, answer = await bridge.call(self._answer, request)
        traffic.count(scope["method"], scope["path"], status, time.perf_counter() - began)
        if isinstance(answer, bytes):
            await _respond(send, status, headers, answer)
            return
        if isinstance(answer, EventsResponse):
            await self._follow(answer, headers, receive, send)
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        pieces = iter(answer)
        try:
            while (piece := await bridge.call(next, pieces, None)) is not None:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await bridge.call(_close, answer)

    async def _follow(self, answer: EventsResponse, headers: Headers, receive: Receive, send: Send) -> None:
        try:
            await self._stream(answer.opening, headers, receive, send)
        except SeanceError as refused:  # before anything was sent
            plain = [(name, value) for name, value in headers if name not in _OF_THE_STREAM]
            await _respond(send, refused.status, plain + _told(refused), encode(failure(refused)))

    def _answer(self, request: dict[str, Any]) -> tuple[int, Headers, bytes | Iterable[bytes]]:
        """The thread's side: the whole response, or its head and its pieces to come."""
        head: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> Any:
            head[:] = [int(status[:3]), [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers]]

        response = self._handler(request, start_response)
        if isinstance(response, EventsResponse):
            _close(response)  # the request is over as far as Django is concerned
            return head[0], head[1], response
        if isinstance(response, StreamingHttpResponse):
            return head[0], head[1], response
        body = b"".join(response)
        _close(response)
        return head[0], head[1], body


def _ids(request_id: str, path: str) -> dict[str, str]:
    """What lines of a request say: its id, and the session that it is about."""
    found = _SESSION.match(path)
    return {"request_id": request_id, **({"session_id": found[1].lower()} if found else {})}


def _close(response: Any) -> None:
    if hasattr(response, "close"):
        response.close()


async def turn_away(scope: dict[str, Any], receive: Receive, send: Send, refused: SeanceError) -> None:
    """Refuse the handshake of a socket as any request would be; a server that cannot (daphne) answers a bare 403."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    told = [*_told(refused), (b"x-request-id", request_id_of(header(scope, b"x-request-id")).encode())]
    await send({"type": "websocket.http.response.start", "status": refused.status, "headers": told})
    await send({"type": "websocket.http.response.body", "body": encode(failure(refused))})


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None where it is larger than anything that is taken here."""
    parts: list[bytes] = []
    size, limit = 0, settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        if not message.get("more_body", False):
            return part if not parts else b"".join([*parts, part])
        parts.append(part)


def _told(refused: SeanceError) -> Headers:
    told = {"Content-Type": JSON, **failure_headers(refused)}
    return [(name.lower().encode(), value.encode()) for name, value in told.items()]


async def _respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_names: dict[bytes, str] = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


def environ(scope: dict[str, Any], body: bytes) -> dict[str, Any]:
    """A request as WSGI has it: PEP 3333."""
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", None)
    found: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8", "surrogateescape").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1] or ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" in name:  # it would read as another header: X_Forwarded_For
            continue
        key = _names.get(name) or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        if key in found:  # cookies are the one header that is joined otherwise: RFC 9113, section 8.2.3
            text = found[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        found[key] = text
    found["seance.arrived_at"] = time.monotonic()
    # The body was read to its end, however it was framed.
    found["CONTENT_LENGTH"] = str(len(body))
    return found
