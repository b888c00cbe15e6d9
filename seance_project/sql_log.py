"""seance_project: SQL in the log at DEBUG: the statement and its time, never its values, which are people's words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.db.backends.signals import connection_created

log = structlog.get_logger("seance.sql")


def install() -> None:
    """Watch every connection from its creation on, where DEBUG is logged; otherwise cost nothing."""
    import logging

    if logging.getLogger("seance.sql").isEnabledFor(logging.DEBUG):
        connection_created.connect(_watch, dispatch_uid="seance.sql")


def _watch(connection: Any, **_: Any) -> None:
    if _logged not in connection.execute_wrappers:
        connection.execute_wrappers.append(_logged)


def _logged(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    begun = time.perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        log.debug(
            "sql",
            sql=sql,
            duration_ms=round((time.perf_counter() - begun) * 1000, 2),
            alias=context["connection"].alias,
        )
