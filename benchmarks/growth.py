"""benchmarks: what servers cost as sockets, rooms, the size of a room and processes grow: one curve after the other.

Each point is a steady open loop: people say something at fixed times, and what the kernel counted meanwhile for the
servers, for the PostgreSQL backends that serve them and for Redis is divided by what was said, less what they take at
rest. DATABASE_URL and REDIS_URL are needed. What comes of it is `growth_model`'s.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from benchmarks.client import Visitor
from benchmarks.rows import Row, print_rows
from benchmarks.server import Served, redis_seconds

AT_ONCE = 32  # joins under way
SETTLE_SECONDS, START_SECONDS = 3.0, 20.0  # what servers do first is no cost of what comes
ROOM, TEXT = 10, "Is anyone there, and if so, who are you? "


class Cost(NamedTuple):
    """CPU seconds so far, of all servers, of PostgreSQL and of Redis."""

    servers: float
    postgresql: float
    redis: float

    def since(self, before: Cost) -> Cost:
        """The difference."""
        return Cost(*(now - then for now, then in zip(self, before, strict=True)))

    def over(self, count: float) -> Cost:
        """The share of one of so many, in microseconds."""
        return Cost(*(value / max(1, count) * 1e6 for value in self))


def cost(servers: Sequence[Served]) -> Cost:
    """What was spent so far."""
    found = [server.cpu() for server in servers]
    return Cost(sum(own for own, _ in found), found[0][1], redis_seconds())


class House:
    """Some servers that share everything, and the people in their rooms."""

    def __init__(self, servers: Sequence[Served]) -> None:
        self.servers, self.rooms = servers, list[list[Visitor]]()
        self._said = 0

    @property
    def people(self) -> list[Visitor]:
        """Everybody."""
        return [one for room in self.rooms for one in room]

    async def fill(self, rooms: int, size: int, *, observers: bool = False) -> Cost:
        """More rooms of that size, each spread over all servers; what one join cost."""
        ids = [await asyncio.to_thread(self.servers[0].open_session) for _ in range(rooms)]
        gate, before = asyncio.Semaphore(AT_ONCE), await asyncio.to_thread(cost, self.servers)

        async def enter(one: Visitor, server: Served) -> None:
            async with gate:
                await one.enter("127.0.0.1", server.port)

        for key in ids:
            role = "observer" if observers else "participant"
            room = [Visitor(key, f"u{n}-{key[-8:]}", role if n else "participant") for n in range(size)]
            self.rooms.append(room)
        fresh = self.rooms[-rooms:]
        await asyncio.gather(
            *(enter(one, self.servers[n % len(self.servers)]) for room in fresh for n, one in enumerate(room))
        )
        spent = (await asyncio.to_thread(cost, self.servers)).since(before)
        await asyncio.sleep(SETTLE_SECONDS)
        return spent.over(rooms * size)

    async def rest(self, seconds: float) -> Cost:
        """CPU microseconds of a second in which nobody says anything."""
        before, began = await asyncio.to_thread(cost, self.servers), time.perf_counter()
        await asyncio.sleep(seconds)
        spent = (await asyncio.to_thread(cost, self.servers)).since(before)
        return spent.over(time.perf_counter() - began)

    async def talk(self, rate: float, seconds: float, rest: Cost | None = None) -> tuple[Cost, int]:
        """People say something at fixed times: what one message cost, and how many deliveries did not come."""
        rest, people = rest or await self.rest(seconds), self.people
        before, heard = await asyncio.to_thread(cost, self.servers), sum(one.heard for one in people)
        count, start, expected = round(rate * seconds), time.perf_counter(), 0
        for n in range(count):
            await asyncio.sleep(max(0.0, start + n / rate - time.perf_counter()))
            room = self.rooms[(n * 7919) % len(self.rooms)]
            self._said += 1
            room[0].post(f"{TEXT}{self._said}")
            expected += len(room)
        for _ in range(100):
            if sum(one.heard for one in people) - heard >= expected:
                break
            await asyncio.sleep(0.1)
        missing = expected - (sum(one.heard for one in people) - heard)
        spent = (await asyncio.to_thread(cost, self.servers)).since(before)
        took = time.perf_counter() - start
        return Cost(*(a - b * took / 1e6 for a, b in zip(spent, rest, strict=True))).over(count), missing

    def memory(self) -> int:
        """KiB of all servers."""
        return sum(server.resident_kib() for server in self.servers)

    def leave(self) -> int:
        """Everybody hangs up; how many had been thrown out."""
        lost = sum(one.closed for one in self.people)
        for one in self.people:
            one.transport.abort()
        self.rooms.clear()
        return lost


def rows_of(group: str, what: str, found: Cost, unit: str = "µs") -> list[Row]:
    """Three figures."""
    names = ("servers", "PostgreSQL", "Redis")
    return [Row(group, f"{what}: {name}", value, unit) for name, value in zip(names, found, strict=True)]


async def by_sockets(servers: Sequence[Served], steps: Sequence[int], seconds: float) -> list[Row]:
    """One process, more and more sockets in rooms of ten."""
    house, group, rows, lost = House(servers), "growth, sockets", list[Row](), 0
    for total in steps:
        joined = await house.fill((total - len(house.people)) // ROOM, ROOM)
        rows += rows_of(group, f"{total} sockets, a join", joined)
        rows.append(Row(group, f"{total} sockets, memory", house.memory() / 1024, "MiB"))
        rest = await house.rest(seconds)
        rows += rows_of(group, f"{total} sockets, a second of rest", rest)
        said, missing = await house.talk(50, seconds, rest)
        rows += rows_of(group, f"{total} sockets, a message to {ROOM}", said)
        lost += missing
    lost += house.leave()
    return [*rows, Row(group, "lost", lost, "count")]


async def by_size(servers: Sequence[Served], steps: Sequence[int], seconds: float) -> list[Row]:
    """One process, one room with more and more observers."""
    group, rows, lost = "growth, size of a room", list[Row](), 0
    for size in steps:
        house = House(servers)
        await house.fill(1, size, observers=True)
        said, missing = await house.talk(20, seconds)
        rows += rows_of(group, f"a message to {size}", said)
        lost += missing + house.leave()
        await asyncio.sleep(SETTLE_SECONDS)
    return [*rows, Row(group, "lost", lost, "count")]


async def by_rooms(servers: Sequence[Served], steps: Sequence[int], seconds: float) -> list[Row]:
    """One process, the same number of messages in more and more rooms of four."""
    house, group, rows, lost = House(servers), "growth, rooms", list[Row](), 0
    for rooms in steps:
        await house.fill(rooms - len(house.rooms), 4)
        said, missing = await house.talk(100, seconds)
        rows += rows_of(group, f"a message in one of {rooms} rooms of 4", said)
        lost += missing
    lost += house.leave()
    return [*rows, Row(group, "lost", lost, "count")]


async def by_processes(servers: Sequence[Served], steps: Sequence[int], seconds: float) -> list[Row]:
    """Rooms of six, spread over more and more processes."""
    group, rows, lost = "growth, processes", list[Row](), 0
    for count in steps:
        house = House(servers[:count])
        await house.fill(40, 6)
        said, missing = await house.talk(100, seconds)
        rows += rows_of(group, f"a message to 6 over {count}", said)
        lost += missing + house.leave()
        await asyncio.sleep(SETTLE_SECONDS)
    return [*rows, Row(group, "lost", lost, "count")]


async def measure(quick: bool) -> list[Row]:
    """All four curves; each has servers of its own."""
    seconds = 2.0 if quick else 10.0
    curves = (
        (by_sockets, 1, (100, 200) if quick else (1000, 2500, 5000, 10000)),
        (by_size, 1, (2, 20, 60) if quick else (2, 10, 50, 200, 1000)),
        (by_rooms, 1, (5, 20) if quick else (10, 100, 400, 1600)),
        (by_processes, 2 if quick else 4, (1, 2) if quick else (1, 2, 4)),
    )
    rows: list[Row] = []
    for curve, processes, steps in curves:
        print(curve.__doc__, file=sys.stderr, flush=True)
        with ExitStack() as open_:
            # What is added up once a minute falls into one window and not into the next.
            servers = [open_.enter_context(Served(ROLLUP_SECONDS="3600")) for _ in range(processes)]
            await asyncio.sleep(0 if quick else START_SECONDS)
            rows += await curve(servers, steps, seconds)
    return rows


def main(quick: bool) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    print_rows(asyncio.run(measure(quick)))


if __name__ == "__main__":
    main("--quick" in sys.argv)
