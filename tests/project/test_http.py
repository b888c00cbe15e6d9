"""Tests of seance_project/http.py: the handshake that a server refuses while it drains."""

from __future__ import annotations

import json
from typing import Any

from seance_project.http import turn_away


async def refused(extensions: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await turn_away({"headers": [(b"x-request-id", b"mine.1")], "extensions": extensions}, receive, send)
    return sent


async def test_a_handshake_is_refused_as_any_request_would_be() -> None:
    head, body = await refused({"websocket.http.response": {}})

    headers = dict(head["headers"])
    assert (head["status"], headers[b"x-request-id"]) == (503, b"mine.1")
    assert int(headers[b"retry-after"]) > 0
    assert json.loads(body["body"])["error"]["code"] == "UNAVAILABLE"


async def test_a_server_that_cannot_say_so_closes() -> None:
    assert await refused({}) == [{"type": "websocket.close"}]
