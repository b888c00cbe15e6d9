"""sessions_app, the kitchen: SQL that the ORM makes once and that is run many times, for what everybody waits for.

Building and compiling a queryset costs Django more than PostgreSQL needs to answer it. A `Prepared` keeps the SQL for
each database vendor and only binds new values; the ORM stays the one place where a query is said. Source of the types:
psycopg's own are the fields' Python types, so PostgreSQL answers in binary; SQLite's go through Django's converters.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, cast
from uuid import UUID

import msgspec
import psycopg
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, JSONField, Model, QuerySet
from psycopg.types.json import Jsonb

from sessions_app import replica

M = TypeVar("M", bound=Model)

LARGEST = 512  # ids in one query

# Values that no query has by chance; where they turn up in the compiled parameters, the real ones are bound.
_IDS = tuple(UUID(int=0xF00D_0000_0000_4000_8000_0000_0000_0000 + n) for n in range(LARGEST))
_NUMBERS = tuple(0x5EA0_CE00_0000_0000 + n for n in range(4))
_PLACES: dict[object, tuple[str, int]] = {
    **{value: ("id", n) for n, value in enumerate(_IDS)},
    **{value.hex: ("hex", n) for n, value in enumerate(_IDS)},  # how SQLite stores a UUID
    **{value: ("number", n) for n, value in enumerate(_NUMBERS)},
}


Asked = Callable[[], list[tuple[Any, ...]]]  # waits for the rows of what was sent; to be called once


class _Plan(NamedTuple):
    sql: str
    parameters: tuple[object, ...]
    convert: Callable[[list[tuple[Any, ...]]], list[tuple[Any, ...]]]

    def bind(self, ids: Sequence[UUID], numbers: Sequence[int]) -> list[Any]:
        bound: list[Any] = []
        for parameter in self.parameters:
            kind, n = _PLACES.get(parameter, ("", 0))
            if kind == "id":
                bound.append(ids[n])
            elif kind == "hex":
                bound.append(ids[n].hex)
            else:
                bound.append(numbers[n] if kind else parameter)
        return bound


class Prepared:
    """A query with ids and numbers to be bound.

    `build(ids, numbers, **fixed)` returns a `values_list()` queryset over placeholders; what is `fixed` (a limit, how
    many ids there are) makes a plan of its own. With `key_share` PostgreSQL locks the rows FOR KEY SHARE, as a foreign
    key does and the ORM cannot.
    """

    def __init__(self, build: Callable[..., QuerySet[Any, Any]], *, key_share: bool = False) -> None:
        self._build, self._key_share = build, key_share
        self._plans: dict[tuple[object, ...], _Plan] = {}

    def rows(self, *ids: UUID, numbers: Sequence[int] = (), **fixed: object) -> list[tuple[Any, ...]]:
        """The rows, with values of the fields' Python types."""
        return self._ask(ids, numbers, fixed)()

    def rows_of(self, ids: Iterable[UUID], **fixed: Any) -> list[tuple[Any, ...]]:
        """The rows for any number of ids: they are filled up to a power of two, so that there are few plans."""
        return self.ask_of(ids, **fixed)()

    def ask_of(self, ids: Iterable[UUID], **fixed: Any) -> Asked:
        """Send what `rows_of` asks; within `pipelined` it is answered together with all that is sent there."""
        wanted = list(dict.fromkeys(ids))
        parts = [
            self._ask(_filled(wanted[start : start + LARGEST]), (), fixed) for start in range(0, len(wanted), LARGEST)
        ]
        return lambda: [row for part in parts for row in part()]

    def _ask(self, ids: Sequence[UUID], numbers: Sequence[int], fixed: Mapping[str, object]) -> Asked:
        connection = connections[replica.alias()]
        plan = self._plan(connection.vendor, len(ids), fixed)
        bound = plan.bind(ids, numbers)
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors:
                connection.ensure_connection()
                raw = cursor_class(connection.connection)
                raw.execute(plan.sql, bound, prepare=True, binary=True)
            return partial(_fetch, connection, raw)
        with connection.cursor() as cursor:
            cursor.execute(plan.sql, bound)
            found = plan.convert(cursor.fetchall())
        return lambda: found

    def stream(self, ids: Sequence[UUID], *, name: str, chunk: int) -> Iterator[tuple[Any, ...]]:
        """The rows for up to `LARGEST` ids, one after the other, of which only a chunk is held.

        Within a transaction, on the first database; `name` is unlike that of any other stream that is open there. It is
        always the same for the same query: a name of its own for each time, as Django has it, fills psycopg's caches.
        """
        filled = _filled(ids)
        plan = self._plan(connection.vendor, len(filled), {})
        bound = plan.bind(filled, ())
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, psycopg.ServerCursor(connection.connection, name) as cursor:
                cursor.execute(plan.sql, bound, binary=True)
                while found := cursor.fetchmany(chunk):
                    yield from found
            return
        with connection.cursor() as cursor:
            cursor.execute(plan.sql, bound)
            while found := cursor.fetchmany(chunk):
                yield from plan.convert(found)

    def _plan(self, vendor: str, count: int, fixed: Mapping[str, object]) -> _Plan:
        key = (vendor, count, *fixed.items())
        plan = self._plans.get(key)
        if plan is None:
            plan = _compile(self._build(_IDS[:count], _NUMBERS, **fixed))
            if self._key_share and vendor == "postgresql":
                plan = plan._replace(sql=f"{plan.sql} FOR KEY SHARE")
            self._plans[key] = plan
        return plan


