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

from sessions_app.errors import SeanceError
from sessions_app.models import User

M = TypeVar("M", bound=Model)

if TYPE_CHECKING:

    class _Admin(admin.ModelAdmin[M]):
        pass

    class _Inline(admin.TabularInline[M, Model]):
        pass
else:

    class _Admin(admin.ModelAdmin):
        def __class_getitem__(cls, _model: Any) -> type:
            return cls

    class _Inline(admin.TabularInline):
        def __class_getitem__(cls, _model: Any) -> type:
            return cls


class SeanceAdmin(_Admin[M]):
    """Pages of 50 rows, no second count of everything, and people chosen by typing instead of from a list of all."""

    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = False
    id_lookups: ClassVar[tuple[str, ...]] = ("pk",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """A whole UUID is looked up in `id_lookups`: no database compares a UUID with a part of one by index."""
        try:
            wanted = uuid.UUID(search_term.strip())
        except ValueError:
            return super().get_search_results(request, queryset, search_term.replace("\x00", ""))
        return queryset.filter(reduce(or_, (Q(**{name: wanted}) for name in self.id_lookups))), False

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """What a service refuses after the form was good (somebody was faster) is said on the page."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except SeanceError as refused:
            self.message_user(request, refused.message, messages.ERROR)
            return HttpResponseRedirect(request.path)


class ReadOnlyAdmin(SeanceAdmin[M]):
    """Nobody adds, changes or deletes here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(_Inline[M]):
    """A short table in another's page."""

    extra = 0
    can_delete = False
    show_change_link = True
    classes = ("collapse",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
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
