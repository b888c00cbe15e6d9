"""Tests of the REST door: what is counted, for whom, and what whoever does too much is told.

Rates are by the day: a window of the engine is a whole day of the clock, and at its edge one more is let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
import pytest
from pytest_django import Settings

from sessions_app import limits
from sessions_app.api import throttles, urls
from sessions_app.models import Session, User
from tests.api.conftest import Caller


@pytest.fixture
def limited(settings: Settings) -> Iterator[Any]:
    """Call it with rates by name; they count from nothing, in this process."""

    def begin(*rates: str, **changed: Any) -> None:
        env = settings.SEANCE
        changed = {"rate_limits_enabled": True, "rate_limits": rates, "redis_url": "", **changed}
        settings.SEANCE = msgspec.structs.replace(env, **changed)
        limits.engine.cache_clear()

    begin()
    yield begin
    limits.engine.cache_clear()


def login(caller: Caller, email: str, password: str = "wrong", **headers: str) -> int:
    return caller.post("/api/auth/token", {"email": email, "password": password}, **headers).status


def test_too_much_is_a_429_that_says_when_to_come_back(limited: Any, nobody: Caller) -> None:
    limited("guests=2/day")
    for _ in range(2):
        assert nobody.post("/api/auth/guest", {"name": "x"}).status == 201

    answer = nobody.post("/api/auth/guest", {"name": "x"})

    wait = answer.error["details"]["retry_after_ms"]
    assert answer.outcome == (429, "RATE_LIMITED")
    assert 0 < wait <= 2 * 86_400_000
    assert int(answer.response["Retry-After"]) == max(1, -(-wait // 1000))


def test_guessing_at_an_account_ends_whoever_guesses(limited: Any, nobody: Caller, member: User) -> None:
    limited("account-logins=3/day")

    statuses = [login(nobody, member.email or "") for _ in range(4)]
    unknown = [login(nobody, "nobody@example.org") for _ in range(4)]

    assert statuses == unknown == [401, 401, 401, 429]
    assert login(nobody, "MEMBER@example.org ") == 429


def test_who_gets_in_was_not_guessing(limited: Any, nobody: Caller) -> None:
    limited("account-logins=3/day")
    User.objects.create_user("ana@example.org", "correct horse battery", name="Ana")

    statuses = [login(nobody, "ana@example.org", "correct horse battery") for _ in range(6)]

    assert statuses == [200] * 6


def test_logins_are_counted_for_the_address_too(limited: Any, nobody: Caller) -> None:
    limited("logins=2/day")

    assert [login(nobody, f"{n}@example.org") for n in range(3)] == [401, 401, 429]


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_forged_address_changes_nothing(limited: Any, nobody: Caller, proxies: int) -> None:
    limited("logins=2/day", trusted_proxy_count=proxies)

    statuses = [
        login(nobody, f"{n}@example.org", **{"X-Forwarded-For": f"198.51.100.{n}, 203.0.113.7"}) for n in range(3)
    ]

    assert statuses == [401, 401, 429]


def test_behind_a_proxy_each_client_has_a_count_of_its_own(limited: Any, nobody: Caller) -> None:
    limited("logins=1/day", trusted_proxy_count=1)

    statuses = [login(nobody, f"{n}@example.org", **{"X-Forwarded-For": f"198.51.100.{n}"}) for n in range(3)]

    assert statuses == [401] * 3


def test_messages_are_counted_for_each_user(limited: Any, as_host: Caller, path: str, host: User) -> None:
    limited("messages=2/day")

    statuses = [as_host.post(f"{path}/messages", {"text": "x"}).status for _ in range(3)]

    assert statuses == [201, 201, 429]
    limits.hit("messages", str(User.objects.create(name="Other", is_guest=True).id))


def test_a_burst_of_messages_is_refused(limited: Any, as_host: Caller, path: str) -> None:
    limited("message-bursts=2/day")

    assert [as_host.post(f"{path}/messages", {"text": "x"}).status for _ in range(3)] == [201, 201, 429]


def test_opening_sessions_is_counted_by_user_or_by_address(limited: Any, nobody: Caller, as_guest: Caller) -> None:
    limited("anonymous-sessions=1/day", "sessions=2/day")

    assert [nobody.post("/api/sessions", {"name": "x"}).status for _ in range(2)] == [201, 429]
    assert [as_guest.post("/api/sessions", {"name": "x"}).status for _ in range(3)] == [201, 201, 429]


def test_reads_and_other_writes_have_their_own_counts(
    limited: Any, as_host: Caller, as_guest: Caller, path: str
) -> None:
    limited("reads=2/day", "writes=1/day")

    assert [as_host.get(path).status for _ in range(3)] == [200, 200, 429]
    assert [as_host.patch(path, {}).status for _ in range(2)] == [200, 429]
    assert as_guest.get(path).status == 200


def test_switched_off_nothing_is_counted(limited: Any, settings: Settings, nobody: Caller) -> None:
    limited("guests=1/day")
    settings.SEANCE = msgspec.structs.replace(settings.SEANCE, rate_limits_enabled=False)

    assert [nobody.post("/api/auth/guest", {"name": "x"}).status for _ in range(3)] == [201] * 3


def test_every_row_names_a_view_an_action_and_limits_that_there_are(session: Session) -> None:
    there = {
        (cast(Any, pattern.callback).cls.__name__, action)
        for pattern in urls.urlpatterns
        for action in getattr(pattern.callback, "actions", {}).values()
    }

    assert set(throttles.ROWS) <= there
    assert {name for names in throttles.ROWS.values() for name in names} <= set(limits.TABLE)
