"""Tests of seance_project/http.py: the handshake that a server refuses, and who calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seance_project.http import environ, turn_away
from sessions_app.errors import Code, SeanceError


async def refused(extensions: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"headers": [(b"x-request-id", b"mine.1")], "extensions": extensions}
    await turn_away(scope, receive, send, SeanceError(Code.UNAVAILABLE, retry_after_ms=1500))
    return sent


async def test_a_handshake_is_refused_as_any_request_would_be() -> None:
    head, body = await refused({"websocket.http.response": {}})

    headers = dict(head["headers"])
    assert (head["status"], headers[b"x-request-id"]) == (503, b"mine.1")
    assert int(headers[b"retry-after"]) > 0
    assert json.loads(body["body"])["error"]["code"] == "UNAVAILABLE"


async def test_a_server_that_cannot_say_so_closes() -> None:
    assert await refused({}) == [{"type": "websocket.close"}]


@pytest.mark.parametrize(
    ("client", "remote"),
    [
        (("192.0.2.7", 4711), ("192.0.2.7", "4711")),
        (["192.0.2.7", 0], ("192.0.2.7", "")),  # a proxy's word
        (["/run/seance.sock", None], ("/run/seance.sock", "")),
        (None, ("", "")),
    ],
)
def test_who_calls_through_a_unix_socket_has_no_port(client: Any, remote: tuple[str, str]) -> None:
    scope = {"method": "GET", "path": "/", "query_string": b"", "http_version": "1.1", "headers": [], "client": client}

    found = environ(scope, b"")

    assert (found["REMOTE_ADDR"], found["REMOTE_PORT"]) == remote
