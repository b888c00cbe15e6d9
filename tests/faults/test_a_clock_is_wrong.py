"""Tests of what can go wrong: the clock of a host is an hour off, or jumps by an hour while the server runs."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.faults.crowd import Talk, closings, off_loop, open_halls, verdict
from tests.faults.figures import Tell
from tests.harness.plugin import MakeStack

pytestmark = pytest.mark.processes

QUICK = {"PRESENCE_LEASE_SECONDS": "5", "PRESENCE_RENEW_SECONDS": "1", "HEAD_POLL_SECONDS": "0.5"}


@pytest.fixture
def faketime() -> str:
    """The library that lies about the time (Debian: libfaketime)."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("libfaketime is not installed")
    return str(found[0])


def _lies(library: str, offset: str) -> dict[str, str]:
    """The environment of a server whose calendar is wrong; its stopwatch is right, as on a real host."""
    return {"LD_PRELOAD": library, "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


@pytest.mark.services
@pytest.mark.parametrize("offset", ["+1h", "-1h"])
@pytest.mark.row("clock of one host ±1 h", "no mass eviction: leases use database time")
async def test_a_host_an_hour_off_evicts_nobody(
    make_stack: MakeStack, rng: random.Random, tell: Tell, faketime: str, offset: str
) -> None:
    stack = make_stack(**QUICK)
    right = await off_loop(stack.server)
    wrong = await off_loop(stack.server, **_lies(faketime, offset))
    halls = await open_halls([right, wrong], halls=2, people=6, only=True, rng=rng)
    talk = Talk(halls, per_second=20, rng=rng)

    await asyncio.sleep(15)
    await talk.stop()
    dates = wrong.http("GET", "/health/live").headers["date"], right.http("GET", "/health/live").headers["date"]
    left = [item for hall in halls for client in hall.clients for item in client.log.presence if item.reason]
    await verdict(stack, halls)

    tell(f"{offset}: 12 people on two hosts, three leases long: nobody evicted")
    assert dates[0][:-10] != dates[1][:-10] or dates[0][-12:-10] != dates[1][-12:-10]
    assert left == []
    assert closings(halls) == []


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
@pytest.mark.row("the clock jumps by ±1 h while the server runs", "nobody is evicted, nothing is lost")
async def test_a_clock_that_jumps_evicts_nobody(
    make_stack: MakeStack, rng: random.Random, tell: Tell, faketime: str, offset: str, tmp_path: Path
) -> None:
    stack = make_stack(**QUICK)
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    lies = {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_CACHE_DURATION": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    server = await off_loop(stack.server, LD_PRELOAD=faketime, **lies)
    halls = await open_halls([server], halls=2, people=4, only=True, rng=rng)
    talk = Talk(halls, per_second=20, rng=rng)
    await asyncio.sleep(2)

    clock.write_text(f"{offset}\n")
    await asyncio.sleep(8)
    await talk.stop()
    left = [item for hall in halls for client in hall.clients for item in client.log.presence if item.reason]
    await verdict(stack, halls)

    tell(f"{offset}: 8 people, nobody evicted")
    assert left == []
    assert closings(halls) == []
