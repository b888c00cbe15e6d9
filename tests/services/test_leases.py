"""Tests of sessions_app/leases, and of the engine that counts with them: few questions, and no limit exceeded."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from sessions_app import leases
from sessions_app.counters import RETRY_SECONDS, Engine, parse
from sessions_app.leases import ASKING_SECONDS, EXACT, FULL_SECONDS, KEPT, LEASE_SECONDS, SHARE, Leases


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(leases, "time", clock)
    return clock


class Far(SlidingWindowCounterRateLimiter):
    """A count for all processes, which says how often it was asked."""

    def __init__(self) -> None:
        super().__init__(MemoryStorage())
        self.questions = 0

    def hit(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        self.questions += 1
        return super().hit(item, *identifiers, cost=cost)

    def test(self, item: RateLimitItem, *identifiers: str, cost: int = 1) -> bool:
        self.questions += 1
        return super().test(item, *identifiers, cost=cost)

    def counted(self, item: RateLimitItem, *identifiers: str) -> int:
        return item.amount - self.get_window_stats(item, *identifiers).remaining


@pytest.fixture
def far() -> Far:
    return Far()


def process(far: Far, monkeypatch: pytest.MonkeyPatch) -> Engine:
    engine = Engine("redis://127.0.0.1:1/0")
    monkeypatch.setattr(engine, "_connected", lambda: far)
    return engine


@pytest.fixture
def who() -> tuple[str, str]:
    return "a-test", uuid4().hex


def spend(engine: Engine, rates: str, who: tuple[str, str], times: int) -> int:
    """How many of so many went through."""
    return sum(engine.hit(rates, who) == 0.0 for _ in range(times))


@pytest.mark.parametrize("rates", ["1000/day", "2000/hour;1000/day"])
def test_a_process_asks_seldom_and_lets_through_what_there_is(
    far: Far, who: tuple[str, str], monkeypatch: pytest.MonkeyPatch, rates: str
) -> None:
    here = process(far, monkeypatch)

    assert spend(here, rates, who, 900) == 900
    assert far.questions < 60
    assert spend(here, rates, who, 100) == 100
    assert {far.counted(item, *who) for item in parse(rates)} == {1000}
    assert spend(here, rates, who, 10) == 0


def test_two_processes_together_let_through_no_more(
    far: Far, who: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = process(far, monkeypatch), process(far, monkeypatch)

    through = [spend(engine, "1000/day", who, 1) for _ in range(1200) for engine in (here, there)]

    # Each asks for half as many, then half of that: what there is, is given out to the last.
    assert sum(through) == 1000
    assert not any(through[-600:])


def test_a_process_that_says_little_takes_little(
    far: Far, who: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [process(far, monkeypatch) for _ in range(40)]

    assert all(spend(engine, "100/day", who, 1) == 1 for engine in many)

    assert far.counted(parse("100/day")[0], *who) == 40


def test_a_small_limit_is_exact_in_every_process(
    far: Far, who: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = f"{EXACT - 1}/day"
    here, there = process(far, monkeypatch), process(far, monkeypatch)

    for number in range(1, 20):
        assert spend(here if number % 3 else there, rates, who, 1) == 1
        assert far.counted(parse(rates)[0], *who) == number


def test_what_is_strict_is_asked_for_each(far: Far, who: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    here = process(far, monkeypatch)

    for number in range(1, 50):
        assert here.hit("1000/day", who, strict=True) == 0.0
        assert far.counted(parse("1000/day")[0], *who) == number


@pytest.mark.parametrize("rates", ["60/day", "60/day;600/day"])
def test_what_is_strict_is_counted_one_by_one_without_redis_too(who: tuple[str, str], rates: str) -> None:
    alone, cut_off = Engine(""), Engine("redis://127.0.0.1:1/0")

    for engine in (alone, cut_off):
        assert sum(engine.hit(rates, who, strict=True) == 0.0 for _ in range(70)) == 60


def test_who_is_refused_while_redis_is_away_may_ask_again_when_redis_is_asked(who: tuple[str, str]) -> None:
    cut_off = Engine("redis://127.0.0.1:1/0")
    assert spend(cut_off, "100/day", who, 100) == 100

    waits = [cut_off.hit("100/day", who) for _ in range(3)]

    assert all(RETRY_SECONDS - 1 < wait <= RETRY_SECONDS for wait in waits)


@pytest.mark.parametrize(("processes", "burst", "every"), [(12, 8, 10.0), (40, 2, 2.5)])
def test_processes_that_all_say_a_little_at_once_are_not_refused(
    clock: Clock, far: Far, who: tuple[str, str], monkeypatch: pytest.MonkeyPatch,
    processes: int, burst: int, every: float,
) -> None:  # fmt: skip
    many = [process(far, monkeypatch) for _ in range(processes)]

    for _ in range(20):  # each time less than half of what may be said in that second
        assert all(spend(engine, "200/second", who, burst) == burst for engine in many)
        far.clear(parse("200/second")[0], *who)
        clock.now += every


def test_threads_that_ask_together_get_what_there_is_and_no_more(
    far: Far, who: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, gate = process(far, monkeypatch), threading.Barrier(8)

    def some(_: int) -> int:
        gate.wait(10)
        return spend(here, "1000/day", who, 150)

    with ThreadPoolExecutor(8) as threads:
        through = sum(threads.map(some, range(8)))
    through += spend(here, "1000/day", who, 200)

    assert through == far.counted(parse("1000/day")[0], *who) == 1000


def test_what_one_thread_asks_for_is_not_asked_for_by_all(
    far: Far, who: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = process(far, monkeypatch)
    item = parse("10000/day")[0]
    spend(here, "10000/day", who, 2023)  # the next lease is a tenth
    before, entered, gate = far.counted(item, *who), threading.Semaphore(0), threading.Event()

    def held_up(*given: object, **named: object) -> bool:
        entered.release()
        assert gate.wait(10)
        return Far.hit(far, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(far, "hit", held_up)
    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(here.hit, "10000/day", who) for _ in range(8)]
        for _ in range(8):
            assert entered.acquire(timeout=10)
        gate.set()
        assert [one.result(10) for one in asked] == [0.0] * 8

    assert far.counted(item, *who) == before + 1000 + 7


def grant(mine: Leases, key: str, amount: int = 1000, window: float = 60.0) -> int:
    """Ask, and get all of it; how many were asked for."""
    wanted = mine.wanted(key, amount, window)
    mine.granted(key, wanted, wanted, window, 0.0)
    return wanted


def refuse(mine: Leases, key: str, seconds: float) -> None:
    mine.granted(key, mine.wanted(key, 1000, 60.0), 0, 60.0, seconds)


@pytest.mark.parametrize(("window", "holds"), [(1.0, 1.0), (60.0, LEASE_SECONDS)])
def test_what_is_left_over_is_lost_after_a_while(clock: Clock, window: float, holds: float) -> None:
    mine = Leases()
    assert mine.take("key") is None
    assert [grant(mine, "key", window=window) for _ in range(4)] == [1, 2, 4, 8]

    clock.now += holds - 0.1
    assert [mine.take("key") for _ in range(3)] == [0.0] * 3
    clock.now += 0.2

    assert mine.take("key") is None
    assert grant(mine, "key", window=window) == 4


def test_who_is_refused_is_not_asked_about_again_before_the_time(clock: Clock) -> None:
    mine = Leases()
    refuse(mine, "soon", 5.0)
    refuse(mine, "late", 3600.0)
    assert (mine.take("soon"), mine.take("late")) == (5.0, 3600.0)

    clock.now += 5.0
    assert (mine.take("soon"), mine.take("late")) == (None, 3595.0)
    clock.now += FULL_SECONDS - 5.0
    assert mine.take("late") is None


def test_leases_grow_with_what_is_used_and_shrink_with_what_is_not(clock: Clock) -> None:
    mine = Leases()
    assert [grant(mine, "key") for _ in range(9)] == [1, 2, 4, 8, 16, 32, 64, 1000 // SHARE, 1000 // SHARE]

    clock.now += LEASE_SECONDS + 1
    assert grant(mine, "key") == 50
    clock.now += 4 * LEASE_SECONDS + 1
    assert grant(mine, "key") == 3
    clock.now += 86_400
    assert grant(mine, "key") == 1
    assert [grant(mine, "small", EXACT - 1) for _ in range(3)] == [1, 1, 1]


def test_the_next_lease_is_no_larger_than_what_there_was_room_for(clock: Clock) -> None:
    mine = Leases()
    for _ in range(6):
        grant(mine, "key")
    mine.granted("key", mine.wanted("key", 1000, 60.0), 3, 60.0, 0.0)
    assert grant(mine, "key") == 6
    refuse(mine, "key", 5.0)
    assert grant(mine, "key") == 2


def test_who_asks_for_one_beside_another_changes_nothing_for_the_next(clock: Clock) -> None:
    mine = Leases()
    for _ in range(3):
        grant(mine, "key")
    many, one = mine.wanted("key", 1000, 60.0), mine.wanted("key", 1000, 60.0)
    mine.granted("key", many, many, 60.0, 0.0)
    mine.granted("key", one, one, 60.0, 0.0)

    assert (many, one) == (8, 1)
    assert [mine.take("key") for _ in range(12)] == [0.0] * 11 + [None]
    assert grant(mine, "key") == 16


def test_a_question_without_an_answer_holds_up_nobody_s_lease_for_long(clock: Clock) -> None:
    mine = Leases()
    for _ in range(3):
        grant(mine, "key")
    assert mine.wanted("key", 1000, 60.0) == 8
    assert [grant(mine, "key") for _ in range(2)] == [1, 1]

    clock.now += ASKING_SECONDS

    assert grant(mine, "key") > 1


def test_what_is_over_is_forgotten(clock: Clock) -> None:
    mine = Leases()
    for number in range(KEPT - 1):
        grant(mine, str(number))
    clock.now += LEASE_SECONDS + 1
    refuse(mine, "full", 40.0)

    grant(mine, "new")

    assert set(mine._of) == {"full", "new"}
    assert mine.take("full") == 40.0
    mine.drop("full")
    assert mine.take("full") is None
