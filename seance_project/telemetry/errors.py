"""seance_project, telemetry: Sentry. What is logged as an error is reported, with its traceback and its line's ids.

Nothing else is: no request, no breadcrumb, no local variable, since all of these hold what people said. The line has
passed the same cleaning as in the log.
"""

from __future__ import annotations

import logging
from typing import Any

import sentry_sdk

from seance_project.env import Env
from seance_project.logs import cleaned, ids

TAGS = ("request_id", "connection_id", "session_id", "user_id", "turn_id", "process", "code")
SHUTDOWN_SECONDS = 2


def install(env: Env) -> None:
    """Begin to report."""
    sentry_sdk.init(
        dsn=env.sentry_dsn,
        environment=env.environment,
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_breadcrumbs=0,
        shutdown_timeout=SHUTDOWN_SECONDS,
        before_send=_without_values,
    )
    logging.getLogger().addHandler(Reporter(level=logging.ERROR))


class Reporter(logging.Handler):
    """Reports records of the standard library, which all of ours end as."""

    def emit(self, record: logging.LogRecord) -> None:
        """One error."""
        if record.name.startswith("sentry_sdk"):
            return
        line = record.msg if isinstance(record.msg, dict) else {"event": record.getMessage()}
        context = {**ids(), **line}
        said = cleaned({key: value for key, value in context.items() if not key.startswith("_") and key != "exc_info"})
        with sentry_sdk.new_scope() as scope:
            scope.set_tag("logger", record.name)
            for name in TAGS:
                if name in said:
                    scope.set_tag(name, said[name])
            scope.set_context("line", said)
            scope.fingerprint = ["{{ default }}", record.name, str(said.get("event", ""))]
            error = record.exc_info or line.get("exc_info")
            if isinstance(error, BaseException):
                error = (type(error), error, error.__traceback__)
            if isinstance(error, tuple) and error[0] is not None:
                scope.set_extra("event", said.get("event", ""))
                sentry_sdk.capture_exception(error)
            else:
                sentry_sdk.capture_message(str(said.get("event", "")), level="error")


def _without_values(event: Any, _: Any) -> Any:
    """An exception's text may be what somebody typed, as the log's traceback may: only its kind goes out."""
    for found in (event.get("exception") or {}).get("values", []):
        found["value"] = ""
    event.pop("server_name", None)
    return event
