"""Tests of sessions_app: addresses through proxies, and the engine that counts: with Redis, without, after a loss."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from pytest_django import Settings
from structlog.testing import capture_logs

from seance_project.env import load
from sessions_app import limits
from sessions_app.addresses import client_address, counted_address
from sessions_app.counters import Engine
from sessions_app.errors import SeanceError
from tests.services.helpers import with_settings


@pytest.mark.parametrize(
    ("hops", "peer", "forwarded", "found"),
    [
        (0, "192.0.2.1", "", "192.0.2.1"),
        (0, "192.0.2.1", "198.51.100.1", "192.0.2.1"),
        (1, "192.0.2.1", "198.51.100.1", "198.51.100.1"),
        (1, "192.0.2.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        (2, "192.0.2.1", "6.6.6.6, 198.51.100.1, 10.0.0.1", "198.51.100.1"),
        (2, "192.0.2.1", "6.6.6.6", "192.0.2.1"),  # it has not come through both
        (1, "192.0.2.1", "", "192.0.2.1"),
        (1, "192.0.2.1", "no address", "192.0.2.1"),
        (1, "192.0.2.1", "198.51.100.1:4711", "198.51.100.1"),
        (1, "192.0.2.1", '"[2001:db8::1]:4711"', "2001:db8::1"),
        (1, "192.0.2.1", "2001:DB8:0::1", "2001:db8::1"),
        (1, "192.0.2.1", "::ffff:198.51.100.1", "198.51.100.1"),
        (0, "fe80::1%eth0", "", "fe80::1"),
        (0, None, "", "unknown"),
        (0, "", "198.51.100.1", "unknown"),
    ],
)
def test_the_client_is_found_through_exactly_as_many_proxies(
    settings: Settings, hops: int, peer: str | None, forwarded: str, found: str
) -> None:
    settings.SEANCE = with_settings(trusted_proxy_count=hops)

    assert client_address(peer, forwarded) == found


def test_a_subscriber_s_ipv6_addresses_are_one() -> None:
    assert counted_address("2001:db8:1:2:3::4") == counted_address("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert counted_address("198.51.100.1") == "198.51.100.1"
    assert counted_address("unknown") == "unknown"


def key() -> tuple[str, ...]:
    return ("a-test", uuid4().hex)


def engines() -> list[Engine]:
    url = os.environ.get("REDIS_URL")
    return [Engine(""), *([Engine(url)] if url else [])]


@pytest.mark.parametrize("engine", engines(), ids=lambda engine: "redis" if engine.is_shared else "memory")
def test_it_counts_exactly_however_many_ask_at_once(engine: Engine) -> None:
    who, gate = key(), threading.Barrier(8)

    def ask(_: int) -> int:
        gate.wait(10)
        return sum(engine.hit("20/day", who) == 0.0 for _ in range(5))

    with ThreadPoolExecutor(8) as threads:
        let_through = sum(threads.map(ask, range(8)))

    assert let_through == 20
    assert engine.hit("20/day", who) > 0
    assert engine.hit("20/day", key()) == 0.0
    engine.forget("20/day", who)
    assert engine.hit("20/day", who) == 0.0


def test_without_redis_it_counts_here_and_says_so_once() -> None:
    engine, who = Engine("redis://127.0.0.1:1/0"), key()

    with capture_logs() as logs:
        waits = [engine.hit("2/day", who) for _ in range(4)]

    assert [wait > 0 for wait in waits] == [False, False, True, True]
    assert [line["event"] for line in logs] == ["limits_without_redis"]


def test_what_keeps_guessing_out_does_not_begin_anew_when_redis_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, who = Engine("redis://127.0.0.1:1/0"), key()
    far = SlidingWindowCounterRateLimiter(MemoryStorage())
    monkeypatch.setattr(engine, "_connected", lambda: far)
    while_it_is_there = [engine.hit("2/day", who, strict=True) for _ in range(2)]
    monkeypatch.undo()

    after_it_went = engine.hit("2/day", who, strict=True)
    loose = [engine.hit("2/day", key()) for _ in range(2)]

    assert while_it_is_there == [0.0, 0.0]
    assert after_it_went > 0
    assert loose == [0.0, 0.0]


@pytest.mark.parametrize("strict", [False, True])
def test_a_count_is_one_however_it_is_kept(*, strict: bool) -> None:
    for engine in engines():
        who = key()

        let_through = [engine.hit("3/day", who, strict=strict) == 0.0 for _ in range(5)]
        engine.forget("3/day", who)

        assert let_through == [True, True, True, False, False]
        assert engine.hit("3/day", who, strict=strict) == 0.0


def test_when_redis_is_back_it_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine("redis://127.0.0.1:1/0")
    engine.hit("2/day", key())
    monkeypatch.setattr(engine, "_connected", lambda: engine._near)
    engine._ask_at = 0.0

    with capture_logs() as logs:
        engine.hit("2/day", key())

    assert [line["event"] for line in logs] == ["limits_with_redis"]


@pytest.mark.parametrize("name", limits.TABLE)
def test_what_the_table_says_can_be_said_by_a_setting(name: str, tmp_path: Path) -> None:
    rates = limits.rates_of(name)

    assert load({"RATE_LIMITS": f"{name}={rates}", "VAR_DIR": str(tmp_path)}).rate_limits == (f"{name}={rates}",)


def test_every_rate_of_the_table_can_be_read_and_be_replaced(settings: Settings) -> None:
    settings.SEANCE = with_settings(rate_limits=("logins=1/day",), rate_limits_enabled=True, redis_url="")
    limits.engine.cache_clear()

    for name in limits.TABLE:
        limits.hit(name, name)

    with pytest.raises(SeanceError) as caught:
        limits.hit("logins", "logins")
    assert caught.value.code == "RATE_LIMITED"
    limits.engine.cache_clear()
