"""Tests of the REST door: health, for probes."""

import threading
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError
from pytest_django import DjangoDbBlocker

from sessions_app import fitness, health
from tests.api.conftest import Caller

FIELDS = ["status", "database", "cache", "channel_layer", "timestamp"]


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/ready"])
def test_health_says_what_can_be_reached(nobody: Caller, path: str) -> None:
    answer = nobody.get(path)

    assert (answer.status, list(answer.body)) == (200, FIELDS)
    assert (answer.body["status"], answer.body["database"]) == ("healthy", "connected")
    assert {answer.body["cache"], answer.body["channel_layer"]} <= {"memory", "connected"}


@pytest.fixture
def away() -> Any:
    with patch("sessions_app.health.connection") as connection:
        connection.cursor.side_effect = OperationalError("no route to host")
        yield


@pytest.mark.usefixtures("away")
def test_a_database_that_is_away_is_unhealthy(nobody: Caller) -> None:
    for path in ("/health", "/health/ready"):
        answer = nobody.get(path)
        assert (answer.status, answer.body["status"], answer.body["database"]) == (503, "unhealthy", "disconnected")
        assert list(answer.body) == [*FIELDS, "reasons"]
        assert answer.body["reasons"] == {"database": "unreachable"}


@pytest.mark.django_db
def test_a_database_that_lacks_a_migration_is_unfit_and_says_so(
    nobody: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitness, "_ours", lambda: frozenset({("sessions_app", "9999_the_next")}))

    answers = [nobody.get(path) for path in ("/health", "/health/ready", "/health/live")]

    assert [answer.status for answer in answers] == [503, 503, 200]
    assert answers[1].body["reasons"] == {"database": "migrations_missing"}
    assert answers[1].body["database"] == "connected"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('connection to server at "10.0.0.5", port 5432 failed: FATAL:  password authentication failed for user "x"',
         "wrong_password"),
        ("connection failed: SSL error: certificate verify failed", "certificate_not_trusted"),
        ('server certificate for "a" does not match host name "b"', "certificate_of_another_host"),
        ('FATAL:  database "secret" does not exist', "unknown_database"),
        ("FATAL:  unsupported startup parameter: options", "pooler_not_named"),
        ("FATAL:  query_wait_timeout", "no_free_connection"),
        ("something that postgresql://a:hunter2@b said", "unreachable"),
    ],
)  # fmt: skip
def test_what_the_database_says_is_told_in_our_words(said: str, reason: str) -> None:
    assert fitness.reason(OperationalError(said)) == reason


def test_liveness_never_touches_the_database(nobody: Caller, django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.block():
        answer = nobody.get("/health/live")

    assert (answer.status, answer.body["status"]) == (200, "healthy")


def test_a_draining_server_is_alive_and_well_but_not_ready(nobody: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "draining", True)

    assert [nobody.get(path).status for path in ("/health", "/health/live", "/health/ready")] == [200, 200, 503]
    assert nobody.get("/health/ready").body["reasons"] == {"server": "draining"}


def test_a_database_that_hangs_is_given_up_on_and_asked_by_one_thread_only(
    nobody: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, asked = threading.Event(), []

    def hang() -> health.State:
        asked.append(1)
        release.wait(10)
        return "connected"

    monkeypatch.setattr(health, "PATIENCE", 0.05)
    monkeypatch.setattr(health._PROBES[0], "ask", hang)

    answers = [nobody.get("/health") for _ in range(3)]
    release.set()

    assert {answer.status for answer in answers} == {503}
    assert len(asked) == 1
