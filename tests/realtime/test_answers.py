"""Tests of realtime, the deadlines of an answer."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from realtime.answers import provider_settings
from realtime.turns import give_up_seconds
from tests.services.helpers import with_settings


@pytest.mark.parametrize(("first", "total"), [(6.0, 20.0), (6.0, 6.0), (60.0, 0.2)])
def test_a_model_that_hangs_is_left_before_the_whole_time_is_over(
    first: float, total: float, settings: Settings
) -> None:
    settings.SEANCE = with_settings(spirit_first_token_seconds=first, spirit_total_seconds=total)

    patience = [provider.first_token_s for provider in provider_settings().values()]

    assert all(0 < seconds <= first for seconds in patience)
    assert all(seconds < total for seconds in patience)


@pytest.mark.parametrize("total", [0.2, 20.0, 120.0])
def test_no_turn_is_given_up_while_its_models_have_time(total: float, settings: Settings) -> None:
    settings.SEANCE = with_settings(spirit_total_seconds=total)

    assert give_up_seconds() > total + 10
