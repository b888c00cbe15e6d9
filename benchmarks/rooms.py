"""benchmarks: rooms on a real server of one process: cost of a delivery, latency at rest, memory of a connection."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from functools import partial

from benchmarks.client import Visitor
from benchmarks.rows import Row, percentile, print_rows
from benchmarks.server import Served

AT_ONCE = 32  # joins under way
RATE = 50  # messages a second in all, in the open loop
# As they are by default, but that people talk as fast as they can.
LIMITED = {
    "RATE_LIMITS_ENABLED": "true",
    "MESSAGES_BURST": "1000",
    "MESSAGES_PER_MINUTE": "100000",
    "SOCKET_FRAMES_PER_MINUTE": "100000",
    "RATE_LIMITS": "session-messages=20000/10 second;100000/minute",
}
SETTLE_SECONDS = 0.5
STILL_COMING_SECONDS = 5.0


async def filled(server: Served, rooms: int, users: int) -> tuple[list[list[Visitor]], float]:
    """Rooms full of people, and joins per second."""
    ids = [await asyncio.to_thread(server.open_session) for _ in range(rooms)]
    crowd = [[Visitor(key, f"user-{n}-{key[-6:]}") for n in range(users)] for key in ids]
    gate = asyncio.Semaphore(AT_ONCE)

    async def enter(one: Visitor) -> None:
        async with gate:
            await one.enter("127.0.0.1", server.port)

    began = time.perf_counter()
    await asyncio.gather(*(enter(one) for room in crowd for one in room))
    return crowd, rooms * users / (time.perf_counter() - began)


async def closed_loop(server: Served, crowd: list[list[Visitor]], seconds: float) -> tuple[float, float, float, float]:
    """One sender a room says the next thing when it hears the last: messages/s, deliveries/s, CPU µs a delivery."""
    people = [one for room in crowd for one in room]
    going, sent = True, 0

    def again(sender: Visitor, text: bytes, at: float) -> None:
        nonlocal sent
        if going:
            sent += 1
            sender.post(f"{sent}")

    for room in crowd:
        room[0].on_message = partial(again, room[0])
        again(room[0], b"", 0)
    await asyncio.sleep(SETTLE_SECONDS)
    before, messages, cpu = sum(one.heard for one in people), sent, await asyncio.to_thread(server.cpu)
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    delivered, said = sum(one.heard for one in people) - before, sent - messages
    after = await asyncio.to_thread(server.cpu)
    going = False
    await asyncio.sleep(SETTLE_SECONDS)
    for room in crowd:
        room[0].on_message = None
    server_us, database_us = ((now - then) / max(1, delivered) * 1e6 for then, now in zip(cpu, after, strict=True))
    return said / took, delivered / took, server_us, database_us


async def open_loop(crowd: list[list[Visitor]], seconds: float) -> tuple[float, float, int]:
    """Messages at fixed times; latency from when each was due to a delivery: p50 and p99 in ms, and how many lack."""
    due: dict[bytes, float] = {}
    times: list[float] = []

    def heard(text: bytes, at: float) -> None:
        begin = text.index(b'"text":"') + 8
        times.append(at - due[text[begin : text.index(b'"', begin)]])

    for room in crowd:
        for one in room:
            one.on_message = heard
    count = round(RATE * seconds)
    start = time.perf_counter() + 0.1
    for n in range(count):
        at = start + n / RATE
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due[f"due-{n}".encode()] = at
        crowd[n % len(crowd)][0].post(f"due-{n}")
    expected = sum(len(crowd[n % len(crowd)]) for n in range(count))
    end = time.perf_counter() + STILL_COMING_SECONDS
    while len(times) < expected and time.perf_counter() < end:  # noqa: ASYNC110  nobody says that it was the last
        await asyncio.sleep(0.05)
    return percentile(times, 0.5) * 1000, percentile(times, 0.99) * 1000, expected - len(times)


async def measure(server: Served, quick: bool, group: str) -> list[Row]:
    rooms, seconds = (5, 1.0) if quick else (20, 4.0)
    rows = []
    six, joins = await filled(server, rooms, 6)
    said, delivered, ours, theirs = await closed_loop(server, six, seconds)
    rows += [
        Row(group, "joins", joins, "1/s", True),
        Row(group, f"{rooms} rooms of 6, closed loop: messages", said, "1/s", True),
        Row(group, f"{rooms} rooms of 6, closed loop: deliveries", delivered, "1/s", True),
        Row(group, f"{rooms} rooms of 6, closed loop: server CPU a delivery", ours, "µs"),
    ]
    if theirs:
        rows.append(Row(group, f"{rooms} rooms of 6, closed loop: PostgreSQL CPU a delivery", theirs, "µs"))
    p50, p99, missing = await open_loop(six, seconds)
    rows += [
        Row(group, f"{RATE} messages a second, open loop: p50", p50, "ms"),
        Row(group, f"{RATE} messages a second, open loop: p99", p99, "ms"),
        Row(group, "deliveries that did not come", missing, "count"),
    ]
    crowd, _ = await filled(server, 2, 60)
    _, delivered, ours, theirs = await closed_loop(server, crowd, seconds)
    rows += [
        Row(group, "2 rooms of 60, closed loop: deliveries", delivered, "1/s", True),
        Row(group, "2 rooms of 60, closed loop: server CPU a delivery", ours, "µs"),
    ]
    before, count = server.resident_kib(), 20 if quick else 150
    idle, _ = await filled(server, count, 6)
    await asyncio.sleep(SETTLE_SECONDS)
    rows.append(Row(group, "memory of an idle connection", (server.resident_kib() - before) / (count * 6), "KiB"))
    lost = sum(one.closed for room in [*six, *crowd, *idle] for one in room)
    rows.append(Row(group, "connections that the server closed", lost, "count"))
    for room in [*six, *crowd, *idle]:
        for one in room:
            one.transport.abort()
    return rows


async def measure_limited(server: Served, quick: bool, group: str) -> list[Row]:
    rooms, seconds = (5, 1.0) if quick else (20, 4.0)
    six, _ = await filled(server, rooms, 6)
    _, delivered, ours, _ = await closed_loop(server, six, seconds)
    lost = sum(one.closed for room in six for one in room)
    for room in six:
        for one in room:
            one.transport.abort()
    return [
        Row(group, f"{rooms} rooms of 6, closed loop, with limits: deliveries", delivered, "1/s", True),
        Row(group, f"{rooms} rooms of 6, closed loop, with limits: server CPU a delivery", ours, "µs"),
        Row(group, "with limits: connections that the server closed", lost, "count"),
    ]


def main(quick: bool) -> None:
    backend = "PostgreSQL and Redis" if os.environ.get("REDIS_URL") else "SQLite, embedded"
    with Served() as server:
        rows = asyncio.run(measure(server, quick, f"rooms, {backend}"))
    with Served(**LIMITED) as server:
        rows += asyncio.run(measure_limited(server, quick, f"rooms, {backend}"))
    print_rows(rows)


if __name__ == "__main__":
    main("--quick" in sys.argv)
