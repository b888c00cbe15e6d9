"""Tests of deploy/nginx: who only listens stays, for longer than any of nginx's waits."""

from __future__ import annotations

import asyncio
import re
import time

import httpx
import pytest

from tests.deploy.nginx import SHIPPED, Nginx
from tests.harness.client import RawClient

pytestmark = [pytest.mark.deploy, pytest.mark.services, pytest.mark.processes]


async def test_a_silent_socket_and_a_silent_stream_outlast_the_longest_wait(nginx: Nginx) -> None:
    longest = max(int(wait) for wait in re.findall(r"_timeout (\d+)s", (SHIPPED / "proxy.conf").read_text()))
    room = await asyncio.to_thread(nginx.create_session)
    socket = await RawClient.open(nginx.ws(room.id))
    await socket.join(name="listens")

    async with (
        httpx.AsyncClient(timeout=30) as web,
        web.stream("GET", f"{nginx.base}/api/sessions/{room.id}/events") as stream,
    ):
        lines = stream.aiter_lines()
        began = time.monotonic()
        while time.monotonic() < began + longest + 3:
            heard = await anext(lines)
        talker = await RawClient.open(nginx.ws(room.id))
        await talker.join(name="talks")
        await talker.send("send_message", text="still there?")
        while heard != "event: message_received":
            heard = await anext(lines)
        await socket.expect("message_received")

    assert longest >= 60
