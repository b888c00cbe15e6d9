"""Tests of seance_project.logs: one event, one line, nothing forged, nothing secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.conf import settings

from seance_project import logs

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What is logged, with the logging of before put back at the end."""
    yield io.StringIO()
    logs.configure(level=settings.SEANCE.log_level, as_json=settings.SEANCE.is_production)
    structlog.contextvars.clear_contextvars()


def logged_json(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\nb", "a\u2028b", "a\x1b[2Jb", "a\x00b", "a\u202eb", "a\ud800b", "a\x85b"]
)
@pytest.mark.parametrize("as_json", [True, False])
def test_no_value_can_forge_a_line(text: str, as_json: bool, stream: io.StringIO) -> None:
    logs.configure(level="INFO", as_json=as_json, stream=stream)

    structlog.get_logger("x").info(text, path=text, nested={"k": [text]}, **{text: 1})
    logging.getLogger("y").warning("%s", text)

    written = stream.getvalue()
    assert len(written.splitlines()) == 2
    assert all(line.isprintable() for line in written.splitlines())


def test_a_traceback_is_one_json_line(stream: io.StringIO) -> None:
    logs.configure(level="INFO", as_json=True, stream=stream)

    try:
        raise ValueError('boom\n{"event": "forged"}')
    except ValueError:
        structlog.get_logger("x").exception("failed")
        logging.getLogger("y").exception("failed")

    ours, theirs = logged_json(stream)
    assert ours["exception"].startswith("Traceback")
    assert "boom" in theirs["exception"]


def test_a_traceback_on_the_console_cannot_look_like_events(stream: io.StringIO) -> None:
    logs.configure(level="INFO", as_json=False, stream=stream)

    try:
        raise ValueError("boom\n2026-11-22T00:00:00Z [info] forged")
    except ValueError:
        structlog.get_logger("x").exception("failed")

    event, *traceback = stream.getvalue().splitlines()
    assert "failed" in event
    assert traceback
    assert all(line.startswith("  | ") for line in traceback)


@pytest.mark.parametrize(
    "key",
    ["authorization", "Authorization", "token", "access", "refresh", "access_token", "password", "new_password", "text"]
    + ["message", "body", "cookie", "Set-Cookie", "X-CSRFToken", "jwt_secret", "SPIRIT_API_KEY", "params"],
)
def test_what_nobody_may_read_is_redacted_at_any_depth(key: str, stream: io.StringIO) -> None:
    logs.configure(level="INFO", as_json=True, stream=stream)

    structlog.get_logger("x").info("event", **{key: "hunter2"}, nested={"list": [{key: "hunter2"}]})

    assert "hunter2" not in stream.getvalue()
    assert logged_json(stream)[0][key] == "[redacted]"


def test_tokens_and_passwords_inside_a_text_are_redacted(stream: io.StringIO) -> None:
    logs.configure(level="INFO", as_json=True, stream=stream)
    bearer = "Bearer abcdefghijklmnopqrstuvwxyz"

    structlog.get_logger("x").info(
        "event", a=f"got {JWT}", b=bearer, c="redis://:hunter2@host/0 postgres://u:hunter2@h"
    )
    logging.getLogger("y").error("cannot use %s", JWT)

    written = stream.getvalue()
    assert "eyJ" not in written
    assert "abcdefghijk" not in written
    assert "hunter2" not in written
    assert "redis://:[redacted]@host/0" in written


def test_values_are_capped(stream: io.StringIO) -> None:
    logs.configure(level="INFO", as_json=True, stream=stream)

    structlog.get_logger("x").info("e" * 50_000, long="v" * 50_000, many=list(range(10_000)), **{"k" * 5000: 1})

    assert len(stream.getvalue()) < 5000


def test_what_json_cannot_say_is_said_in_words(stream: io.StringIO) -> None:
    logs.configure(level="INFO", as_json=True, stream=stream)

    structlog.get_logger("x").info("event", nan=float("nan"), huge=10**5000, thing=object(), key=b"\x00")

    (event,) = logged_json(stream)
    assert event["nan"] == "nan"
    assert event["huge"] == "an integer of 16610 bits"
    assert event["thing"].startswith("<object")


def test_every_line_carries_time_level_logger_and_context(stream: io.StringIO) -> None:
    logs.configure(level="INFO", as_json=True, stream=stream)

    with structlog.contextvars.bound_contextvars(request_id="r1", session_id="s1"):
        structlog.get_logger("ours").info("event")
        logging.getLogger("theirs").warning("event %d", 2)

    ours, theirs = logged_json(stream)
    assert (ours["event"], ours["level"], ours["logger"]) == ("event", "info", "ours")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("event 2", "warning", "theirs")
    assert {ours["request_id"], theirs["request_id"], ours["session_id"]} == {"r1", "s1"}
    assert ours["timestamp"].endswith("Z")


def test_access_logs_and_sql_with_its_values_are_off_even_at_debug(stream: io.StringIO) -> None:
    logs.configure(level="DEBUG", as_json=True, stream=stream)

    for name in ("uvicorn.access", "django.channels.server"):
        logging.getLogger(name).error("GET /?token=hunter2")
    logging.getLogger("django.db.backends").debug("SELECT 'hunter2'")
    logging.getLogger("seance.sql").debug("SELECT %s")

    assert [event["logger"] for event in logged_json(stream)] == ["seance.sql"]


def test_a_higher_level_is_kept_for_noisy_libraries(stream: io.StringIO) -> None:
    logs.configure(level="ERROR", as_json=True, stream=stream)

    logging.getLogger("uvicorn.error").warning("noise")
    logging.getLogger("uvicorn.error").error("signal")

    assert [event["event"] for event in logged_json(stream)] == ["signal"]
