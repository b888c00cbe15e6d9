"""seance_project, telemetry: OpenTelemetry. Spans go to a collector over OTLP/HTTP, in batches, by a thread of its own.

The SDK's own variables hold, such as OTEL_TRACES_SAMPLER and OTEL_RESOURCE_ATTRIBUTES. A collector that is away costs
nobody anything: what does not fit into the queue is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from seance_project import logs
from seance_project.env import Env
from sessions_app import spans
from sessions_app.spans import Attributes

TIMEOUT_SECONDS = 5
# Which of the ids that log lines carry go into a span, and under which name.
IDS = ("request_id", "connection_id", "session_id", "user_id", "turn_id")
_parent = TraceContextTextMapPropagator()


class Tracer:
    """`spans.Tracer` of one provider."""

    def __init__(self, provider: TracerProvider) -> None:
        self.provider = provider
        self._tracer = provider.get_tracer("seance")

    def span(
        self, name: str, attributes: Attributes, *, came_from: str, links: Sequence[Any]
    ) -> AbstractContextManager[Any]:
        bound = logs.ids()
        ids = {f"seance.{key}": str(bound[key]) for key in IDS if key in bound}
        return self._tracer.start_as_current_span(
            name,
            context=_parent.extract({"traceparent": came_from}) if came_from else None,
            kind=trace.SpanKind.SERVER if came_from or "http.request.method" in attributes else trace.SpanKind.INTERNAL,
            attributes={**ids, **attributes},
            links=[trace.Link(one) for one in links if one is not None and one.is_valid],
            # An error's text may have people's words: its kind is enough, and the log has the rest.
            record_exception=False,
            set_status_on_exception=False,
        )

    def here(self) -> Any:
        """The context of the span that is under way."""
        return trace.get_current_span().get_span_context()


def install(env: Env) -> Tracer:
    """Let spans be recorded and sent, and log lines name the trace that they belong to."""
    provider = TracerProvider(resource=Resource.create({"service.name": "seance"}))
    exporter = OTLPSpanExporter(f"{env.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces", timeout=TIMEOUT_SECONDS)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    logging.getLogger("opentelemetry").setLevel(logging.ERROR)
    tracer = Tracer(provider)
    spans.connect(tracer)
    logs.add_context(_trace_ids)
    return tracer


def _trace_ids() -> dict[str, str]:
    found = trace.get_current_span().get_span_context()
    if not found.is_valid:
        return {}
    return {"trace_id": trace.format_trace_id(found.trace_id), "span_id": trace.format_span_id(found.span_id)}
