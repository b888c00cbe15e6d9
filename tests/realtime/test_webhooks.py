"""Tests of webhooks on real servers: what was under way when a server was killed comes again, under the same id."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from sessions_app.webhooks.signing import new_secret, signature
from tests.harness.plugin import MakeStack
from tests.harness.server import DEFAULTS, Stack

pytestmark = pytest.mark.processes


class Target:
    """Somebody else's server: it keeps what it is sent, and answers, or says nothing while `is_slow`."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.is_slow = False
        self.port = 0
        self.handlers: set[asyncio.Task[None]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.handlers.add(task)
        try:
            await self._answer(reader, writer)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
                pairs = (line.split(": ", 1) for line in lines)
                headers = {name.lower(): value for name, value in pairs}
                self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
                if self.is_slow:
                    await asyncio.sleep(60)
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                await writer.drain()

    def kinds(self) -> list[str]:
        return [json.loads(body)["type"] for _, body in self.got]


@asynccontextmanager
async def listening() -> AsyncIterator[Target]:
    target = Target()
    server = await asyncio.start_server(target.handle, "127.0.0.1", 0)
    target.port = server.sockets[0].getsockname()[1]
    try:
        yield target
    finally:
        server.close()
        for task in target.handlers:
            task.cancel()
        await asyncio.gather(*target.handlers, return_exceptions=True)
        await asyncio.sleep(0)  # the transports close in the next turn of the loop


def enter(stack: Stack, target: Target) -> str:
    """Make an endpoint, past the servers; returns its secret."""
    secret = new_secret()
    key = hmac.new(DEFAULTS["SECRET_KEY"].encode(), b"webhook secrets", hashlib.sha256).digest()
    sealed = Fernet(base64.urlsafe_b64encode(key)).encrypt(secret.encode()).decode()
    stack.query(
        "INSERT INTO webhook_endpoints (id, name, url, kinds, secret, old_secret, is_active, created_at, failures,"
        " reason) VALUES (%(id)s, 'x', %(url)s, '[\"*\"]', %(secret)s, '', true, '2026-01-01 00:00:00+00:00', 0, '')",
        id=uuid4(),
        url=f"http://127.0.0.1:{target.port}/in",
        secret=sealed,
    )
    return secret


async def until(target: Target, count: int, timeout: float = 15) -> None:
    async with asyncio.timeout(timeout):
        while len(target.got) < count:  # noqa: ASYNC110  a real server, on the other side of a socket
            await asyncio.sleep(0.05)


async def test_what_was_under_way_when_the_server_was_killed_comes_again_under_the_same_id(
    make_stack: MakeStack,
) -> None:
    stack = make_stack(WEBHOOK_ALLOW_INTERNAL="true")
    server = await asyncio.to_thread(stack.server)
    async with listening() as target:
        secret = await asyncio.to_thread(enter, stack, target)
        await asyncio.sleep(2.5)  # until every process knows of it
        target.is_slow = True
        await asyncio.to_thread(server.create_session)
        await until(target, 1)

        await asyncio.to_thread(server.kill9)
        target.is_slow = False
        stack.query("UPDATE webhook_deliveries SET next_at = '2026-01-01 00:00:00+00:00'")  # its lease runs out
        await asyncio.to_thread(server.start)
        await until(target, 2)

    (before, body), (after, again) = target.got[:2]
    assert target.kinds() == ["session.created", "session.created"]
    assert (before["webhook-id"], body) == (after["webhook-id"], again)
    for headers, text in target.got:
        expected = signature(secret, headers["webhook-id"], int(headers["webhook-timestamp"]), text)
        assert headers["webhook-signature"] == expected
