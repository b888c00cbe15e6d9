"""Tests of what can go wrong: rooms full of people who talk, and the verdict at the end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tests.harness.checker import check
from tests.harness.client import Client, gather_limited
from tests.harness.records import Acked, Receipt, read_log, spread
from tests.harness.server import Door, Opened, Stack

T = TypeVar("T")


async def off_loop(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run what would hold the clients up."""
    return await asyncio.to_thread(function, *args, **kwargs)


async def until(condition: Callable[[], bool], *, timeout: float) -> bool:
    """Wait for something to become true; whether it did in time."""
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110  it may be in the database
        await asyncio.sleep(0.01)
    return condition()


class Hall:
    """One session and the people in it; it notes how long each message took to each of them."""

    def __init__(self, opened: Opened, clients: Sequence[Client]) -> None:
        self.id, self.opened, self.clients = opened.id, opened, list(clients)
        self.said_at: dict[str, float] = {}
        self.said_by: dict[str, Client] = {}
        self.delays: list[tuple[Client, Client, Receipt, float]] = []  # from whom, to whom, what, seconds
        for client in self.clients:
            self.watch(client)

    def watch(self, client: Client) -> None:
        """Note what this client hears."""

        def heard(receipt: Receipt) -> None:
            said_at = self.said_at.get(receipt.client_msg_id)
            if said_at is not None:
                self.delays.append((self.said_by[receipt.client_msg_id], client, receipt, receipt.at - said_at))

        client.on_receipt = heard

    async def seat(self, addresses: Sequence[str], count: int, name: str, **options: Any) -> list[Client]:
        """Let more people in, one after the other; they try the first address first."""
        clients = [Client(addresses, name=f"{name}-{number}", **options) for number in range(count)]
        for client in clients:
            client.start_at(0)
            self.watch(client)
            await client.start()
        self.clients += clients
        return clients

    def say(self, client: Client, text: str, key: str) -> asyncio.Future[Acked]:
        """One of them says something."""
        self.said_at[key], self.said_by[key] = time.monotonic(), client
        return client.post(text, client_msg_id=key)


async def open_halls(
    servers: Sequence[Door],
    *,
    halls: int,
    people: int,
    max_users: int | None = None,
    only: bool = False,
    rng: random.Random,
    at_once: int = 50,
    **options: Any,
) -> list[Hall]:
    """Open sessions and seat people, round robin over the servers; all of them are in when this returns.

    With `only` each knows no server but its first; otherwise it tries the next one when it has to come back.
    """
    made = []
    for number in range(halls):
        opened = await off_loop(servers[0].create_session, max_users=max_users or max(2, people))
        clients = []
        for seat in range(people):
            first = seat % len(servers)
            order = [*servers[first:], *servers[:first]] if not only else [servers[first]]
            client = Client(
                [server.ws(opened.id) for server in order],
                name=f"h{number}p{seat}",
                rng=random.Random(rng.random()),
                **options,
            )
            client.start_at(0)
            clients.append(client)
        made.append(Hall(opened, clients))
    everybody = [client for hall in made for client in hall.clients]
    await gather_limited((client.start for client in everybody), at_once)
    return made


class Talk:
    """People who talk all the time, `per_second` messages in all, whoever of them it is."""

    def __init__(self, halls: Sequence[Hall], *, per_second: float, rng: random.Random, length: int = 20) -> None:
        self.halls, self.pause, self.rng, self.length = halls, 1 / per_second, rng, length
        self.said: list[asyncio.Future[Acked]] = []
        self._task = asyncio.create_task(self._talk())
        self._number = 0
        self.who: Callable[[Hall], Sequence[Client]] = lambda hall: hall.clients

    async def _talk(self) -> None:
        due = time.monotonic()
        while True:
            hall = self.rng.choice(self.halls)
            client = self.rng.choice(self.who(hall))
            self._number += 1
            number = f"{self._number:06}"  # as long an hour later: what a server keeps would be longer, too
            text = f"{number} ".ljust(self.length, "x")
            self.said.append(hall.say(client, text, f"{client.name}:{number}"))
            due += self.pause
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def stop(self, *, timeout: float = 60) -> list[Acked]:
        """Stop talking, and wait until everything that was said is acknowledged."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        async with asyncio.timeout(timeout):
            return list(await asyncio.gather(*self.said))


class Noise:
    """How long this machine, with all that runs on it, leaves a process waiting that only wants to tick."""

    def __init__(self) -> None:
        self.stalls: list[float] = []
        self._task = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            due = time.monotonic() + 0.005
            await asyncio.sleep(0.005)
            self.stalls.append(time.monotonic() - due)

    def stop(self) -> None:
        """Stop measuring."""
        self._task.cancel()

    @property
    def worst(self) -> float:
        """The longest stall, in seconds."""
        return max(self.stalls, default=0.0)

    def __str__(self) -> str:
        return f"stalled up to {self.worst * 1000:.0f} ms"


async def verdict(
    stack: Stack, halls: Sequence[Hall], *, settle: float = 15, leave: bool = True, streams: int = 1
) -> int:
    """Wait until everybody has seen everything, and let the checker judge; returns how many messages were stored.

    No server may have crashed over it in any of its parts. Each has all in `streams` parts: one, if no resume was
    refused.
    """
    stored = {hall.id: await off_loop(read_log, stack, hall.id) for hall in halls}
    late = []
    for hall in halls:
        for client in hall.clients:
            if client.ended.is_set():
                continue
            try:
                await client.reaches(stored[hall.id].last_seq, timeout=settle)
            except TimeoutError:
                late.append(f"{client.name}: {client.position} of {stored[hall.id].last_seq}")
    assert not late, f"{len(late)} never caught up: {late[:9]}"
    if leave:
        await asyncio.gather(*(client.stop() for hall in halls for client in hall.clients))
    for hall in halls:
        check(await off_loop(read_log, stack, hall.id), [client.log for client in hall.clients])
        assert all(len(client.log.streams) == streams for client in hall.clients), "a resume was refused"
    assert stack.crashes() == []
    return sum(len(log.rows) for log in stored.values())


def closings(halls: Sequence[Hall]) -> list[int]:
    """The close codes of all connections that ended, but for those that the client ended itself."""
    return [closing.code for hall in halls for client in hall.clients for closing in client.log.closings]


def milliseconds(values: Sequence[float]) -> str:
    """`p50 / p99 / max` of seconds, as milliseconds."""
    return " / ".join(f"{value * 1000:.0f}" for value in spread(values)) + " ms"


def seconds_to_ack(hall: Hall) -> list[tuple[float, float]]:
    """When each message was first said, and how long until its ack."""
    found = []
    for client in hall.clients:
        for ack in client.log.acks:
            if (at := hall.said_at.get(ack.client_msg_id)) is not None:
                found.append((at, ack.at - at))
    return found


def answer_times(client: Client) -> list[float]:
    """For each try to send, the seconds until it was acknowledged or refused."""
    answers: dict[str, list[float]] = {}
    for ack in client.log.acks:
        answers.setdefault(ack.client_msg_id, []).append(ack.at)
    for refusal in client.log.refusals:
        answers.setdefault(refusal.ref, []).append(refusal.at)
    found = []
    for sent in client.log.sends:
        after = [at for at in answers.get(sent.client_msg_id, []) if at >= sent.at]
        found.append(min(after, default=sent.at + 999) - sent.at)
    return found
