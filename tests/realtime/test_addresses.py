"""Tests of realtime/addresses: how many sockets an address may have, and how long it stands outside."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from realtime import addresses
from realtime.addresses import RETRY_MS, SHUT_MS, TOLD_AT_ONCE, Addresses
from sessions_app.errors import SeanceError

HERE, THERE = "198.51.100.1", "198.51.100.2"


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(rate_limits_enabled=True, sockets_per_address=3, unjoined_per_address=2)
    monkeypatch.setattr(addresses, "settings", SimpleNamespace(SEANCE=found))
    return found


def enter(doors: Addresses, address: str, *, is_in: bool = False) -> UUID:
    made = uuid7()
    doors.enter(made, address, is_in=is_in)
    return made


def test_those_that_have_not_joined_are_counted_by_themselves() -> None:
    doors = Addresses()
    first, second = enter(doors, HERE), enter(doors, HERE)

    with pytest.raises(SeanceError) as refused:
        enter(doors, HERE)
    assert refused.value.retry_after_ms == RETRY_MS
    enter(doors, THERE)
    enter(doors, HERE, is_in=True)
    doors.joined(first)
    with pytest.raises(SeanceError):
        enter(doors, HERE)  # three are open
    doors.leave(second)
    enter(doors, HERE)


def test_whoever_left_is_counted_no_more() -> None:
    doors = Addresses()
    for _ in range(3):
        held = [enter(doors, HERE), enter(doors, HERE)]
        doors.joined(held[0])
        doors.joined(held[0])
        for one in (*held, *held):
            doors.leave(one)

    assert [enter(doors, HERE), enter(doors, HERE)]


def test_without_limits_nobody_is_refused(limits: SimpleNamespace) -> None:
    limits.rate_limits_enabled = False
    doors = Addresses()

    assert len({enter(doors, HERE) for _ in range(10)}) == 10


def test_an_address_that_is_shut_is_told_for_a_while_and_then_floods(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    doors = Addresses()
    assert (doors.shut_for(HERE), doors.floods(HERE)) == (0, 0)

    doors.shut(HERE, 86_400_000)

    assert doors.shut_for(HERE) == SHUT_MS
    assert [doors.floods(HERE) for _ in range(TOLD_AT_ONCE + 1)] == [0] * TOLD_AT_ONCE + [SHUT_MS]
    assert doors.floods(THERE) == 0
    now += SHUT_MS / 1000 + 1
    assert (doors.shut_for(HERE), doors.floods(HERE)) == (0, 0)


def test_addresses_whose_time_is_over_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "SHUT_OUT", 10)
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    doors = Addresses()
    for number in range(10):
        doors.shut(f"203.0.113.{number}", 1000)
    now += 2

    doors.shut(HERE, 1000)

    assert len(doors._shut) == 1
