"""Tests of sessions_app: how often something may be done."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions_app.errors import Code, SeanceError
from sessions_app.limits import Pace

STEPS = st.lists(st.floats(0, 20) | st.just(0.0), max_size=120)


@given(burst=st.integers(1, 20), per_minute=st.integers(1, 600), steps=STEPS)
def test_never_more_than_the_burst_at_once_nor_the_rate_in_the_long_run(
    burst: int, per_minute: int, steps: list[float]
) -> None:
    pace, now, granted = Pace(burst=burst, per_minute=per_minute), 1000.0, list[float]()

    for step in steps:
        now += step
        if pace.wait(now) == 0.0:
            granted.append(now)

    for index, begin in enumerate(granted):
        for count, end in enumerate(granted[index:], start=1):
            assert count <= burst + (end - begin) * per_minute / 60 + 1e-6


@given(burst=st.integers(1, 20), per_minute=st.integers(1, 600), steps=STEPS)
def test_waiting_as_long_as_it_says_is_enough_and_less_is_not(burst: int, per_minute: int, steps: list[float]) -> None:
    pace, now = Pace(burst=burst, per_minute=per_minute), 1000.0

    for step in steps:
        now += step
        if (seconds := pace.wait(now)) > 0:
            assert pace.wait(now + seconds * 0.99 - 1e-6) > 0
            now += seconds + 1e-6
            assert pace.wait(now) == 0.0


def test_a_pace_that_rested_allows_its_burst_again() -> None:
    pace = Pace(burst=3, per_minute=60)

    first = [pace.wait(10.0) == 0.0 for _ in range(4)]
    later = [pace.wait(1000.0) == 0.0 for _ in range(4)]

    assert first == later == [True, True, True, False]


def test_what_was_refused_is_not_counted() -> None:
    pace = Pace(burst=1, per_minute=60)
    pace.wait(10.0)

    for _ in range(100):
        pace.wait(10.5)

    assert pace.wait(11.0) == 0.0


def test_one_hit_too_many_says_when_to_come_back() -> None:
    pace = Pace(burst=2, per_minute=60)
    pace.hit()
    pace.hit()

    with pytest.raises(SeanceError) as caught:
        pace.hit()

    assert caught.value.code == Code.RATE_LIMITED
    assert caught.value.retryable
    assert caught.value.retry_after_ms is not None
    assert 900 <= caught.value.retry_after_ms <= 1000


def test_a_pace_counts_on_a_clock_that_nobody_sets() -> None:
    pace = Pace(burst=1, per_minute=60)

    assert pace.wait() == 0.0
    assert 0.9 < pace.wait(time.monotonic()) <= 1.0
