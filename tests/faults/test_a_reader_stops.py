"""Tests of what can go wrong: somebody's telephone is in a tunnel, and takes nothing any more."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import socket
import time

import pytest

from tests.faults.crowd import Talk, closings, milliseconds, off_loop, open_halls, verdict
from tests.faults.figures import Tell
from tests.harness.plugin import MakeStack
from tests.harness.records import spread
from tests.harness.server import Server

pytestmark = pytest.mark.processes


def sit_down_and_stop_reading(server: Server, session_id: str, name: str) -> socket.socket:
    """A socket that joins, and from then on reads nothing."""
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.connect((server.host, server.port))
    key = base64.b64encode(os.urandom(16)).decode()
    request = (
        f"GET /ws/{session_id} HTTP/1.1\r\nHost: {server.host}:{server.port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    link.sendall(request.encode())
    assert b" 101 " in link.recv(1024)
    frame = json.dumps({"user_id": f"secret-{name}", "name": name}).encode()
    link.sendall(bytes([0x81, 0x80 | len(frame), 0, 0, 0, 0]) + frame)
    assert link.recv(256)
    return link


@pytest.mark.row("a reader that stops", "others' p99 unchanged; its presence gone ≤ 45 s; memory +< 2 MiB")
async def test_a_reader_that_stops_costs_the_others_nothing(
    make_stack: MakeStack, rng: random.Random, full: bool, tell: Tell
) -> None:
    quick = {} if full else {"OUTBOUND_MAX_SECONDS": "2", "SEAT_GRACE_SECONDS": "1", "HEAD_POLL_SECONDS": "0.5"}
    stack = make_stack(**quick)
    server = await off_loop(stack.server)
    (hall,) = await open_halls([server], halls=1, people=4, max_users=8, rng=rng)
    talk = Talk([hall], per_second=100, rng=rng, length=480)
    await asyncio.sleep(12 if full else 4)  # the ring of latest events is full, and so are all pools
    calm_from, memory = len(hall.delays), server.resident_bytes()
    await asyncio.sleep(12 if full else 4)
    drift = (server.resident_bytes() - memory) / (12 if full else 4)  # what talking costs without any reader that stops
    before, memory = len(hall.delays), server.resident_bytes()
    calm = spread(item[3] for item in hall.delays[calm_from:])

    stopped = time.monotonic()
    link = await off_loop(sit_down_and_stop_reading, server, hall.id, "reader")
    most, gone = memory, 0.0
    while not gone and time.monotonic() < stopped + 60:
        await asyncio.sleep(0.1)
        most = max(most, server.resident_bytes())
        left = [item for item in hall.clients[0].log.presence if item.event == "user_left"]
        gone = left[0].at - stopped if left else 0.0
    await talk.stop()
    link.close()
    await verdict(stack, [hall])

    delays = [item[3] for item in hall.delays[before:]]
    grown = (most - memory - max(0.0, drift) * gone) / 2**20
    tell(f"others {milliseconds(delays)}, before {' / '.join(f'{value * 1000:.0f}' for value in calm)} ms")
    tell(f"gone after {gone:.1f} s; memory +{grown:.1f} MiB beside {drift * gone / 2**20:.1f} MiB of drift")
    assert closings([hall]) == []
    assert 0 < gone <= (45 if full else 10)
    assert spread(delays)[1] <= max(0.05, 1.5 * calm[1])
    assert grown < 2