def _fetch(connection: BaseDatabaseWrapper, raw: "psycopg.Cursor[Any]") -> list[tuple[Any, ...]]:
    with connection.wrap_database_errors, raw:
        return raw.fetchall()


def _filled(ids: Sequence[UUID]) -> list[UUID]:
    room = 1 << (len(ids) - 1).bit_length()
    return [*ids, *([ids[-1]] * (room - len(ids)))]


cursor_class: type[psycopg.Cursor[Any]] = psycopg.Cursor  # what watches statements replaces it


def raw_cursor() -> psycopg.Cursor[Any]:
    """A cursor of psycopg's own on the connection, which is open."""
    return cursor_class(connection.connection)


def _compile(queryset: QuerySet[Any, Any]) -> _Plan:
    compiler = queryset.query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    converters = compiler.get_converters([column for column, _, _ in compiler.select])
    if not converters:
        return _Plan(sql, tuple(parameters), lambda rows: rows)
    return _Plan(
        sql, tuple(parameters), lambda rows: [tuple(row) for row in compiler.apply_converters(rows, converters)]
    )


@cache
def columns(model: type[Model]) -> tuple[str, ...]:
    """The attributes that make a row of a model, in the order of `instance`."""
    return tuple(field.attname for field in model._meta.concrete_fields)


def instance(model: type[M], values: Sequence[Any]) -> M:
    """A row that was read by `columns` as an instance of its model."""
    return model.from_db("default", columns(model), values)


