"""sessions_app, the admins' room: what keeps a list fast at a million rows: nothing on a page looks at all of them.

Counts end at COUNTED; words are looked for in the latest LATEST rows; values to filter by are those of the latest rows;
times are those that ids begin with, which are the primary key. The numbers are measured in docs/admin.md.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin
from django.core.paginator import Page, Paginator
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


def latest(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Those of the rows that are among the latest LATEST of their table, whose ids grow."""
    ids = rows.model._default_manager.order_by("-pk").values_list("pk", flat=True)
    edge = ids[LATEST : LATEST + 1].first()
    return rows if edge is None else rows.filter(pk__gt=edge)


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
        rows = model._default_manager.order_by("-pk").values_list(field_path, flat=True)
        self.lookup_choices: Any = _Once(rows[:LATEST])


class _Once:
    """Different values, in their order, found when they are first asked for."""

    def __init__(self, rows: QuerySet[Any, Any]) -> None:
        self.rows = rows

    @cached_property
    def found(self) -> list[Any]:
        """The values."""
        return sorted(set(self.rows))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)
