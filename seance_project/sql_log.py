"""seance_project: statements, watched: at DEBUG in the log, and as spans where there is a tracer. The statement and its
time, never its values, which are people's words."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import structlog
from django.db.backends.signals import connection_created

from sessions_app import prepared, spans

log = structlog.get_logger("seance.sql")


def install(*, is_traced: bool) -> None:
    """Watch every connection from its creation on, where somebody wants to know; otherwise cost nothing."""
    if is_traced or logging.getLogger("seance.sql").isEnabledFor(logging.DEBUG):
        connection_created.connect(_watch, dispatch_uid="seance.sql")
        prepared.cursor_class = Watched


@contextmanager
def _watched(sql: str, alias: str) -> Iterator[None]:
    with spans.span("sql", {"db.query.text": sql}):
        begun = time.perf_counter()
        try:
            yield
        finally:
            log.debug("sql", sql=sql, duration_ms=round((time.perf_counter() - begun) * 1000, 2), alias=alias)


def _watch(connection: Any, **_: Any) -> None:
    if _through_django not in connection.execute_wrappers:
        connection.execute_wrappers.append(_through_django)


def _through_django(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    with _watched(sql, context["connection"].alias):
        return execute(sql, params, many, context)


class Watched(psycopg.Cursor[Any]):
    """For those statements that are prepared once and pass Django's cursors by."""

    def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
        with _watched(str(query), "default"):
            return super().execute(query, *arguments, **options)

    def executemany(self, query: Any, *arguments: Any, **options: Any) -> None:
        with _watched(str(query), "default"):
            super().executemany(query, *arguments, **options)
