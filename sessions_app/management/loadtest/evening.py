"""sessions_app, the load test: opens the rooms over REST, seats the people, keeps the pace, and asks the judge."""

import asyncio
import itertools
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

from sessions_app import histogram
from sessions_app.errors import Code, SeanceError
from sessions_app.management.addresses import address_of
from sessions_app.management.loadtest.person import Person, Room, Tally
from sessions_app.management.loadtest.verdict import Said, Verdict, judge, together
from sessions_app.management.terminal.history import read_history

AT_ONCE = 20  # joins under way
SEATED_SECONDS = 60.0
STILL_COMING_SECONDS = 15.0
HTTP_SECONDS = 15.0
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}


class Plan(NamedTuple):
    """`rate` is messages a second in each room; `base` is the server's URL."""

    base: str
    rooms: int
    people: int
    seconds: float
    rate: float
    size: int


class Report(NamedTuple):
    """What came of it; `ack_ms` and `delivery_ms` count from the moment at which a message was due."""

    rooms: int
    people: int
    seconds: float
    sent: int
    acked: int
    unanswered: int
    delivered: int
    ack_ms: dict[str, float | None]
    delivery_ms: dict[str, float | None]
    refused: dict[str, int]
    closes: dict[str, int]
    resyncs: int
    gone: list[str]
    verdict: Verdict


Tell = Callable[[str, int], None]


async def hold(plan: Plan, tell: Tell) -> Report:
    """Hold it, and end the sessions however it goes. `tell` hears what is under way, and how much of it is done."""
    tally, rooms = Tally(), list[Room]()
    try:
        for number in range(plan.rooms):
            tell("Opening", number)
            rooms.append(await _opened(plan, number))
        crowd = [[Person(room, f"Person {n + 1}", tally) for n in range(plan.people)] for room in rooms]
        tasks: list[asyncio.Task[None]] = []
        try:
            await _seat([person for room in crowd for person in room], tasks, tell)
            took = await _talk(plan, crowd, tell)
            await _rest(crowd)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        tell("Judging", 0)
        verdict = together([await _judged(room, people) for room, people in zip(rooms, crowd, strict=True)])
    finally:
        await asyncio.gather(*(asyncio.to_thread(_call, "DELETE", room.rest, room.host_token) for room in rooms))
    everybody = [person for room in crowd for person in room]
    return Report(
        rooms=plan.rooms,
        people=len(everybody),
        seconds=round(took, 3),
        sent=tally.sent,
        acked=tally.acked,
        unanswered=sum(len(person.open) for person in everybody),
        delivered=tally.delivered,
        ack_ms=_shares(tally.ack),
        delivery_ms=_shares(tally.delivery),
        refused=dict(tally.refused),
        closes={str(code): times for code, times in sorted(tally.closes.items())},
        resyncs=tally.resyncs,
        gone=sorted({person.gone for person in everybody if person.gone}),
        verdict=verdict,
    )


def _shares(buckets: histogram.Buckets) -> dict[str, float | None]:
    found = {name: histogram.percentile(buckets, share) for name, share in SHARES.items()}
    return {name: None if ms is None else round(ms, 2) for name, ms in found.items()}


async def _opened(plan: Plan, number: int) -> Room:
    body = {
        "name": f"Load test {number + 1}",
        "max_users": max(2, plan.people),
        "spirit": {"mode": "off", "pace": "instant"},
    }
    url = address_of(UUID(int=0), plan.base).rest.rpartition("/")[0]
    made = await asyncio.to_thread(_call, "POST", url, "", body)
    address = address_of(UUID(made["data"]["id"]), plan.base)
    return Room(made["data"]["id"], address.socket, address.rest, made["meta"]["host_token"])


async def _seat(people: list[Person], tasks: list[asyncio.Task[None]], tell: Tell) -> None:
    gate, seated = asyncio.Semaphore(AT_ONCE), itertools.count(1)

    async def enter(person: Person) -> None:
        async with gate:
            tasks.append(life := asyncio.create_task(person.run()))
            sits = asyncio.create_task(person.sits.wait())
            await asyncio.wait([life, sits], timeout=SEATED_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            sits.cancel()
            if not person.sits.is_set():
                raise SeanceError(Code.UNAVAILABLE, f"Somebody could not sit down: {person.gone or 'no answer'}.")
            tell("Seating", next(seated))

    entering = [asyncio.create_task(enter(person)) for person in people]
    try:
        await asyncio.gather(*entering)
    finally:
        for one in entering:
            one.cancel()


async def _talk(plan: Plan, crowd: list[list[Person]], tell: Tell) -> float:
    """Say things at fixed moments, spread over rooms and people; returns how long it took."""
    began, count = time.perf_counter(), round(plan.rate * plan.rooms * plan.seconds)
    for number in range(count):
        due = began + number / (plan.rate * plan.rooms)
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        room = crowd[number % plan.rooms]
        await room[number // plan.rooms % plan.people].say(f"{number} ".ljust(plan.size, "·").strip(), due)
        tell("Talking", number + 1)
    return time.perf_counter() - began


async def _rest(crowd: list[list[Person]]) -> None:
    """Until everything is answered and everybody has heard it, or nothing more is to be hoped for."""
    end = time.perf_counter() + STILL_COMING_SECONDS
    while time.perf_counter() < end:
        behind = 0
        for room in crowd:
            last = max(room[0].room.acked.values(), default=0)
            behind += sum(bool(one.open) or one.position < last for one in room if not one.gone)
        if not behind:
            return
        await asyncio.sleep(0.05)


async def _judged(room: Room, people: list[Person]) -> Verdict:
    stored = await read_history(room.rest, after_seq=0, token=room.host_token)
    if stored is None:
        raise SeanceError(Code.UNAVAILABLE, "The history could not be read, so there is no verdict.")
    said = [Said(one["seq"], one["client_msg_id"]) for one in stored]
    return judge(said, room.acked, [person.stretches for person in people])


def _call(method: str, url: str, token: str, body: Any = None) -> Any:
    """One REST call; a refusal is raised as the server said it."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  http(s), by addresses
    try:
        with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as response:  # noqa: S310
            return json.load(response)
    except urllib.error.HTTPError as refused:
        try:
            told = json.load(refused)["error"]
            raise SeanceError(Code.UNAVAILABLE, f"The server says {told['code']}: {told['message']}") from None
        except (ValueError, KeyError, TypeError):
            raise SeanceError(Code.UNAVAILABLE, f"The server answers with HTTP {refused.code}.") from None
    except (OSError, ValueError) as error:
        raise SeanceError(Code.UNAVAILABLE, f"No answer from {url} ({type(error).__name__}).") from None
