"""Tests of realtime: a reader of Server-Sent Events that follows the HTML standard, section 9.2, to the letter."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

import httpx

from tests.harness.server import TLS, Server


class Sent(NamedTuple):
    """One event."""

    id: str
    name: str
    frame: dict[str, Any]

    @property
    def seq(self) -> int:
        return int(self.id.rpartition(":")[2])


class Reader:
    """One stream: `last_id` and `retry` are what an EventSource would come back with."""

    def __init__(self, server: Server, session_id: str, *, last_id: str = "", slash: str = "", **headers: str) -> None:
        self.url = f"{server.base}/api/sessions/{session_id}/events{slash}"
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.last_id, self.retry, self.comments = last_id, 0, 0
        self.client = httpx.AsyncClient(trust_env=False, verify=TLS, timeout=30)
        self.response: httpx.Response

    async def __aenter__(self) -> Reader:
        headers = self.headers | ({"Last-Event-ID": self.last_id} if self.last_id else {})
        request = self.client.build_request("GET", self.url, headers=headers)
        self.response = await self.client.send(request, stream=True)
        self._lines = self.response.aiter_lines()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.response.aclose()
        await self.client.aclose()

    async def refusal(self) -> tuple[int, str]:
        """The status and the code of an error."""
        return self.response.status_code, json.loads(await self.response.aread())["error"]["code"]

    async def next(self, *, timeout: float = 10) -> Sent | None:
        """The next event; None at the end of the stream."""
        name = ""
        data: list[str] = []
        async with asyncio.timeout(timeout):
            async for line in self._lines:
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if not line:
                    if data:
                        return Sent(self.last_id, name, json.loads("\n".join(data)))
                    name = ""
                elif not field:
                    self.comments += 1
                elif field == "data":
                    data.append(value)
                elif field == "event":
                    name = value
                elif field == "id":
                    self.last_id = value
                elif field == "retry":
                    self.retry = int(value)
        return None

    async def take(self, count: int) -> list[Sent]:
        """The next events."""
        found = [await self.next() for _ in range(count)]
        return [one for one in found if one is not None]

    async def rest(self) -> list[Sent]:
        """Everything up to the end."""
        found = []
        while (one := await self.next()) is not None:
            found.append(one)
        return found

    async def begun(self) -> Reader:
        """Wait until the position is known: from then on nothing is missed."""
        async with asyncio.timeout(10):
            async for line in self._lines:
                if line.startswith("id: "):
                    self.last_id = line[4:]
                    return self
        raise AssertionError("the stream ended")
