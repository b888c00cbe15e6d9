"""sessions_app, the admins' room: what all its pages have in common."""

import uuid
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from django.contrib import admin, messages
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from sessions_app.admin.lists import CappedPaginator, latest
from sessions_app.errors import SeanceError
from sessions_app.models import User

M = TypeVar("M", bound=Model)

if TYPE_CHECKING:

    class _Admin(admin.ModelAdmin[M]):
        pass
else:

    class _Admin(admin.ModelAdmin):
        def __class_getitem__(cls, _model: Any) -> type:
            return cls


IN_ONE = "session__id__exact"  # the parameter that narrows a list to one session


class SeanceAdmin(_Admin[M]):
    """Pages of 50 rows, and nothing that takes longer the more rows there are: see `lists`.

    With `is_log` the table is too long to look for words in all of it; in one session it is not, and is in the order of
    `place`, which has an index, while PostgreSQL would look for the session's rows among all by the id.
    """

    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a count of everything for each filter
    paginator = CappedPaginator
    is_log = False
    place: ClassVar[str | None] = None
    id_lookups: ClassVar[tuple[str, ...]] = ("pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """A whole UUID is looked up in `id_lookups`: no database compares a UUID with a part of one by index."""
        try:
            wanted = uuid.UUID(search_term.strip())
        except ValueError:
            words = search_term.replace("\x00", "")
            if words and self.is_log and IN_ONE not in request.GET:
                queryset = self.window(queryset)
            return super().get_search_results(request, queryset, words)
        return self.looked_up(queryset, wanted), False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """What filters and links of the lists ask for, and nothing else.

        Django allows every field of the row: whoever may only look could guess, letter by letter, what no page shows,
        such as a webhook's secret, or have all texts searched for an expression of their own.
        """
        names = {_name_of(one) for one in self.get_list_filter(request)}
        is_link = lookup in {f"{field.name}__id__exact" for field in self.opts.get_fields() if field.many_to_one}
        is_offered = any(lookup == name or lookup.startswith(f"{name}__") for name in names)
        return (is_link or is_offered) and super().lookup_allowed(lookup, value, request)

    def window(self, queryset: QuerySet[M]) -> QuerySet[M]:
        """The rows among which words are looked for."""
        return latest(queryset)

    def get_ordering(self, request: HttpRequest) -> Any:
        """That of the one session that is looked into, or of all."""
        if self.place is not None and IN_ONE in request.GET:
            return ("session", f"-{self.place}")
        return super().get_ordering(request)

    def looked_up(self, queryset: QuerySet[M], wanted: uuid.UUID) -> QuerySet[M]:
        """The rows that a whole id means."""
        return queryset.filter(reduce(or_, (Q(**{name: wanted}) for name in self.id_lookups)))

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """What a service refuses after the form was good (somebody was faster) is said on the page."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except SeanceError as refused:
            self.message_user(request, refused.message, messages.ERROR)
            return HttpResponseRedirect(request.path)


def _name_of(offered: Any) -> str:
    """What a filter of a list is called in the address."""
    if isinstance(offered, type):
        return str(getattr(offered, "parameter_name", ""))
    return offered if isinstance(offered, str) else str(offered[0])


class ReadOnlyAdmin(SeanceAdmin[M]):
    """Nobody adds, changes or deletes here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def actor(request: HttpRequest) -> User:
    """Who acts: the admin that is logged in."""
    assert isinstance(request.user, User)  # noqa: S101  the admin site lets nobody else in
    return request.user


def link(view: str, text: object, *args: object, **query: object) -> SafeString:
    """A link to a page of the admin; the text is escaped."""
    url = reverse(f"admin:sessions_app_{view}", args=args, query={key: str(value) for key, value in query.items()})
    return format_html('<a href="{}">{}</a>', url, text)


def row_of(links: Iterable[SafeString]) -> SafeString:
    """Links side by side."""
    return format_html_join(" · ", "{}", ((one,) for one in links))


def short(text: str, length: int = 80) -> str:
    """The beginning of a text, on one line."""
    return Truncator(" ".join(text.split())).chars(length)


def report(request: HttpRequest, admin_: Any, done: int, refusals: list[SeanceError], what: str) -> None:
    """Tell how many of the selected rows were done, and why others were not."""
    if done:
        admin_.message_user(request, f"{done} {what}.", messages.SUCCESS)
    for refused in refusals[:5]:
        admin_.message_user(request, refused.message, messages.ERROR)
