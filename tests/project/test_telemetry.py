"""Tests of seance_project.telemetry: errors reach a loopback Sentry without what people said; unasked, nothing does."""

from __future__ import annotations

import gzip
import json
import logging
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
import structlog

from seance_project import logs
from seance_project.env import EnvError, load
from seance_project.telemetry import errors
from sessions_app import spans

WORDS = "my grandmother's secret recipe"


@pytest.fixture
def envelopes(tmp_path: Path) -> Iterator[list[Any]]:
    """What a Sentry on the loopback was sent: the events of its envelopes."""
    found: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found.extend(json.loads(line) for line in body.splitlines() if b'"event_id"' in line and b'"level"' in line)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root = logging.getLogger()
    before = list(root.handlers)
    env = load(
        {"SENTRY_DSN": f"http://key@127.0.0.1:{server.server_port}/7", "VAR_DIR": str(tmp_path)},
        Path(os.devnull),
    )
    errors.install(env)
    yield found
    sentry_sdk.get_client().close(timeout=2)
    sentry_sdk.get_global_scope().set_client(None)
    root.handlers[:] = before
    server.shutdown()
    server.server_close()


def test_an_error_is_reported_with_its_ids_and_without_anybodys_words(envelopes: list[Any]) -> None:
    log = structlog.get_logger("seance.test")

    def crash(text: str) -> None:
        raise ValueError(f"cannot store {text}")

    with structlog.contextvars.bound_contextvars(request_id="r-1", session_id="s-1", turn_id="t-1"):
        log.info("nothing_special", text=WORDS)
        try:
            crash(WORDS)
        except ValueError:
            log.exception("message_failed", text=WORDS, token="nobody knows")
    logging.getLogger("somewhere").error("plain %s", "line")
    sentry_sdk.flush(timeout=5)

    crashed, plain = envelopes
    assert {name: crashed["tags"][name] for name in ("logger", "request_id", "session_id", "turn_id")} == {
        "logger": "seance.test", "request_id": "r-1", "session_id": "s-1", "turn_id": "t-1",
    }  # fmt: skip
    assert crashed["exception"]["values"][0]["type"] == "ValueError"
    assert [frame["function"] for frame in crashed["exception"]["values"][0]["stacktrace"]["frames"]][-1] == "crash"
    assert crashed["contexts"]["line"]["event"] == "message_failed"
    assert crashed["contexts"]["line"]["text"] == logs.REDACTED
    assert (plain["message"], plain["level"]) == ("plain line", "error")
    assert WORDS not in json.dumps(envelopes)
    assert "nobody knows" not in json.dumps(crashed["contexts"])  # in words: ids are random hexadecimal digits


@pytest.mark.parametrize(
    ("name", "value", "package"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318", "opentelemetry.sdk"),
        ("SENTRY_DSN", "http://key@127.0.0.1/1", "sentry_sdk"),
    ],
)
def test_a_setting_without_its_packages_is_refused(
    name: str, value: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from importlib.util import find_spec

    monkeypatch.setattr("seance_project.refusals.find_spec", lambda one: None if one == package else find_spec(one))

    with pytest.raises(EnvError, match=f"^{name}: needs the packages of requirements-observability.txt$"):
        load({name: value, "VAR_DIR": str(tmp_path)}, Path(os.devnull))


def test_without_a_tracer_a_span_is_nothing() -> None:
    first, second = spans.span("a", came_from="x"), spans.span("b", links=[1])

    assert first is second
    assert spans.here() is None
