"""sessions_app, reads: a queryset compiled once and run many times, for the few reads that everybody waits for.

Building and compiling a queryset costs Django more than PostgreSQL needs to answer it. A `Prepared` keeps the SQL that
the ORM made, for each database vendor, and only binds new values; the ORM stays the one place where the query is said.
"""

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from django.db import connection
from django.db.models import QuerySet

# Values that no query has by chance; where they turn up in the compiled parameters, the real ones are bound.
_UUIDS = tuple(UUID(int=0xF00D_0000_0000_4000_8000_0000_0000_0000 + n) for n in range(4))
_NUMBERS = tuple(0x5EA0_CE00_0000_0000 + n for n in range(4))
_PLACES: dict[object, tuple[type, int]] = {
    **{value: (UUID, n) for n, value in enumerate(_UUIDS)},
    **{value.hex: (str, n) for n, value in enumerate(_UUIDS)},  # how SQLite stores a UUID
    **{value: (int, n) for n, value in enumerate(_NUMBERS)},
}


class _Plan(NamedTuple):
    sql: str
    parameters: tuple[object, ...]
    convert: Callable[[list[tuple[Any, ...]]], list[tuple[Any, ...]]]

    def bind(self, ids: tuple[UUID, ...], numbers: tuple[int, ...]) -> list[Any]:
        bound: list[Any] = []
        for parameter in self.parameters:
            kind, n = _PLACES.get(parameter, (None, 0))
            if kind is None:
                bound.append(parameter)
            else:
                bound.append(numbers[n] if kind is int else ids[n] if kind is UUID else ids[n].hex)
        return bound


class Prepared:
    """A query with UUIDs and numbers to be bound.

    `build(ids, numbers, **fixed)` returns a `values_list()` queryset over placeholders; what is `fixed` (a limit, a
    direction) makes a plan of its own.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]]) -> None:
        self._build = build
        self._plans: dict[tuple[object, ...], _Plan] = {}

    def rows(self, *ids: UUID, numbers: tuple[int, ...] = (), **fixed: object) -> list[tuple[Any, ...]]:
        """The rows, with values of the fields' Python types."""
        key = (connection.vendor, *fixed.items())
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = _compile(self._build(_UUIDS, _NUMBERS, **fixed))
        if connection.vendor == "postgresql":
            # Prepared on the server too, and its answer in binary: psycopg's own types are the fields' Python types.
            with connection.wrap_database_errors:
                connection.ensure_connection()
                with psycopg.Cursor(connection.connection) as raw:
                    raw.execute(plan.sql, plan.bind(ids, numbers), prepare=True, binary=True)
                    return raw.fetchall()
        with connection.cursor() as cursor:
            cursor.execute(plan.sql, plan.bind(ids, numbers))
            return plan.convert(cursor.fetchall())


def _compile(queryset: QuerySet[Any, Any]) -> _Plan:
    compiler = queryset.query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    converters = compiler.get_converters([column for column, _, _ in compiler.select])
    if not converters:
        return _Plan(sql, tuple(parameters), lambda rows: rows)
    return _Plan(
        sql, tuple(parameters), lambda rows: [tuple(row) for row in compiler.apply_converters(rows, converters)]
    )
