"""sessions_app, the admins' room: who sits where."""

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sessions_app.admin.base import ReadOnlyAdmin, link
from sessions_app.models import Connection, Participant


@admin.register(Participant)
class ParticipantAdmin(ReadOnlyAdmin[Participant]):
    """People in sessions. Seats are given and taken by the rooms themselves."""

    list_display = ("name", "session_link", "user_link", "role", "is_here", "is_muted", "joined_at", "left_at")
    list_filter = (
        "role", "is_muted", ("left_at", admin.EmptyFieldListFilter), ("kicked_at", admin.EmptyFieldListFilter),
    )  # fmt: skip
    search_fields = ("name",)
    search_help_text = "A part of the name, or the whole id of a participant, a session or a user."
    id_lookups = ("pk", "session_id", "user_id")
    ordering = ("-id",)
    fields = (
        "id", "session_link", "user_link", "name", "role", "is_here", "joined_at", "left_at", "is_muted", "kicked_at",
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Participant]:
        here = Connection.objects.filter(participant=OuterRef("pk"))
        return super().get_queryset(request).select_related("session", "user").annotate(here=Exists(here))

    @admin.display(description="session")
    def session_link(self, row: Participant) -> SafeString:
        """Where."""
        return link("session_change", row.session.name, row.session_id)

    @admin.display(description="user")
    def user_link(self, row: Participant) -> SafeString:
        """Who."""
        return link("user_change", row.user, row.user_id)

    @admin.display(description="connected", boolean=True)
    def is_here(self, row: Participant) -> bool:
        """Whether a socket is open."""
        return bool(getattr(row, "here", False))
