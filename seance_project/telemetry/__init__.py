"""seance_project, telemetry: what is told to others, where the settings say so: spans to a collector, errors to Sentry.

Both need the packages of the extra `observability`, which are imported only then.
"""

from __future__ import annotations

from seance_project import sql_log
from seance_project.env import Env


def install(env: Env) -> None:
    """Begin, once in a process, when the logs are configured."""
    sql_log.install(is_traced=bool(env.otel_exporter_otlp_endpoint))
    if env.otel_exporter_otlp_endpoint:
        from seance_project.telemetry import tracing

        tracing.install(env)
    if env.sentry_dsn:
        from seance_project.telemetry import errors

        errors.install(env)
