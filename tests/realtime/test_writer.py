"""Tests of realtime/writer: what gathers shares a commit, and nobody waits for a stranger or pays for a neighbour."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from realtime import writer
from realtime.bridge import Bridge
from realtime.writer import ENOUGH, TRIES, Batcher
from sessions_app.errors import Code, SeanceError
from sessions_app.services.log import Busy

HERE, THERE = uuid7(), uuid7()


class Item(NamedTuple):
    session_id: UUID
    text: str


class Work:
    """A service that a test can stop in the middle, and whose sessions it can lock."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], bool]] = []
        self.done: list[str] = []
        self.gate = threading.Event()
        self.gate.set()
        self.locked: set[UUID] = set()
        self.unlocks_itself = False
        self.unlocked = threading.Event()
        self.entered = threading.Event()

    def __call__(self, items: Sequence[Item], *, wait: bool) -> list[str | SeanceError]:
        self.calls.append(([item.text for item in items], wait))
        self.entered.set()
        assert self.gate.wait(10)
        if any(item.text == "hostile" for item in items):
            raise ZeroDivisionError
        if any(item.text == "away" for item in items):
            raise SeanceError(Code.UNAVAILABLE)
        results: list[str | SeanceError] = []
        locked = set(self.locked)
        if self.unlocks_itself:
            self.locked.clear()
        for item in items:
            if wait:
                assert self.unlocked.wait(10)
            elif item.session_id in locked:
                results.append(Busy())
                continue
            self.done.append(item.text)
            results.append(SeanceError(Code.EMPTY_MESSAGE) if item.text == "" else item.text.upper())
        return results

    @property
    def batches(self) -> list[list[str]]:
        return [texts for texts, _ in self.calls]


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
async def batcher(work: Work) -> AsyncIterator[Batcher[Item, str]]:
    bridge = Bridge(4)
    yield Batcher(bridge, work, name="test", largest=5)
    bridge.close()


Submit = Callable[..., list["asyncio.Future[str]"]]


@pytest.fixture
def submit(batcher: Batcher[Item, str]) -> Submit:
    def many(*texts: str, session_id: UUID = HERE) -> list[asyncio.Future[str]]:
        return [batcher.submit(Item(session_id, text)) for text in texts]

    return many


async def outcomes(futures: Sequence[asyncio.Future[str]]) -> list[str]:
    async with asyncio.timeout(10):
        found = await asyncio.gather(*futures, return_exceptions=True)
    return [str(item.code) if isinstance(item, SeanceError) else str(item) for item in found]


async def entered(work: Work) -> None:
    await asyncio.to_thread(work.entered.wait, 10)
    work.entered.clear()


async def test_one_item_is_done_at_once(work: Work, submit: Submit) -> None:
    assert await outcomes(submit("a")) == ["A"]
    assert work.calls == [(["a"], False)]


async def test_what_gathers_while_a_commit_is_under_way_shares_the_next(work: Work, submit: Submit) -> None:
    work.gate.clear()
    first = submit("a")
    await entered(work)

    rest = submit("b", "c", "d")
    work.gate.set()

    assert await outcomes([*first, *rest]) == ["A", "B", "C", "D"]
    assert work.batches == [["a"], ["b", "c", "d"]]


async def test_a_batch_has_a_largest_size(work: Work, submit: Submit) -> None:
    texts = [str(number) for number in range(12)]

    assert await outcomes(submit(*texts)) == texts
    assert work.batches == [texts[:5], texts[5:10], texts[10:]]


async def test_after_a_crowd_the_next_commit_waits_and_takes_all_who_came_meanwhile(work: Work) -> None:
    bridge = Bridge(4)
    paused: Batcher[Item, str] = Batcher(bridge, work, name="test", pause=0.3)
    loop = asyncio.get_running_loop()

    began = loop.time()
    alone = await outcomes([paused.submit(Item(HERE, "a"))])
    crowd = await outcomes([paused.submit(Item(HERE, text)) for text in "bcde"])
    at_once = loop.time() - began
    late = []
    for text in "fghijklmnopqrst":
        late.append(paused.submit(Item(HERE, text)))
        await asyncio.sleep(0.02)
    await asyncio.wait(late[:1])
    took = loop.time() - began
    await outcomes(late)
    bridge.close()

    assert (alone, crowd) == (["A"], ["B", "C", "D", "E"])
    assert at_once < 0.18 <= took
    assert work.batches[:2] == [["a"], ["b", "c", "d", "e"]]
    assert len(work.batches[2]) >= 5