@contextmanager
def pipelined() -> Iterator[None]:
    """What is asked and written within goes to PostgreSQL together and waits for one answer; errors come at the end."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.wrap_database_errors:
        connection.ensure_connection()
        with connection.connection.pipeline():
            yield


Fields = tuple["Field[Any, Any]", ...]


@cache
def _insert_sql(model: type[Model]) -> tuple[str, Fields]:
    fields = tuple(model._meta.local_concrete_fields)
    quote = connection.ops.quote_name
    names, places = ", ".join(quote(field.column or "") for field in fields), ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({places})", fields  # noqa: S608  our own names


@cache
def _insert_each_sql(models: tuple[type[Model], ...]) -> "tuple[str, list[attrgetter[Any]], list[int]]":
    """The statement, what reads the values of each row, and which of all values are JSON."""
    statements, fields = zip(*(_insert_sql(model) for model in models), strict=True)
    *first, last = statements
    parts = ", ".join(f"part_{n} AS ({sql})" for n, sql in enumerate(first))
    read = [attrgetter(*(field.attname for field in some)) for some in fields]
    json = [n for n, field in enumerate(chain(*fields)) if isinstance(field, JSONField)]
    return f"WITH {parts} {last}" if first else last, read, json


@cache
def _update_sql(model: type[Model], names: tuple[str, ...]) -> tuple[str, Fields]:
    fields = tuple(cast("Field[Any, Any]", model._meta.get_field(name)) for name in (*names, "id"))
    quote = connection.ops.quote_name
    sets = ", ".join(f"{quote(field.column or '')} = %s" for field in fields[:-1])
    return f"UPDATE {quote(model._meta.db_table)} SET {sets} WHERE {quote('id')} = %s", fields  # noqa: S608  see above


@cache
def _insert_all_sql(model: type[Model]) -> tuple[str, Fields]:
    """For PostgreSQL: all rows are one JSON document, so that it runs the statement once, and not once a row."""
    fields = tuple(model._meta.local_concrete_fields)
    quote = connection.ops.quote_name
    table, names = quote(model._meta.db_table), ", ".join(quote(field.column or "") for field in fields)
    rows = f"json_populate_recordset(NULL::{table}, %s::json)"
    return f"INSERT INTO {table} ({names}) SELECT {names} FROM {rows}", fields  # noqa: S608  our own names


def _execute(sql: str, fields: Fields, rows: Sequence[Model]) -> None:
    with connection.wrap_database_errors:
        connection.ensure_connection()
        if connection.vendor == "postgresql":
            values = [[getattr(row, field.attname) for field in fields] for row in rows]
            with raw_cursor() as raw:
                if len(values) == 1:
                    raw.execute(sql, values[0], prepare=True)
                else:
                    raw.executemany(sql, values)
            return
        adapted = [
            [field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields] for row in rows
        ]
        with connection.cursor() as cursor:
            cursor.executemany(sql, adapted)


def insert(rows: Sequence[Model]) -> None:
    """Insert rows of one model, whose keys are set and which have no JSON; signals are not sent.

    Raises what the database raises, as Django's exceptions.
    """
    if len(rows) > 1 and connection.vendor == "postgresql":
        sql, fields = _insert_all_sql(type(rows[0]))
        values = [{field.column: getattr(row, field.attname) for field in fields} for row in rows]
        with connection.wrap_database_errors:
            connection.ensure_connection()
            with raw_cursor() as raw:
                raw.execute(sql, [msgspec.json.encode(values).decode()], prepare=True)
    elif rows:
        _execute(*_insert_sql(type(rows[0])), rows)
    for row in rows:
        row._state.adding, row._state.db = False, "default"


def insert_each(rows: Sequence[Model]) -> None:
    """Insert a row each of several models, all or none, those that others refer to first.

    PostgreSQL gets one statement, without a transaction around it: foreign keys are looked at when it ends.
    """
    if connection.vendor != "postgresql":
        with transaction.atomic():
            for row in rows:
                insert([row])
        return
    sql, read, json = _insert_each_sql(tuple(type(row) for row in rows))
    values = [value for get, row in zip(read, rows, strict=True) for value in get(row)]
    for n in json:  # which must be said to be that; JSON has a null of its own
        values[n] = None if values[n] is None else Jsonb(values[n])
    with connection.wrap_database_errors:
        connection.ensure_connection()
        with raw_cursor() as raw:
            raw.execute(sql, values, prepare=True)
    for row in rows:
        row._state.adding, row._state.db = False, "default"


def delete(model: type[Model], ids: Collection[UUID]) -> None:
    """Delete rows that no other refers to; raises what `insert` raises."""
    if not ids:
        return
    quote = connection.ops.quote_name
    table, key = quote(model._meta.db_table), quote("id")
    with connection.wrap_database_errors:
        connection.ensure_connection()
        if connection.vendor == "postgresql":
            with raw_cursor() as raw:
                raw.execute(f"DELETE FROM {table} WHERE {key} = ANY(%s)", [list(ids)], prepare=True)  # noqa: S608  our own names
            return
        with connection.cursor() as cursor:
            cursor.executemany(f"DELETE FROM {table} WHERE {key} = %s", [(one.hex,) for one in ids])  # noqa: S608  see above


def update(rows: Sequence[Model], *names: str) -> None:
    """Write these fields of rows of one model; raises what `insert` raises."""
    if rows:
        _execute(*_update_sql(type(rows[0]), names), rows)
