"""Tests of sessions_app/services: budgets: reserved before a call, settled after it."""

from __future__ import annotations

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from sessions_app.models import Spending
from sessions_app.services.budget import Spender, reserve, settle
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
