"""Tests of realtime/bridge: what waits for locks leaves threads to everybody else."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import InterfaceError, InternalError, OperationalError
from structlog.testing import capture_logs

from realtime import metrics
from realtime.bridge import Bridge, outliving
from sessions_app.errors import Code, SeanceError


async def test_half_the_threads_may_wait_for_locks() -> None:
    bridge = Bridge(4)
    unlocked, waits = threading.Event(), []

    def wait(number: int) -> int:
        waits.append(number)
        assert unlocked.wait(10)
        return number

    before = metrics.DATABASE_WAIT._sum.get()
    stuck = [asyncio.ensure_future(bridge.call_locking(wait, number)) for number in range(5)]
    free = [await bridge.call(str, number) for number in range(8)]
    begun = sorted(waits)
    await asyncio.sleep(0.1)
    unlocked.set()
    done = await asyncio.gather(*stuck)
    bridge.close()

    assert metrics.DATABASE_WAIT._sum.get() - before > 3 * 0.1, "who waited for a place waited for a thread"
    assert (begun, free, done) == ([0, 1], [str(number) for number in range(8)], [0, 1, 2, 3, 4])


async def test_a_place_is_taken_for_as_long_as_its_thread_waits() -> None:
    bridge, begun, unlocked = Bridge(2), threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert unlocked.wait(10)

    given_up = asyncio.ensure_future(bridge.call_locking(wait))
    await bridge.call(begun.wait, 10)
    given_up.cancel()
    await asyncio.wait([given_up])
    is_taken = bridge.waiting.locked()
    unlocked.set()
    found = await bridge.call_locking(str, 1)
    bridge.close()

    assert (is_taken, found) == (True, "1")


async def test_one_thread_may_wait_where_it_is_the_only_one() -> None:
    bridge = Bridge(1)

    assert await bridge.call_locking(str, 1) == "1"
    bridge.close()


async def test_all_threads_are_there_before_there_is_anything_to_do() -> None:
    bridge, seen = Bridge(3), set()

    bridge.begin()
    begun = [thread for thread in threading.enumerate() if thread in bridge._executor._threads]
    for _ in range(50):
        seen.add(await bridge.call(threading.current_thread))
    bridge.close()

    assert len(begun) == 3
    assert seen <= set(begun), "and no other has come"


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError, InternalError])
async def test_a_database_that_cannot_do_it_now_is_unavailable(kind: type[Exception]) -> None:
    bridge = Bridge(1)

    def fail() -> None:
        raise kind("cannot execute UPDATE in a read-only transaction")

    with pytest.raises(SeanceError) as refused:
        await bridge.call(fail)
    bridge.close()

    assert refused.value.code == Code.UNAVAILABLE


async def test_what_must_go_on_goes_on_and_says_what_befell_it() -> None:
    with capture_logs() as lines:
        for error in (SeanceError(Code.UNAVAILABLE), ValueError("nobody foresaw it")):
            with outliving("round_failed", number=1):
                raise error

    assert [(line["event"], line["log_level"], line["number"]) for line in lines] == [
        ("round_failed", "warning", 1), ("round_failed", "error", 1),
    ]  # fmt: skip
    assert (lines[0]["code"], lines[1]["exc_info"]) == (Code.UNAVAILABLE, True)
    with pytest.raises(asyncio.CancelledError), outliving("round_failed"):
        raise asyncio.CancelledError
