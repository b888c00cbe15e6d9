"""Tests of sessions_app/services: budgets: reserved before a call, settled after it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from sessions_app.models import Reservation, Spending
from sessions_app.services.budget import KEPT_DAYS, Spender, reserve, settle
from sessions_app.spirits.base import Usage
from tests.services.helpers import with_settings

pytestmark = pytest.mark.django_db


def spent() -> dict[str, tuple[int, int, int]]:
    return {row.scope: (row.calls, row.tokens, row.cost_microcents) for row in Spending.objects.all()}


def test_a_call_is_reserved_in_four_budgets_and_settled_in_all() -> None:
    reserved = reserve(Spender(uuid7(), uuid7(), "p"), tokens=100)
    assert reserved is not None
    before = spent()
    settle(reserved, Usage(30, 12, 7), was_called=True)

    assert set(before.values()) == {(1, 100, 0)}
    assert set(before) == {"seat", "session", "provider", "installation"}
    assert set(spent().values()) == {(1, 42, 7)}


def test_a_call_that_was_not_made_costs_nothing_and_one_without_a_word_what_was_reserved() -> None:
    spender = Spender(uuid7(), None, "p")
    for was_called in (False, True):
        reserved = reserve(spender, tokens=100)
        assert reserved is not None
        settle(reserved, None, was_called=was_called)

    assert set(spent().values()) == {(1, 100, 0)}


@pytest.mark.parametrize("scope", ["seat", "session", "provider", "day"])
def test_a_full_budget_takes_nothing_from_the_others(settings: Any, scope: str) -> None:
    settings.SEANCE = with_settings(**{f"spirit_calls_per_{scope}": 2})
    spender = Spender(uuid7(), uuid7(), "p")

    found = [reserve(spender, tokens=1) is not None for _ in range(4)]

    assert found == [True, True, False, False]
    assert set(spent().values()) == {(2, 2, 0)}


def test_tokens_have_a_budget_too(settings: Any) -> None:
    settings.SEANCE = with_settings(spirit_tokens_per_day=250)

    found = [reserve(Spender(uuid7(), uuid7(), "p"), tokens=100) is not None for _ in range(3)]

    assert found == [True, True, False]


def lose(reserved: Reservation | None) -> Reservation:
    """What nobody settled in time."""
    assert reserved is not None
    Reservation.objects.filter(pk=reserved.pk).update(expires_at=Now() - timedelta(seconds=1))
    return reserved


def test_what_nobody_settled_in_time_is_given_back_to_the_next_who_asks(settings: Any) -> None:
    settings.SEANCE = with_settings(spirit_calls_per_day=1)
    spender = Spender(uuid7(), uuid7(), "p")
    first = reserve(spender, tokens=100)

    refused = reserve(spender, tokens=50)
    lose(first)
    after = reserve(spender, tokens=50)

    assert refused is None
    assert after is not None
    assert set(spent().values()) == {(1, 50, 0)}
    assert list(Reservation.objects.values_list("pk", flat=True)) == [after.pk]


def test_what_was_given_back_and_is_settled_after_all_is_counted_once() -> None:
    spender = Spender(uuid7(), None, "p")
    late = lose(reserve(spender, tokens=100))

    other = reserve(spender, tokens=10)
    settle(late, Usage(30, 12, 7), was_called=True)
    settle(late, None, was_called=False)
    assert other is not None
    settle(other, Usage(1, 1, 1), was_called=True)

    assert set(spent().values()) == {(2, 44, 8)}
    assert not Reservation.objects.exists()


def test_the_first_call_of_a_day_forgets_what_is_a_month_old() -> None:
    reserved = reserve(Spender(uuid7(), uuid7(), "p"), tokens=1)
    assert reserved is not None
    for age in (KEPT_DAYS, KEPT_DAYS + 1):
        Spending.objects.create(scope="session", key="x", day=reserved.day - timedelta(days=age))
    reserve(Spender(uuid7(), uuid7(), "p"), tokens=1)
    kept = Spending.objects.filter(key="x").count()
    Spending.objects.filter(day=reserved.day).delete()

    reserve(Spender(uuid7(), uuid7(), "p"), tokens=1)

    assert kept == 2
    assert list(Spending.objects.filter(key="x").values_list("day", flat=True)) == [
        reserved.day - timedelta(days=KEPT_DAYS)
    ]
