"""sessions_app, the admins' room: what keeps a list fast at a million rows: nothing on a page looks at all of them.

Counts end at COUNTED; words are looked for in the latest LATEST rows; values to filter by are those of the latest rows;
times are those that ids begin with, which are the primary key. The numbers are measured in docs/admin.md.
"""

from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from sessions_app import events

COUNTED = 10_000  # rows; the pages of a list end there
LATEST = 10_000  # rows, of a table that only grows

if TYPE_CHECKING:

    class _Paginator(Paginator[Any]):
        pass
else:
    _Paginator = Paginator


class AtLeast(int):
    """A count that ended: there may be more."""

    def __str__(self) -> str:
        return f"{int(self)} or more"


class CappedPaginator(_Paginator):
    """Pages of the first COUNTED rows: PostgreSQL counts rows by looking at each. It also makes the rows that a page
    skips, so these are ids only."""

    @cached_property
    def count(self) -> int:
        """How many, or AtLeast."""
        rows: Any = self.object_list
        found: int = rows.order_by().values("pk")[: COUNTED + 1].count()
        return found if found <= COUNTED else AtLeast(COUNTED)

    def page(self, number: int | str) -> Page[Any]:
        """The ids of one page, and then its rows."""
        number = self.validate_number(number)
        rows: Any = self.object_list
        begin = (number - 1) * self.per_page
        ids = list(rows.values_list("pk", flat=True)[begin : min(begin + self.per_page, int(self.count))])
        return Page(rows.filter(pk__in=ids), number, self)


def latest(rows: QuerySet[Any], through: str = "") -> QuerySet[Any]:
    """Those of the rows that are among the latest LATEST of their table, whose ids grow; or which point, with their
    column `through`, to one of the latest of another."""
    name = through or "pk"
    model = rows.model._meta.get_field(name).related_model if through else rows.model
    ids = model._default_manager.order_by("-pk").values_list("pk", flat=True)
    edge = ids[LATEST : LATEST + 1].first()
    return rows if edge is None else rows.filter(**{f"{name}__gt": edge})


def first_id(at: datetime) -> UUID:
    """The least id that a row of this moment can have (UUIDv7)."""
    return UUID(int=int(at.timestamp() * 1000) << 80)


class SinceFilter(admin.SimpleListFilter):
    """Since when, by the ids: for tables that have no index on a time of their own."""

    title = "made"
    parameter_name = "since"
    SPANS = {  # noqa: RUF012  a table
        "today": ("Today", timedelta(days=1)), "week": ("Past 7 days", timedelta(days=7)),
        "month": ("Past 30 days", timedelta(days=30)),
    }  # fmt: skip

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The choices."""
        return [(name, title) for name, (title, _) in self.SPANS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """The rows since then."""
        if (chosen := self.SPANS.get(self.value() or "")) is None:
            return queryset
        return queryset.filter(pk__gte=first_id(events.now() - chosen[1]))


class LatestValues(admin.AllValuesFieldListFilter):
    """The values that the latest rows have, in place of a search for every different one."""

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: type[Model], model_admin: Any, field_path: str
    ) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        offered = [one[0] for one in model_admin.list_filter if isinstance(one, tuple) and one[1] is type(self)]
        found: dict[str, list[Any]] = request.__dict__.get("latest_values") or _latest_values(model, offered)
        request.__dict__["latest_values"] = found
        self.lookup_choices: Any = found[field_path]


def _latest_values(model: type[Model], fields: list[str]) -> dict[str, list[Any]]:
    """The different values of several fields, in their order: the latest rows are read once for all of them, and only
    what differs leaves the database."""
    rows = model._default_manager.order_by("-pk").values_list(*fields)[:LATEST]
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT * FROM ({sql}) AS latest", params)  # noqa: S608  the model's own columns
        found = cursor.fetchall()
    return {name: sorted({row[place] for row in found}) for place, name in enumerate(fields)}
