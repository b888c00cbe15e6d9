"""Tests of a request, a message and a turn, each followed from the door to the database by log lines and by spans, on a
real server whose collector is a loopback."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.harness.client import RawClient
from tests.harness.processes import wait_until
from tests.harness.server import Server, Stack
from tests.harness.services import Databases

pytestmark = pytest.mark.processes

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAID = "Is the kettle lonely?"


class Collector:
    """Takes spans as OTLP/HTTP, on a port of its own."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = ExportTraceServiceRequest()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                told.ParseFromString(body)
                for resource in told.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200 if self.path == "/v1/traces" else 404)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    found = Collector()
    yield found
    found.close()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, databases: Databases, backend: Any, collector: Collector
) -> Iterator[Server]:
    stack = Stack(tmp_path_factory.mktemp("telemetry"), databases, backend, own_redis=False)
    yield stack.server(
        LOG_LEVEL="DEBUG", ENVIRONMENT="production", ALLOWED_HOSTS="127.0.0.1",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="100",
    )  # fmt: skip
    stack.close()


def lines(server: Server, event: str, **values: str) -> list[dict[str, Any]]:
    """The lines of the log of this event, with these values."""
    found = [json.loads(line) for line in server.said().splitlines() if line.startswith("{")]
    return [one for one in found if one["event"] == event and values.items() <= one.items()]


def attributes(span: Any) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


def test_a_request_is_followed_to_its_statements(server: Server, collector: Collector) -> None:
    room = server.create_session()
    headers = {"X-Request-ID": "follow-me", "traceparent": f"00-{TRACE}-{PARENT}-01"}

    answer = httpx.get(f"{server.base}/api/sessions/{room.id}/transcript", headers=headers, trust_env=False)
    wait_until(lambda: bool(collector.named("GET transcript")), timeout=10, what="no span came")
    wait_until(lambda: len(_of_trace(collector, "sql")) >= 2, timeout=10, what="no statements came")

    statements = lines(server, "sql", request_id="follow-me")
    (door,) = collector.named("GET transcript")
    inner = _of_trace(collector, "sql")
    assert answer.headers["X-Request-ID"] == "follow-me"
    assert statements[0]["sql"].startswith('SELECT "sessions"."id"')
    assert statements[1]["sql"].startswith('SELECT "messages"."id"'), "the streamed part, too"
    assert {one["session_id"] for one in statements} == {room.id}
    assert {one["trace_id"] for one in [*statements, *lines(server, "request", request_id="follow-me")]} == {TRACE}
    assert (door.trace_id.hex(), door.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(door)["seance.request_id"] == "follow-me"
    assert {span.parent_span_id for span in inner} == {door.span_id}
    assert {one["span_id"] for one in statements} == {span.span_id.hex() for span in inner}
    assert all("db.query.text" in attributes(span) for span in inner)


def _of_trace(collector: Collector, name: str) -> list[Any]:
    return [span for span in collector.named(name) if span.trace_id.hex() == TRACE]


async def test_a_message_and_its_turn_are_followed_to_their_statements(server: Server, collector: Collector) -> None:
    room = await asyncio.to_thread(server.create_session, mode="open")
    raw = await RawClient.open(server.ws(room.id))
    welcome = await raw.join(name="Ada")
    await raw.send("send_message", ref="r", text=SAID, client_msg_id="one")
    answer = await raw.expect("spirit_response", timeout=20)
    await raw.stop()
    turn = answer["data"]["turn_id"]

    def came() -> bool:
        return any(attributes(span).get("seance.turn_id") == turn for span in collector.named("turn"))

    await asyncio.to_thread(wait_until, came, timeout=10, what="no span of the turn came")
    await asyncio.to_thread(
        wait_until, lambda: bool(_linked(collector)), timeout=10, what="no transaction that links to its frame came"
    )

    posted = lines(server, "sql", session_id=room.id, work="post")
    thought = lines(server, "sql", turn_id=turn)
    assert any('INTO "messages"' in one["sql"] or "INTO messages" in one["sql"] for one in posted)
    assert any('"spirit_turns"' in one["sql"] for one in thought)
    assert {one["session_id"] for one in thought} == {room.id}
    assert not any("connection_id" in one for one in [*posted, *thought]), "it is nobody's socket's work"
    assert lines(server, "ws_joined", connection_id=welcome["data"]["connection_id"], session_id=room.id)
    assert lines(server, "turn_answered", turn_id=turn)[0]["trace_id"]
    told = server.said() + " ".join(str(span) for span in collector.spans)
    assert SAID not in told
    assert "kettle" not in told.lower()


def _linked(collector: Collector) -> list[Any]:
    frames = {span.span_id for span in collector.named("frame send_message")}
    return [span for span in collector.named("transaction post") if {link.span_id for link in span.links} & frames]