async def test_after_a_crowd_the_next_commit_waits_for_nobody_where_nobody_comes(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUIET_SECONDS", 0.2)  # long for a busy machine, and short of the pause
    bridge = Bridge(4)
    paused: Batcher[Item, str] = Batcher(bridge, work, name="test", pause=60)

    await outcomes([paused.submit(Item(HERE, text)) for text in "abc"])
    began = time.monotonic()
    late = [paused.submit(Item(HERE, "d"))]
    await asyncio.sleep(0.1)
    late.append(paused.submit(Item(HERE, "e")))
    await outcomes(late)
    bridge.close()

    assert 0.2 <= time.monotonic() - began < 10
    assert work.batches == [["a", "b", "c"], ["d", "e"]]


async def test_a_process_that_was_too_busy_to_look_takes_that_for_no_silence(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUIET_SECONDS", 0.2)
    bridge = Bridge(4)
    paused: Batcher[Item, str] = Batcher(bridge, work, name="test", pause=60)

    await outcomes([paused.submit(Item(HERE, text)) for text in "abc"])
    late = [paused.submit(Item(HERE, "d"))]
    await asyncio.sleep(0.01)
    time.sleep(0.5)  # noqa: ASYNC251  what comes now waits at the door, and is not seen
    await asyncio.sleep(0.05)
    late.append(paused.submit(Item(HERE, "e")))
    await outcomes(late)
    bridge.close()

    assert work.batches == [["a", "b", "c"], ["d", "e"]]


async def test_what_stays_locked_in_a_crowd_is_tried_again_after_longer_waits_and_then_in_a_lane(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(writer, "AGAIN_SECONDS", 0.04)
    bridge = Bridge(4)
    paused: Batcher[Item, str] = Batcher(bridge, work, name="test", pause=60)
    work.locked.add(HERE)
    work.unlocked.set()

    began = time.monotonic()
    await outcomes([paused.submit(Item(HERE, text)) for text in "abc"])
    took = time.monotonic() - began
    bridge.close()

    assert [wait for _, wait in work.calls] == [False] * TRIES + [True]
    assert took >= 0.02 * (2 + 4 + 8)


async def test_after_a_crowd_the_next_commit_waits_for_no_more_than_enough(work: Work) -> None:
    bridge = Bridge(4)
    paused: Batcher[Item, str] = Batcher(bridge, work, name="test", largest=500, pause=30)
    texts = [str(number) for number in range(ENOUGH)]

    await outcomes([paused.submit(Item(HERE, text)) for text in "abc"])
    came = await outcomes([paused.submit(Item(HERE, text)) for text in texts])
    bridge.close()

    assert came == texts
    assert work.batches == [["a", "b", "c"], texts]


async def test_a_refusal_is_its_own_item_s(submit: Submit) -> None:
    assert await outcomes(submit("a", "", "b")) == ["A", "EMPTY_MESSAGE", "B"]


async def test_a_hostile_item_costs_its_neighbours_nothing(work: Work, submit: Submit) -> None:
    assert await outcomes(submit("a", "hostile", "b")) == ["A", "INTERNAL_ERROR", "B"]
    assert work.done == ["a", "b"]
    assert await outcomes(submit("after")) == ["AFTER"]


async def test_a_database_that_is_away_is_everybody_s_and_passes(submit: Submit) -> None:
    assert await outcomes(submit("a", "away")) == ["UNAVAILABLE", "UNAVAILABLE"]
    assert await outcomes(submit("after")) == ["AFTER"]


async def test_a_locked_session_keeps_no_other_waiting(work: Work, submit: Submit) -> None:
    work.locked.add(HERE)
    stuck = submit("stuck", "too")
    free = submit("free", session_id=THERE)

    assert await outcomes(free) == ["FREE"]
    assert await outcomes(submit("again", session_id=THERE)) == ["AGAIN"]
    assert not any(future.done() for future in stuck)
    work.unlocked.set()
    assert await outcomes(stuck) == ["STUCK", "TOO"]


async def test_half_the_threads_wait_for_locks_and_who_finds_no_place_among_them_is_refused(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.2)
    bridge = Bridge(4)
    batcher: Batcher[Item, str] = Batcher(bridge, work, name="test")
    rooms = [uuid7() for _ in range(3)]
    work.locked.update(rooms)

    *waiting, third = [batcher.submit(Item(room, f"stuck {n}")) for n, room in enumerate(rooms)]
    free = await outcomes([batcher.submit(Item(HERE, "free"))])
    refused = await outcomes([third])
    third = batcher.submit(Item(rooms[2], "again"))
    await asyncio.sleep(0.05)
    work.locked.remove(rooms[2])  # soon, and the other two are locked for long
    again = await outcomes([third])
    assert not any(future.done() for future in waiting)
    work.unlocked.set()
    stored = await outcomes(waiting)
    await batcher.drain()
    bridge.close()

    assert (free, refused, again, stored) == (["FREE"], ["UNAVAILABLE"], ["AGAIN"], ["STUCK 0", "STUCK 1"])


async def test_who_finds_no_place_waits_for_the_lock_once_there_is_one(work: Work) -> None:
    bridge = Bridge(4)
    batcher: Batcher[Item, str] = Batcher(bridge, work, name="test")
    rooms = [uuid7() for _ in range(3)]
    work.locked.update(rooms)

    stuck = [batcher.submit(Item(room, f"stuck {n}")) for n, room in enumerate(rooms)]
    await asyncio.sleep(0.1)
    begun = [texts for texts, wait in work.calls if wait]
    work.unlocked.set()
    stored = await outcomes(stuck)
    await batcher.drain()
    bridge.close()

    assert begun == [["stuck 0"], ["stuck 1"]]
    assert stored == ["STUCK 0", "STUCK 1", "STUCK 2"]


async def test_what_came_later_is_refused_with_what_tried_in_vain(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.2)
    bridge = Bridge(2)
    batcher: Batcher[Item, str] = Batcher(bridge, work, name="test")
    work.locked.update([HERE, THERE])

    waiting, first = [batcher.submit(Item(room, "x")) for room in (HERE, THERE)]
    await asyncio.sleep(0.1)
    second = batcher.submit(Item(THERE, "y"))
    refused = await outcomes([first, second])
    work.unlocked.set()
    stored = await outcomes([waiting])
    await batcher.drain()
    bridge.close()

    assert (refused, stored) == (["UNAVAILABLE", "UNAVAILABLE"], ["X"])
    assert not any("y" in texts for texts, _ in work.calls)


async def test_what_comes_to_a_locked_session_queues_behind(work: Work, submit: Submit) -> None:
    work.locked.add(HERE)
    first = submit("1")
    await outcomes(submit("x", session_id=THERE))
    await outcomes(submit("y", session_id=THERE))

    later = submit("2", "3")
    work.unlocked.set()

    assert await outcomes([*first, *later]) == ["1", "2", "3"]
    assert [text for text in work.done if text.isdigit()] == ["1", "2", "3"]


async def test_a_lock_that_goes_in_between_puts_nobody_before_another(work: Work, submit: Submit) -> None:
    """The second came while the first was being found locked, and the lock was gone at the next commit."""
    work.locked.add(HERE)
    work.unlocks_itself = True
    work.gate.clear()
    first = submit("1")
    await entered(work)
    second = submit("2")
    other = submit("x", session_id=THERE)
    work.gate.set()
    await outcomes(other)
    work.unlocked.set()

    assert await outcomes([*first, *second]) == ["1", "2"]
    assert [text for text in work.done if text.isdigit()] == ["1", "2"]


async def test_who_went_away_meanwhile_is_no_trouble(work: Work, submit: Submit) -> None:
    work.gate.clear()
    (first,) = submit("a")
    await entered(work)
    rest = submit("b", "c")
    first.cancel()
    rest[0].cancel()
    work.gate.set()

    assert await outcomes(rest[1:]) == ["C"]


async def test_draining_waits_for_everything(work: Work, batcher: Batcher[Item, str], submit: Submit) -> None:
    work.locked.add(HERE)
    futures = submit("1") + submit("x", session_id=THERE)
    asyncio.get_running_loop().call_later(0.05, work.unlocked.set)

    async with asyncio.timeout(10):
        await batcher.drain()

    assert all(future.done() for future in futures)
    await batcher.drain()
