"""Tests of `manage.py rollup`: what it prints, and what it says when somebody else is at it."""

from __future__ import annotations

import json

import pytest
from django.core.management.base import CommandError
from uuid_utils.compat import uuid7

from sessions_app.management.base import Refused
from sessions_app.models import Session
from sessions_app.services.rollup import lease
from tests.commands.test_commands import run

pytestmark = pytest.mark.django_db


def test_it_says_how_much_it_counted_and_the_second_time_nothing() -> None:
    Session.objects.create(name="Friday")

    first, second = json.loads(run("rollup", "--json")), json.loads(run("rollup", "--json"))
    anew = json.loads(run("rollup", "--since", "2026-01-01", "--json"))

    assert first["sessions"] == anew["sessions"] == 1
    assert second == {"sessions": 0, "days": 0}


def test_what_is_no_day_is_said_in_words() -> None:
    with pytest.raises(CommandError, match="--since: invalid day value: 'Friday'"):
        run("rollup", "--since", "Friday")


def test_two_at_a_time_are_refused() -> None:
    assert lease.take(uuid7(), when_due=False)

    with pytest.raises(Refused, match="Another process"):
        run("rollup")
