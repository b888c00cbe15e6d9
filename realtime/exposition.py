"""realtime, `/metrics`: what a process has counted, or all workers together, as Prometheus reads it.

With several workers each process writes what it counts into files of a directory that the supervisor has set; any of
them then answers for all. What is said here is for operators: a proxy should not pass `/metrics` on.
"""

import os

from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

METRICS_DIR = "PROMETHEUS_MULTIPROC_DIR"  # read by prometheus_client itself, when it is imported


def metrics(request: HttpRequest) -> HttpResponse:
    """The text format, version 1.0.0 of the exposition."""
    registry = REGISTRY
    if os.environ.get(METRICS_DIR):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return HttpResponse(generate_latest(registry), CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})
