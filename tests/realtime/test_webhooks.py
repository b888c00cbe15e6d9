"""Tests of webhooks on real servers: what was under way when a server was killed comes again, under the same id."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet

from sessions_app.webhooks.signing import new_secret, signature
from tests.harness.plugin import MakeStack
from tests.harness.server import DEFAULTS, Stack

pytestmark = pytest.mark.processes


class Target:
    """Somebody else's server: it keeps what it is sent, and answers; while `is_slow` it says nothing, or its `manner`
    again and again."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.is_slow = False
        self.manner, self.pause = b"", 0.0
        self.port = 0
        self.handlers: set[asyncio.Task[None]] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.handlers.add(task)
        try:
            await self._answer(reader, writer)
        finally:
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:-2]
                pairs = (line.split(": ", 1) for line in lines)
                headers = {name.lower(): value for name, value in pairs}
                self.got.append((headers, await reader.readexactly(int(headers["content-length"]))))
                while self.is_slow and self.manner:
                    writer.write(self.manner)
                    await writer.drain()
                    await asyncio.sleep(self.pause)
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


@pytest.mark.long
async def test_targets_that_are_slow_or_hostile_keep_nobody_waiting_but_themselves(make_stack: MakeStack) -> None:
    stack = make_stack(WEBHOOK_ALLOW_INTERNAL="true", RATE_LIMITS_ENABLED="false")
    server = await asyncio.to_thread(stack.server)
    manners = [(b"", 0.0), (b"H", 0.2), (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200, 0.0), (b"\x00 garbage", 0.1)]
    async with AsyncExitStack() as open_:
        good, *bad = [await open_.enter_async_context(listening()) for _ in range(1 + len(manners))]
        for target, (manner, pause) in zip(bad, manners, strict=True):
            target.is_slow, target.manner, target.pause = True, manner, pause
        for target in (*bad, good):
            await asyncio.to_thread(enter, stack, target)
        await asyncio.sleep(2.5)  # until every process knows of them
        room = await asyncio.to_thread(server.create_session)
        took = []
        for number in range(40):
            began = time.monotonic()
            said = await asyncio.to_thread(
                server.http, "POST", f"/api/sessions/{room.id}/messages",
                json={"text": f"word {number}"}, token=room.host_token,
            )  # fmt: skip
            took.append(time.monotonic() - began)
            assert said.status == 201
        await until(good, 41, timeout=8)  # less than a try may take: nobody waited for anybody's end
        await asyncio.to_thread(server.kill9)

    assert good.kinds().count("message.created") == 40
    assert [bool(target.got) for target in bad] == [True] * 4
    assert max(took) < 2
    assert len(bad[0].got) <= 8  # its own places, and no more
